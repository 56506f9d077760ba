"""What happens to instances and attempts, written down for their machines; and the list of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from leitstand.control.transaction import Tx
from leitstand.core import history, limits
from leitstand.core.accelerator import KINDS, named
from leitstand.core.history import (
    Event,
    Key,
    Probed,
    Record,
    Started,
    Worked,
    after,
    class_of,
    exit_of,
    host_of,
    place_of,
)
from leitstand.core.instance import Instance
from leitstand.core.job import Attempt, Task
from leitstand.core.offer import OWN_TIER
from leitstand.core.outlook import work_seconds
from leitstand.store import hosts

TFLOPS_MIN, TFLOPS_MAX = 1e-6, 1e5
"""Between these lies what any machine can measure."""


def note_move(tx: Tx, instance: Instance, event: str, reason: Mapping[str, Any] | None) -> None:
    """An instance moves on: what this says of its machine and its place."""
    keys = _keys(instance.offer)
    if not keys:
        return
    seen: Event | None
    if event == "admit" and instance.ready_at is None:
        seen = Started((tx.now - instance.created_at).total_seconds())
    else:
        since = instance.ready_at or tx.now
        hours = max(0.0, (tx.now - since).total_seconds() / 3600)
        code = None if reason is None else str(reason["code"])
        seen = exit_of(instance.state, event, code, hours)
    if seen is not None:
        _write(tx, keys, seen)


def note_work(tx: Tx, instance: Instance, task: Task, attempt: Attempt) -> None:
    """An attempt finished its task: how much work it did, and in what time, which may have ended
    long before anybody heard of it."""
    keys = _keys(instance.offer)
    if not keys:
        return
    count, seconds = hosts.done_by(tx.conn, attempt.id)
    wall = (min(tx.now, attempt.expires_at) - attempt.created_at).total_seconds()
    if not count or wall <= 0:
        return
    work = work_seconds(task.pipeline, seconds)
    if task.pipeline == "image":
        work *= count
    _write(tx, [*keys, class_of(keys[0].gpu)], Worked(work, wall))


def probed(offer: Mapping[str, Any]) -> bool:
    """Whether a machine measures its speed before it is admitted: with a GPU, to be compared."""
    return bool(offer.get("gpu") and _keys(offer))


def note_probe(tx: Tx, offer: Mapping[str, Any], measured: Mapping[str, Any]) -> float | None:
    """A machine measured its speed. Returns what it would have to reach, where it is far below its
    class. What it says of itself is bounded, and what is no speed is none."""
    found = (measured.get("self_test") or {}).get("probe") or {}
    if not probed(offer) or not isinstance(found, Mapping):
        return None
    tflops = found.get("tflops")
    kind = KINDS.get(str(found.get("kind")))
    if kind != named(offer["accelerator"]) or isinstance(tflops, bool):
        return None
    if not isinstance(tflops, int | float) or not TFLOPS_MIN <= tflops <= TFLOPS_MAX:
        return None
    keys = _keys(offer)
    of_class = class_of(keys[0].gpu)
    tx.hold("hosts")
    known = hosts.find(tx.conn, tx.tenant, [of_class]).get(of_class)
    needs = history.contended(tflops, None if known is None else known[1], tx.now)
    _write(tx, [*keys, of_class], Probed(float(tflops)))
    return needs


@dataclass(frozen=True, slots=True)
class Listed:
    """A machine, its record, and what is made of it."""

    id: str
    record: Record
    holds: tuple[float, float, float]
    """Mean and the two ends of the 95 % interval."""
    ready_seconds: float | None
    speed: float | None
    """Against its GPU class."""
    standing: history.Standing
    probe: float | None
    """What it measured before it was admitted, against its GPU class."""


def listed(tx: Tx, provider: str | None, after_id: str | None, limit: int) -> list[Listed]:
    """Machines by our own record, newest first."""
    records = {record.key: record for record in hosts.records(tx.conn, tx.tenant)}
    found = []
    for row_id, record in hosts.page(tx.conn, tx.tenant, provider, after_id, limit):
        place = records.get(replace(record.key, host=""))
        of_class = records.get(class_of(record.key.gpu))
        class_speed = None if of_class is None else history.speed_of(of_class)
        speed = history.speed_of(record)
        found.append(
            Listed(
                row_id,
                record,
                history.holds(record, place, tx.now),
                history.ready_of(record),
                None if speed is None or not class_speed else speed / class_speed,
                history.standing(record, class_speed, tx.now),
                history.probed_against(record, of_class),
            )
        )
    return found


def ready_deadline(tx: Tx, offer: Mapping[str, Any]) -> timedelta:
    """How long a launch of this offer is waited for, by what was learned of its machine, else of
    its place."""
    keys = _keys(offer)
    found = hosts.find(tx.conn, tx.tenant, keys) if keys else {}
    learned = (history.ready_within(found[key][1]) for key in keys if key in found)
    return next((one for one in learned if one is not None), limits.READY_DEADLINE)


def quarantined(conn: Connection, tenant: str, instance: Instance, now: datetime) -> bool:
    """Whether an instance stands on a machine in quarantine; an own one never is."""
    keys = [] if instance.tier == OWN_TIER else _keys(instance.offer)
    machine = [one for key in keys if key.host for one in history.both(key)]
    found = hosts.find(conn, tenant, machine, lock=False)
    return history.quarantine_until([record for _, record in found.values()], now) is not None


def _keys(offer: Mapping[str, Any]) -> list[Key]:
    """The machine, where its provider names it, and the place. This computer keeps no record."""
    host = offer.get("host")
    if offer["tier"] == "L" and not host:
        return []
    gpu = str(offer.get("gpu") or offer.get("accelerator") or "")
    place = place_of(str(offer["provider"]), offer["region"], gpu, bool(offer.get("bid")))
    return [host_of(place, str(host)), place] if host else [place]


def _write(tx: Tx, keys: list[Key], event: Event) -> None:
    tx.hold("hosts")
    known = hosts.find(tx.conn, tx.tenant, keys)
    for key in keys:
        if key in known:
            row_id, record = known[key]
            hosts.change(tx.conn, row_id, after(record, event, tx.now), tx.now)
        else:
            record = after(Record(key, tx.now), event, tx.now)
            hosts.add(tx.conn, tx.born(None, "host"), record)
