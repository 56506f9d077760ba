"""Jobs, tasks and attempts: their states, which work is claimable, and what a lost attempt means."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from leitstand.core import limits
from leitstand.core.machine import Machine

JOB = Machine(
    "job",
    "planned",
    frozenset({"done", "failed", "cancelled"}),
    {
        ("planned", "start"): "waiting",
        ("planned", "cancel"): "cancelled",
        ("waiting", "work"): "running",
        ("waiting", "hold"): "held",
        ("waiting", "finish"): "done",
        ("waiting", "fail"): "failed",
        ("waiting", "cancel"): "cancelled",
        ("running", "hold"): "held",
        ("running", "wait"): "waiting",
        ("running", "finish"): "done",
        ("running", "fail"): "failed",
        ("running", "cancel"): "cancelled",
        ("held", "resume"): "waiting",
        ("held", "finish"): "done",
        ("held", "cancel"): "cancelled",
        ("held", "fail"): "failed",
    },
)

TASK = Machine(
    "task",
    "blocked",
    frozenset({"done", "failed", "cancelled"}),
    {
        ("blocked", "unblock"): "queued",
        ("blocked", "cancel"): "cancelled",
        ("blocked", "fail"): "failed",
        ("queued", "claim"): "leased",
        ("queued", "cancel"): "cancelled",
        ("queued", "fail"): "failed",
        ("leased", "requeue"): "queued",
        ("leased", "finish"): "done",
        ("leased", "fail"): "failed",
        ("leased", "cancel"): "cancelled",
    },
)

ATTEMPT = Machine(
    "attempt",
    "live",
    frozenset({"done", "failed", "lost", "fenced"}),
    {
        ("live", "finish"): "done",
        ("live", "fail"): "failed",
        ("live", "lose"): "lost",
        ("live", "fence"): "fenced",
    },
)

BLAMES = ("item", "host", "model", "us", "unknown")
FUSE = "fuse"
HELD: dict[str, Any] = {"code": "held", "params": {}}
"""Why an attempt ended that finished its segment because the job was held."""


@dataclass(frozen=True, slots=True)
class Job:
    """What one `analyze` asked for: media under one profile, budget and deadline."""

    id: str
    tenant_id: str
    case_id: str
    state: str
    reason: dict[str, Any] | None
    profile: str
    lang: str
    priority: int
    deadline_at: datetime | None
    budget_cap: Decimal | None
    key_id: str
    models: list[dict[str, Any]]
    decision_id: str
    version: int
    created_at: datetime
    updated_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Task:
    """One pipeline over a run of consecutive segments of one medium, or the last one, `fuse`."""

    id: str
    job_id: str
    medium_id: str | None
    pipeline: str
    stream: str | None
    first_segment: int
    last_segment: int
    state: str
    reason: dict[str, Any] | None
    requirements: dict[str, Any]
    tier_min: str
    attempts_max: int
    fence: int
    input_object_id: str | None
    version: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of one task on one instance; while live it holds the lease."""

    id: str
    task_id: str
    instance_id: str
    fence: int
    state: str
    reason: dict[str, Any] | None
    expires_at: datetime
    progress_at: datetime
    units: int
    blame: str | None
    key_released_at: datetime | None
    release_blob: bytes | None
    stage_times: dict[str, float] | None
    version: int
    created_at: datetime
    ended_at: datetime | None


def runs(segment_count: int, length: int) -> list[tuple[int, int]]:
    """Consecutive runs of at most `length` segments, first and last inclusive."""
    return [
        (first, min(first + length, segment_count) - 1) for first in range(0, segment_count, length)
    ]


def after_loss(attempts_used: int, attempts_max: int) -> str:
    """Event of a task whose attempt was lost: back to the queue while attempts remain."""
    return "requeue" if attempts_used < attempts_max else "fail"


def after_failure(blame: str, attempts_used: int, attempts_max: int) -> str:
    """Event of a task whose attempt failed. An item that is to blame fails everywhere."""
    if blame == "item":
        return "fail"
    return after_loss(attempts_used, attempts_max)


def job_event(job_state: str, task_states: Iterable[tuple[str, str]]) -> str | None:
    """What the job does next, from `(pipeline, state)` of its tasks; None for nothing.

    A job is done when `fuse` is done, also a held one: nothing is left to hold. Failed media are
    gaps of a done job. A report that could not be made is no event: the job is given up on.
    """
    states = list(task_states)
    if job_state not in ("waiting", "running", "held"):
        return None
    for pipeline, state in states:
        if pipeline == FUSE and state == "done":
            return "finish"
    leased = any(state == "leased" for _, state in states)
    if job_state == "waiting" and leased:
        return "work"
    return None


def progress_due(progress_at: datetime, now: datetime, forecast_seconds: float) -> bool:
    """Whether an attempt made no progress for longer than its deadline, 3 × forecast, at least 60 s."""
    allowed = max(limits.PROGRESS_SECONDS_MIN, limits.PROGRESS_FACTOR * forecast_seconds)
    return (now - progress_at).total_seconds() > allowed
