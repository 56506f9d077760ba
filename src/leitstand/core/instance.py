"""Instances: their states, and what to do about each one given what its provider lists.

The table is `docs/contracts.md`; `decide` is the pure half of the reconciler. `terminated` means
seen absent in two complete listings one listing lag apart, never merely asked to end.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from leitstand.core import limits
from leitstand.core.history import QUARANTINED
from leitstand.core.machine import Machine
from leitstand.core.offer import CONTRACTED, OWN_TIER, enough

_LIVE = (
    "intended",
    "launching",
    "booting",
    "admitting",
    "ready",
    "draining",
    "terminating",
    "pausing",
    "paused",
    "resuming",
)

_GETS_KEYS = ("booting", "admitting", "ready", "draining")
"""States of an instance that may get media keys, or comes to."""

INSTANCE = Machine(
    "instance",
    "intended",
    frozenset({"terminated"}),
    {
        ("intended", "launch"): "launching",
        ("intended", "unwanted"): "terminated",
        ("launching", "launched"): "booting",
        ("launching", "never_created"): "terminated",
        ("launching", "refused"): "terminated",
        ("booting", "enrol"): "admitting",
        ("booting", "end"): "terminating",
        ("admitting", "admit"): "ready",
        ("admitting", "end"): "terminating",
        ("ready", "drain"): "draining",
        ("ready", "end"): "terminating",
        ("draining", "end"): "terminating",
        ("draining", "pause"): "pausing",
        ("ready", "stopped"): "paused",
        ("draining", "stopped"): "paused",
        ("pausing", "stopped"): "paused",
        ("paused", "resume"): "resuming",
        ("paused", "end"): "terminating",
        ("resuming", "running"): "admitting",
        ("resuming", "end"): "terminating",
        **{(state, "absent"): "terminated" for state in _LIVE if state != "intended"},
    },
)

BILLING = frozenset(_LIVE) - {"intended", "launching"}
"""States in which an instance is known to exist. What a launch cost until its reply is booked with
the first charge after it; a launch that created nothing costs nothing."""


@dataclass(frozen=True, slots=True)
class Instance:
    """What we rent, or the worker on an own machine."""

    id: str
    tenant_id: str
    provider: str
    provider_id: str | None
    label: str
    offer: dict[str, Any]
    price: Decimal
    state: str
    reason: dict[str, Any] | None
    end_by: datetime
    ready_by: datetime
    ready_at: datetime | None
    token_hash: str | None
    certificate_serial: str | None
    hpke_public: bytes | None
    tier: str
    region: str | None
    facts: dict[str, Any] | None
    absent_since: datetime | None
    last_seen_at: datetime | None
    shown_at: datetime | None
    """When a listing first showed it running and as offered, with image and tier stated, and the
    region where one was offered."""
    version: int
    created_at: datetime
    updated_at: datetime
    ended_at: datetime | None
    bill_final_at: datetime | None
    """When the bills of its provider were asked for it for the last time."""


@dataclass(frozen=True, slots=True)
class Need:
    """What the rest of the system says about one instance."""

    wanted: bool
    """A job that has a reservation here still has, or will have, work."""
    live_attempts: int
    launch: str
    """State of the launch effect: none, intended, unknown, done."""
    launch_over_at: datetime | None = None
    """From when on the launch call cannot be under way any more: its answer was lost by then."""
    quarantined: bool = False
    """Others of ours failed on its machine; see `core/history.py`."""


@dataclass(frozen=True, slots=True)
class Listing:
    """One complete answer of a provider about everything under our label."""

    at: datetime
    """Before the provider was asked: what it shows is at least this recent, but for `lag`."""
    lag: timedelta
    provider_id: str | None
    """None: the instance is not in the listing."""
    status: str | None
    mismatch: str | None = None
    """What the provider reads back otherwise than it was offered: price, gpu, region, image, bid,
    tier."""
    fatal: str | None = None
    """Words of the provider that say that it never starts."""
    raw: str | None = None
    """The provider's words for its status."""
    as_offered: bool = False
    """It runs, what has to be stated is, and nothing differs."""


@dataclass(frozen=True, slots=True)
class Move:
    """Send `event` to the instance's state machine, with the reason as a catalogue code."""

    event: str
    code: str | None = None
    said: str | None = None
    """Words of the provider that are the reason."""


@dataclass(frozen=True, slots=True)
class Adopt:
    """Found by label after a lost reply: take the provider's id."""

    provider_id: str


@dataclass(frozen=True, slots=True)
class NoteAbsent:
    """First complete listing without it; the second, one lag later, proves absence."""


@dataclass(frozen=True, slots=True)
class NotePresent:
    """Seen again: the absence is no longer proven."""


@dataclass(frozen=True, slots=True)
class NoteShown:
    """Listed as it was offered for the first time: media keys may go there."""


@dataclass(frozen=True, slots=True)
class AskEnd:
    """Ask (again) for the end; the effect is idempotent."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """Tell people: the provider does not do what it was asked, and money flows."""

    code: str


Action = Move | Adopt | NoteAbsent | NotePresent | NoteShown | AskEnd | Alarm

WILL_NOT_END = "will-not-end"


def decide(
    instance: Instance, need: Need, listing: Listing | None, now: datetime
) -> tuple[Action, ...]:
    """Actions for one instance. `listing` is None when its provider could not be asked."""
    if listing is not None and instance.state not in ("intended", "terminated"):
        observed = _observe(instance, need, listing)
        if observed:
            return observed
    match instance.state:
        case "intended":
            if not need.wanted and need.launch == "intended":
                return (Move("unwanted", "unwanted"),)
        case "booting" | "admitting" | "ready" | "draining" if listing and listing.mismatch:
            return (Move("end", "mismatch", listing.mismatch),)
        case "booting" | "admitting" | "ready":
            return _young(instance, need, listing, now)
        case "draining":
            grace_over = now - instance.updated_at >= limits.DRAIN_GRACE or now >= instance.end_by
            if need.live_attempts == 0 or grace_over:
                return (Move("end"),)
        case "paused":
            return (Move("end"),)
        case "resuming":
            if not need.wanted or now - instance.updated_at >= limits.READY_DEADLINE:
                return (Move("end", "never-ready"),)
        case "terminating":
            return _ending(instance, listing, now)
        case "launching" | "pausing" | "terminated":
            pass
        case _:
            raise ValueError(f"unknown state {instance.state}")
    return ()


def _ending(instance: Instance, listing: Listing | None, now: datetime) -> tuple[Action, ...]:
    """Ask again, and call for help once it takes too long."""
    told = (instance.reason or {}).get("code") == WILL_NOT_END
    late = now - instance.updated_at >= limits.END_ALARM
    alarm = (Alarm(WILL_NOT_END),) if late and not told else ()
    there = listing is not None and listing.provider_id is not None
    return (AskEnd(), *alarm) if there else alarm


def _young(
    instance: Instance, need: Need, listing: Listing | None, now: datetime
) -> tuple[Action, ...]:
    if instance.state == "ready":
        if now >= drain_at(instance):
            return (Move("drain", "end-by"),)
        if need.quarantined:
            return (Move("drain", QUARANTINED),)
        if _unshown(instance, listing):
            return (Move("end", "never-shown"),)
        idle = not need.wanted and need.live_attempts == 0
        return (Move("drain", "idle"),) if idle else ()
    if not need.wanted:
        return (Move("end", "unwanted"),)
    if need.quarantined:
        return (Move("end", QUARANTINED),)
    raw = None if listing is None else listing.raw
    if listing is not None and (listing.fatal is not None or listing.status == "stopped"):
        return (Move("end", "boot-failed", listing.fatal or raw),)
    if now >= min(instance.ready_by, instance.end_by):
        return (Move("end", "never-ready", raw),)
    return ()


def _unshown(instance: Instance, listing: Listing | None) -> bool:
    """Whether listings go on not to show a ready one as it was offered: it gets no work, and bills."""
    if instance.shown_at is not None or instance.tier == OWN_TIER or instance.ready_at is None:
        return False
    if listing is None or listing.provider_id is None:
        return False
    return listing.at - instance.ready_at > limits.SHOWN_WITHIN + listing.lag


def drain_at(instance: Instance) -> datetime:
    """When an instance begins to drain, so that it is gone by `end_by`: one grace before, or a
    quarter of a term that is shorter than four graces."""
    term = instance.end_by - instance.created_at
    return instance.end_by - min(limits.DRAIN_GRACE, term / 4)


def _observe(instance: Instance, need: Need, listing: Listing) -> tuple[Action, ...]:
    if listing.provider_id is not None:
        if instance.state == "launching" and need.launch in ("unknown", "done"):
            return (Adopt(listing.provider_id),)
        if instance.absent_since is not None:
            return (NotePresent(),)
        if listing.status == "stopped" and instance.state == "ready":
            return (Move("stopped", "stopped-by-host"),)
        if listing.status == "stopped" and instance.state in ("draining", "pausing"):
            return (Move("stopped"),)
        if listing.status == "running" and instance.state == "resuming":
            return (Move("running"),)
        if listing.as_offered and instance.shown_at is None and instance.state in _GETS_KEYS:
            return (NoteShown(),)
        return ()
    if instance.state == "launching":
        return _never_created(need, listing)
    if instance.absent_since is None:
        return (NoteAbsent(),)
    if listing.at - instance.absent_since > listing.lag:
        if _heard(instance, need, listing):
            return (NoteAbsent(),)
        asked = instance.state in ("draining", "terminating", "pausing")
        return (Move("absent", None if asked else "gone-by-itself"),)
    return ()


def _heard(instance: Instance, need: Need, listing: Listing) -> bool:
    """Whether its worker shows that it is there, whatever is listed: absence is to be proved anew. One
    that was asked to end may be heard to the last, and a list without lag is the truth."""
    if instance.state in ("terminating", "pausing") or not listing.lag:
        return False
    since, seen_at = instance.absent_since, instance.last_seen_at
    return need.live_attempts > 0 or bool(since and seen_at and seen_at > since)


def _never_created(need: Need, listing: Listing) -> tuple[Action, ...]:
    if need.launch != "unknown" or need.launch_over_at is None:
        return ()
    if listing.at - need.launch_over_at > 2 * listing.lag:
        return (Move("never_created", "never-created"),)
    return ()


def mismatch(
    instance: Instance,
    price: str | None,
    gpu: str | None,
    region: str | None,
    *,
    gpus: int | None = None,
    bid: bool | None = None,
    other_image: bool | None = None,
    tier: str | None = None,
) -> str | None:
    """The first fact that a provider reads back otherwise than offered; None is no statement. A
    price may be read back with storage or without."""
    if other_image:
        return "image"
    if tier is not None and not enough(tier, instance.tier):
        return "tier"
    if bid is not None and bid != bool(instance.offer.get("bid")):
        return "bid"
    storage = Decimal(instance.offer.get("storage_eur_per_hour", 0))
    if price is not None and Decimal(price) > instance.price + storage:
        return "price"
    offered = instance.offer.get("gpu")
    if gpu is not None and offered is not None and gpu != offered:
        return "gpu"
    if gpus is not None and offered is not None and gpus != instance.offer.get("gpus", gpus):
        return "gpu"
    if region is not None and instance.region is not None and region != instance.region:
        return "region"
    return None


def vouched(instance: Instance, tier: str | None) -> bool:
    """Whether the tier is stated where media may need it. An offer of a named machine states it."""
    named = tier is not None or bool(instance.offer.get("host"))
    return named or not enough(instance.tier, CONTRACTED)


def label(installation: str, instance_id: str, end_by: datetime) -> str:
    """`ls1-<installation>-<ULID>-<end_by in epoch minutes>`, 48 characters: what `reap` reads."""
    minutes = int(end_by.timestamp()) // 60
    return f"ls1-{installation}-{instance_id.split('_', 1)[1]}-{minutes}"
