"""Volumes that keep models at a provider: made where they are set and needed, booked, and gone when
nobody uses them. What a list shows decides; a call whose answer is lost is settled by name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, ClassVar

import structlog

from leitstand.control import money
from leitstand.control.commands import Command, Door
from leitstand.control.transaction import Change, Tx
from leitstand.control.turns import Turns
from leitstand.core import limits
from leitstand.core.access import SYSTEM
from leitstand.core.cost import left_in
from leitstand.core.problem import Exit, Problem
from leitstand.core.rented import Volume
from leitstand.core.volume import (
    ENDING_HOURS,
    FORESEEN,
    HELD,
    VOLUME,
    Act,
    Create,
    Delete,
    Intend,
    NoteMissing,
    Shelf,
    Sight,
    Step,
    acts,
    cost,
    name_of,
    owner_of,
    whole_hours,
)
from leitstand.ports import Capability, Provider, ProviderError, Storage
from leitstand.store import instances, tables, volumes
from leitstand.store.rows import add

log = structlog.get_logger(__name__)

_DIGEST = re.compile(r"[0-9a-f]{64}")
HOLDS_MAX = 1_000


@dataclass(frozen=True, slots=True)
class KeepVolumes(Command[None]):
    """Write down what was decided about the volumes of one provider, and book their hours."""

    provider: str
    decided: tuple[Act, ...]
    installation: str
    prices: Mapping[int, Decimal]
    """Euros an hour by size."""
    mounted: frozenset[str] = frozenset()
    action: ClassVar[str] = "volumes.keep"

    def apply(self, tx: Tx) -> None:
        tx.hold("volumes")
        for shelf in volumes.kept(tx.conn, self.provider):
            book(tx, shelf)
            if shelf.provider_id in self.mounted:
                tx.set("volume", shelf.id, used_at=tx.now)
        for act in self.decided:
            self._one(tx, act)

    def _one(self, tx: Tx, act: Act) -> None:
        if isinstance(act, Intend):
            self._intend(tx, act)
            return
        shelf = volumes.find(tx.conn, tx.tenant, act.shelf.id, lock=True)
        if shelf is None or shelf.state != act.shelf.state:
            return
        match act:
            case Create() | Delete():
                tx.set("volume", shelf.id, asked_at=tx.now)
            case NoteMissing(missing=missing):
                tx.set("volume", shelf.id, absent_since=tx.now if missing else None)
            case Step(event=event, code=code, provider_id=found):
                values: dict[str, Any] = {"absent_since": None}
                if code is not None:
                    values["reason"] = {"code": code, "params": {}}
                if found is not None:
                    values |= {"provider_id": found, "booked_at": tx.now}
                tx.move(VOLUME, event, [Change(shelf, values)])

    def _intend(self, tx: Tx, act: Intend) -> None:
        """A new record; of what was found, it says that it is there."""
        name = name_of(self.installation, act.place) if act.found is None else act.found.name
        row = {
            **tx.born(None, "volume"),
            "provider": self.provider,
            "provider_id": None if act.found is None else act.found.volume_id,
            "name": name,
            "place": act.place,
            "region": None if act.found is None else act.found.region,
            "size_gb": act.size_gb,
            "price": self.prices[act.size_gb],
            "state": "intended" if act.found is None else "ready",
            "reason": None,
            "holds": [],
            "asked_at": None,
            "used_at": None,
            "booked_at": None if act.found is None else tx.now,
            "absent_since": None,
        }
        tx.create(VOLUME, [row])


def book(tx: Tx, shelf: Shelf) -> None:
    """The hours of a volume that are over, as they are billed."""
    if shelf.booked_at is None:
        return
    until, hours = whole_hours(shelf.booked_at, shelf.absent_since or tx.now)
    if hours <= 0:
        return
    row = {
        **tx.born(None, "rent"),
        "volume_id": shelf.id,
        "from_at": shelf.booked_at,
        "to_at": until,
        "amount": cost(shelf.price, hours),
    }
    add(tx.conn, tables.rents, [row])
    tx.enter("rent", "create", row["id"], 1, None, "booked")
    tx.set("volume", shelf.id, booked_at=until)


@dataclass(frozen=True, slots=True)
class DeleteVolume(Command[Shelf]):
    """A person wants it gone. Raises Problem `unknown-volume`, `volume-in-use`."""

    volume_id: str
    action: ClassVar[str] = "volumes.delete"

    def apply(self, tx: Tx) -> Shelf:
        shelf = one(tx, self.volume_id)
        used_by = [i.id for i in mounting(tx) if i.offer["volume"] == shelf.provider_id]
        if used_by:
            raise Problem("volume-in-use", Exit.REFUSED, volume=shelf.name, instance=used_by[0])
        if shelf.state in ("intended", "ready"):
            reason = {"code": "volume-asked", "params": {}}
            tx.move(VOLUME, "end", [Change(shelf, {"reason": reason, "absent_since": None})])
        return one(tx, self.volume_id)


@dataclass(frozen=True, slots=True)
class NoteHolds(Command[None]):
    """A worker says which model files lie on its volume. It helps placement and nothing depends on
    it: every file is checked against its digest before it is loaded."""

    instance_id: str
    cached: tuple[str, ...]
    action: ClassVar[str] = "volumes.note"

    def owner(self) -> str | None:
        return self.instance_id

    def news(self, tx: Tx) -> tuple[str, list[str]] | None:
        """A volume and what it holds, where that is not what was known."""
        instance = instances.find(tx.conn, tx.tenant, self.instance_id) if self.cached else None
        if instance is None or not instance.offer.get("volume"):
            return None
        held = sorted({one for one in self.cached if _DIGEST.fullmatch(one)})[:HOLDS_MAX]
        provider, volume_id = instance.provider, str(instance.offer["volume"])
        for shelf in volumes.kept(tx.conn, provider):
            if shelf.provider_id == volume_id and shelf.holds != held:
                return shelf.id, held
        return None

    def apply(self, tx: Tx) -> None:
        found = self.news(tx)
        if found is not None:
            tx.set("volume", found[0], holds=found[1])


def one(tx: Tx, volume_id: str) -> Shelf:
    """A volume by id. Raises Problem `unknown-volume`."""
    found = volumes.find(tx.conn, tx.tenant, volume_id, lock=tx.writes)
    if found is None:
        raise Problem("unknown-volume", Exit.USAGE, volume=volume_id)
    return found


def mounting(tx: Tx) -> list[Any]:
    """Instances that have a volume and are not seen gone."""
    return [i for i in instances.alive(tx.conn) if i.offer.get("volume")]


def without_taken(tx: Tx, offer: dict[str, Any]) -> dict[str, Any]:
    """The offer, without its volume where another instance got it meanwhile."""
    volume = offer.get("volume")
    if volume and any(i.offer["volume"] == volume for i in mounting(tx)):
        return {**offer, "volume": None, "cached_gib": 0.0}
    return offer


class Volumes:
    """One step: look at each provider that keeps volumes, decide, and make the calls."""

    def __init__(
        self,
        door: Door,
        providers: Mapping[str, Provider],
        wanted: Mapping[str, Mapping[str, int]],
        budgets: Mapping[str, str | None],
        installation: str,
        idle_max: timedelta,
    ) -> None:
        """`wanted`: size in GB by provider and place."""
        self._door = door
        self._providers = providers
        self._wanted = wanted
        self._budgets = budgets
        self._installation = installation
        self._idle_max = idle_max
        self._looked_at: dict[str, datetime] = {}
        self._others: dict[str, list[Volume]] = {}
        """By provider, as last listed."""

    def step(self, now: datetime) -> None:
        """A provider that does not answer is asked again, and changes nothing."""
        with Turns() as turns:
            for name, provider in self._providers.items():
                looked_at = self._looked_at.get(name)
                if Capability.VOLUMES not in provider.capabilities or (
                    looked_at is not None and timedelta(0) <= now - looked_at < limits.VOLUMES_EVERY
                ):
                    continue
                self._looked_at[name] = now
                turns.take(name, partial(self._look, name, provider, now))

    def strangers(self) -> list[dict[str, Any]]:
        """Volumes of other installations in the same accounts: nothing of theirs is touched."""
        return [
            {"name": v.name, "provider": provider, "place": v.place, "size_gb": v.size_gb}
            for provider, listed in sorted(self._others.items())
            for v in listed
        ]

    def _look(self, name: str, provider: Provider, now: datetime) -> None:
        storage: Storage = provider.account  # type: ignore[attr-defined]
        try:
            listed = list(storage.volumes())
        except Exception as error:
            log.warning("volumes.silent", provider=name, error=type(error).__name__)
            return
        ours = [v for v in listed if owner_of(v.name) == self._installation]
        self._others[name] = [
            v for v in listed if owner_of(v.name) not in (None, self._installation)
        ]
        sizes = {v.size_gb for v in ours} | set(self._wanted.get(name, {}).values())
        prices = {size: storage.volume_price(size) for size in sizes}
        shelves, sight = self._door.database.read(
            lambda conn: self._seen(self._door.look(now, conn), name, provider, ours, prices)
        )
        decided = tuple(acts(shelves, sight))
        command = KeepVolumes(name, decided, self._installation, prices, sight.mounted)
        if shelves or decided:
            self._door.run(command, SYSTEM, now)
        for act in decided:
            if isinstance(act, Create | Delete):
                self._call(storage, act, command, now)

    def _seen(
        self,
        tx: Tx,
        name: str,
        provider: Provider,
        ours: Sequence[Volume],
        prices: Mapping[int, Decimal],
    ) -> tuple[list[Shelf], Sight]:
        shelves = volumes.kept(tx.conn, name)
        alive = [i for i in instances.alive(tx.conn) if i.provider == name]
        wanted = self._wanted.get(name, {})
        envelopes = money.budgets(tx, None, None, self._budgets)
        left = left_in(envelopes)
        hour = sum((shelf.price for shelf in volumes.kept(tx.conn)), Decimal(0))
        kept = None if left is None else left + hour * (HELD // timedelta(hours=1))
        dearest = max((prices[size] for size in wanted.values()), default=Decimal(0))
        foreseen = cost(hour + dearest, FORESEEN // timedelta(hours=1))
        return shelves, Sight(
            listed=ours,
            wanted=wanted,
            needed=frozenset(str(i.offer["place"]) for i in alive if i.offer.get("place")),
            mounted=frozenset(str(i.offer["volume"]) for i in alive if i.offer.get("volume")),
            affordable=kept is None or kept >= foreseen,
            paid=kept is None or kept >= hour * ENDING_HOURS,
            idle_max=self._idle_max,
            lag=provider.listing_lag,
            now=tx.now,
        )

    def _call(
        self, storage: Storage, act: Create | Delete, told: KeepVolumes, now: datetime
    ) -> None:
        """One call, never repeated here: the next look decides by what the list then shows."""
        shelf = act.shelf
        try:
            if isinstance(act, Delete):
                storage.delete_volume(shelf.provider_id or "")
                return
            made = storage.create_volume(shelf.name, shelf.size_gb, shelf.place)
        except ProviderError as error:
            log.warning("volumes.later", volume=shelf.id, error=type(error).__name__)
            return
        step = Step(shelf, "made", provider_id=made.volume_id)
        kept = KeepVolumes(told.provider, (step,), told.installation, told.prices)
        self._door.run(kept, SYSTEM, now)
