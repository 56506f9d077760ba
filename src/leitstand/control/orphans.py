"""What bears our label and has no living record: ended, or, where it may be somebody else's, told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

import structlog

from leitstand.control.commands import Command, Door
from leitstand.control.instances import end_all_the_same
from leitstand.control.listings import own
from leitstand.control.strays import record
from leitstand.control.transaction import Tx
from leitstand.core import label
from leitstand.core.access import SYSTEM
from leitstand.core.rented import Stray
from leitstand.ports import Provider, Seen
from leitstand.store import instances

log = structlog.get_logger(__name__)

DOUBTFUL = "whose-instance"
_ID_CHARACTERS_MAX = 35


@dataclass(frozen=True, slots=True)
class ReapOrphans(Command[None]):
    """End instances that carry our label and have no living record. What is `paid` for gets one."""

    orphans: tuple[Stray, ...]
    paid: frozenset[str]
    """Names of the providers that cost money."""
    action: ClassVar[str] = "instances.observe"

    def apply(self, tx: Tx) -> None:
        for stray in self.orphans:
            if stray.provider not in self.paid or not record(tx, stray):
                end_all_the_same(tx, stray.provider, stray.provider_id)


@dataclass(frozen=True, slots=True)
class TellDoubt(Command[None]):
    """Something is called as ours are, and may be somebody else's: people have to look."""

    provider: str
    seen: Seen
    action: ClassVar[str] = "instances.observe"

    def apply(self, tx: Tx) -> None:
        told = {"code": DOUBTFUL, "provider": self.provider, "provider_id": self.seen.provider_id}
        tx.event(_named(self.seen), "alarm", id=_named(self.seen), **told)
        log.error("instance.alarm", instance=_named(self.seen), **told)


class Orphans:
    """The reconciler's part for what no living record stands for."""

    def __init__(self, door: Door, providers: Mapping[str, Provider]) -> None:
        self._door = door
        self._providers = providers
        self._told: set[tuple[str, str]] = set()

    def step(self, listings: Mapping[str, list[Seen]], now: datetime) -> None:
        """What carries our label and is not the one instance of that label. The records are read
        after the listings: whatever was launched meanwhile has its record by then."""
        alive = self._door.database.read(instances.alive)
        known = {i.label: i for i in alive}
        ids = {(i.provider, i.provider_id) for i in alive}
        orphans = []
        for name, listed in listings.items():
            for seen in listed:
                instance = known.get(seen.label)
                if instance is not None and own(instance, listed) == seen:
                    continue
                if (name, seen.provider_id) in ids:
                    continue
                if seen.doubtful and not self._was_ours(name, seen):
                    self._tell(name, seen, now)
                else:
                    orphans.append(_stray(name, seen))
        if orphans:
            log.warning("instance.orphans", count=len(orphans))
            paid = frozenset(n for n, one in self._providers.items() if hasattr(one, "account"))
            self._door.run(ReapOrphans(tuple(orphans), paid), SYSTEM, now)

    def _was_ours(self, provider: str, seen: Seen) -> bool:
        """Whether the instance that the label names was this one."""
        tenant, named = self._door.tenant, _named(seen)
        record = self._door.database.read(lambda conn: instances.find(conn, tenant, named))
        return record is not None and (record.provider, record.provider_id) == (
            provider,
            seen.provider_id,
        )

    def _tell(self, provider: str, seen: Seen, now: datetime) -> None:
        """Once for each, since this control plane began."""
        if (provider, seen.provider_id) not in self._told:
            self._door.run(TellDoubt(provider, seen), SYSTEM, now)
            self._told.add((provider, seen.provider_id))


def _stray(provider: str, seen: Seen) -> Stray:
    price, region, gpu = seen.price_eur_per_hour, seen.region, seen.gpu
    found = Stray(provider, seen.provider_id, seen.label, price, region=region, gpu=gpu)
    return found.at_rate_of(seen.asked)


def _named(seen: Seen) -> str:
    """The instance that a label names; what there is of it, where it is none to the last character."""
    said = label.read(seen.label)
    return seen.label[:_ID_CHARACTERS_MAX] if said is None else said.instance_id
