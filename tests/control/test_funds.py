"""What is left on an account: asked for at its pace, told once, and heeded by who launches."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from leitstand.control.funds import Funds
from leitstand.core import limits
from leitstand.ports import Unavailable
from leitstand.store import instances
from leitstand.store.engine import Database
from tests.control.rig import TENANT, Rig


class Account:
    """What is left, in euros; None is no answer."""

    labelled = False

    def __init__(self) -> None:
        self.left: Decimal | None = Decimal(100)
        self.asked = 0

    def balance(self) -> Decimal:
        self.asked += 1
        if self.left is None:
            raise Unavailable("silent")
        return self.left

    def billed(self, since: Any, until: Any) -> list[Any]:
        return []


class Paid(Rig):
    """A machine is rented for an hour, at 0.36 EUR."""

    def __init__(self, database: Database, folder: Path) -> None:
        super().__init__(database, folder)
        self.account = Account()
        rented: Any = self.rented
        rented.account = self.account
        self.funds = Funds(self.door, {"rented": self.rented})
        effects: Any = self.effects
        effects._funds = self.funds
        self.first = self.job()
        self.step(2)

    def look(self) -> None:
        self.funds.step(self.time)


@pytest.fixture
def paid(sqlite_url: str, tmp_path: Path) -> Any:
    with Database.open(sqlite_url, relaxed=True) as database:
        database.migrate()
        yield Paid(database, tmp_path)


def test_an_account_is_asked_at_its_pace_and_only_where_something_lives(paid: Paid) -> None:
    idle = Funds(paid.door, {"other": paid.rented})
    idle.step(paid.time)
    assert paid.account.asked == 0
    for _ in range(3):
        paid.look()
    assert paid.account.asked == 1
    paid.time += limits.BALANCE_EVERY
    paid.look()
    assert paid.account.asked == 2


def test_credit_that_does_not_last_is_told_once_to_whoever_follows_a_job_there(paid: Paid) -> None:
    paid.account.left = Decimal("0.3")
    for _ in range(3):
        paid.look()
        paid.time += limits.BALANCE_EVERY
    [alarm] = paid.alarms()
    assert alarm.subject_id == paid.first.id
    assert (alarm.facts["code"], alarm.facts["balance"]) == ("funds-low", "0.300000")
    assert Decimal("0.3") < Decimal(alarm.facts["needs"]) <= Decimal("0.36")
    paid.account.left = Decimal(9)
    paid.look()
    paid.time += limits.BALANCE_EVERY
    paid.account.left = Decimal("0.01")
    paid.look()
    assert len(paid.alarms()) == 2, "the next time is another"


@pytest.mark.parametrize(
    ("left", "aged", "launched"),
    [
        ("0.5", timedelta(0), False),
        ("5", timedelta(0), True),
        ("0.5", limits.BALANCE_AGE_MAX + timedelta(seconds=1), True),
        (None, timedelta(0), True),
    ],
)
def test_nothing_more_is_launched_where_credit_does_not_last_for_it(
    paid: Paid, left: str | None, aged: timedelta, launched: bool
) -> None:
    paid.account.left = None if left is None else Decimal(left)
    paid.look()
    assert not paid.alarms(), "it lasts for what is there"
    paid.time += aged
    second = paid.job()
    paid.step(2)
    assert paid.rented.launches == (2 if launched else 1)
    made = paid.read(lambda c: instances.of_job(c, TENANT, second.id))
    if not launched:
        assert made[0].reason is not None
        assert made[0].reason["code"] == "no-funds"
