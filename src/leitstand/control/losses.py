"""What becomes of a task whose attempt ended without finishing it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from leitstand.control.advance import advance, give_up, one, over
from leitstand.control.commands import Command
from leitstand.control.transaction import Change, Tx
from leitstand.core import limits
from leitstand.core.job import ATTEMPT, FUSE, TASK, Attempt, Task, after_failure, after_loss
from leitstand.store import attempts, jobs


def lose(tx: Tx, lost: Sequence[Attempt], code: str) -> None:
    """Mark attempts lost; their tasks go back to the queue while attempts remain. One whose results
    are all there is done: nobody need be rented to say so."""
    reason = {"code": code, "params": {}}
    values = {**over(tx), "reason": reason}
    tx.move(ATTEMPT, "lose", [Change(attempt, values) for attempt in lost])
    for attempt in lost:
        task = jobs.task(tx.conn, tx.tenant, attempt.task_id)
        if task is None or task.state != "leased" or task.fence != attempt.fence:
            continue
        event = after_loss(attempts.used(tx.conn, task.id), task.attempts_max)
        _ended(tx, task, "finish" if whole(tx, task) else event, reason)
        advance(tx, task.job_id)


def whole(tx: Tx, task: Task) -> bool:
    """Whether every segment of a task has its result."""
    done = jobs.segments_done(tx.conn, [task.id])[task.id]
    return done.issuperset(range(task.first_segment, task.last_segment + 1))


def fail(tx: Tx, task: Task, reason: dict[str, Any] | None, blame: str) -> None:
    """An attempt reported failure. It is not repeated at once: what broke it is often still there."""
    event = after_failure(blame, attempts.used(tx.conn, task.id), task.attempts_max)
    _ended(tx, task, event, reason, not_before=tx.now + limits.RETRY_AFTER)


def _ended(
    tx: Tx,
    task: Task,
    event: str,
    reason: dict[str, Any] | None,
    not_before: datetime | None = None,
) -> None:
    """What no retry mends fails a task. For the report everything is paid for already: its task
    stays open with fresh tries, and its job is given up on."""
    if task.pipeline != FUSE or event != "fail":
        waits = {"not_before": not_before} if event == "requeue" else {}
        end_task(tx, task, event, reason, **waits)
        return
    end_task(tx, task, "requeue", reason, attempts_max=task.attempts_max + limits.ATTEMPTS_MAX)
    give_up(tx, one(tx, task.job_id), reason or {"code": "incomplete", "params": {}})


def end_task(tx: Tx, task: Task, event: str, reason: dict[str, Any] | None, **more: Any) -> None:
    """Move a task and tell its job's streams."""
    values = {"reason": reason if event == "fail" else None, **more}
    tx.move(TASK, event, [Change(task, values)])
    tx.event(
        task.job_id,
        "task",
        id=task.id,
        pipeline=task.pipeline,
        medium=task.medium_id,
        state=TASK.after(task.state, event),
        reason=reason,
    )


@dataclass(frozen=True, slots=True)
class ExpireLeases(Command[int]):
    """Attempts whose lease ran out are lost."""

    limit: int = limits.UNITS_PER_STEP_MAX
    action: ClassVar[str] = "attempts.expire"

    def apply(self, tx: Tx) -> int:
        due = attempts.expired(tx.conn, tx.now, self.limit)
        ids = [attempt_id for tenant, attempt_id in due if tenant == tx.tenant]
        locked = attempts.find(tx.conn, tx.tenant, ids, lock=True)
        found = [a for a in locked if a.state == "live" and a.expires_at <= tx.now]
        lose(tx, found, "lease-expired")
        return len(found)
