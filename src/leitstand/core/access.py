"""Who may do what: one table, asked before every change."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks. `kind` is operator (the person at this account), instance (a worker that proved
    itself by certificate) or system (a step of the control plane)."""

    kind: str
    id: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}"


SYSTEM = Actor("system", "steps")

GRANTED: dict[str, frozenset[str]] = {
    "operator": frozenset(
        {
            "cases.open",
            "media.open",
            "media.upload",
            "media.ready",
            "media.fail",
            "media.erase",
            "media.identity",
            "jobs.plan",
            "jobs.start",
            "jobs.hold",
            "jobs.resume",
            "jobs.cancel",
            "jobs.report",
            "instances.drain",
            "instances.prepay",
            "volumes.delete",
        }
    ),
    "instance": frozenset(
        {
            "instances.enrol",
            "instances.renew",
            "instances.admit",
            "attempts.claim",
            "volumes.note",
            "attempts.key",
            "attempts.result",
            "attempts.beat",
            "attempts.finish",
        }
    ),
    "system": frozenset(
        {
            "instances.want",
            "instances.observe",
            "instances.launch",
            "attempts.expire",
            "jobs.advance",
            "jobs.retain",
            "media.retain",
            "costs.accrue",
            "effects.report",
            "events.forget",
            "ledger.sequence",
            "volumes.keep",
        }
    ),
}


def allowed(actor: Actor, action: str, owner_id: str | None = None) -> bool:
    """Whether `actor` may do `action` to something of `owner_id`.

    A worker acts on its own instance and attempts only: `owner_id` is the instance they belong to.
    """
    if action not in GRANTED.get(actor.kind, frozenset()):
        return False
    return actor.kind != "instance" or owner_id is None or owner_id == actor.id
