"""Ending what is ours and overdue at every provider, without control plane and database.

The label carries the installation and an `end_by` that is never extended: nothing else is asked.
What bears another label is looked at and left alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from leitstand.core import label
from leitstand.core.rented import Stray, Volume
from leitstand.core.volume import owner_of
from leitstand.ports import Capability, Provider, Seen, Storage

GONE_WITHIN = timedelta(minutes=10)
"""How long an end is waited for."""
PAUSE_SECONDS_MIN = 5.0


@dataclass(frozen=True, slots=True)
class Found:
    """One instance of this installation."""

    provider: str
    seen: Seen
    instance_id: str
    end_by: datetime

    @property
    def key(self) -> tuple[str, str]:
        return self.provider, self.seen.provider_id

    def stray(self, until: datetime) -> Stray:
        """As the control plane books it, should it have no record of it."""
        seen = self.seen
        return Stray(
            self.provider,
            seen.provider_id,
            seen.label,
            seen.price_eur_per_hour,
            until=until,
            region=seen.region,
            gpu=seen.gpu,
        ).at_rate_of(seen.asked)


@dataclass(frozen=True, slots=True)
class Kept:
    """One volume of this installation, and what it costs in a day."""

    provider: str
    volume: Volume
    price_eur_per_day: Decimal


@dataclass(frozen=True, slots=True)
class Look:
    """What all providers list. `strangers` bear a label of another installation; `silent` did not
    answer, so nothing is known of them. `doubtful` are called as ours are and may be somebody's.
    `volumes` have no end: they cost until they are deleted; `unlisted` did not name theirs."""

    ours: tuple[Found, ...]
    strangers: tuple[tuple[str, Seen], ...]
    silent: Mapping[str, str] = field(default_factory=dict)
    doubtful: tuple[Found, ...] = ()
    volumes: tuple[Kept, ...] = ()
    unlisted: Mapping[str, str] = field(default_factory=dict)

    def overdue(self, now: datetime) -> tuple[Found, ...]:
        """Those that should be gone."""
        return tuple(one for one in self.ours if one.end_by <= now)


class Reaper:
    """Looks, ends, and looks again until an end is proved."""

    def __init__(
        self,
        providers: Mapping[str, Provider],
        installation: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._providers = providers
        self._installation = installation
        self._now, self._sleep = now, sleep

    def look(self) -> Look:
        """Every provider's whole list."""
        ours: list[Found] = []
        doubtful: list[Found] = []
        kept: list[Kept] = []
        strangers: list[tuple[str, Seen]] = []
        silent, unlisted = dict[str, str](), dict[str, str]()
        for name, provider in self._providers.items():
            try:
                listed = list(provider.list())
            except Exception as error:
                silent[name] = type(error).__name__
                continue
            try:  # by itself: what can be ended is, whatever is known of volumes
                kept += self._volumes(name, provider)
            except Exception as error:
                unlisted[name] = type(error).__name__
            for seen in listed:
                said = label.read(seen.label)
                if said is None or said.installation != self._installation:
                    strangers.append((name, seen))
                else:
                    kind = doubtful if seen.doubtful else ours
                    kind.append(Found(name, seen, said.instance_id, said.end_by))
        return Look(tuple(ours), tuple(strangers), silent, tuple(doubtful), tuple(kept), unlisted)

    def _volumes(self, name: str, provider: Provider) -> list[Kept]:
        if Capability.VOLUMES not in provider.capabilities:
            return []
        storage: Storage = provider.account  # type: ignore[attr-defined]
        ours = [v for v in storage.volumes() if owner_of(v.name) == self._installation]
        return [Kept(name, v, storage.volume_price(v.size_gb) * 24) for v in ours]

    def delete(self, wanted: Sequence[Kept]) -> tuple[Kept, ...]:
        """Delete these; those of which that was refused, as while a machine has one, or that are
        listed all the same."""
        left = []
        for one in wanted:
            provider = self._providers[one.provider]
            try:
                provider.account.delete_volume(one.volume.volume_id)  # type: ignore[attr-defined]
                there = self._volumes(one.provider, provider)
            except Exception:
                left.append(one)
                continue
            if any(same.volume.volume_id == one.volume.volume_id for same in there):
                left.append(one)
        return tuple(left)

    def end(self, wanted: Sequence[Found]) -> tuple[Found, ...]:
        """Ask these to end until each is absent from two lists that are one listing lag apart;
        those of which that could not be seen in time."""
        left = {one.key: one for one in wanted}
        absent: dict[tuple[str, str], datetime] = {}
        until = self._now() + GONE_WITHIN
        while left and self._now() < until:
            for name in sorted({one.provider for one in left.values()}):
                with suppress(Exception):  # whatever it is, it keeps no other machine rented
                    self._round(name, left, absent)
            if left:
                lags = [self._providers[one.provider].listing_lag for one in left.values()]
                self._sleep(max(PAUSE_SECONDS_MIN, max(lags).total_seconds() / 2))
        return tuple(left.values())

    def _round(
        self, name: str, left: dict[tuple[str, str], Found], absent: dict[tuple[str, str], datetime]
    ) -> None:
        provider = self._providers[name]
        for key in [key for key in left if key[0] == name and key not in absent]:
            with suppress(Exception):
                provider.terminate(key[1])
        at = self._now()
        listed = {(name, seen.provider_id) for seen in provider.list()}
        for key in [key for key in left if key[0] == name]:
            if key in listed:
                absent.pop(key, None)
            elif at - absent.setdefault(key, at) > provider.listing_lag:
                del left[key]
