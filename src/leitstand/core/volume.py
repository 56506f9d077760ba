"""Volumes at a provider that keep models between instances: whose they are, when one is made, and
when it goes. They cost money whether anybody uses them or not, so none is kept for ever."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import ROUND_UP, Decimal
from typing import Any

from leitstand.core.cost import MILLIONTH
from leitstand.core.machine import Machine
from leitstand.core.offer import Offer
from leitstand.core.rented import Volume

_NAME = re.compile(r"ls1-([a-z0-9]{8})-models-(.{1,40})")
_HOUR = timedelta(hours=1)
FORESEEN = timedelta(days=30)
"""How long a volume must be paid for by what budgets leave, or it is not made."""
HELD = timedelta(hours=24)
"""How much of each volume's time no job may reserve the money of."""
ENDING_HOURS = 2
"""A volume whose next hours are not paid for goes: it takes as long at most until it is gone."""
MAKING = timedelta(minutes=2)
"""How long a volume that was asked for may be missing from the list before it is asked for again."""

VOLUME = Machine(
    "volume",
    "intended",
    frozenset({"deleted"}),
    {
        ("intended", "made"): "ready",
        ("intended", "end"): "deleting",
        ("ready", "end"): "deleting",
        ("ready", "absent"): "deleted",
        ("deleting", "absent"): "deleted",
    },
)


@dataclass(frozen=True, slots=True)
class Shelf:
    """One volume by our record. `holds`: digests of the model files that a worker found on it;
    `used_at`: when an instance last had it; `booked_at`: until when its cost is booked."""

    id: str
    tenant_id: str
    provider: str
    provider_id: str | None
    name: str
    place: str
    region: str | None
    size_gb: int
    price: Decimal
    """Euros for an hour."""
    state: str
    reason: dict[str, Any] | None
    holds: list[str]
    asked_at: datetime | None
    used_at: datetime | None
    booked_at: datetime | None
    absent_since: datetime | None
    version: int
    created_at: datetime
    updated_at: datetime


def name_of(installation: str, place: str) -> str:
    """What a volume of this installation is called; there is one in each place."""
    return f"ls1-{installation}-models-{place}"


def owner_of(name: str) -> str | None:
    """The installation that a name names; None for what is nobody's of this product."""
    found = _NAME.fullmatch(name)
    return None if found is None else found[1]


def whole_hours(since: datetime, now: datetime) -> tuple[datetime, int]:
    """Hours that are over, which is how volumes are billed, and until when they reach."""
    hours = max(0, (now - since) // _HOUR)
    return since + hours * _HOUR, hours


def cost(price: Decimal, hours: int) -> Decimal:
    """What so many hours cost."""
    return (price * hours).quantize(MILLIONTH, ROUND_UP)


# --- what to do ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Create:
    """Make the call for one that is intended."""

    shelf: Shelf


@dataclass(frozen=True, slots=True)
class Delete:
    """Make the call for one that is to go."""

    shelf: Shelf


@dataclass(frozen=True, slots=True)
class Step:
    """Send `event` to the record, with the reason as a catalogue code."""

    shelf: Shelf
    event: str
    code: str | None = None
    provider_id: str | None = None


@dataclass(frozen=True, slots=True)
class NoteMissing:
    """Absent from a list for the first time (True), or there again."""

    shelf: Shelf
    missing: bool


@dataclass(frozen=True, slots=True)
class Intend:
    """A new record: of a volume to make, or of one of ours that has none."""

    place: str
    size_gb: int
    found: Volume | None = None


Act = Create | Delete | Step | NoteMissing | Intend


@dataclass(frozen=True, slots=True)
class Sight:
    """Everything that decides at one provider. `listed`: those that bear our name; `wanted`: size by
    place, as set; `needed`: places where an instance of ours is; `mounted`: those in use."""

    listed: Sequence[Volume]
    wanted: Mapping[str, int]
    needed: frozenset[str]
    mounted: frozenset[str]
    affordable: bool
    """Whether the budgets pay for one more, and for those that are there, for `FORESEEN`."""
    paid: bool
    """Whether they pay for the next hours of those that are there."""
    idle_max: timedelta
    lag: timedelta
    now: datetime


def acts(shelves: Sequence[Shelf], sight: Sight) -> list[Act]:
    """What to do now; nothing waits for anything but the next look."""
    listed = {volume.volume_id: volume for volume in sight.listed}
    known = {shelf.provider_id for shelf in shelves}
    strays = [
        v for v in sorted(sight.listed, key=lambda v: v.volume_id) if v.volume_id not in known
    ]
    found: list[Act] = []
    for shelf in shelves:
        mine = next((v for v in strays if v.name == shelf.name), None)
        if shelf.state == "intended" and mine is not None:
            strays.remove(mine)
            found.append(Step(shelf, "made", provider_id=mine.volume_id))
        else:
            found += _of_one(shelf, shelves, listed.get(shelf.provider_id or ""), sight)
    found += [Intend(v.place or "", v.size_gb, v) for v in strays]
    taken = {shelf.place for shelf in shelves} | {v.place for v in strays}
    if sight.affordable:
        new = sorted(sight.needed & set(sight.wanted) - taken)[:1]  # it is reckoned for one
        found += [Intend(place, sight.wanted[place]) for place in new]
    return found


def _of_one(
    shelf: Shelf, shelves: Sequence[Shelf], there: Volume | None, sight: Sight
) -> list[Act]:
    now, since = sight.now, shelf.absent_since
    if shelf.state == "intended":
        if shelf.place not in sight.wanted or not sight.paid:
            return [Step(shelf, "end", "volume-unset")]
        over = shelf.asked_at is None or now - shelf.asked_at >= MAKING
        return [Create(shelf)] if over else []
    if there is None:
        if since is None:
            return [NoteMissing(shelf, True)]
        late = shelf.asked_at is not None and now - shelf.asked_at < MAKING
        if now - since <= sight.lag or late:
            return []
        return [Step(shelf, "absent", None if shelf.state == "deleting" else "volume-gone")]
    back: list[Act] = [] if since is None else [NoteMissing(shelf, False)]
    if shelf.provider_id in sight.mounted:
        return back
    if shelf.state == "deleting":
        return [*back, Delete(shelf)]
    why = _why_not(shelf, shelves, sight)
    return [*back, Step(shelf, "end", why)] if why else back


def _why_not(shelf: Shelf, shelves: Sequence[Shelf], sight: Sight) -> str | None:
    """Why a volume is not kept."""
    same = [s for s in shelves if s.state == "ready" and s.place == shelf.place]
    if min(same, key=lambda s: s.created_at, default=shelf).id != shelf.id:
        return "volume-double"
    if shelf.place not in sight.wanted:
        return "volume-unset"
    if not sight.paid:
        return "volume-unpaid"
    last = max(at for at in (shelf.created_at, shelf.used_at) if at is not None)
    return "volume-idle" if sight.now - last >= sight.idle_max else None


# --- what it saves ---------------------------------------------------------------------------------


def shelved(
    offers: Sequence[Offer],
    shelves: Sequence[Shelf],
    mounted: frozenset[str],
    models: Mapping[str, int],
) -> list[Offer]:
    """The offers, with the volume that an instance of each gets and what lies on it of these models
    (bytes by digest). One instance has a volume at a time: several writers could spoil it."""
    free = {
        (shelf.provider, shelf.place): shelf
        for shelf in shelves
        if shelf.state == "ready" and shelf.provider_id not in mounted
    }
    if not free:
        return list(offers)
    found = []
    for offer in offers:
        shelf = free.get((offer.provider, offer.place or ""))
        if shelf is None:
            found.append(offer)
            continue
        size = sum(models[sha256] for sha256 in set(shelf.holds) & set(models))
        found.append(replace(offer, volume=shelf.provider_id, cached_gib=size / (1 << 30)))
    return found
