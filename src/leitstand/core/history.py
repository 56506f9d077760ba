"""What our own attempts say of machines: how often they hold, how soon they are ready, how fast.

A record is a handful of sums that halve every `HALF_LIFE`, so that old news counts less and nothing
has to be kept per attempt. There is one for each machine and one for each place (provider ×
location × GPU); what is not known of a machine is believed of its place, and what is not known of
the place is believed of all. Bids have records of their own: being outbid is no fault of a host.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from leitstand.core import limits
from leitstand.core.beta import interval
from leitstand.core.offer import OWN_TIER, Offer
from leitstand.core.outlook import BOOT_SECONDS_RENTED, Odds, unknown

HALF_LIFE = timedelta(days=30)
HOLDS_PRIOR = 0.9
"""Share of rentals believed to become ready and hold to their end, before anything is known."""
PRIOR_WEIGHT = 4.0
"""How many rentals that belief, or the record of a place, weighs for a machine."""
LOSSES_PRIOR_PER_HOUR, LOSSES_PRIOR_HOURS = 0.01, 20.0
BID_LOSSES_PRIOR_PER_HOUR, BID_LOSSES_PRIOR_HOURS = 0.10, 10.0
READY_PRIOR_WEIGHT = 2.0
SPEED_PRIOR_SECONDS = 600.0
STRIKES_MAX = 2
"""So many failures in a row put a machine into quarantine."""
QUARANTINED = "host-quarantined"
"""Why an instance has to leave a machine on which others of ours failed."""
QUARANTINE = timedelta(hours=24)
QUARANTINE_MAX = timedelta(days=30)
KNOWN_AFTER = 3
SLOW = 0.9
"""A machine below this share of its class's speed is watched."""


@dataclass(frozen=True, slots=True)
class Key:
    """Which machine or place. `host` is empty for a place; of a GPU class only `gpu` is named."""

    provider: str
    host: str
    region: str
    gpu: str
    bid: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """The sums of one machine, place or class, as they stood at `at`."""

    key: Key
    at: datetime
    held: float = 0.0
    failed_starts: float = 0.0
    losses: float = 0.0
    hours: float = 0.0
    starts: float = 0.0
    ready_seconds: float = 0.0
    """Sum over `starts`."""
    work_seconds: float = 0.0
    """Work done, in seconds of one CPU core pair."""
    wall_seconds: float = 0.0
    """Time it took."""
    probes: float = 0.0
    probe_seconds: float = 0.0
    """Sum over `probes` of the time that a trillion operations took. Of such sums a machine that
    claims too much makes little; of sums of speeds it would make everything."""
    rentals: int = 0
    strikes: int = 0
    """Failures since it last held."""
    failed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Started:
    """A launch became ready."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Held:
    """A rental ended because we wanted it to."""

    hours: float


@dataclass(frozen=True, slots=True)
class NeverReady:
    """A launch failed after it was accepted. `deceived`: what came is not what was offered."""

    deceived: bool = False


@dataclass(frozen=True, slots=True)
class Lost:
    """A ready machine went away without our asking."""

    hours: float


@dataclass(frozen=True, slots=True)
class Worked:
    """An attempt did so much work in this time."""

    work_seconds: float
    wall_seconds: float


@dataclass(frozen=True, slots=True)
class Probed:
    """A machine measured its speed before it was admitted."""

    tflops: float


Event = Started | Held | NeverReady | Lost | Worked | Probed


def after(record: Record, event: Event, now: datetime) -> Record:
    """The record with one more event; what it held before counts less by its age."""
    old = decayed(record, now)
    match event:
        case Started(seconds):
            return replace(old, starts=old.starts + 1, ready_seconds=old.ready_seconds + seconds)
        case Held(hours):
            kept = replace(old, held=old.held + 1, hours=old.hours + hours)
            return replace(kept, rentals=old.rentals + 1, strikes=0)
        case Worked(work, wall):
            done, took = old.work_seconds + work, old.wall_seconds + wall
            return replace(old, work_seconds=done, wall_seconds=took)
        case Probed(tflops):
            took = old.probe_seconds + 1 / tflops
            return replace(old, probes=old.probes + 1, probe_seconds=took)
        case NeverReady(deceived):
            strikes = max(old.strikes + 1, STRIKES_MAX if deceived else 0)
            failed = replace(old, failed_starts=old.failed_starts + 1)
            return replace(failed, rentals=old.rentals + 1, strikes=strikes, failed_at=now)
        case Lost(hours):
            lost = replace(old, losses=old.losses + 1, hours=old.hours + hours)
            strikes = old.strikes + (0 if record.key.bid else 1)
            return replace(lost, rentals=old.rentals + 1, strikes=strikes, failed_at=now)


def decayed(record: Record, now: datetime) -> Record:
    """The record as it counts now."""
    left = 0.5 ** (max(timedelta(0), now - record.at) / HALF_LIFE)
    return replace(
        record,
        at=max(now, record.at),
        held=record.held * left,
        failed_starts=record.failed_starts * left,
        losses=record.losses * left,
        hours=record.hours * left,
        starts=record.starts * left,
        ready_seconds=record.ready_seconds * left,
        work_seconds=record.work_seconds * left,
        wall_seconds=record.wall_seconds * left,
        probes=record.probes * left,
        probe_seconds=record.probe_seconds * left,
    )


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether a machine is new, trusted, watched, in quarantine or on parole, and until when."""

    state: str
    until: datetime | None = None


def standing(record: Record, class_speed: float | None, now: datetime) -> Standing:
    """Where a machine stands. A quarantine doubles with every failure more; after it comes parole,
    which the first rental that holds ends, and the next failure turns back into quarantine."""
    if record.strikes >= STRIKES_MAX and record.failed_at is not None:
        until = record.failed_at + _term(record.strikes)
        return Standing("quarantine", until) if now < until else Standing("parole")
    if record.rentals < KNOWN_AFTER:
        return Standing("new")
    speed = speed_of(record)
    slow = class_speed is not None and speed is not None and speed < SLOW * class_speed
    return Standing("watched" if record.strikes or slow else "trusted")


def _term(strikes: int) -> timedelta:
    doublings = min(strikes - STRIKES_MAX, 10)
    return min(QUARANTINE * int(2**doublings), QUARANTINE_MAX)


def speed_of(record: Record) -> float | None:
    """Work done in the time of one CPU core pair; None where none was measured."""
    return record.work_seconds / record.wall_seconds if record.wall_seconds > 0 else None


def probe_of(record: Record | None) -> float | None:
    """Trillions of operations a second, as the harmonic mean; None where none were measured."""
    if record is None or record.probe_seconds <= 0:
        return None
    return record.probes / record.probe_seconds


def probed_against(record: Record, of_class: Record | None) -> float | None:
    """The share of its class's speed that a machine measured."""
    mine, usual = probe_of(record), probe_of(of_class)
    return None if mine is None or usual is None else mine / usual


PROBES_KNOWN = 2.5
"""So many measurements make the usual speed of a class: three that are not old."""
CONTENDED = 0.5
"""A machine below this share of it is refused."""
PROBE_SHARE_MIN, PROBE_SHARE_MAX = 0.25, 1.25
"""How much of what a machine measured is believed before it worked."""


def contended(tflops: float, of_class: Record | None, now: datetime) -> float | None:
    """The speed that a machine would have to measure to be taken, where it is below that."""
    if of_class is None:
        return None
    known = decayed(of_class, now)
    usual = probe_of(known)
    if usual is None or known.probes < PROBES_KNOWN or tflops >= CONTENDED * usual:
        return None
    return CONTENDED * usual


def ready_of(record: Record) -> float | None:
    """Mean seconds from launch to ready; None where no launch became ready."""
    return record.ready_seconds / record.starts if record.starts > 0 else None


def holds(record: Record, place: Record | None, now: datetime) -> tuple[float, float, float]:
    """Mean, and the two ends of the 95 % interval, of the share of rentals that become ready and
    hold: the Beta posterior of this record over what is believed of its place."""
    seen = decayed(record, now)
    mean = HOLDS_PRIOR if place is None else holds(place, None, now)[0]
    good = PRIOR_WEIGHT * mean + seen.held
    bad = PRIOR_WEIGHT * (1 - mean) + seen.failed_starts + seen.losses
    low, high = interval(good, bad, 0.95)
    return good / (good + bad), low, high


READY_FACTOR = 3.0
READY_KNOWN_STARTS = 2.0


def ready_within(record: Record) -> timedelta | None:
    """How long a launch there is waited for: three times the mean that was learned; None until
    enough launches became ready."""
    if record.starts < READY_KNOWN_STARTS:
        return None
    learned = timedelta(seconds=READY_FACTOR * record.ready_seconds / record.starts)
    return min(max(learned, limits.READY_DEADLINE_MIN), limits.READY_DEADLINE_MAX)


class History:
    """All records, to ask what is to be expected of an offer."""

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self._records = {record.key: record for record in records}

    def odds(self, offer: Offer, now: datetime) -> Odds:
        """What is believed of an offer. An own machine is never in quarantine, and this computer,
        which has no name as a host, keeps no record."""
        believed = unknown(offer)
        gpu = offer.gpu or offer.accelerator
        of_class = self._at(class_of(gpu), now)
        speed = self._speed(of_class, believed.speed)
        if offer.tier == OWN_TIER and offer.host is None:
            return replace(believed, speed=speed)
        place = place_of(offer.provider, offer.region, gpu, offer.bid)
        machine = None if offer.host is None else host_of(place, offer.host)
        host = None if machine is None else self._at(machine, now)
        chain = [one for one in (self._at(place, now), host) if one is not None]
        starts, ready, losses = HOLDS_PRIOR, BOOT_SECONDS_RENTED, _losses_prior(offer.bid)
        if offer.tier == OWN_TIER:
            ready = believed.ready_seconds
        weight_hours = BID_LOSSES_PRIOR_HOURS if offer.bid else LOSSES_PRIOR_HOURS
        for one in chain:
            came = one.held + one.losses
            tries = came + one.failed_starts + PRIOR_WEIGHT
            starts = (came + PRIOR_WEIGHT * starts) / tries
            weight = READY_PRIOR_WEIGHT
            ready = (one.ready_seconds + weight * ready) / (one.starts + weight)
            losses = (one.losses + weight_hours * losses) / (one.hours + weight_hours)
        if host is not None:
            share = probed_against(host, of_class)
            if share is not None:
                speed *= min(max(share, PROBE_SHARE_MIN), PROBE_SHARE_MAX)
            speed = self._speed(host, speed)
        until = None
        if machine is not None and offer.tier != OWN_TIER:
            until = self._quarantine(machine, now)
        return Odds(starts, ready, losses, speed, until)

    def _quarantine(self, key: Key, now: datetime) -> datetime | None:
        found = (self._records.get(one) for one in both(key))
        return quarantine_until([one for one in found if one is not None], now)

    def _at(self, key: Key, now: datetime) -> Record | None:
        found = self._records.get(key)
        return None if found is None else decayed(found, now)

    def _speed(self, record: Record | None, believed: float) -> float:
        if record is None:
            return believed
        weight = SPEED_PRIOR_SECONDS
        done = record.work_seconds + weight * believed
        return done / (record.wall_seconds + weight)


def both(key: Key) -> tuple[Key, Key]:
    """A machine as it is rented firmly and as it is bid for."""
    return replace(key, bid=False), replace(key, bid=True)


def quarantine_until(records: Iterable[Record], now: datetime) -> datetime | None:
    """Until when a machine is left alone, by its records; it is whether it is bid for or not."""
    ends = (standing(decayed(one, now), None, now).until for one in records)
    return max((end for end in ends if end is not None), default=None)


def _losses_prior(bid: bool) -> float:
    return BID_LOSSES_PRIOR_PER_HOUR if bid else LOSSES_PRIOR_PER_HOUR


NAME_CHARACTERS_MAX = 64
"""What providers call their machines, places and GPUs is cut to this."""


def place_of(provider: str, region: str | None, gpu: str, bid: bool) -> Key:
    """Provider × location × GPU."""
    place, kind = (region or "")[:NAME_CHARACTERS_MAX], gpu[:NAME_CHARACTERS_MAX]
    return Key(provider, "", place, kind, bid)


def host_of(place: Key, host: str) -> Key:
    """A machine at a place. Bids and firm rentals of one machine have a record each."""
    return replace(place, host=host[:NAME_CHARACTERS_MAX])


def class_of(gpu: str) -> Key:
    """A GPU wherever it is: speeds are compared within it."""
    return Key("", "", "", gpu[:NAME_CHARACTERS_MAX])


FAILED_STARTS = frozenset(
    {"never-ready", "mismatch", "admission", "unguarded", "boot-failed", "contended", "never-shown"}
)
"""Why what was launched never came to work."""


def exit_of(state: str, event: str, code: str | None, hours: float) -> Event | None:
    """What the end of an instance's time says of its machine; None where it says nothing: ended
    by us before it could show anything, or for what others there did, or ended already. Every time
    has at most one such end."""
    if code == QUARANTINED:
        return None
    match state, event:
        case (("booting" | "admitting"), "end") if code in FAILED_STARTS:
            return NeverReady(deceived=code == "mismatch")
        case (("booting" | "admitting"), "absent"):
            return NeverReady()
        case "ready", "drain":
            return Held(hours)
        case "ready", ("stopped" | "absent" | "end"):
            return Lost(hours)
    return None
