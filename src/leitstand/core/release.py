"""Whether a media key may go to a worker: every predicate, and the reason of the first that is false."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from leitstand.core import limits
from leitstand.core.gate import permitted
from leitstand.core.instance import Instance
from leitstand.core.job import Attempt, Job
from leitstand.core.medium import Case, Medium
from leitstand.core.placement import TIER_OF_CLASS, enough


def release_info(attempt_id: str, fence: int, subject_id: str, expires_at: datetime) -> bytes:
    """What a released key is bound to (HPKE `info`): canonical JSON of attempt, fence, the medium
    (for `fuse` the job), the end of its instance, and the digest of the predicates that held."""
    document = {
        "attempt": attempt_id,
        "fence": fence,
        "medium": subject_id,
        "expires_at": expires_at.isoformat(timespec="microseconds"),
        "predicates_sha256": predicates_sha256(),
    }
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def predicates_sha256() -> str:
    """Digest of the names of all predicates, in order. A rule that changes gets a new name."""
    names = "\n".join(name for name, _ in PREDICATES)
    return hashlib.sha256(names.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Request:
    """All facts a release depends on, gathered in the transaction that would release."""

    now: datetime
    case: Case
    job: Job
    medium: Medium | None
    """None for `fuse`, whose key is the job's result identity."""
    attempt: Attempt
    fence: int
    task_fence: int
    instance: Instance
    certificate_instance: str
    capabilities: frozenset[str]
    clock_skew_seconds: float
    """As it was measured when the instance was admitted."""
    clock_jumped_back: bool
    tier_min: str
    """The lowest tier that the task's plan allows."""
    swap_gib: float
    host_quarantined: bool
    """Whether others of ours failed on the machine, so that it is left alone."""
    budget_left: bool
    """Whether the job's own cap is not yet spent."""


PREDICATES: tuple[tuple[str, Callable[[Request], bool]], ...] = (
    ("attempt-live", lambda r: r.attempt.state == "live" and r.attempt.expires_at > r.now),
    ("fence-current", lambda r: r.fence == r.attempt.fence == r.task_fence),
    ("certificate-of-instance", lambda r: r.certificate_instance == r.instance.id),
    ("attempt-of-instance", lambda r: r.attempt.instance_id == r.instance.id),
    ("instance-admitted", lambda r: r.instance.state in ("ready", "draining")),
    ("instance-not-overdue", lambda r: r.instance.end_by > r.now),
    ("instance-seen", lambda r: r.instance.absent_since is None),
    ("instance-as-offered", lambda r: r.instance.tier == "L" or r.instance.shown_at is not None),
    ("host-not-quarantined", lambda r: r.instance.tier == "L" or not r.host_quarantined),
    ("hpke-key-known", lambda r: r.instance.hpke_public is not None),
    ("tier-allows-class", lambda r: enough(r.instance.tier, TIER_OF_CLASS[r.case.data_class])),
    ("fuse-on-own-machine", lambda r: r.medium is not None or r.instance.tier == "L"),
    ("medium-present", lambda r: r.medium is None or r.medium.state == "ready"),
    (
        "medium-not-expired",
        lambda r: r.medium is None or r.medium.erase_after is None or r.medium.erase_after > r.now,
    ),
    ("tier-allows-task", lambda r: enough(r.instance.tier, r.tier_min)),
    ("no-swap", lambda r: r.case.data_class < 2 or r.instance.tier == "L" or not r.swap_gib),
    ("budget-left", lambda r: r.budget_left),
    ("job-active", lambda r: r.job.state in ("waiting", "running", "held")),
    (
        "capabilities-permitted",
        lambda r: all(permitted(name, r.case, r.now) for name in r.capabilities),
    ),
    (
        "worker-clock-near",
        lambda r: abs(r.clock_skew_seconds) <= limits.CLOCK_SKEW_MAX.total_seconds(),
    ),
    ("own-clock-steady", lambda r: not r.clock_jumped_back),
)


def first_refusal(request: Request) -> str | None:
    """Name of the first false predicate; None means: release, once, for this attempt."""
    for name, holds in PREDICATES:
        if not holds(request):
            return name
    return None
