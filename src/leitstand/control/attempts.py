"""Commands of workers about a live attempt: key, result, beat, finish. Every one names its fence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from leitstand.control.advance import advance, over
from leitstand.control.advance import one as job_by_id
from leitstand.control.commands import Command
from leitstand.control.hosts import note_work, quarantined
from leitstand.control.instances import one as instance_by_id
from leitstand.control.leases import (
    Fenced,
    attempt_of,
    info_of,
    missing,
    task_of,
)
from leitstand.control.losses import end_task, fail, lose
from leitstand.control.media import one as medium_by_id
from leitstand.control.reasons import open_params
from leitstand.control.transaction import RESULT, Change, Tx
from leitstand.core import limits
from leitstand.core.job import ATTEMPT, BLAMES, HELD, TASK, Attempt, Job, Task, progress_due
from leitstand.core.problem import Exit, Problem
from leitstand.core.profile import uses
from leitstand.core.release import Request, first_refusal
from leitstand.store import attempts, jobs, money, tables
from leitstand.store.rows import add


@dataclass(frozen=True, slots=True)
class Release:
    """A key on its way to a worker, or the predicate that forbade it."""

    blob: bytes | None
    info: bytes
    refused: str | None


@dataclass(frozen=True, slots=True)
class ReleaseKey(Command[Release]):
    """Release the task's media key once for this attempt, if every predicate holds. Verdict and
    reason are in the ledger; a lost reply is repeated byte for byte."""

    instance_id: str
    attempt_id: str
    fence: int
    action: ClassVar[str] = "attempts.key"

    def owner(self) -> str | None:
        return self.instance_id

    def apply(self, tx: Tx) -> Release:
        attempt = attempt_of(tx, self.attempt_id)
        task = task_of(tx, attempt)
        request = self._request(tx, attempt, task)
        info = info_of(request.instance, attempt.id, attempt.fence, task)
        refused = first_refusal(request)
        if refused is not None:
            tx.act("attempt", f"refuse_key_{refused}", attempt, case=request.case)
            return Release(None, info, refused)
        if attempt.release_blob is not None:
            return Release(attempt.release_blob, info, None)
        key_id = request.job.key_id if request.medium is None else request.medium.key_id
        secret = tx.secret(key_id)
        blob = tx.vault.release(request.instance.hpke_public or b"", info, secret)
        tx.set("attempt", attempt.id, key_released_at=tx.now, release_blob=blob)
        tx.act("attempt", "release_key", attempt, case=request.case)
        return Release(blob, info, None)

    def _request(self, tx: Tx, attempt: Attempt, task: Task) -> Request:
        job = job_by_id(tx, task.job_id)
        medium = None if task.medium_id is None else medium_by_id(tx, task.medium_id)
        families = {model["family"] for model in job.models}
        needed = frozenset(
            use.capability
            for use in uses(job.profile, task.pipeline)
            if use.family in families or use.required
        )
        instance = instance_by_id(tx, attempt.instance_id)
        measured = instance.facts or {}
        cap = job.budget_cap
        return Request(
            now=tx.now,
            case=tx.case(job.case_id),
            job=job,
            medium=medium,
            attempt=attempt,
            fence=self.fence,
            task_fence=task.fence,
            instance=instance,
            certificate_instance=self.instance_id,
            capabilities=needed,
            clock_skew_seconds=float(measured.get("clock_skew_seconds", 0.0)),
            clock_jumped_back=tx.clock_jumped_back,
            tier_min=task.tier_min,
            swap_gib=float((measured.get("facts") or {}).get("swap_gib") or 0.0),
            host_quarantined=quarantined(tx.conn, tx.tenant, instance, tx.now),
            budget_left=cap is None or money.spent(tx.conn, tx.tenant, job.id) <= cap,
        )


@dataclass(frozen=True, slots=True)
class StoreResult(Command[bool]):
    """Commit one segment's result, already stored as blob `object_id`. True when it is the first;
    False when the segment had one (the blob is surplus). Raises Fenced for a late attempt."""

    instance_id: str
    attempt_id: str
    fence: int
    segment: int
    object_id: str
    bytes: int
    sha256: str
    gap: bool = False
    """Whether the worker says that the result names a gap: the result itself is sealed."""
    left: bool = False
    """In the mailbox, where nothing can be put after the lease: when it is found there says nothing
    of when it came. It counts until the attempt is given up."""
    action: ClassVar[str] = "attempts.result"

    def owner(self) -> str | None:
        return self.instance_id

    def apply(self, tx: Tx) -> bool:
        attempt = attempt_of(tx, self.attempt_id)
        task = task_of(tx, attempt)
        if attempt.instance_id != self.instance_id or self.fence != attempt.fence:
            raise Fenced
        if not task.first_segment <= self.segment <= task.last_segment:
            raise Problem("unknown-segment", Exit.USAGE, segment=self.segment)
        known = attempts.result(tx.conn, task.id, self.segment)
        if known is not None and known.attempt_id == attempt.id:
            return False
        late = attempt.expires_at <= tx.now and not self.left
        if attempt.state != "live" or late or task.fence != attempt.fence:
            raise Fenced
        if known is not None:
            return False
        job = job_by_id(tx, task.job_id)
        self._write(tx, job, task, attempt)
        done = len(jobs.segments_done(tx.conn, [task.id])[task.id])
        tx.event(
            job.id,
            "segment",
            medium=task.medium_id,
            pipeline=task.pipeline,
            stream=task.stream,
            number=self.segment,
            done=done,
            total=task.last_segment - task.first_segment + 1,
            units=attempt.units,
        )
        return True

    def _write(self, tx: Tx, job: Job, task: Task, attempt: Attempt) -> None:
        stored = {
            **tx.born(self.object_id, "object"),
            "key_id": job.key_id,
            "ciphertext_sha256": self.sha256,
            "bytes": self.bytes,
            "parts": 1,
            "purpose": "result",
            "expires_at": None,
        }
        add(tx.conn, tables.objects, [stored])
        result_id = tx.new_id("result")
        row = {
            **tx.born(result_id, "result"),
            "task_id": task.id,
            "attempt_id": attempt.id,
            "segment": self.segment,
            "fence": self.fence,
            "object_id": self.object_id,
            "gap": self.gap,
        }
        add(tx.conn, tables.results, [row])
        case = tx.case(job.case_id)
        tx.enter("result", "create", result_id, 1, None, RESULT.initial, case)
        if not self.left:  # nobody could be told of a longer lease
            extended = tx.now + limits.LEASE
            tx.set("attempt", attempt.id, progress_at=tx.now, expires_at=extended)


@dataclass(frozen=True, slots=True)
class AttemptBeat:
    """What a worker says of one live attempt."""

    attempt_id: str
    fence: int
    segment: int
    units: int


@dataclass(frozen=True, slots=True)
class BeatReply:
    """Verdict per attempt with new lease seconds, and whether the instance drains. `ahead`: segments
    of an attempt that goes on, from the one under way."""

    verdicts: dict[str, tuple[str, float]]
    drain: bool
    ahead: dict[str, range]


@dataclass(frozen=True, slots=True)
class Beat(Command[BeatReply]):
    """Renew leases of attempts that progress; tell the others to stop."""

    instance_id: str
    beats: tuple[AttemptBeat, ...]
    action: ClassVar[str] = "attempts.beat"

    def owner(self) -> str | None:
        return self.instance_id

    def apply(self, tx: Tx) -> BeatReply:
        instance = instance_by_id(tx, self.instance_id)
        tx.set("instance", instance.id, last_seen_at=tx.now)
        by_id = {
            a.id: a
            for a in attempts.find(
                tx.conn, tx.tenant, [b.attempt_id for b in self.beats], lock=True
            )
        }
        verdicts, ahead = {}, {}
        for beat in self.beats:
            told = self._verdict(tx, by_id.get(beat.attempt_id), beat)
            verdicts[beat.attempt_id], ahead[beat.attempt_id] = told
        drain = instance.state in ("draining", "terminating", "terminated")
        return BeatReply(verdicts, drain, ahead)

    def _verdict(
        self, tx: Tx, attempt: Attempt | None, beat: AttemptBeat
    ) -> tuple[tuple[str, float], range]:
        if (
            attempt is None
            or attempt.instance_id != self.instance_id
            or attempt.fence != beat.fence
            or attempt.state != "live"
        ):
            return ("fenced", 0.0), range(0)
        progressed = beat.units > attempt.units
        if not progressed and progress_due(attempt.progress_at, tx.now, limits.FORECAST_SECONDS):
            lose(tx, [attempt], "no-progress")
            return ("stop", 0.0), range(0)
        values: dict[str, Any] = {"expires_at": tx.now + limits.LEASE}
        if progressed:
            values |= {"units": beat.units, "progress_at": tx.now}
        tx.set("attempt", attempt.id, **values)
        task = task_of(tx, attempt)
        job = job_by_id(tx, task.job_id)
        verdict = "hold" if job.state == "held" else "go"
        ahead = range(max(beat.segment, task.first_segment), task.last_segment + 1)
        return (verdict, limits.LEASE.total_seconds()), ahead


@dataclass(frozen=True, slots=True)
class Finish(Command[None]):
    """The end of an attempt as its worker tells it. Raises Fenced for a late one; repeating a
    finish that was accepted changes nothing."""

    instance_id: str
    attempt_id: str
    fence: int
    outcome: str
    reason: dict[str, Any] | None
    blame: str | None
    stage_seconds: dict[str, float]
    action: ClassVar[str] = "attempts.finish"

    def owner(self) -> str | None:
        return self.instance_id

    def apply(self, tx: Tx) -> None:
        attempt = attempt_of(tx, self.attempt_id)
        if attempt.instance_id != self.instance_id or attempt.fence != self.fence:
            raise Fenced
        if attempt.state in ("done", "failed"):
            return
        task = task_of(tx, attempt)
        if attempt.state != "live" or task.fence != attempt.fence:
            raise Fenced
        ended = {**over(tx), "stage_times": self.stage_seconds}
        if self.outcome == "held" and job_by_id(tx, task.job_id).state == "held":
            tx.move(ATTEMPT, "lose", [Change(attempt, {**ended, "reason": HELD})])
            changes = {"attempts_max": task.attempts_max + 1, "reason": None}
            tx.move(TASK, "requeue", [Change(task, changes)])
        elif self.outcome == "held":
            tx.set("attempt", attempt.id, stage_times=self.stage_seconds)
            lose(tx, [attempt], HELD["code"])
        elif self.outcome == "done" and not missing(tx, task):
            tx.move(ATTEMPT, "finish", [Change(attempt, ended)])
            note_work(tx, instance_by_id(tx, attempt.instance_id), task, attempt)
            end_task(tx, task, "finish", None)
        else:
            blame = self.blame if self.blame in BLAMES else "unknown"
            reason = _open_reason(self.reason)
            change = Change(attempt, {**ended, "reason": reason, "blame": blame})
            tx.move(ATTEMPT, "fail", [change])
            fail(tx, task, reason, blame)
        advance(tx, task.job_id)


def _open_reason(reason: dict[str, Any] | None) -> dict[str, Any]:
    if reason is None:
        return {"code": "incomplete", "params": {}}
    return {"code": reason["code"], "params": open_params(reason["params"])}
