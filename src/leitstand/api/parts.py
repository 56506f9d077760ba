"""What the operator routes share: the parts of the control plane, the actor, reading and paging."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import Request

from leitstand.api.streams import Clients, Progress, Wakeups
from leitstand.control.commands import Command, Door
from leitstand.control.plan import Planner
from leitstand.control.prepay import Prepay
from leitstand.control.stopper import Stopper
from leitstand.control.transaction import Tx
from leitstand.control.volumes import Volumes
from leitstand.core import limits
from leitstand.core.access import Actor
from leitstand.core.problem import Exit, Problem
from leitstand.ports import Blobs, Clock, HeadVerifier
from leitstand.store.resolve import candidates

R = TypeVar("R")
CANDIDATES_SHOWN = 4


@dataclass(frozen=True, slots=True)
class OperatorParts:
    """What the routes use."""

    door: Door
    blobs: Blobs
    clock: Clock
    planner: Planner
    stopper: Stopper
    volumes: Volumes
    prepay: Prepay
    wakeups: Wakeups
    progress: Progress
    clients: Clients
    verifier: HeadVerifier
    installation: str
    segments_per_task: int
    embedded: bool
    kept_here: bool
    version: str
    actor: Actor

    def run(self, command: Command[R]) -> R:
        """A command as the person at this account."""
        return self.door.run(command, self.actor, self.clock.now())

    def read(self, work: Callable[[Tx], R]) -> R:
        """Read through a view that may unseal."""
        now = self.clock.now()
        return self.door.database.read(lambda conn: work(self.door.look(now, conn)))

    def resolve(self, table: str, given: str) -> str:
        """The id that a person means. Raises Problem `unknown-…` or `ambiguous-id`."""
        tenant = self.door.tenant
        found = self.door.database.read(
            lambda conn: candidates(conn, table, tenant, given, limits.PAGE_MAX)
        )
        if len(found) > 1:
            shown = ", ".join(found[:CANDIDATES_SHOWN])
            raise Problem(
                "ambiguous-id", Exit.USAGE, given=given, count=len(found), candidates=shown
            )
        if not found:
            noun = {"media": "medium"}.get(table, table.removesuffix("s"))
            raise Problem(f"unknown-{noun}", Exit.USAGE, **{noun: given})
        return found[0]


def page(
    rows: Sequence[Any], limit: int, make: Callable[[Any], Any], schema: str
) -> dict[str, Any]:
    """One page of a list; `rows` holds up to one more than the page shows."""
    shown = rows[:limit]
    following = shown[-1].id if len(rows) > limit else None
    return {"schema": schema, "items": [make(row) for row in shown], "next": following}


def bounded_limit(limit: int) -> int:
    """A page size within the limits."""
    return max(1, min(limit, limits.PAGE_MAX))


def parts_of(request: Request) -> OperatorParts:
    """The parts that the app was made with."""
    parts: OperatorParts = request.app.state.parts
    return parts
