"""Commands on jobs: start, hold, resume, cancel, and the way to their end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from leitstand.control import money
from leitstand.control.advance import end, move_job, one
from leitstand.control.commands import Command
from leitstand.control.instances import intend
from leitstand.control.transaction import Change, Tx
from leitstand.core import limits
from leitstand.core.job import ATTEMPT, FUSE, JOB, TASK, Job, fuse_ready, runs
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
    action: ClassVar[str] = "jobs.start"

    def apply(self, tx: Tx) -> Job:
        known = jobs.by_decision(tx.conn, tx.tenant, self.decision_id)
        if known is not None:
            return known
        decision = jobs.decision(tx.conn, tx.tenant, self.decision_id)
        if decision is None or decision.kind != "placement":
            raise Problem("unknown-decision", Exit.USAGE, decision=self.decision_id)
        chosen = decision.verdict.get("chosen")
        if chosen is None:
            raise Problem("no-offer", Exit.NO_CAPACITY, rejected=len(decision.reasons))
        job = self._create(tx, decision)
        self._plan_tasks(tx, job, decision.inputs)
        tx.move(JOB, "start", [Change(job, case=tx.case(job.case_id))])
        job = one(tx, job.id)
        money.check_covered(tx, job, Decimal(chosen["worst_eur"]), decision.inputs["budgets"])
        intend(tx, job, chosen["offer"], decision.verdict["end_by"], self.installation)
        tx.event(job.id, "job", state=job.state, reason=None)
        return one(tx, job.id)

    def _create(self, tx: Tx, decision: jobs.Decision) -> Job:
        inputs = decision.inputs
        job_id = tx.new_id("job")
        key_id, _, _ = tx.new_key("result", job_id, identity=True)
        cap = inputs.get("budget_cap_eur")
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
        return one(tx, job_id)

    def _plan_tasks(self, tx: Tx, job: Job, inputs: dict[str, Any]) -> None:
        pipelines = check(job.profile)
        rows = []
        for medium in media.of_job(tx.conn, tx.tenant, job.id):
            if medium.state != "ready":
                continue
            tx.set("medium", medium.id, erase_after=None)
            streams: dict[str, int] = {}
            for segment in media.segments_of(tx.conn, tx.tenant, medium.id):
                streams[segment.stream] = streams.get(segment.stream, 0) + 1
            for stream, count in sorted(streams.items()):
                pipeline = pipeline_of(stream)
                if pipeline in pipelines:
                    for first, last in runs(count, self.segments_per_task):
                        rows.append(
                            self._task(tx, job, medium.id, pipeline, stream, first, last, inputs)
                        )
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
        return move_job(tx, job, "hold")


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
        return move_job(tx, job, "resume")


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
        tasks = jobs.tasks_of(tx.conn, tx.tenant, job.id)
        open_tasks = [task for task in tasks if task.state not in TASK.final]
        live = [a for a in attempts.of_job(tx.conn, tx.tenant, job.id) if a.state == "live"]
        tx.move(ATTEMPT, "fence", [Change(a, {"ended_at": tx.now}) for a in live])
        tx.move(TASK, "cancel", [Change(task) for task in open_tasks])
        return end(tx, move_job(tx, job, "cancel", ended_at=tx.now))


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
        tasks = jobs.tasks_of(tx.conn, tx.tenant, job.id)
        fuse = next(task for task in tasks if task.pipeline == FUSE)
        states = [(task.pipeline, task.state) for task in tasks]
        if fuse.state != "blocked" or not fuse_ready(states):
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
class FailJob(Command[Job]):
    """Give up on a job for a reason that no retry mends."""

    job_id: str
    reason: dict[str, Any]
    action: ClassVar[str] = "jobs.advance"

    def apply(self, tx: Tx) -> Job:
        job = one(tx, self.job_id)
        if job.state in JOB.final:
            return job
        tasks = jobs.tasks_of(tx.conn, tx.tenant, job.id)
        open_tasks = [task for task in tasks if task.state not in TASK.final]
        tx.move(TASK, "fail", [Change(task, {"reason": self.reason}) for task in open_tasks])
        return end(tx, move_job(tx, job, "fail", reason=self.reason, ended_at=tx.now))


@dataclass(frozen=True, slots=True)
class ReadReport(Command[str]):
    """A person opens the report: the entry says so, the reply is the object that holds it."""

    job_id: str
    action: ClassVar[str] = "jobs.report"

    def apply(self, tx: Tx) -> str:
        job = one(tx, self.job_id)
        if job.state != "done":
            raise Problem("no-report", Exit.FAILED, job=job.id, state=job.state)
        tx.act("job", "read_report", job, case=tx.case(job.case_id))
        return report_object(tx, job)


def report_object(tx: Tx, job: Job) -> str:
    """The object that holds a job's report."""
    for task in jobs.tasks_of(tx.conn, tx.tenant, job.id):
        if task.pipeline == FUSE:
            found = attempts.result(tx.conn, task.id, 0)
            if found is not None:
                return found.object_id
    raise Problem("no-report", Exit.FAILED, job=job.id, state=job.state)


def _only(job: Job, *states: str) -> None:
    if job.state not in states:
        raise Problem("job-changed", Exit.FAILED, job=job.id, state=job.state)
