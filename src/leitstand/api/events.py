"""The one stream: stored events with their row as id, and between them what is not stored.

`present` once all that happened so far has been told; `progress` from then on; `store` where the
database cannot be written, with the code of the reason, null once it can; `ping` every few seconds.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from leitstand.api.bounds import Big
from leitstand.api.documents import Count
from leitstand.api.parts import OperatorParts, parts_of
from leitstand.control.transaction import Tx
from leitstand.core.cost import spelled
from leitstand.core.job import JOB
from leitstand.store import attempts, events, jobs, money
from leitstand.store.events import Event
from leitstand.store.jobs import Tally

router = APIRouter(prefix="/api/v1")
Parts = Annotated[OperatorParts, Depends(parts_of)]
BATCH = 500
PROGRESS_SECONDS = 0.5
PING_SECONDS = 4
_EVENT_ID = re.compile(r"^[0-9]{1,18}$")


@router.get("/events")
async def stream(
    request: Request,
    parts: Parts,
    subject: str | None = None,
    after: Big | None = None,
    last_event_id: Annotated[str | None, Header()] = None,
) -> EventSourceResponse:
    """Server-sent events about a subject (or all), resumable by `Last-Event-ID`. Without either it
    begins with what happens next."""
    subject_id = subject
    if subject is not None and "_" not in subject:
        subject_id = await run_in_threadpool(parts.resolve, "jobs", subject)
    if last_event_id is not None and _EVENT_ID.match(last_event_id):
        start = int(last_event_id)
    elif after is not None:
        start = after
    else:
        start = await run_in_threadpool(parts.read, lambda tx: events.newest(tx.conn))
    return EventSourceResponse(
        _follow(request, parts, subject_id, start),
        ping=PING_SECONDS,
        ping_message_factory=lambda: ServerSentEvent(data="{}", event="ping"),
    )


async def _follow(
    request: Request, parts: OperatorParts, subject: str | None, last: int
) -> AsyncIterator[ServerSentEvent]:
    shown: dict[str, Any] | None = None
    failing: str | None = None
    told_at = float("-inf")
    present = False
    while not parts.wakeups.closed:
        seen = parts.wakeups.seen()
        found = await run_in_threadpool(_since, parts, subject, last)
        for event in found:
            last = event.id
            yield ServerSentEvent(
                data=json.dumps({"subject": event.subject_id, **event.facts}),
                event=event.kind,
                id=str(event.id),
            )
        if not present and len(found) < BATCH:
            present = True
            yield ServerSentEvent(data="{}", event="present")
        why = parts.door.database.failing
        if (code := None if why is None else why.code) != failing:
            failing = code
            told = {"code": code, "params": {} if why is None else dict(why.params)}
            yield ServerSentEvent(data=json.dumps(told), event="store")
        due = present and parts.clock.monotonic() - told_at >= PROGRESS_SECONDS
        if due and subject is not None and subject.startswith("job_"):
            told_at = parts.clock.monotonic()
            progress = await run_in_threadpool(
                parts.read, lambda tx: progress_of(tx, parts, subject)
            )
            if progress is not None and progress != shown:
                shown = progress
                yield ServerSentEvent(data=json.dumps(progress), event="progress")
        if await request.is_disconnected():
            return
        if len(found) < BATCH:
            await parts.wakeups.wait(seen, PROGRESS_SECONDS)


def _since(parts: OperatorParts, subject: str | None, last: int) -> list[Event]:
    return parts.read(lambda tx: events.after(tx.conn, tx.tenant, subject, last, BATCH))


def progress_of(tx: Tx, parts: OperatorParts, job_id: str) -> dict[str, Any] | None:
    """Segments, rate and cost of a running job, from rows and the newest beats."""
    job = jobs.find(tx.conn, tx.tenant, job_id)
    if job is None or job.state in JOB.final:
        return None
    by_medium: dict[str, list[Tally]] = {}
    for tally in jobs.tallies(tx.conn, tx.tenant, [job_id])[job_id]:
        by_medium.setdefault(tally.medium_id, []).append(tally)
    counts = {medium_id: Count.of(mine) for medium_id, mine in by_medium.items()}
    live = attempts.live_ids_of_job(tx.conn, tx.tenant, job_id)
    return {
        "segments": {
            "done": sum(c.done for c in counts.values()),
            "total": sum(c.total for c in counts.values()),
            "gap": sum(c.gap for c in counts.values()),
        },
        "units_per_s": round(parts.progress.rate(live), 1),
        "cost_eur": spelled(money.spent(tx.conn, tx.tenant, job_id)),
        "media": {m: {"done": c.done, "total": c.total} for m, c in counts.items()},
    }
