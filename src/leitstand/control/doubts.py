"""Listings that suddenly show nothing: an outage of the provider's list is no end of our instances.

A provider that lists none of many instances, which nobody asked to end, is not believed at once:
nothing is written off, nothing new is launched there, and people are told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

import structlog

from leitstand.control import money
from leitstand.control.commands import Command, Door
from leitstand.control.transaction import Tx
from leitstand.core import limits
from leitstand.core.access import SYSTEM
from leitstand.core.instance import Instance
from leitstand.ports import Provider, Seen

log = structlog.get_logger(__name__)

DOUBTED = "list-doubted"
_STAYS = frozenset({"booting", "admitting", "ready", "paused", "resuming"})
"""States of instances that exist at their provider and were not asked to end."""


@dataclass(frozen=True, slots=True)
class TellEmpty(Command[None]):
    """A provider suddenly lists none of these instances: whoever follows their jobs hears of it."""

    provider: str
    missing: tuple[str, ...]
    action: ClassVar[str] = "instances.observe"

    def apply(self, tx: Tx) -> None:
        told = {"code": DOUBTED, "provider": self.provider, "count": len(self.missing)}
        found = (money.reservation_job(tx, instance_id) for instance_id in self.missing)
        for job_id in sorted({job.id for job in found if job is not None}):
            tx.event(job_id, "alarm", **told)
        log.error("provider.doubted", **told)


class Doubts:
    """The circuit breaker: the reconciler sets it, and who launches heeds it."""

    def __init__(self, door: Door, providers: Mapping[str, Provider]) -> None:
        self._door = door
        self._providers = providers
        self._missing: dict[str, dict[str, str]] = {}
        """By provider: the instances that it suddenly does not list, with their labels."""
        self._since: dict[str, datetime] = {}
        self._untold: dict[str, TellEmpty] = {}

    def of(self, provider: str) -> int:
        """How many instances a provider suddenly does not list; 0 where its list is believed."""
        return len(self._missing.get(provider, ()))

    def proves(self, instance: Instance, listed: list[Seen] | None) -> list[Seen] | None:
        """A listing for what it says of one instance; None where it is doubted that it is gone."""
        if not listed or not self.of(instance.provider):
            return None if self.of(instance.provider) else listed
        return listed if any(seen.label == instance.label for seen in listed) else None

    def look(
        self,
        listings: Mapping[str, list[Seen]],
        alive: Iterable[Instance],
        live: Mapping[str, int],
        now: datetime,
    ) -> None:
        """Which of the new listings are doubted. `live`: attempts under way by instance, of workers
        that are heard, whatever a provider lists."""
        fleet = {one.id: one for one in alive}
        for name, listed in listings.items():
            labels = {seen.label for seen in listed}
            missing = self._missing.get(name)
            if missing is None:
                missing = self._vanished(name, labels, fleet.values(), now)
                if not missing:
                    continue
                self._missing[name], self._since[name] = missing, now
                self._untold[name] = TellEmpty(name, tuple(missing))
            left = [one for one in missing if one in fleet and fleet[one].state in _STAYS]
            long = now - self._since[name] >= limits.EMPTY_BELIEVED_AFTER
            heard = any(live.get(one) for one in left)
            if not left or labels & set(missing.values()) or (long and not heard):
                del self._missing[name], self._since[name]

    def tell(self, now: datetime) -> None:
        """Tell people of doubts that they have not heard of."""
        for name, command in list(self._untold.items()):
            self._door.run(command, SYSTEM, now)
            del self._untold[name]

    def _vanished(
        self, name: str, labels: set[str], fleet: Iterable[Instance], now: datetime
    ) -> dict[str, str]:
        """The instances that should be listed, where none of many is."""
        lag = self._providers[name].listing_lag
        known = {
            one.id: one.label
            for one in fleet
            if one.provider == name
            and one.state in _STAYS
            and one.absent_since is None
            and now - one.updated_at > lag
        }
        sudden = lag > timedelta(0) and len(known) >= limits.EMPTY_SUDDEN_MIN
        return known if sudden and not labels & set(known.values()) else {}
