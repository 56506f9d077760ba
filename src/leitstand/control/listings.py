"""What providers list under our label, and what that says of one instance."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import structlog

from leitstand.core import limits
from leitstand.core.boot import fatal, words
from leitstand.core.dollars import agreed
from leitstand.core.instance import Instance, Listing, mismatch, vouched
from leitstand.core.rented import LogLine
from leitstand.launch import LABEL_PREFIX
from leitstand.ports import Provider, Seen, Status

log = structlog.get_logger(__name__)


class Listings:
    """Asks each provider as often as an answer can tell something new."""

    def __init__(self, providers: Mapping[str, Provider], installation: str) -> None:
        self._providers = providers
        self._installation = installation
        self._listed_at: dict[str, datetime] = {}

    def take(self, now: datetime) -> dict[str, list[Seen]]:
        """What every provider lists under our label, of those that answer and whose turn it is."""
        found: dict[str, list[Seen]] = {}
        ours = f"{LABEL_PREFIX}{self._installation}-"
        for name, provider in self._providers.items():
            listed_at = self._listed_at.get(name)
            if listed_at is not None and timedelta(0) <= now - listed_at < self.pace(name):
                continue
            self._listed_at[name] = now
            try:
                found[name] = [seen for seen in provider.list() if seen.label.startswith(ours)]
            except Exception as error:
                log.warning("provider.silent", provider=name, error=type(error).__name__)
        return found

    def pace(self, provider: str) -> timedelta:
        """How long after one listing the next one tells something new."""
        return max(limits.LISTING_PACE, self._providers[provider].listing_lag / 2)

    def says(self, instance: Instance, listed: list[Seen] | None, now: datetime) -> Listing | None:
        """What a listing says of one instance; None where there is none."""
        if listed is None:
            return None
        lag = self._providers[instance.provider].listing_lag
        seen = own(instance, listed)
        if seen is None:
            return Listing(now, lag, None, None)
        differs = mismatch(
            instance,
            _price(instance, seen),
            seen.gpu,
            seen.region,
            gpus=seen.gpus,
            bid=seen.bid,
            other_image=seen.other_image,
            tier=seen.tier,
        )
        said = [LogLine(None, "status", seen.raw or "")]
        as_offered = (
            seen.status is Status.RUNNING
            and differs is None
            and instance.region in (None, seen.region)
            and seen.other_image is False
            and vouched(instance, seen.tier)
        )
        status, raw = seen.status.value, words(seen.raw)
        return Listing(now, lag, seen.provider_id, status, differs, fatal(said), raw, as_offered)


def _price(instance: Instance, seen: Seen) -> str | None:
    """The price that is read back, at the rate that the instance was offered at."""
    rate = agreed(instance.offer)
    if rate is None or seen.asked is None:
        return seen.price_eur_per_hour
    return str(rate.charged(seen.asked.usd))


def own(instance: Instance, listed: list[Seen]) -> Seen | None:
    """The one that an instance is: the one whose id is recorded, else of all that carry its label the
    first by id. A provider that created twice lists two."""
    if instance.provider_id is not None:
        return next((s for s in listed if s.provider_id == instance.provider_id), None)
    same = [seen for seen in listed if seen.label == instance.label]
    return min(same, key=lambda seen: (seen.doubtful, seen.provider_id), default=None)
