"""Commands on instances: intent, launch, enrolment, admission, drain, and observed absence."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from leitstand.control import money
from leitstand.control.commands import Command
from leitstand.control.losses import lose
from leitstand.control.transaction import RESERVATION, Change, Tx
from leitstand.core import admission, limits
from leitstand.core.cost import worst_case
from leitstand.core.instance import (
    INSTANCE,
    Action,
    Adopt,
    AskEnd,
    Instance,
    Move,
    NoteAbsent,
    NotePresent,
    label,
)
from leitstand.core.job import Job
from leitstand.core.problem import Exit, Problem
from leitstand.ports import Authority
from leitstand.store import attempts, effects, instances, jobs

PACE = timedelta(seconds=1)
"""Shortest time between two asks for the same end."""


def intend(tx: Tx, job: Job, offer: dict[str, Any], end_by: str, installation: str) -> Instance:
    """Write the intent, the reservation and the launch effect: nothing is rented without them."""
    instance_id = tx.new_id("instance")
    until = datetime.fromisoformat(end_by)
    price = Decimal(offer["price_eur_per_hour"])
    row = {
        **tx.born(instance_id, "instance"),
        "provider": offer["provider"],
        "provider_id": None,
        "label": label(installation, instance_id, until),
        "offer": offer,
        "price": price,
        "reason": None,
        "end_by": until,
        "ready_by": tx.now + limits.READY_DEADLINE,
        "ready_at": None,
        "token_hash": None,
        "certificate_serial": None,
        "hpke_public": None,
        "tier": offer["tier"],
        "region": offer["region"],
        "facts": None,
        "absent_since": None,
        "last_seen_at": None,
        "ended_at": None,
    }
    tx.create(INSTANCE, [row])
    amount = worst_case(
        price + Decimal(offer["storage_eur_per_hour"]),
        Decimal(offer["minimum_eur"]),
        tx.now,
        until,
    )
    held = {
        **tx.born(None, "reservation"),
        "job_id": job.id,
        "instance_id": instance_id,
        "amount": amount,
    }
    tx.create(RESERVATION, [held])
    tx.effect("launch", instance_id)
    tell(tx, job.id, one(tx, instance_id))
    return one(tx, instance_id)


@dataclass(frozen=True, slots=True)
class IntendInstance(Command[Instance | None]):
    """The reconciler found a job without an instance that serves it, and an offer."""

    job_id: str
    offer: dict[str, Any]
    end_by: str
    worst_eur: str
    budgets: dict[str, str | None]
    installation: str
    wanted: int = 1
    tier: str | None = None
    action: ClassVar[str] = "instances.want"

    def apply(self, tx: Tx) -> Instance | None:
        job = jobs.find(tx.conn, tx.tenant, self.job_id)
        if job is None or job.state not in jobs.OPEN:
            return None
        serving = [
            instance
            for instance in instances.serving(tx.conn, job.id)
            if self.tier is None or instance.tier == self.tier
        ]
        if len(serving) >= self.wanted:
            return None
        money.check_covered(tx, job, Decimal(self.worst_eur), self.budgets)
        return intend(tx, job, self.offer, self.end_by, self.installation)


@dataclass(frozen=True, slots=True)
class Launch:
    """What the effect runner needs for the provider call."""

    instance: Instance
    token: str


@dataclass(frozen=True, slots=True)
class BeginLaunch(Command[Launch | None]):
    """The launch call is about to be made: from here on its outcome is unknown until reported."""

    instance_id: str
    effect_id: str
    action: ClassVar[str] = "instances.launch"

    def apply(self, tx: Tx) -> Launch | None:
        instance = one(tx, self.instance_id)
        if instance.state != "intended":
            effects.set_state(tx.conn, self.effect_id, "done", tx.now)
            return None
        if tx.clock_jumped_back:
            return None
        token = tx.ids.draw(32).hex()
        effects.set_state(tx.conn, self.effect_id, "unknown", tx.now, attempted=True)
        move_one(tx, instance, "launch", token_hash=token_hash(token))
        return Launch(one(tx, self.instance_id), token)


@dataclass(frozen=True, slots=True)
class ReportLaunch(Command[None]):
    """What the provider answered: its id, or a refusal."""

    instance_id: str
    effect_id: str
    provider_id: str | None
    refused: str | None = None
    action: ClassVar[str] = "effects.report"

    def apply(self, tx: Tx) -> None:
        instance = one(tx, self.instance_id)
        if instance.state != "launching":
            return
        effects.set_state(tx.conn, self.effect_id, "done", tx.now, error=self.refused)
        if self.refused is not None:
            finish(tx, instance, "refused", {"code": self.refused, "params": {}})
        else:
            move_one(tx, instance, "launched", provider_id=self.provider_id, last_seen_at=tx.now)


@dataclass(frozen=True, slots=True)
class Observe(Command[int]):
    """Apply the reconciler's actions. Each was decided on a row that may have moved since: a stale
    one raises and the next step looks again."""

    actions: tuple[tuple[Instance, tuple[Action, ...]], ...]
    action: ClassVar[str] = "instances.observe"

    def apply(self, tx: Tx) -> int:
        count = 0
        for seen, actions in self.actions:
            for act in actions:
                instance = one(tx, seen.id)
                if instance.state == seen.state:
                    self._one(tx, instance, act)
                    count += 1
        return count

    def _one(self, tx: Tx, instance: Instance, act: Action) -> None:
        match act:
            case Move("absent" | "never_created" | "unwanted" as event, code):
                finish(tx, instance, event, _reason(code))
            case Move("end", code):
                move_one(tx, instance, "end", reason=_reason(code) or instance.reason)
                tx.effect("terminate", instance.id)
            case Move(event, code):
                move_one(tx, instance, event, reason=_reason(code))
            case Adopt(provider_id):
                launch = effects.by_key(tx.conn, f"launch:{instance.id}")
                if launch is not None:
                    effects.set_state(tx.conn, launch.id, "done", tx.now)
                move_one(tx, instance, "launched", provider_id=provider_id, last_seen_at=tx.now)
            case NoteAbsent():
                instances.note(tx.conn, instance.id, absent_since=tx.now)
            case NotePresent():
                instances.note(tx.conn, instance.id, absent_since=None, last_seen_at=tx.now)
            case AskEnd():
                tx.effect("terminate", instance.id, after=PACE)


@dataclass(frozen=True, slots=True)
class Enrolled:
    """The worker's first certificate."""

    instance_id: str
    certificate_pem: bytes


@dataclass(frozen=True, slots=True)
class Enrol(Command[Enrolled]):
    """Trade the one-time token for a certificate. Raises Problem `token-refused`, or `not-yet`
    while the launch is not reported."""

    token: str
    csr_pem: bytes
    hpke_public: bytes
    facts: dict[str, Any]
    authority: Authority = field(repr=False)
    action: ClassVar[str] = "instances.enrol"

    def apply(self, tx: Tx) -> Enrolled:
        instance = instances.by_token(tx.conn, token_hash(self.token))
        if instance is None or tx.now >= instance.ready_by:
            raise Problem("token-refused", Exit.REFUSED)
        if instance.state == "launching":
            raise Problem("not-yet", Exit.UNREACHABLE)
        if instance.state != "booting":
            raise Problem("token-refused", Exit.REFUSED)
        certificate = self.authority.sign_instance(self.csr_pem, instance.id, tx.now)
        move_one(
            tx,
            instance,
            "enrol",
            token_hash=None,
            hpke_public=self.hpke_public,
            facts=self.facts,
            last_seen_at=tx.now,
        )
        return Enrolled(instance.id, certificate)


@dataclass(frozen=True, slots=True)
class Renew(Command[bytes]):
    """A fresh certificate for an instance that still has a valid one."""

    instance_id: str
    csr_pem: bytes
    authority: Authority = field(repr=False)
    action: ClassVar[str] = "instances.renew"

    def owner(self) -> str | None:
        return self.instance_id

    def apply(self, tx: Tx) -> bytes:
        instance = one(tx, self.instance_id)
        if instance.state in ("terminating", "terminated"):
            raise Problem("instance-ending", Exit.REFUSED)
        return self.authority.sign_instance(self.csr_pem, instance.id, tx.now)


@dataclass(frozen=True, slots=True)
class Admit(Command[tuple[admission.Fault, ...]]):
    """Compare what was measured with what was offered and needed; admit, or end the instance."""

    instance_id: str
    measured: dict[str, Any]
    clock_skew_seconds: float
    action: ClassVar[str] = "instances.admit"

    def owner(self) -> str | None:
        return self.instance_id

    def apply(self, tx: Tx) -> tuple[admission.Fault, ...]:
        instance = one(tx, self.instance_id)
        if instance.state == "ready":
            return ()
        if instance.state != "admitting":
            raise Problem("instance-ending", Exit.REFUSED)
        found = admission.faults(
            instance.offer,
            self.measured,
            data_class=self._class(tx),
            own=instance.tier == "L",
            clock_skew_seconds=self.clock_skew_seconds,
        )
        if found:
            checks = ", ".join(fault.check for fault in found)
            reason = {"code": "admission", "params": {"reasons": checks}}
            move_one(tx, instance, "end", facts=self.measured, reason=reason)
            tx.effect("terminate", instance.id)
            return found
        move_one(tx, instance, "admit", facts=self.measured, ready_at=tx.now, last_seen_at=tx.now)
        return ()

    def _class(self, tx: Tx) -> int:
        reservation = money.reservation_job(tx, self.instance_id)
        return 3 if reservation is None else tx.case(reservation.case_id).data_class


@dataclass(frozen=True, slots=True)
class DrainInstance(Command[Instance]):
    """A person wants this instance to finish its segments and end."""

    instance_id: str
    action: ClassVar[str] = "instances.drain"

    def apply(self, tx: Tx) -> Instance:
        instance = one(tx, self.instance_id)
        if instance.state == "ready":
            move_one(tx, instance, "drain", reason={"code": "asked", "params": {}})
        elif instance.state in ("booting", "admitting", "paused"):
            move_one(tx, instance, "end", reason={"code": "asked", "params": {}})
            tx.effect("terminate", instance.id)
        return one(tx, self.instance_id)


def finish(tx: Tx, instance: Instance, event: str, reason: dict[str, Any] | None) -> None:
    """An instance is gone (or never was): book its time, free its money, lose its attempts."""
    if instance.state != "intended":
        money.accrue(tx, instance, tx.now)
    lose(tx, attempts.live_of_instance(tx.conn, instance.id), "instance-lost")
    move_one(
        tx, instance, event, reason=reason or instance.reason, ended_at=tx.now, token_hash=None
    )
    money.free(tx, instance)


def move_one(tx: Tx, instance: Instance, event: str, **values: Any) -> None:
    """One instance's state change, told to the streams of its job."""
    tx.move(INSTANCE, event, [Change(instance, values)])
    moved = one(tx, instance.id)
    job = money.reservation_job(tx, instance.id)
    tell(tx, instance.id if job is None else job.id, moved)


def tell(tx: Tx, subject: str, instance: Instance) -> None:
    """The event that progress streams show for an instance."""
    tx.event(
        subject,
        "instance",
        id=instance.id,
        state=instance.state,
        reason=instance.reason,
        provider=instance.provider,
        seconds=round((tx.now - instance.created_at).total_seconds(), 3),
    )


def one(tx: Tx, instance_id: str) -> Instance:
    """An instance by id. Raises Problem `unknown-instance`."""
    found = instances.find(tx.conn, tx.tenant, instance_id, lock=tx.writes)
    if found is None:
        raise Problem("unknown-instance", Exit.USAGE, instance=instance_id)
    return found


def token_hash(token: str) -> str:
    """How a one-time token is stored."""
    return hashlib.sha256(token.encode()).hexdigest()


def _reason(code: str | None) -> dict[str, Any] | None:
    return None if code is None else {"code": code, "params": {}}
