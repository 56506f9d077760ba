"""Paying ahead for an instance: a person's act, sent once, within what the budgets leave.

The call is never repeated: a payment made twice is paid twice. Its intent is committed before it; an
answer that is lost leaves it open, and nothing more is paid ahead for that instance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import ClassVar

import structlog

from leitstand.control import money
from leitstand.control.commands import Command, Door
from leitstand.control.instances import one
from leitstand.control.transaction import Tx
from leitstand.core.access import Actor
from leitstand.core.cost import spelled
from leitstand.core.dollars import agreed
from leitstand.core.instance import Instance
from leitstand.core.prepay import STATES, Quote, kept_of, quote
from leitstand.core.problem import Exit, Problem
from leitstand.core.rented import Prepaid
from leitstand.ports import Capability, Clock, PaysAhead, Provider, ProviderError, UnknownOutcome
from leitstand.store import effects, jobs, tables
from leitstand.store import money as sums
from leitstand.store.rows import add

log = structlog.get_logger(__name__)
KIND = "prepay"
_CENT_USD = Decimal("0.01")
"""The least that can be paid: providers take whole cents of a dollar."""


@dataclass(frozen=True, slots=True)
class IntendPrepay(Command[str]):
    """Check it, hold what would be lost, and write down that the call is about to be made: from here
    on its outcome is unknown until it is settled. The effect's id.

    Raises Problem `prepaid-already`, `prepay-open`, `prepay-not-now`, `prepay-a-bid`, `over-budget`.
    """

    instance_id: str
    amount_eur: Decimal
    budgets: Mapping[str, str | None]
    action: ClassVar[str] = "instances.prepay"

    def apply(self, tx: Tx) -> str:
        instance = one(tx, self.instance_id)
        check(instance)
        job = money.reservation_job(tx, instance.id)
        reservation = sums.reservation_of(tx.conn, instance.id)
        if job is None or reservation is None or reservation.state != "held":
            raise Problem("prepay-not-now", Exit.REFUSED, instance=instance.id)
        plan = jobs.decision(tx.conn, tx.tenant, job.decision_id)
        if plan is not None and plan.inputs.get("budget_cap_eur") is None:
            job = replace(
                job, budget_cap=None
            )  # what was agreed to at its start; this comes on top
        money.check_covered(tx, job, self.amount_eur, self.budgets)
        effect_id = self._effect(tx, instance)
        sums.shrink(tx.conn, reservation.id, -kept_of(self.amount_eur), tx.now)
        tx.act("instance", KIND, instance)
        return effect_id

    def _effect(self, tx: Tx, instance: Instance) -> str:
        key = f"{KIND}:{instance.id}"
        known = effects.by_key(tx.conn, key)
        if known is not None:
            if known.state == "unknown":
                raise Problem("prepay-open", Exit.REFUSED, instance=instance.id)
            if known.last_error is None:
                raise Problem("prepaid-already", Exit.REFUSED, instance=instance.id)
            effects.set_state(tx.conn, known.id, "unknown", tx.now, attempted=True)
            return known.id
        row = {
            **tx.born(None, "effect"),
            "kind": KIND,
            "target_id": instance.id,
            "key": key,
            "state": "unknown",
            "attempts": 1,
            "not_before": None,
            "last_error": None,
        }
        add(tx.conn, tables.effects, [row])
        return str(row["id"])


@dataclass(frozen=True, slots=True)
class SettlePrepay(Command[None]):
    """The call has a definite answer: paid, or refused with this error."""

    instance_id: str
    effect_id: str
    amount_eur: Decimal
    error: str | None
    action: ClassVar[str] = "instances.prepay"

    def apply(self, tx: Tx) -> None:
        effects.set_state(tx.conn, self.effect_id, "done", tx.now, error=self.error)
        if self.error is None:
            return
        reservation = sums.reservation_of(tx.conn, self.instance_id)
        if reservation is not None:
            sums.shrink(tx.conn, reservation.id, kept_of(self.amount_eur), tx.now)


def check(instance: Instance) -> None:
    """Raises Problem where nothing can be paid ahead for it."""
    if instance.state not in STATES or not instance.provider_id:
        raise Problem("prepay-not-now", Exit.REFUSED, instance=instance.id)
    if instance.offer.get("bid"):
        raise Problem("prepay-a-bid", Exit.REFUSED, instance=instance.id)


class Prepay:
    """Asks and pays. Safe to use from several threads."""

    def __init__(
        self,
        door: Door,
        providers: Mapping[str, Provider],
        budgets: Callable[[], Mapping[str, str | None]],
        clock: Clock,
    ) -> None:
        self._door = door
        self._providers = providers
        self._budgets = budgets
        self._clock = clock

    def quoted(self, instance_id: str, amount_eur: Decimal) -> tuple[Instance, Quote]:
        """What it would come to. Raises Problem where it cannot be."""
        now = self._clock.now()
        instance = self._door.database.read(lambda c: one(self._door.look(now, c), instance_id))
        check(instance)
        self._provider(instance)
        rate = agreed(instance.offer)
        if rate is not None and amount_eur < (least := rate.asked(_CENT_USD)):
            raise Problem("prepay-too-little", Exit.REFUSED, least_eur=spelled(least))
        return instance, quote(instance.price, amount_eur, now, instance.end_by)

    def pay(self, instance_id: str, amount_eur: Decimal, actor: Actor) -> Prepaid:
        """Pay, once. Raises Problem `prepay-open` where the answer was lost, `prepay-refused`."""
        instance, _ = self.quoted(instance_id, amount_eur)
        provider = self._provider(instance)
        intent = IntendPrepay(instance_id, amount_eur, self._budgets())
        effect_id = self._door.run(intent, actor, self._clock.now())
        try:
            paid = provider.prepay(instance.provider_id or "", amount_eur)
        except UnknownOutcome as error:
            log.warning("prepay.open", instance=instance_id, error=type(error).__name__)
            raise Problem("prepay-open", Exit.FAILED, instance=instance_id) from error
        except ProviderError as error:
            name = type(error).__name__
            refused = SettlePrepay(instance_id, effect_id, amount_eur, name)
            self._door.run(refused, actor, self._clock.now())
            raise Problem(
                "prepay-refused", Exit.FAILED, instance=instance_id, error=name
            ) from error
        settled = SettlePrepay(instance_id, effect_id, amount_eur, None)
        self._door.run(settled, actor, self._clock.now())
        return paid

    def _provider(self, instance: Instance) -> PaysAhead:
        found = self._providers.get(instance.provider)
        if found is None or Capability.RESERVE not in found.capabilities:
            raise Problem("prepay-off", Exit.REFUSED, provider=instance.provider)
        return found  # type: ignore[return-value]
