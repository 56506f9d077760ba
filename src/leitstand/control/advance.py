"""How a job moves on when something below it moved, and what its end means for its media."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from leitstand.control.cases import title_of
from leitstand.control.media import set_term
from leitstand.control.transaction import Change, Tx
from leitstand.core.job import FUSE, JOB, Job, Task, job_event
from leitstand.core.problem import Exit, Problem
from leitstand.store import jobs, media


def one(tx: Tx, job_id: str) -> Job:
    """A job by id. Raises Problem `unknown-job`."""
    found = jobs.find(tx.conn, tx.tenant, job_id, lock=tx.writes)
    if found is None:
        raise Problem("unknown-job", Exit.USAGE, job=job_id)
    return found


def advance(tx: Tx, job_id: str) -> None:
    """Move a job after one of its tasks moved."""
    job = one(tx, job_id)
    tasks = jobs.tasks_of(tx.conn, tx.tenant, job_id)
    event = job_event(job.state, [(task.pipeline, task.state) for task in tasks])
    if event is None:
        return
    if event == "work":
        move_job(tx, job, "work")
        return
    reason = _fuse_reason(tasks) if event == "fail" else None
    end(tx, move_job(tx, job, event, reason=reason, ended_at=tx.now))


def end(tx: Tx, job: Job) -> Job:
    """A job has ended: its media get their term."""
    case = tx.case(job.case_id)
    title = title_of(tx, case)
    for medium in media.of_job(tx.conn, tx.tenant, job.id):
        if media.jobs_open_on(tx.conn, tx.tenant, medium.id) == 0:
            set_term(tx, medium, case, title, failed=job.state != "done")
    return one(tx, job.id)


def move_job(tx: Tx, job: Job, event: str, **values: Any) -> Job:
    """One state change of a job, told to its streams."""
    tx.move(JOB, event, [Change(job, values, case=tx.case(job.case_id))])
    moved = one(tx, job.id)
    tx.event(job.id, "job", state=moved.state, reason=moved.reason)
    return moved


def _fuse_reason(tasks: Sequence[Task]) -> dict[str, Any] | None:
    return next((task.reason for task in tasks if task.pipeline == FUSE), None)
