"""How a launched instance becomes one of ours: enrolment, certificates, admission."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, ClassVar

from leitstand.control import money
from leitstand.control.commands import Command
from leitstand.control.hosts import note_probe
from leitstand.control.instances import move_one, one, token_hash
from leitstand.control.transaction import Tx
from leitstand.core import admission
from leitstand.core.instance import Instance
from leitstand.core.offer import OWN_TIER
from leitstand.core.problem import Exit, Problem
from leitstand.ports import Authority
from leitstand.store import instances


@dataclass(frozen=True, slots=True)
class Enrolled:
    """The worker's first certificate."""

    instance_id: str
    certificate_pem: bytes


@dataclass(frozen=True, slots=True)
class Enrol(Command[Enrolled]):
    """Trade the one-time token for a certificate. A lost reply is repeated, until the deadline or
    admission, for the very request that spent the token: same keys, same bytes. Raises Problem
    `token-refused`, or `not-yet` while the launch is not reported."""

    token: str = field(repr=False)
    csr_pem: bytes
    hpke_public: bytes
    facts: dict[str, Any]
    authority: Authority = field(repr=False)
    action: ClassVar[str] = "instances.enrol"

    def apply(self, tx: Tx) -> Enrolled:
        fresh, spent = token_hash(self.token), self._spent()
        instance = instances.by_token(tx.conn, (fresh, spent))
        if instance is None or tx.now >= instance.ready_by:
            raise Problem("token-refused", Exit.REFUSED)
        if instance.state == "launching":
            raise Problem("not-yet", Exit.UNREACHABLE)
        wanted = ("booting", fresh), ("admitting", spent)
        if (instance.state, instance.token_hash) not in wanted:
            raise Problem("token-refused", Exit.REFUSED)
        certificate = self.authority.sign_instance(self.csr_pem, instance.id, tx.now)
        serial = self.authority.serial(certificate)
        if instance.state == "admitting":
            tx.set("instance", instance.id, certificate_serial=serial, last_seen_at=tx.now)
            return Enrolled(instance.id, certificate)
        move_one(
            tx,
            instance,
            "enrol",
            token_hash=spent,
            hpke_public=self.hpke_public,
            certificate_serial=serial,
            facts=self.facts,
            last_seen_at=tx.now,
        )
        return Enrolled(instance.id, certificate)

    def _spent(self) -> str:
        """What stands in the token's place once this request spent it."""
        parts = (self.token.encode(), self.csr_pem, self.hpke_public)
        return hashlib.sha256(b"".join(hashlib.sha256(p).digest() for p in parts)).hexdigest()


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
        certificate = self.authority.sign_instance(self.csr_pem, instance.id, tx.now)
        tx.set("instance", instance.id, certificate_serial=self.authority.serial(certificate))
        return certificate


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
        facts = {**self.measured, "clock_skew_seconds": self.clock_skew_seconds}
        found = admission.faults(
            instance.offer,
            self.measured,
            data_class=self._class(tx),
            own=instance.tier == OWN_TIER,
            clock_skew_seconds=self.clock_skew_seconds,
        )
        if found:
            checks = ", ".join(fault.check for fault in found)
            _end(tx, instance, facts, "admission", reasons=checks)
            return found
        unguarded = admission.unguarded(self.measured, instance.end_by - instance.created_at)
        if unguarded is not None and instance.tier != OWN_TIER:
            _end(tx, instance, facts, "unguarded", term=unguarded.has)
            return (unguarded,)
        needs = note_probe(tx, instance.offer, self.measured)  # not from who lies about the rest
        if needs is not None and instance.tier != OWN_TIER:
            has = float(self.measured["self_test"]["probe"]["tflops"])
            slow = admission.Fault("contention", f"{has:.3g} TFLOP/s", f"{needs:.3g} TFLOP/s")
            _end(tx, instance, facts, "contended", has=slow.has, needs=slow.needs)
            return (slow,)
        move_one(tx, instance, "admit", facts=facts, ready_at=tx.now, last_seen_at=tx.now)
        return ()

    def _class(self, tx: Tx) -> int:
        reservation = money.reservation_job(tx, self.instance_id)
        return 3 if reservation is None else tx.case(reservation.case_id).data_class


def _end(tx: Tx, instance: Instance, facts: dict[str, Any], code: str, **params: str) -> None:
    """End what is not admitted, with the reason why."""
    move_one(tx, instance, "end", facts=facts, reason={"code": code, "params": params})
    tx.effect("terminate", instance.id)
