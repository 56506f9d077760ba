"""What became of one medium in one job. It is said here and nowhere else: report, lists and exit code
repeat it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from leitstand.core.job import Task
from leitstand.core.medium import Medium


@dataclass(frozen=True, slots=True)
class Outcome:
    """`state` is `waiting` or `running`, then `done`, `partial`, `failed` or `cancelled`."""

    state: str
    reason: dict[str, Any] | None


def outcome(medium: Medium, profile: str, tasks: Sequence[Task], gaps: int) -> Outcome:
    """From the tasks of a medium and the number of their results that name a gap. What nobody
    looked at is `failed`, and what has a gap, found at intake or later, is never `done`."""
    if not tasks:
        return Outcome("failed", _left_out(medium, profile))
    states = {task.state for task in tasks}
    if "failed" in states:
        reason = next(task.reason for task in tasks if task.state == "failed")
        return Outcome("failed" if states == {"failed"} else "partial", reason)
    if "cancelled" in states:
        return Outcome("cancelled", None)
    if states != {"done"}:
        return Outcome("running" if "leased" in states else "waiting", None)
    if medium.reason is not None:
        return Outcome("partial", medium.reason)
    if gaps:
        return Outcome("partial", {"code": "gaps-in-results", "params": {"segments": gaps}})
    return Outcome("done", None)


def _left_out(medium: Medium, profile: str) -> dict[str, Any]:
    if medium.state == "failed" and medium.reason is not None:
        return medium.reason
    return {"code": "not-in-profile", "params": {"profile": profile}}
