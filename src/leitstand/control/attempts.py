"""Commands of workers: claim, key, result, beat, finish. Every one names its attempt's fence."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

from leitstand.control.advance import advance
from leitstand.control.advance import one as job_by_id
from leitstand.control.commands import Command
from leitstand.control.instances import one as instance_by_id
from leitstand.control.losses import end_task, fail, lose
from leitstand.control.media import one as medium_by_id
from leitstand.control.transaction import RESULT, Change, Tx
from leitstand.core import limits
from leitstand.core.instance import Instance
from leitstand.core.job import ATTEMPT, BLAMES, FUSE, TASK, Attempt, Job, Task, progress_due
from leitstand.core.placement import TIERS
from leitstand.core.problem import Exit, Problem
from leitstand.core.profile import uses
from leitstand.core.release import Request, first_refusal, release_info
from leitstand.store import attempts, instances, jobs, media, tables
from leitstand.store.rows import add

FORECAST_SECONDS = 60.0
"""Time for one segment until speeds are learned; the progress deadline is three times this."""


class Fenced(Exception):
    """A late write of an attempt that no longer holds the lease. Nothing was stored."""


@dataclass(frozen=True, slots=True)
class Claim(Command[list[dict[str, Any]]]):
    """Lease queued tasks to a ready instance; replies with leases as the worker protocol has them."""

    instance_id: str
    slots_free: int
    ram_free_gib: float
    vram_free_gib: float
    action: ClassVar[str] = "attempts.claim"

    def owner(self) -> str | None:
        return self.instance_id

    def apply(self, tx: Tx) -> list[dict[str, Any]]:
        instance = instance_by_id(tx, self.instance_id)
        if instance.state != "ready" or instance.end_by <= tx.now:
            return []
        wanted = max(0, min(self.slots_free, limits.SLOTS_MAX))
        leases: list[dict[str, Any]] = []
        ram, vram = self.ram_free_gib, self.vram_free_gib
        for task in jobs.queued_for(tx.conn, instance.id, tx.now, limits.UNITS_PER_STEP_MAX):
            if len(leases) >= wanted:
                break
            needs_ram = float(task.requirements.get("ram_gib", 0.0))
            needs_vram = float(task.requirements.get("vram_gib", 0.0))
            gpu = instance.offer.get("accelerator") == "cuda"
            if TIERS.index(instance.tier) > TIERS.index(task.tier_min):
                continue
            if needs_ram > ram or (gpu and needs_vram > vram):
                continue
            ram, vram = ram - needs_ram, vram - needs_vram
            leases.append(self._lease(tx, instance, task))
        return leases

    def _lease(self, tx: Tx, instance: Instance, task: Task) -> dict[str, Any]:
        fence = task.fence + 1
        attempt_id = tx.new_id("attempt")
        row = {
            **tx.born(attempt_id, "attempt"),
            "task_id": task.id,
            "instance_id": instance.id,
            "fence": fence,
            "reason": None,
            "expires_at": tx.now + limits.LEASE,
            "progress_at": tx.now,
            "units": 0,
            "blame": None,
            "key_released_at": None,
            "release_blob": None,
            "stage_times": None,
            "ended_at": None,
        }
        tx.create(ATTEMPT, [row])
        tx.move(TASK, "claim", [Change(task, {"fence": fence})])
        advance(tx, task.job_id)
        job = job_by_id(tx, task.job_id)
        tx.event(job.id, "task", id=task.id, pipeline=task.pipeline, medium=task.medium_id,
                 state="leased", reason=None)  # fmt: skip
        return {
            "attempt": attempt_id,
            "fence": fence,
            "lease_seconds": limits.LEASE.total_seconds(),
            "progress_seconds": max(
                limits.PROGRESS_SECONDS_MIN, limits.PROGRESS_FACTOR * FORECAST_SECONDS
            ),
            "task": {
                "id": task.id,
                "pipeline": task.pipeline,
                "profile": job.profile,
                "stream": task.stream,
                "medium": task.medium_id,
                "kind": None if task.medium_id is None else medium_by_id(tx, task.medium_id).kind,
            },
            "segments": _missing(tx, task),
            "models": _models(job, task),
            "result_recipient": tx.recipient(job.key_id),
            "release_info": base64.b64encode(_info(instance, attempt_id, fence, task)).decode(),
        }


def _missing(tx: Tx, task: Task) -> list[dict[str, Any]]:
    done = jobs.segments_done(tx.conn, [task.id])[task.id]
    if task.pipeline == FUSE:
        wanted = [(0, 0, 0, "inputs", task.input_object_id or "")]
    else:
        found = media.segments_of(tx.conn, tx.tenant, task.medium_id or "", task.stream)
        wanted = [
            (s.number, s.from_us, s.to_us, s.format, s.object_id)
            for s in found
            if task.first_segment <= s.number <= task.last_segment
        ]
    wanted = [segment for segment in wanted if segment[0] not in done]
    stored = media.objects_by_id(tx.conn, tx.tenant, [segment[4] for segment in wanted])
    return [
        {
            "number": number,
            "from_us": from_us,
            "to_us": to_us,
            "format": kind,
            "object_id": object_id,
            "bytes": stored[object_id].bytes,
            "sha256": stored[object_id].ciphertext_sha256,
        }
        for number, from_us, to_us, kind, object_id in wanted
    ]


def _models(job: Job, task: Task) -> list[dict[str, Any]]:
    if task.pipeline == FUSE:
        return []
    families = {use.family for use in uses(job.profile, task.pipeline)}
    return [model for model in job.models if model["family"] in families]


def _info(instance: Instance, attempt_id: str, fence: int, task: Task) -> bytes:
    return release_info(attempt_id, fence, task.medium_id or task.job_id, instance.end_by)


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
    clock_skew_seconds: float
    action: ClassVar[str] = "attempts.key"

    def owner(self) -> str | None:
        return self.instance_id

    def apply(self, tx: Tx) -> Release:
        attempt = _attempt(tx, self.attempt_id)
        task = _task(tx, attempt)
        request = self._request(tx, attempt, task)
        info = _info(request.instance, attempt.id, attempt.fence, task)
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
        return Request(
            now=tx.now,
            case=tx.case(job.case_id),
            job=job,
            medium=medium,
            attempt=attempt,
            fence=self.fence,
            task_fence=task.fence,
            instance=instance_by_id(tx, attempt.instance_id),
            certificate_instance=self.instance_id,
            capabilities=needed,
            clock_skew_seconds=self.clock_skew_seconds,
            clock_jumped_back=tx.clock_jumped_back,
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
    action: ClassVar[str] = "attempts.result"

    def owner(self) -> str | None:
        return self.instance_id

    def apply(self, tx: Tx) -> bool:
        attempt = _attempt(tx, self.attempt_id)
        task = _task(tx, attempt)
        if attempt.instance_id != self.instance_id or self.fence != attempt.fence:
            raise Fenced
        if not task.first_segment <= self.segment <= task.last_segment:
            raise Problem("unknown-segment", Exit.USAGE, segment=self.segment)
        known = attempts.result(tx.conn, task.id, self.segment)
        if known is not None and known.attempt_id == attempt.id:
            return False
        if attempt.state != "live" or attempt.expires_at <= tx.now or task.fence != attempt.fence:
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
        }
        add(tx.conn, tables.results, [row])
        case = tx.case(job.case_id)
        tx.enter("result", "create", result_id, 1, None, RESULT.initial, case)
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
    """Verdict per attempt with new lease seconds, and whether the instance drains."""

    verdicts: dict[str, tuple[str, float]]
    drain: bool


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
        instances.note(tx.conn, instance.id, last_seen_at=tx.now)
        by_id = {
            a.id: a
            for a in attempts.find(
                tx.conn, tx.tenant, [b.attempt_id for b in self.beats], lock=True
            )
        }
        verdicts = {}
        for beat in self.beats:
            verdicts[beat.attempt_id] = self._verdict(tx, by_id.get(beat.attempt_id), beat)
        return BeatReply(verdicts, instance.state in ("draining", "terminating", "terminated"))

    def _verdict(self, tx: Tx, attempt: Attempt | None, beat: AttemptBeat) -> tuple[str, float]:
        if (
            attempt is None
            or attempt.instance_id != self.instance_id
            or attempt.fence != beat.fence
            or attempt.state != "live"
        ):
            return "fenced", 0.0
        progressed = beat.units > attempt.units
        if not progressed and progress_due(attempt.progress_at, tx.now, FORECAST_SECONDS):
            lose(tx, [attempt], "no-progress")
            return "stop", 0.0
        values: dict[str, Any] = {"expires_at": tx.now + limits.LEASE}
        if progressed:
            values |= {"units": beat.units, "progress_at": tx.now}
        tx.set("attempt", attempt.id, **values)
        job = job_by_id(tx, _task(tx, attempt).job_id)
        verdict = "hold" if job.state == "held" else "go"
        return verdict, limits.LEASE.total_seconds()


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
        attempt = _attempt(tx, self.attempt_id)
        if attempt.instance_id != self.instance_id or attempt.fence != self.fence:
            raise Fenced
        if attempt.state in ("done", "failed"):
            return
        task = _task(tx, attempt)
        if attempt.state != "live" or task.fence != attempt.fence:
            raise Fenced
        ended = {"ended_at": tx.now, "stage_times": self.stage_seconds}
        if self.outcome == "held":
            reason = {"code": "held", "params": {}}
            tx.move(ATTEMPT, "lose", [Change(attempt, {**ended, "reason": reason})])
            changes = {"attempts_max": task.attempts_max + 1, "reason": None}
            tx.move(TASK, "requeue", [Change(task, changes)])
        elif self.outcome == "done" and not _missing(tx, task):
            tx.move(ATTEMPT, "finish", [Change(attempt, ended)])
            end_task(tx, task, "finish", None)
        else:
            blame = self.blame if self.blame in BLAMES else "unknown"
            reason = self.reason or {"code": "incomplete", "params": {}}
            change = Change(attempt, {**ended, "reason": reason, "blame": blame})
            tx.move(ATTEMPT, "fail", [change])
            fail(tx, attempt, task, reason, blame)
            if task_waits(tx, task.id):
                tx.conn.execute(
                    tables.tasks.update()
                    .where(tables.tasks.c.id == task.id)
                    .values(not_before=tx.now + RETRY_AFTER)
                )
        advance(tx, task.job_id)


RETRY_AFTER = timedelta(seconds=2)
"""A failed attempt is not repeated at once: what broke it is often still there."""


def task_waits(tx: Tx, task_id: str) -> bool:
    """Whether a task is in the queue again."""
    task = jobs.task(tx.conn, tx.tenant, task_id)
    return task is not None and task.state == "queued"


def _attempt(tx: Tx, attempt_id: str) -> Attempt:
    found: Sequence[Attempt] = attempts.find(tx.conn, tx.tenant, [attempt_id], lock=True)
    if not found:
        raise Fenced
    return found[0]


def _task(tx: Tx, attempt: Attempt) -> Task:
    task = jobs.task(tx.conn, tx.tenant, attempt.task_id)
    if task is None:
        raise Fenced
    return task
