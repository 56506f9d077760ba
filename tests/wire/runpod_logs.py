"""RunPod REST v2: a pod's logs as server-sent events that never end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

from tests.wire.runpod_call import Answer, Call
from tests.wire.runpod_pod import Pod

TAIL_DEFAULT = 100
Line = tuple[datetime, int, str, str]


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _lines(call: Call, pod: Pod, source: str | None) -> list[Line]:
    """All up to now: time, number among those of the same time, source, text."""
    rows: list[Line] = []
    for moment, origin, text in pod.lines(call.account.conduct):
        if moment > call.account.at:
            break
        number = rows[-1][1] + 1 if rows and rows[-1][0] == moment else 0
        rows.append((moment, number, origin, text))
    return [row for row in rows if source in (None, row[2])]


def _id(line: Line) -> str:
    return _stamp(line[0]) + (f"/{line[1]}" if line[1] else "")


def _frame(line: Line) -> str:
    data = {"ts": _stamp(line[0]), "source": line[2], "line": line[3]}
    return f"id: {_id(line)}\ndata: {json.dumps(data)}\n\n"


def _after(id: str) -> tuple[datetime, int] | None:
    """Where a `Last-Event-ID` stands; None when it says nothing."""
    moment, _, number = id.partition("/")
    try:
        return datetime.fromisoformat(moment), int(number or 0)
    except ValueError:
        return None


def _first(call: Call, rows: list[Line]) -> list[Line]:
    """What is sent before the live part: by `Last-Event-ID`, else `since`, else `tail`."""
    given = call.parameters("pod-logs")
    last = _after(call.headers.get("last-event-id", ""))
    if last:
        return [row for row in rows if (row[0], row[1]) > last]
    if "since" in given:
        return [row for row in rows if row[0] >= given["since"]]
    tail = min(max(0, given.get("tail", TAIL_DEFAULT)), 5000)
    return rows[-tail:] if tail else []


def logs(call: Call, id: str) -> Answer:
    """`GET /v2/pods/{id}/logs`."""
    given = call.parameters("pod-logs")
    account = call.account
    found = [pod for pod in account.pods if pod.id == id and account.visible(pod)]
    if not found:
        call.rules.refuse("no-pod")
        return Answer(200, {})
    pod, source = found[0], given.get("source")

    def frames() -> Iterator[str]:
        rows = _lines(call, pod, source)
        seen = (rows[-1][0], rows[-1][1]) if rows else None
        for row in _first(call, rows):
            yield _frame(row)
        yield ": up to date\n\n"
        while call.waiting():
            for row in _lines(call, pod, source):
                if seen is None or (row[0], row[1]) > seen:
                    seen = (row[0], row[1])
                    yield _frame(row)

    return Answer(200, stream=frames)
