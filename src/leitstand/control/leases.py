"""Leases: how queued tasks reach a ready instance, and how late holders are told apart."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from leitstand.control.advance import advance
from leitstand.control.advance import one as job_by_id
from leitstand.control.commands import Command
from leitstand.control.hosts import quarantined
from leitstand.control.instances import one as instance_by_id
from leitstand.control.transaction import Change, Tx
from leitstand.core import limits
from leitstand.core.accelerator import NVIDIA, named
from leitstand.core.instance import Instance
from leitstand.core.job import ATTEMPT, FUSE, TASK, Attempt, Job, Task
from leitstand.core.offer import OWN_TIER, enough
from leitstand.core.profile import families
from leitstand.core.release import release_info
from leitstand.store import attempts, instances, jobs, media


class Fenced(Exception):
    """A late write of an attempt that no longer holds the lease. Nothing was stored."""


@dataclass(frozen=True, slots=True)
class Claim(Command[list[dict[str, Any]]]):
    """Lease queued tasks to a ready instance; replies with leases as the worker protocol has them.
    First come those of an earlier reply that was lost: live, begun by nobody, and not among those
    that the worker says it holds.

    Tasks share an instance while their estimated needs fit beside each other. One that runs alone
    is leased whatever it needs: placement chose the instance for it, and a task that nobody may
    claim would wait for ever."""

    instance_id: str
    slots_free: int
    ram_free_gib: float
    vram_free_gib: float
    holding: tuple[str, ...] = ()
    action: ClassVar[str] = "attempts.claim"

    def owner(self) -> str | None:
        return self.instance_id

    def apply(self, tx: Tx) -> list[dict[str, Any]]:
        instance = instance_by_id(tx, self.instance_id)
        lost, fresh = self._chosen(tx, instance)
        leases = [self._told(tx, instance, attempt, task) for attempt, task in lost]
        return leases + [self._lease(tx, instance, task) for task in fresh]

    def look(self, tx: Tx) -> tuple[bool, bool]:
        """Whether this would lease anything now, and whether the instance takes nothing any more:
        what a waiting claim reads, so that one that gets nothing writes nothing."""
        instance = instances.find(tx.conn, tx.tenant, self.instance_id)
        if instance is None or instance.state != "ready":
            return False, True
        return any(self._chosen(tx, instance)), False

    def _chosen(self, tx: Tx, instance: Instance) -> tuple[list[tuple[Attempt, Task]], list[Task]]:
        """Live attempts to tell again, and queued tasks that fit beside them."""
        if instance.state != "ready" or instance.end_by <= tx.now or tx.clock_jumped_back:
            return [], []
        if instance.tier != OWN_TIER and instance.shown_at is None:
            return [], []  # no key would be released: better wait for the next listing
        if quarantined(tx.conn, tx.tenant, instance, tx.now):
            return [], []  # nor here, and the next step of the reconciler drains it
        wanted = max(0, min(self.slots_free, limits.SLOTS_MAX))
        unbegun = attempts.unbegun(tx.conn, instance.id, self.holding, tx.now)
        lost = [(attempt, task_of(tx, attempt)) for attempt in unbegun[:wanted]]
        busy = bool(attempts.live_of_instance(tx.conn, instance.id))
        ram = self.ram_free_gib - sum(_needs(task, "ram_gib") for _, task in lost)
        vram = self.vram_free_gib - sum(_needs(task, "vram_gib") for _, task in lost)
        gpu = named(str(instance.offer.get("accelerator"))) == NVIDIA
        fresh: list[Task] = []
        for task in jobs.queued_for(
            tx.conn, instance.id, tx.now, limits.UNITS_PER_STEP_MAX, lock=tx.writes
        ):
            if len(lost) + len(fresh) >= wanted:
                break
            needs_ram, needs_vram = _needs(task, "ram_gib"), _needs(task, "vram_gib")
            if not enough(instance.tier, task.tier_min):
                continue
            alone = not fresh and not busy
            if not alone and (needs_ram > ram or (gpu and needs_vram > vram)):
                continue
            ram, vram = ram - needs_ram, vram - needs_vram
            fresh.append(task)
        return lost, fresh

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
        tx.event(task.job_id, "task", id=task.id, pipeline=task.pipeline, medium=task.medium_id,
                 state="leased", reason=None)  # fmt: skip
        return self._told(tx, instance, attempt_of(tx, attempt_id), task)

    def _told(self, tx: Tx, instance: Instance, attempt: Attempt, task: Task) -> dict[str, Any]:
        job = job_by_id(tx, task.job_id)
        return {
            "attempt": attempt.id,
            "fence": attempt.fence,
            "lease_seconds": (attempt.expires_at - tx.now).total_seconds(),
            "task": {
                "id": task.id,
                "pipeline": task.pipeline,
                "profile": job.profile,
                "stream": task.stream,
                "medium": task.medium_id,
            },
            "segments": missing(tx, task),
            "models": _models(job, task),
            "result_recipient": tx.recipient(job.key_id),
            "release_info": base64.b64encode(
                info_of(instance, attempt.id, attempt.fence, task)
            ).decode(),
        }


def _needs(task: Task, what: str) -> float:
    return float(task.requirements.get(what, 0.0))


def missing(tx: Tx, task: Task) -> list[dict[str, Any]]:
    """Segments of a task without a committed result, as a lease names them."""
    done = jobs.segments_done(tx.conn, [task.id])[task.id]
    if task.pipeline == FUSE:
        wanted = [(0, 0, 0, "inputs", task.input_object_id or "")]
    else:
        run = (task.first_segment, task.last_segment)
        found = media.segments_of(tx.conn, tx.tenant, task.medium_id or "", task.stream, run)
        wanted = [(s.number, s.from_us, s.to_us, s.format, s.object_id) for s in found]
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
    """What a worker needs of the models of a task, to find and to compare them."""
    loaded = families(job.profile, task.pipeline)
    return [
        {name: model[name] for name in ("family", "name", "version", "digest", "files")}
        for model in job.models
        if model["family"] in loaded
    ]


def info_of(instance: Instance, attempt_id: str, fence: int, task: Task) -> bytes:
    """What a released key is bound to (HPKE `info`)."""
    return release_info(attempt_id, fence, task.medium_id or task.job_id, instance.end_by)


def attempt_of(tx: Tx, attempt_id: str) -> Attempt:
    """An attempt, locked. Raises Fenced when there is none."""
    found: Sequence[Attempt] = attempts.find(tx.conn, tx.tenant, [attempt_id], lock=True)
    if not found:
        raise Fenced
    return found[0]


def task_of(tx: Tx, attempt: Attempt) -> Task:
    """The task of an attempt."""
    task = jobs.task(tx.conn, tx.tenant, attempt.task_id)
    if task is None:
        raise Fenced
    return task
