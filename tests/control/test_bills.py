"""Bills come late, in parts and from a control plane's absence, and each is booked to the cent once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from leitstand.control.bills import Bills
from leitstand.core import limits
from leitstand.core.instance import Instance
from leitstand.core.rented import Billed
from leitstand.ports import Unavailable
from leitstand.store import instances, money
from leitstand.store.engine import Database
from tests.control.rig import TENANT, Rig, serve, to_the_end


class Books:
    """See `ports.Books`. The test writes what an instance costs, and how often it was asked."""

    def __init__(self) -> None:
        self.rows: dict[str, Decimal] = {}
        self.asked: list[tuple[datetime, datetime]] = []
        self.silent = False

    def balance(self) -> Decimal:
        return Decimal(100)

    def billed(self, since: datetime, until: datetime) -> Iterable[Billed]:
        self.asked.append((since, until))
        if self.silent:
            raise Unavailable("silent")
        return [Billed(one, amount, since, until) for one, amount in self.rows.items()]


@pytest.fixture
def rig(sqlite_url: str, tmp_path: Path) -> Iterable[Rig]:
    with Database.open(sqlite_url, relaxed=True) as database:
        yield Rig(database, tmp_path)


@pytest.fixture
def books(rig: Rig) -> Books:
    rig.rented.account = Books()  # type: ignore[attr-defined]
    return rig.rented.account  # type: ignore[attr-defined, no-any-return]


def bills(rig: Rig) -> Bills:
    """Those of a process that starts."""
    return Bills(rig.door, {"rented": rig.rented})


def ended(rig: Rig) -> Instance:
    """An instance that did its work and is gone."""
    rig.job()
    to_the_end(rig, serve(rig))
    [found] = rig.read(lambda c: instances.page(c, TENANT, None, 10))
    assert found.state == "terminated"
    return found  # type: ignore[no-any-return]


def booked(rig: Rig, instance: Instance) -> Decimal:
    return rig.read(lambda c: money.spent_on(c, TENANT, instance.id))  # type: ignore[no-any-return]


def final(rig: Rig, instance: Instance) -> datetime | None:
    found: Any = rig.read(lambda c: instances.find(c, TENANT, instance.id))
    return found.bill_final_at  # type: ignore[no-any-return]


def test_what_no_bill_names_stays_booked_as_it_was(rig: Rig, books: Books) -> None:
    one = ended(rig)
    before = booked(rig, one)
    assert before > 0
    step = bills(rig).step
    for _ in range(10):
        rig.later(days=4)
        step(rig.time)
    assert booked(rig, one) == before


def test_an_invoice_that_comes_after_weeks_is_booked(rig: Rig, books: Books) -> None:
    one = ended(rig)
    step = bills(rig).step
    for _ in range(30):
        rig.later(days=1)
        step(rig.time)
    books.rows["p1"] = Decimal("1.25")
    rig.later(days=1)
    step(rig.time)
    assert booked(rig, one) == Decimal("1.25")
    step(rig.time)
    assert booked(rig, one) == Decimal("1.25")


def test_a_bill_that_grows_is_booked_each_time(rig: Rig, books: Books) -> None:
    one = ended(rig)
    step = bills(rig).step
    for amount in ("1.25", "1.75", "2.5"):
        books.rows["p1"] = Decimal(amount)
        rig.later(days=1)
        step(rig.time)
        assert booked(rig, one) == Decimal(amount)


def test_a_bill_beyond_the_least_charge_is_booked(
    rig: Rig, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    offers = rig.rented.offers
    monkeypatch.setattr(
        rig.rented,
        "offers",
        lambda want: [replace(offer, minimum_eur=Decimal(1)) for offer in offers(want)],
    )
    one = ended(rig)
    assert booked(rig, one) == 1
    books.rows["p1"] = Decimal("1.25")
    rig.later(days=1)
    bills(rig).step(rig.time)
    assert booked(rig, one) == Decimal("1.25")


def test_a_control_plane_that_was_off_books_when_it_is_back(rig: Rig, books: Books) -> None:
    one = ended(rig)
    books.rows["p1"] = Decimal("0.25")
    rig.later(days=8)
    bills(rig).step(rig.time)
    assert booked(rig, one) == Decimal("0.25")
    assert final(rig, one) is None


def test_the_look_after_five_weeks_is_the_last_and_is_made_however_late(
    rig: Rig, books: Books
) -> None:
    one = ended(rig)
    books.rows["p1"] = Decimal("0.75")
    books.silent = True
    rig.later(days=300)
    bills(rig).step(rig.time)
    assert final(rig, one) is None
    books.silent = False
    bills(rig).step(rig.time)
    assert booked(rig, one) == Decimal("0.75")
    assert final(rig, one) == rig.time
    books.asked.clear()
    bills(rig).step(rig.time)
    assert books.asked == []


def test_old_ends_are_asked_for_now_and_then_and_for_no_longer_a_period(
    rig: Rig, books: Books
) -> None:
    one = ended(rig)
    step = bills(rig).step
    step(rig.time)
    for _ in range(6):
        rig.later(minutes=10)
        step(rig.time)
    assert len(books.asked) == 7
    rig.later(days=20)
    books.asked.clear()
    for _ in range(6 * 12 + 1):
        step(rig.time)
        rig.later(minutes=10)
    assert len(books.asked) == 3
    assert one.ended_at is not None
    assert {until for _, until in books.asked} == {one.ended_at + limits.BILLS_FRESH}


def test_one_look_has_room_for_so_many_and_the_rest_have_the_next(
    rig: Rig, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for number in range(1, 4):
        rig.job()
        to_the_end(rig, serve(rig))
        found.append(rig.read(lambda c: instances.page(c, TENANT, None, 1))[0])
        books.rows[f"p{number}"] = Decimal(number)
        rig.later(minutes=1)
    monkeypatch.setattr(limits, "BILLS_PER_LOOK", 2)
    step = bills(rig).step
    step(rig.time)
    assert [booked(rig, one) for one in found[:2]] == [1, 2]
    assert booked(rig, found[2]) < 1
    rig.time += timedelta(seconds=1)
    step(rig.time)
    assert booked(rig, found[2]) == 3
    step(rig.time)
    assert len(books.asked) == 2


def test_a_smaller_bill_of_last_month_widens_no_budget_of_this_one(rig: Rig, books: Books) -> None:
    one = ended(rig)
    assert one.ended_at is not None
    books.rows["p1"] = Decimal("0.000001")
    rig.later(days=31)
    month = one.ended_at.replace(day=1, hour=0, minute=0, second=0) + timedelta(days=31)
    assert one.ended_at.month != rig.time.month
    bills(rig).step(rig.time)
    assert booked(rig, one) == Decimal("0.000001")
    of_month = rig.read(
        lambda c: money.totals(c, TENANT, None, month.replace(day=1, microsecond=0)).month_spent
    )
    assert of_month == 0
