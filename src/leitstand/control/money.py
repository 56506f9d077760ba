"""Budgets and accrual inside a transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_UP, Decimal
from typing import Any, ClassVar

from leitstand.control.commands import Command
from leitstand.control.transaction import RESERVATION, Change, Tx
from leitstand.core.cost import MILLIONTH, Budget, accrued, covering, rate_of, spelled
from leitstand.core.instance import BILLING, Instance
from leitstand.core.job import Job
from leitstand.core.problem import Exit, Problem
from leitstand.store import instances, jobs, money, tables
from leitstand.store.rows import add


def budgets(
    tx: Tx, job_id: str | None, cap: Decimal | None, limits_eur: Mapping[str, str | None]
) -> list[Budget]:
    """Every envelope that a reservation for a job must fit in, narrowest first. `cap` is what the
    job may cost; it has no id while it is planned."""
    month = tx.now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    sums = money.totals(tx.conn, tx.tenant, job_id, month)
    of_job, of_month, in_all = (_decimal(limits_eur.get(n)) for n in ("job", "month", "total"))
    caps = [limit for limit in (cap, of_job) if limit is not None]
    return [
        Budget("job", min(caps, default=None), sums.job_spent, sums.job_held),
        Budget("month", of_month, sums.month_spent, sums.held),
        Budget("total", in_all, sums.spent, sums.held),
    ]


def check_covered(tx: Tx, job: Job, amount: Decimal, limits_eur: Mapping[str, str | None]) -> None:
    """Raises Problem `over-budget` unless every envelope covers `amount`. No other reservation can
    be made before this transaction ends."""
    tx.hold("budgets")
    short = covering(budgets(tx, job.id, job.budget_cap, limits_eur), amount)
    if short is not None:
        raise over_budget(short, amount)


def over_budget(short: Budget, amount: Decimal) -> Problem:
    """Problem `over-budget`: what would be reserved, and what is left of the envelope. `cost_eur`
    is what the job cost so far; None: it has not begun."""
    return Problem(
        "over-budget",
        Exit.REFUSED,
        budget=short.scope,
        needed_eur=spelled(amount),
        limit_eur=spelled(short.limit_eur),
        spent_eur=spelled(short.spent_eur),
        reserved_eur=spelled(short.reserved_eur),
        left_eur=spelled(short.left()),
        cost_eur=None,
    )


def accrue(tx: Tx, instance: Instance, until: datetime) -> None:
    """Book the time since the last charge; the reservation shrinks by it. The instance's row is
    locked, or two would book the same time."""
    reservation = money.reservation_of(tx.conn, instance.id)
    start = money.last_charge_end(tx.conn, instance.id) or instance.created_at
    if until <= start:
        return
    _charge(tx, instance, reservation, start, until, accrued(rate_of(instance.offer), start, until))


def settle(tx: Tx, instance: Instance) -> None:
    """The last charge of an instance that existed: its time, and what is left to the provider's
    minimum."""
    accrue(tx, instance, tx.now)
    short = Decimal(instance.offer["minimum_eur"]) - money.spent_on(tx.conn, tx.tenant, instance.id)
    if short > 0:
        reservation = money.reservation_of(tx.conn, instance.id)
        amount = short.quantize(MILLIONTH, ROUND_UP)
        _charge(tx, instance, reservation, tx.now, tx.now, amount)


def charge_period(
    tx: Tx, instance: Instance, start: datetime, until: datetime, rate_eur_per_hour: Decimal
) -> None:
    """A period of an instance that nobody booked while it lasted."""
    amount = accrued(rate_eur_per_hour, start, until)
    if amount:
        _charge(tx, instance, None, start, until, amount)


def charge_billed(tx: Tx, instance: Instance, amount: Decimal) -> None:
    """What the bill of an instance that is gone says beyond what was booked; it may be negative. It
    is of the month in which the instance ended: one of another widens no budget of this month."""
    reservation = money.reservation_of(tx.conn, instance.id)
    at = min(instance.ended_at or tx.now, tx.now)
    last = money.last_charge_end(tx.conn, instance.id)
    if last is not None and last >= at:
        at = last + timedelta(microseconds=1)  # one charge of an instance begins at each moment
    _charge(tx, instance, reservation, at, at, amount, "billed")


def _charge(
    tx: Tx,
    instance: Instance,
    reservation: money.Reservation | None,
    start: datetime,
    until: datetime,
    amount: Decimal,
    source: str = "accrued",
) -> None:
    row = {
        **tx.born(None, "charge"),
        "instance_id": instance.id,
        "job_id": None if reservation is None else reservation.job_id,
        "from_at": start,
        "to_at": until,
        "amount": amount,
        "currency": "EUR",
        "rate_date": instance.offer.get("usd_eur_date"),
        "source": source,
    }
    add(tx.conn, tables.charges, [row])
    tx.enter("charge", "create", row["id"], 1, None, "booked")
    if reservation is not None and reservation.state == "held" and amount:
        money.shrink(tx.conn, reservation.id, amount, tx.now)


def free(tx: Tx, instance: Instance) -> None:
    """An instance is observed absent: nothing more can be charged, so nothing stays reserved."""
    reservation = money.reservation_of(tx.conn, instance.id)
    if reservation is not None and reservation.state == "held":
        tx.move(RESERVATION, "free", [Change(reservation)])


def reservation_job(tx: Tx, instance_id: str) -> Job | None:
    """The job that an instance is reserved for."""
    reservation = money.reservation_of(tx.conn, instance_id)
    return None if reservation is None else jobs.find(tx.conn, tx.tenant, reservation.job_id)


@dataclass(frozen=True, slots=True)
class AccrueCosts(Command[int]):
    """Book every running instance up to now, or those of one job."""

    job_id: str | None = None
    action: ClassVar[str] = "costs.accrue"

    def apply(self, tx: Tx) -> int:
        count = 0
        for instance_id in money.accruing(tx.conn, sorted(BILLING), self.job_id):
            instance = instances.find(tx.conn, tx.tenant, instance_id, lock=True)
            if instance is not None and instance.state in BILLING:
                accrue(tx, instance, tx.now)
                count += 1
        return count


def _decimal(text: Any) -> Decimal | None:
    return None if text is None else Decimal(str(text))
