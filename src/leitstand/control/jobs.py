"""Commands on jobs: start, hold, resume, cancel, and the way to their end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from leitstand.control.advance import give_up, hold, move_job, one, stop
from leitstand.control.commands import Command
from leitstand.control.instances import intend, tell_waiting
from leitstand.control.refusals import rules_of
from leitstand.control.transaction import Change, Tx
from leitstand.core import limits
from leitstand.core.job import FUSE, JOB, TASK, Job, runs
from leitstand.core.medium import takeable
from leitstand.core.problem import Exit, Problem
from leitstand.core.profile import check, pipeline_of
from leitstand.store import attempts, jobs, media, tables
from leitstand.store.rows import add


@dataclass(frozen=True, slots=True)
class StartJob(Command[Job]):
    """Turn a decision into a job: tasks, a result identity, the reservation of the worst case and
    the intent of the first instance, all or nothing. A decision starts one job; starting it again
    returns that job."""

    decision_id: str
    installation: str
    segments_per_task: int
    budgets: Mapping[str, str | None] | None = None
    """As they are now; None: as they were when the decision was made."""
    action: ClassVar[str] = "jobs.start"

    def apply(self, tx: Tx) -> Job:
        decision = jobs.decision(tx.conn, tx.tenant, self.decision_id, lock=True)
        if decision is None or decision.kind != "placement":
            raise Problem("unknown-decision", Exit.USAGE, decision=self.decision_id)
        known = jobs.by_decision(tx.conn, tx.tenant, self.decision_id)
        if known is not None:
            return known
        chosen = decision.verdict.get("chosen")
        if chosen is None:
            fell = {row["rule"]: row["count"] for row in decision.reasons["rejected"]}
            rejected, why = sum(fell.values()), rules_of(fell)
            raise Problem("no-offer", Exit.NO_CAPACITY, rejected=rejected, why=why)
        job = self._create(tx, decision)
        self._plan_tasks(tx, job, decision.inputs)
        tx.move(JOB, "start", [Change(job, case=tx.case(job.case_id))])
        job = one(tx, job.id)
        term = datetime.fromisoformat(decision.verdict["end_by"]) - decision.created_at
        budgets = decision.inputs["budgets"] if self.budgets is None else self.budgets
        intend(tx, job, chosen["offer"], tx.now + term, budgets, self.installation)
        tx.event(job.id, "job", state=job.state, reason=None)
        return one(tx, job.id)

    def _create(self, tx: Tx, decision: jobs.Decision) -> Job:
        inputs = decision.inputs
        job_id = tx.new_id("job")
        key_id, _, _ = tx.new_key("result", job_id, identity=True)
        cap = inputs.get("budget_cap_eur") or _agreed(decision)
        due = inputs.get("due_at")
        row = {
            **tx.born(job_id, "job"),
            "case_id": inputs["case"],
            "reason": None,
            "profile": inputs["profile"],
            "lang": inputs["lang"],
            "priority": 0,
            "deadline_at": None if due is None else datetime.fromisoformat(due),
            "budget_cap": None if cap is None else Decimal(cap),
            "key_id": key_id,
            "models": inputs["models"],
            "decision_id": decision.id,
            "ended_at": None,
        }
        tx.create(JOB, [row], case=tx.case(inputs["case"]))
        places = [
            {"job_id": job_id, "medium_id": medium_id, "place": place}
            for place, medium_id in enumerate(inputs["media"])
        ]
        add(tx.conn, tables.job_media, places)
        takeable(media.find(tx.conn, tx.tenant, inputs["media"], lock=True))
        media.clear_terms(tx.conn, tx.tenant, job_id)
        return one(tx, job_id)

    def _plan_tasks(self, tx: Tx, job: Job, inputs: dict[str, Any]) -> None:
        pipelines = check(job.profile)
        ready = {m.id for m in media.of_job(tx.conn, tx.tenant, job.id) if m.state == "ready"}
        rows = [
            self._task(tx, job, medium_id, pipeline_of(stream), stream, first, last, inputs)
            for medium_id, stream, count in media.streams_of_job(tx.conn, tx.tenant, job.id)
            if medium_id in ready and pipeline_of(stream) in pipelines
            for first, last in runs(count, self.segments_per_task)
        ]
        if not rows:
            raise Problem("nothing-to-analyse", Exit.USAGE, profile=job.profile)
        tx.create(TASK, rows)
        fuse = self._task(tx, job, None, FUSE, None, 0, 0, inputs)
        tx.create(TASK, [{**fuse, "state": "blocked", "tier_min": "L"}])

    def _task(
        self,
        tx: Tx,
        job: Job,
        medium_id: str | None,
        pipeline: str,
        stream: str | None,
        first: int,
        last: int,
        inputs: dict[str, Any],
    ) -> dict[str, Any]:
        return {
            **tx.born(None, "task"),
            "job_id": job.id,
            "medium_id": medium_id,
            "pipeline": pipeline,
            "stream": stream,
            "first_segment": first,
            "last_segment": last,
            "state": "queued",
            "reason": None,
            "requirements": inputs["requirements"].get(pipeline, {}),
            "tier_min": inputs["tier_min"],
            "attempts_max": limits.ATTEMPTS_MAX,
            "not_before": None,
            "fence": 0,
            "input_object_id": None,
        }


@dataclass(frozen=True, slots=True)
class HoldJob(Command[Job]):
    """Finish the segments under way, release the instance, keep media and committed segments."""

    job_id: str
    action: ClassVar[str] = "jobs.hold"

    def apply(self, tx: Tx) -> Job:
        job = one(tx, self.job_id)
        if job.state == "held":
            return job
        _only(job, "waiting", "running")
        return hold(tx, job, None)


@dataclass(frozen=True, slots=True)
class ResumeJob(Command[Job]):
    """Go on where a held job stopped: at the first segment without a result."""

    job_id: str
    action: ClassVar[str] = "jobs.resume"

    def apply(self, tx: Tx) -> Job:
        job = one(tx, self.job_id)
        if job.state in ("waiting", "running"):
            return job
        _only(job, "held")
        media.clear_terms(tx.conn, tx.tenant, job.id)
        return move_job(tx, job, "resume", reason=None)


@dataclass(frozen=True, slots=True)
class CancelJob(Command[Job]):
    """Stop for good. Live attempts are fenced at once, so nothing they send later counts."""

    job_id: str
    action: ClassVar[str] = "jobs.cancel"

    def apply(self, tx: Tx) -> Job:
        job = one(tx, self.job_id)
        if job.state == "cancelled":
            return job
        _only(job, "planned", "waiting", "running", "held")
        return stop(tx, job, "cancel", None)


@dataclass(frozen=True, slots=True)
class UnblockFuse(Command[bool]):
    """Every other task has ended and the inputs of the report are stored as `object_id`."""

    job_id: str
    object_id: str
    bytes: int
    sha256: str
    action: ClassVar[str] = "jobs.advance"

    def apply(self, tx: Tx) -> bool:
        job = one(tx, self.job_id)
        fuse = jobs.task_of(tx.conn, tx.tenant, job.id, FUSE)
        if fuse is None or fuse.state != "blocked" or job.state not in jobs.OPEN:
            return False
        if jobs.any_task(tx.conn, job.id, ("queued", "leased")):
            return False
        row = {
            **tx.born(self.object_id, "object"),
            "key_id": job.key_id,
            "ciphertext_sha256": self.sha256,
            "bytes": self.bytes,
            "parts": 1,
            "purpose": "inputs",
            "expires_at": None,
        }
        add(tx.conn, tables.objects, [row])
        tx.move(TASK, "unblock", [Change(fuse, {"input_object_id": self.object_id})])
        return True


@dataclass(frozen=True, slots=True)
class GiveUpJob(Command[None]):
    """No retry mends the reason: the job is held, or fails where it has nothing to lose."""

    job_id: str
    reason: dict[str, Any]
    action: ClassVar[str] = "jobs.advance"

    def apply(self, tx: Tx) -> None:
        give_up(tx, one(tx, self.job_id), self.reason)


@dataclass(frozen=True, slots=True)
class NoteWaiting(Command[None]):
    """Say why a job waits: nobody works on it and no instance can be had. People read the reason,
    nothing acts on it."""

    job_id: str
    reason: dict[str, Any]
    action: ClassVar[str] = "jobs.advance"

    def apply(self, tx: Tx) -> None:
        job = one(tx, self.job_id)
        if job.state != "running":
            tell_waiting(tx, job, self.reason)
        elif not jobs.any_task(tx.conn, job.id, ("leased",)):
            move_job(tx, job, "wait", reason=self.reason)


@dataclass(frozen=True, slots=True)
class RetainReports(Command[int]):
    """The results of jobs that ended longer ago than reports are kept: their key is destroyed, so
    nothing opens them any more; what lies in the blob store follows by effect."""

    limit: int = limits.UNITS_PER_STEP_MAX
    action: ClassVar[str] = "jobs.retain"

    def apply(self, tx: Tx) -> int:
        before = tx.now - tx.retention.reports
        due = jobs.overdue_reports(tx.conn, before, self.limit)
        for job in due:
            tx.destroy_key(job.key_id)
            tx.act("job", "erase_report", job, case=tx.case(job.case_id))
            tx.effect("clear", job.id)
        return len(due)


@dataclass(frozen=True, slots=True)
class ReadReport(Command[str]):
    """A person opens the report: the entry says so, the reply is the object that holds it."""

    job_id: str
    action: ClassVar[str] = "jobs.report"

    def apply(self, tx: Tx) -> str:
        job = one(tx, self.job_id)
        if job.state != "done":
            raise Problem("no-report", Exit.FAILED, job=job.id, state=job.state)
        tx.secret(job.key_id, Problem("report-erased", Exit.FAILED, job=job.id))
        tx.act("job", "read_report", job, case=tx.case(job.case_id))
        return report_object(tx, job)


def report_object(tx: Tx, job: Job) -> str:
    """The object that holds a job's report."""
    fuse = jobs.task_of(tx.conn, tx.tenant, job.id, FUSE)
    found = None if fuse is None else attempts.result(tx.conn, fuse.id, 0)
    if found is not None:
        return found.object_id
    raise Problem("no-report", Exit.FAILED, job=job.id, state=job.state)


def _agreed(decision: jobs.Decision) -> str | None:
    """What was agreed to bounds a job that was given no cap, unless the budgets bound it more. An own
    machine costs nothing, and nothing was asked."""
    amount, left = decision.inputs.get("agreed_eur"), decision.verdict.get("budget_left_eur")
    if amount is None or Decimal(amount) <= 0:
        return None
    return amount if left is None or Decimal(amount) < Decimal(left) else None


def _only(job: Job, *states: str) -> None:
    if job.state not in states:
        raise Problem("job-changed", Exit.FAILED, job=job.id, state=job.state)
