"""What stood without a record is ended, and booked on the installation: from a list, notes or bills."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from ulid import ULID

from leitstand import reaped
from leitstand.control.bills import Bills
from leitstand.control.strays import Strays
from leitstand.core import limits
from leitstand.core.cost import accrued
from leitstand.core.instance import Instance, label
from leitstand.core.rented import Billed, Stray
from leitstand.ports import Seen, Status
from leitstand.reap import Reaper
from leitstand.store import instances, money
from leitstand.store.engine import Database
from tests.control.rig import START, TENANT, Rig, serve
from tests.control.test_bills import Books

PRICE = "0.36"


def named(minutes_ago: int, number: int = 0) -> str:
    """The label of an instance that was ordered so long ago."""
    at = START - timedelta(minutes=minutes_ago)
    ulid = ULID.from_int((int(at.timestamp() * 1000) << 80) + number)
    return label("test1234", f"instance_{ulid}", START + timedelta(hours=1))


class Labelled(Books):
    """Bills that name labels, by provider id."""

    labelled = True

    def __init__(self) -> None:
        super().__init__()
        self.labels: dict[str, str] = {}
        self.began = START - timedelta(days=2)

    def billed(self, since: datetime, until: datetime) -> Iterable[Billed]:
        for row in super().billed(since, until):
            label_of = self.labels.get(row.provider_id)
            yield replace(row, label=label_of, from_at=self.began, to_at=self.began)


@pytest.fixture
def rig(sqlite_url: str, tmp_path: Path) -> Iterable[Rig]:
    with Database.open(sqlite_url, relaxed=True) as database:
        found = Rig(database, tmp_path)
        found.rented.account = Labelled()  # type: ignore[attr-defined]
        yield found


@pytest.fixture
def books(rig: Rig) -> Labelled:
    return rig.rented.account  # type: ignore[attr-defined, no-any-return]


def records(rig: Rig) -> list[Instance]:
    return rig.read(lambda c: instances.page(c, TENANT, None, 100))  # type: ignore[no-any-return]


def booked(rig: Rig, instance: Instance) -> Decimal:
    return rig.read(lambda c: money.spent_on(c, TENANT, instance.id))  # type: ignore[no-any-return]


def spent(rig: Rig) -> Decimal:
    return rig.read(lambda c: money.spent(c, TENANT))  # type: ignore[no-any-return]


def test_a_stray_is_ended_and_its_time_since_its_order_is_booked_on_no_job(rig: Rig) -> None:
    rig.rented.running["p7"] = Seen("p7", named(30), Status.RUNNING, PRICE, region="eu")
    rig.step(6)
    assert rig.rented.running == {}
    [one] = records(rig)
    assert (one.state, one.reason) == ("terminated", {"code": "orphan", "params": {}})
    assert one.ended_at is not None
    whole = accrued(Decimal(PRICE), START - timedelta(minutes=30), one.ended_at)
    assert whole <= booked(rig, one) < whole + Decimal("0.00001")
    assert booked(rig, one) == spent(rig) > Decimal("0.18")
    rows = rig.read(lambda c: money.charges_of_job(c, TENANT, ""))
    assert rows == []


def test_the_second_of_two_under_one_label_is_booked_beside_the_first(rig: Rig) -> None:
    job = rig.job()
    serve(rig)
    [first] = list(rig.rented.running.values())
    rig.rented.running["q2"] = replace(first, provider_id="q2", price_eur_per_hour=PRICE)
    rig.step(5)
    assert set(rig.rented.running) == {first.provider_id}
    assert sorted(one.state for one in records(rig)) == ["ready", "terminated"]
    stray = next(one for one in records(rig) if one.state == "terminated")
    assert booked(rig, stray) > 0
    of_job = rig.read(lambda c: money.spent(c, TENANT, job.id))
    assert spent(rig) == of_job + booked(rig, stray)


def test_a_stray_that_will_not_end_raises_the_alarm(rig: Rig) -> None:
    rig.rented.running["p7"] = Seen("p7", named(1), Status.RUNNING, PRICE)
    rig.rented.stubborn = True
    rig.step(2)
    rig.later(minutes=11)
    rig.step(2)
    [one] = records(rig)
    assert one.reason is not None
    assert one.reason["code"] == "will-not-end"


@pytest.mark.parametrize("price", [None, "no number", "-5", "NaN", "1e12"])
def test_a_price_that_is_none_books_nothing_until_the_bill_comes(
    rig: Rig, books: Labelled, price: str | None
) -> None:
    rig.rented.running["p7"] = Seen("p7", named(30), Status.RUNNING, price)
    rig.step(6)
    assert spent(rig) == 0
    books.rows["p7"] = Decimal("0.5")
    Bills(rig.door, {"rented": rig.rented}).step(rig.time)
    assert spent(rig) == Decimal("0.5")


def test_an_own_machine_without_a_record_costs_nothing_and_gets_none(rig: Rig) -> None:
    del rig.rented.account  # type: ignore[attr-defined]
    rig.rented.running["p7"] = Seen("p7", named(30), Status.RUNNING)
    rig.step(4)
    assert rig.rented.running == {}
    assert records(rig) == []


def test_what_reap_ended_is_booked_once_from_its_note(rig: Rig, tmp_path: Path) -> None:
    rig.rented.running["p7"] = Seen("p7", named(120), Status.RUNNING, PRICE)
    reaper = Reaper({"rented": rig.rented}, "test1234", rig.now, lambda s: rig.later(seconds=s))
    found = reaper.look().ours
    reaped.note(tmp_path, [one.stray(rig.time) for one in found])
    assert reaper.end(found) == ()
    notes = tmp_path / reaped.NAME
    notes.write_text(notes.read_text() + '{"provider": "rented", "provi')
    reaped.note(tmp_path, [])
    rig.later(days=3)
    strays = Strays(rig.door, {}, "test1234", lambda: reaped.noted(tmp_path))
    for _ in range(4):
        strays.step(rig.time)
        rig.step(2)
    [one] = records(rig)
    assert one.state == "terminated"
    assert spent(rig) == Decimal("0.72")


def test_without_notes_there_is_nothing_to_book(rig: Rig, tmp_path: Path) -> None:
    assert reaped.noted(tmp_path / "nowhere") == []


def test_a_bill_that_names_our_label_is_the_last_source(rig: Rig, books: Labelled) -> None:
    books.rows = {"p7": Decimal("0.9"), "p8": Decimal(5), "p9": Decimal(7)}
    books.labels = {"p7": named(2880), "p8": "ls1-zzzz9999-of-somebody-else"}
    strays = Strays(rig.door, {"rented": rig.rented}, "test1234")
    strays.step(rig.time)
    rig.step(4)
    Bills(rig.door, {"rented": rig.rented}).step(rig.time)
    strays.step(rig.time + limits.BILLS_LATE_EVERY)
    [one] = records(rig)
    assert (one.provider_id, one.state) == ("p7", "terminated")
    assert spent(rig) == Decimal("0.9")


def test_a_launch_under_way_is_no_stray_of_a_bill(rig: Rig, books: Labelled) -> None:
    rig.job()
    rig.reconciler.step(rig.time)
    [intended] = records(rig)
    books.rows, books.labels = {"p1": Decimal("0.1")}, {"p1": intended.label}
    strays = Strays(rig.door, {"rented": rig.rented}, "test1234")
    strays.step(rig.time)
    rig.step(2)
    strays.step(rig.time + limits.BILLS_LATE_EVERY)
    assert [one.id for one in records(rig)] == [intended.id]


def test_a_note_says_what_was_there(tmp_path: Path) -> None:
    stray = Stray("vast", "17", named(3), "0.36", None, START, "SE", "RTX 4090")
    reaped.note(tmp_path, [stray])
    reaped.note(tmp_path, [replace(stray, provider_id="18", since=START)])
    assert reaped.noted(tmp_path) == [stray, replace(stray, provider_id="18", since=START)]
