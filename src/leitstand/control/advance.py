"""How a job moves on when something below it moved, and what its end means for its media."""

from __future__ import annotations

from typing import Any

from leitstand.control.cases import title_of
from leitstand.control.transaction import Change, Tx
from leitstand.core.job import ATTEMPT, FUSE, JOB, TASK, Job, job_event
from leitstand.core.medium import INBOX
from leitstand.core.problem import Exit, Problem
from leitstand.store import attempts, jobs, media


def one(tx: Tx, job_id: str) -> Job:
    """A job by id. Raises Problem `unknown-job`."""
    found = jobs.find(tx.conn, tx.tenant, job_id, lock=tx.writes)
    if found is None:
        raise Problem("unknown-job", Exit.USAGE, job=job_id)
    return found


def advance(tx: Tx, job_id: str) -> None:
    """Move a job after one of its tasks moved. What is read does not grow with the job."""
    job = one(tx, job_id)
    fuse = jobs.task_of(tx.conn, tx.tenant, job_id, FUSE)
    states = [] if fuse is None else [(fuse.pipeline, fuse.state)]
    if jobs.any_task(tx.conn, job_id, ("leased",)):
        states.append(("", "leased"))
    event = job_event(job.state, states)
    if event is None:
        return
    if event == "work":
        move_job(tx, job, "work", reason=None)
        return
    end(tx, move_job(tx, job, event, reason=None, ended_at=tx.now))


def stop(tx: Tx, job: Job, event: str, reason: dict[str, Any] | None) -> Job:
    """Cancel or fail a job: live attempts are fenced at once, so nothing they send later counts."""
    tasks = jobs.tasks_of(tx.conn, tx.tenant, job.id)
    open_tasks = [task for task in tasks if task.state not in TASK.final]
    live = attempts.of_job(tx.conn, tx.tenant, job.id, state="live")
    tx.move(ATTEMPT, "fence", [Change(a, over(tx)) for a in live])
    tx.move(TASK, event, [Change(task, {"reason": reason}) for task in open_tasks])
    return end(tx, move_job(tx, job, event, reason=reason, ended_at=tx.now))


def give_up(tx: Tx, job: Job, reason: dict[str, Any]) -> None:
    """A job cannot go on. What was committed is paid for: with a result the job is held, for whoever
    mends the cause and resumes it before its media's term; without one nothing is lost and it
    fails."""
    if job.state not in jobs.OPEN:
        return
    if attempts.any_result(tx.conn, job.id):
        hold(tx, job, reason)
    else:
        stop(tx, job, "fail", reason)


def hold(tx: Tx, job: Job, reason: dict[str, Any] | None) -> Job:
    """Segments under way are finished; media and results are kept for their term."""
    held = move_job(tx, job, "hold", reason=reason)
    set_terms(tx, held)
    return held


def over(tx: Tx) -> dict[str, Any]:
    """Columns of an attempt that ends: the key that was sealed for its worker is kept no longer."""
    return {"ended_at": tx.now, "release_blob": None}


def end(tx: Tx, job: Job) -> Job:
    """A job has ended: its media get their term, and what was derived from them goes."""
    set_terms(tx, job)
    tx.effect("clear", job.id)
    return one(tx, job.id)


def set_terms(tx: Tx, job: Job) -> None:
    """Until when the media of a job are kept that was ended or held. Media that another job works
    on keep theirs open, and what a held one counts on is kept for whoever resumes that."""
    inbox = title_of(tx, tx.case(job.case_id)) == INBOX
    term = tx.retention.of_media(job.state, inbox=inbox)
    held = max(term, tx.retention.of_media("held", inbox=inbox))
    media.set_terms(tx.conn, tx.tenant, job.id, tx.now + term, tx.now + held)


def move_job(tx: Tx, job: Job, event: str, **values: Any) -> Job:
    """One state change of a job, told to its streams."""
    tx.move(JOB, event, [Change(job, values, case=tx.case(job.case_id))])
    moved = one(tx, job.id)
    tx.event(job.id, "job", state=moved.state, reason=moved.reason)
    return moved
