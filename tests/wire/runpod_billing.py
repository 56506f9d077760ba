"""RunPod REST v2: what was charged, in buckets of time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.wire.runpod_account import seconds
from tests.wire.runpod_call import Answer, Call
from tests.wire.runpod_pod import stamp

Money = dict[str, Decimal]


def _start(moment: datetime, size: str) -> datetime:
    """The start of the bucket that holds a moment."""
    moment = moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    if size == "hour":
        return moment
    moment = moment.replace(hour=0)
    if size == "week":
        return moment - timedelta(days=moment.weekday())
    if size == "month":
        return moment.replace(day=1)
    return moment.replace(month=1, day=1) if size == "year" else moment


def _next(moment: datetime, size: str) -> datetime:
    """The start of the bucket after the one that starts at `moment`."""
    days = {"hour": 0, "day": 1, "week": 7, "month": 32, "year": 367}[size]
    return _start(moment + (timedelta(days=days) if days else timedelta(hours=1)), size)


def _window(call: Call) -> tuple[datetime, datetime, str]:
    given = call.parameters("billing")
    size = given.get("bucketSize", "day")
    bounds = {"startTime", "endTime"} & given.keys()
    if "lastN" in given and bounds:
        call.rules.refuse("billing-window")
    if "lastN" in given and not bounds:
        first = _start(call.now, size)
        for _ in range(given["lastN"] - 1):
            first = _start(first - timedelta(seconds=1), size)
        return first, _next(_start(call.now, size), size), size
    end = given.get("endTime", call.now)
    start = given.get("startTime", end - timedelta(days=30))
    if end <= start:
        call.rules.refuse("billing-order")
    last = _start(end, size)
    return _start(start, size), last if last == end else _next(last, size), size


def _buckets(start: datetime, end: datetime, size: str) -> Iterator[tuple[datetime, datetime]]:
    while start < end:
        following = _next(start, size)
        yield start, following
        start = following


def _records(
    call: Call, id_name: str, sources: dict[str, Callable[[datetime, datetime], Money]]
) -> Answer:
    start, end, size = _window(call)
    known = call.now - call.account.conduct.billing_lag
    rows: list[dict[str, Any]] = []
    totals: Money = {}
    for first, after in _buckets(start, end, size):
        for id, amounts in sources.items():
            money = amounts(first, min(after, known)) if first < known else {}
            if not any(money.values()):
                continue
            money["totalAmount"] = sum(money.values(), Decimal(0))
            for name, amount in money.items():
                totals[name] = totals.get(name, Decimal(0)) + amount
            rows.append(
                {"startTime": stamp(first), "endTime": stamp(after)}
                | ({id_name: id} if id_name else {})
                | _numbers(money)
            )
    metadata = {
        "startTime": stamp(start),
        "endTime": stamp(end),
        "bucketSize": size,
        "recordCount": len(rows),
        **_numbers(totals or {"totalAmount": Decimal(0)}),
    }
    return Answer(200, {"records": rows, "metadata": metadata})


def _numbers(money: Money) -> dict[str, float]:
    return {name: float(round(amount, 9)) for name, amount in money.items()}


def _pod_sources(call: Call) -> dict[str, Callable[[datetime, datetime], Money]]:
    def of(charges: list[Any]) -> Callable[[datetime, datetime], Money]:
        def amounts(start: datetime, end: datetime) -> Money:
            parts = [c.amounts(seconds(start), seconds(end)) for c in charges]
            names = ("gpuAmount", "cpuAmount", "diskAmount")
            return {n: sum((p[i] for p in parts), Decimal(0)) for i, n in enumerate(names)}

        return amounts

    wanted = call.query.get("podId")
    return {p.id: of(p.charges) for p in call.account.pods if wanted in (None, p.id)}


def _volume_sources(call: Call) -> dict[str, Callable[[datetime, datetime], Money]]:
    def of(volume: Any) -> Callable[[datetime, datetime], Money]:
        name = "highPerformanceAmount" if volume.type == "HIGH_PERFORMANCE" else "standardAmount"

        def amounts(start: datetime, end: datetime) -> Money:
            hour = timedelta(hours=1)
            due = [sum_ for at, sum_ in volume.charges if start <= at - hour < end]
            return {name: sum(due, Decimal(0))}

        return amounts

    wanted = call.query.get("networkVolumeId")
    return {v.id: of(v) for v in call.account.volumes if wanted in (None, v.id)}


def pods(call: Call) -> Answer:
    """`GET /v2/billing/pods`."""
    return _records(call, "podId", _pod_sources(call))


def volumes(call: Call) -> Answer:
    """`GET /v2/billing/network-volumes`."""
    return _records(call, "networkVolumeId", _volume_sources(call))


def everything(call: Call) -> Answer:
    """`GET /v2/billing`: all families of resources together."""
    sources = [*_pod_sources(call).values(), *_volume_sources(call).values()]

    def amounts(start: datetime, end: datetime) -> Money:
        found: Money = {}
        for source in sources:
            for name, amount in source(start, end).items():
                found[name] = found.get(name, Decimal(0)) + amount
        return found

    return _records(call, "", {"": amounts})
