"""What is booked comes to what each account bills: partial hours, midnights, storage while stopped,
traffic, boots that fail, and what stood without a record."""

from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select
from tests.contracts.plane import Plane
from tests.contracts.worlds import RENTED, VastWorld, launch
from tests.control.rig import TENANT
from tests.wire import faults

from leitstand.control.bills import Bills
from leitstand.control.strays import Strays
from leitstand.core import limits
from leitstand.core.instance import label
from leitstand.reap import Reaper
from leitstand.store import instances, money, tables
from leitstand.store.engine import Database

EXACT = Decimal("0.00001")
"""Bills name billionths of a dollar, charges are millionths of a euro."""


@pytest.fixture(params=RENTED)
def name(request):
    return request.param


@pytest.fixture
def plane(name, sqlite_url, tmp_path):
    with Database.open(sqlite_url, relaxed=True) as database:
        yield Plane(database, tmp_path, name)


def rented(plane):
    """A machine at work, and its record."""
    plane.job(provider=plane.name)
    plane.boot()
    plane.until(lambda: plane.states()[:1] == ["ready"])
    return plane.there()[0]


def ended(plane, one):
    def gone():
        return found(plane, one).state == "terminated"

    plane.until(gone)


def found(plane, one):
    return plane.read(lambda conn: instances.find(conn, TENANT, one.id))


def end(plane, one):
    plane.provider.terminate(one.provider_id)
    ended(plane, one)


def billed(plane):
    """The bills come in, a day and a bit later."""
    plane.later(hours=limits.BILL_WHOLE_AFTER / timedelta(hours=1) + 1)
    Bills(plane.door, {plane.name: plane.provider}).step(plane.time)


def booked(plane, provider_id):
    records = plane.read(lambda conn: instances.page(conn, TENANT, None, 100))
    mine = [one.id for one in records if one.provider_id == provider_id]
    return sum(plane.read(lambda c, i=i: money.spent_on(c, TENANT, i)) for i in mine)


def assert_exact(plane, one):
    owed = plane.world.costs_eur()[one.provider_id]
    assert owed > 0
    assert abs(booked(plane, one.provider_id) - owed) < EXACT


def test_a_part_of_an_hour_is_booked_to_the_second(plane):
    one = rented(plane)
    plane.later(minutes=17, seconds=13)
    end(plane, one)
    billed(plane)
    assert_exact(plane, one)


def test_a_rental_over_midnight_is_booked_with_both_days(plane):
    began = plane.time.replace(hour=23, minute=40, second=0)
    plane.later(seconds=(began - plane.time).total_seconds())
    one = rented(plane)
    plane.later(minutes=30)
    assert plane.time.date() > one.created_at.date()
    end(plane, one)
    billed(plane)
    assert_exact(plane, one)


def test_storage_is_booked_while_the_machine_stands_still(plane):
    if plane.name == "vast":
        for machine in plane.world.account.machines:
            machine.stopped_storage_factor = Decimal(2)
    one = rented(plane)
    plane.world.faults.append(faults.failed_before(*plane.world.END, times=10**6))
    plane.world.interrupt(one.provider_id)
    before = plane.world.costs_eur()[one.provider_id]
    for _ in range(12):
        plane.step()
        plane.later(minutes=10)
    stood = plane.world.costs_eur()[one.provider_id] - before
    assert stood > 0 or plane.name == "runpod"  # the container disk of a stopped pod is free
    plane.world.faults.clear()
    ended(plane, one)
    billed(plane)
    assert_exact(plane, one)


def test_traffic_is_booked_both_ways(sqlite_url, tmp_path):
    with Database.open(sqlite_url, relaxed=True) as database:
        plane = Plane(database, tmp_path, "vast")
        one = rented(plane)
        contract = plane.world._contract(one.provider_id)
        plane.world.account.traffic(contract, up_gb="2.5", down_gb="10")
        end(plane, one)
        without = booked(plane, one.provider_id)
        billed(plane)
        assert_exact(plane, one)
        assert booked(plane, one.provider_id) > without


def test_a_boot_that_fails_is_booked(plane):
    plane.world.befall(stuck=plane.world.STARTING)
    plane.job(provider=plane.name)
    plane.until(lambda: plane.states()[:1] == ["booting"])
    one = plane.there()[0]
    ended(plane, one)
    assert found(plane, one).reason["code"] == "never-ready"
    billed(plane)
    assert_exact(plane, one)


def test_a_stray_is_booked_as_it_is_billed(plane):
    made = stray(plane)
    plane.until(lambda: made.provider_id not in plane.world.alive())
    plane.until(lambda: plane.states() == ["terminated"])
    billed(plane)
    [one] = plane.there()
    assert_exact(plane, one)


def test_what_reap_ended_is_booked_from_the_bill_alone(sqlite_url, tmp_path):
    with Database.open(sqlite_url, relaxed=True) as database:
        plane = Plane(database, tmp_path, "vast")
        assert isinstance(plane.world, VastWorld)
        made = stray(plane)
        providers = {"vast": plane.provider}
        reaper = Reaper(providers, "test1234", plane.world.clock.now, plane.world.sleep)
        assert reaper.end(reaper.look().ours) == ()
        plane.later(days=6)
        Strays(plane.door, providers, "test1234").step(plane.time)
        plane.until(lambda: plane.states() == ["terminated"])
        billed(plane)
        [one] = plane.there()
        assert one.provider_id == made.provider_id
        assert_exact(plane, one)


def stray(plane):
    """A machine of this installation that its database knows nothing of, for 40 minutes."""
    instance_id = plane.door.ids.new("instance", plane.time)
    name = label("test1234", instance_id, plane.time + timedelta(hours=1))
    made = launch(plane.world, plane.provider, name)
    plane.later(minutes=40)
    return made


def test_a_rate_that_is_corrected_ends_no_machine_and_books_no_bill_again(
    name, sqlite_url, tmp_path
):
    with Database.open(sqlite_url, relaxed=True) as database:
        world = RENTED[name](tmp_path)
        world.settings["usd_eur_date"] = "2026-11-20"
        one = rented(Plane(database, tmp_path, name, world=world))
        world.settings |= {"usd_eur": "0.9", "usd_eur_date": "2026-11-24"}
        again = Plane(database, tmp_path, name, world=world, seed=2)
        for _ in range(6):
            again.step()
            again.later(seconds=9)
        assert [(each.state, each.reason) for each in again.there()] == [("ready", None)]
        end(again, one)
        billed(again)
        assert_exact(again, one)
        mine = select(tables.charges.c.rate_date).where(tables.charges.c.instance_id == one.id)
        dates = again.read(lambda conn: conn.execute(mine).scalars().all())
        assert set(dates) == {"2026-11-20"}
