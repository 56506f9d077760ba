"""Volumes that keep models at RunPod, from the first rental in a place to the last cent of them."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from tests.contracts.plane import Plane
from tests.control.rig import OneModel, Verifier, Worker
from tests.wire import faults

from leitstand.boot.program import told
from leitstand.control.audit import verify
from leitstand.control.money import budgets
from leitstand.control.volumes import DeleteVolume, NoteHolds, Volumes, without_taken
from leitstand.core import limits
from leitstand.core.access import Actor
from leitstand.core.cost import left_in
from leitstand.core.placement import Requirements
from leitstand.core.problem import Problem
from leitstand.launch import decode
from leitstand.store import money, volumes
from leitstand.store.engine import Database

SIZE_GB = 30


class Kept(Plane):
    """A control plane that keeps a volume wherever there can be one."""

    def __init__(self, database, folder, **more):
        super().__init__(database, folder, "runpod", **more)
        regions = tuple({c.country for c in self.world.account.data_centers if c.country})
        self.planner.rules = replace(self.planner.rules, regions={"runpod": regions})
        self.places = {c.id: SIZE_GB for c in self.world.account.data_centers if c.volume_types}
        self.keep(self.places)

    def keep(self, places, idle_max=limits.VOLUMES_IDLE):
        """The settings of a control plane that starts."""
        providers = {self.name: self.provider}
        budgets = self.planner.rules.budgets
        self.volumes = Volumes(
            self.door, providers, {self.name: places}, budgets, "test1234", idle_max
        )

    def look(self, times=1):
        for _ in range(times):
            self.later(seconds=limits.VOLUMES_EVERY.total_seconds())
            self.volumes.step(self.time)

    def look_twice(self):
        """Nothing is known of it, and then something is: one look intends, the next one asks."""
        for _ in range(2):
            self.volumes._looked_at.clear()
            self.volumes.step(self.time)

    def shelves(self):
        return self.read(volumes.kept)

    def at_the_provider(self):
        return [v for v in self.world.account.volumes if v.deleted_at is None]

    def work(self):
        """One job to its end, with a look at the volumes while its machine lives."""
        job = self.job(provider=self.name)
        worker = self.boot()
        self.until(lambda: self.states()[:1] == ["ready"] and self.there()[0].shown_at)
        self.look_twice()
        assert worker.work_all() == 1
        self.until(lambda: self.states()[:1] == ["terminated"])
        self.until(lambda: self.rented.specs)
        Worker.newest(self).ready().work_all()
        self.until(lambda: self.job_state(job) == "done")
        return self.there()[0]


@pytest.fixture
def plane(sqlite_url, tmp_path):
    with Database.open(sqlite_url, relaxed=True) as database:
        yield Kept(database, tmp_path)


def fault_free(plane):
    plane.sequencer.step(plane.time)
    verifier = Verifier(plane.signer.verifier_key)
    return plane.read(lambda conn: verify(conn, verifier)).faults == []


def test_the_first_machine_in_a_place_has_a_volume_made_and_the_next_one_gets_it(plane):
    plane.look()
    assert plane.shelves() == []
    first = plane.work()
    assert first.offer["volume"] is None
    [shelf], [there] = plane.shelves(), plane.at_the_provider()
    assert (shelf.state, shelf.place, shelf.provider_id) == (
        "ready",
        first.offer["place"],
        there.id,
    )
    assert there.name == f"ls1-test1234-models-{there.data_center}"
    plane.job(provider=plane.name)
    plane.until(lambda: plane.states()[:1] == ["booting"])
    [pod] = plane.world.account.live()
    assert pod.network == {"volumeId": there.id, "path": "/models"}
    assert decode(told(plane.world.told()[-1])).cache_folder == "/models"
    assert plane.there()[0].offer["volume"] == there.id
    assert fault_free(plane)


def test_placement_knows_what_lies_on_a_volume_that_no_instance_has(plane):
    user = plane.work()
    plane.job(provider=plane.name)
    worker = plane.boot()
    user = plane.there()[0]
    digests = [file.sha256 for name in ("a", "b") for file in OneModel().best(name).files]
    said = NoteHolds(user.id, (*digests, "no digest"))
    plane.door.run(said, Actor("instance", user.id), plane.time)
    [shelf] = plane.shelves()
    assert shelf.holds == sorted(digests)
    assert plane.read(lambda conn: said.news(plane.door.look(plane.time, conn))) is None
    assert saved(plane, digests) == {0.0}
    with pytest.raises(Problem) as refused:
        plane.run(DeleteVolume(shelf.id))
    assert refused.value.code == "volume-in-use"
    plane.until(lambda: plane.states()[:1] == ["ready"] and plane.there()[0].shown_at)
    worker.work_all()
    plane.until(lambda: plane.states()[:1] == ["terminated"])
    assert saved(plane, digests) == {0.0, 2.0}
    assert {one.place for one in offered(plane, digests) if one.cached_gib} == {shelf.place}


def offered(plane, digests):
    models = dict.fromkeys(digests, 1 << 30)
    return plane.planner.offers(Requirements(), plane.name, plane.time, models).found


def saved(plane, digests):
    return {one.cached_gib for one in offered(plane, digests)}


def test_two_machines_never_write_to_one_volume(plane):
    plane.work()
    plane.job(provider=plane.name)
    plane.until(lambda: plane.states()[:1] == ["booting"])
    [user] = [one for one in plane.there() if one.state == "booting"]

    def again(conn):
        return without_taken(plane.door.look(plane.time, conn), user.offer)["volume"]

    assert user.offer["volume"]
    assert plane.read(again) is None
    plane.job(provider=plane.name)
    plane.until(lambda: plane.states()[:2] == ["booting", "booting"])
    assert plane.there()[0].offer["volume"] is None
    networks = [pod.network for pod in plane.world.account.live()]
    assert sorted(network is None for network in networks) == [False, True]


@pytest.mark.parametrize("fault", [faults.lost_after, faults.failed_after, faults.lost_before])
def test_a_volume_whose_answer_is_lost_is_found_by_name_and_not_made_twice(plane, fault):
    plane.world.faults.append(fault("POST", "/v2/network-volumes"))
    plane.work()
    plane.look(times=2)
    [shelf], [there] = plane.shelves(), plane.at_the_provider()
    assert (shelf.state, shelf.provider_id) == ("ready", there.id)


def test_hours_are_booked_as_they_are_billed_and_no_budget_forgets_them(plane):
    plane.work()
    plane.look(times=40)
    plane.keep({})
    plane.look(times=4)
    assert plane.shelves() == []
    assert plane.at_the_provider() == []
    [made] = plane.world.account.volumes
    billed = plane.world.costs_eur()[made.id]
    [gone] = plane.read(lambda conn: volumes.page(conn, "local", None, 9, gone=True))
    booked, _ = plane.read(lambda conn: volumes.cost_of(conn, "local", gone.id))
    assert 0 < billed <= booked < billed + Decimal("0.0001")
    month = plane.time.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    sums = plane.read(lambda conn: money.totals(conn, "local", None, month))
    instances_eur = plane.read(lambda conn: money.spent(conn, "local"))
    assert sums.spent == sums.month_spent == instances_eur + booked
    assert fault_free(plane)


def test_one_that_nobody_used_for_long_goes_and_so_does_one_that_nobody_knows(plane):
    plane.work()
    plane.keep(plane.places, idle_max=timedelta(minutes=30))
    plane.provider.account.create_volume("ls1-test1234-models-EU-CZ-1", 10, "EU-CZ-1")
    plane.provider.account.create_volume("somebody's", 10, "EU-CZ-1")
    plane.provider.account.create_volume("ls1-other123-models-EU-CZ-1", 12, "EU-CZ-1")
    plane.look()
    assert len(plane.shelves()) == 2
    plane.look(times=15)
    assert plane.shelves() == []
    assert {v.name for v in plane.at_the_provider()} == {
        "somebody's",
        "ls1-other123-models-EU-CZ-1",
    }
    assert plane.volumes.strangers() == [
        {
            "name": "ls1-other123-models-EU-CZ-1",
            "provider": "runpod",
            "place": "EU-CZ-1",
            "size_gb": 12,
        }
    ]


def test_a_volume_that_vanished_costs_a_refused_launch_and_no_job(plane):
    plane.work()
    [there] = plane.at_the_provider()
    there.deleted_at = plane.time
    job = plane.job(provider=plane.name)
    plane.until(lambda: plane.states()[:1] == ["terminated"])
    assert plane.there()[0].reason["code"] == "no-capacity"
    plane.look(times=2)
    assert [one.state for one in plane.shelves()] in ([], ["intended"], ["ready"])
    plane.until(lambda: plane.states()[:1] == ["booting"])
    assert plane.there()[0].offer["volume"] is None
    assert plane.job_state(job) in ("waiting", "running")


def test_a_person_deletes_one_that_nobody_has(plane):
    plane.work()
    [shelf] = plane.shelves()
    plane.run(DeleteVolume(shelf.id))
    plane.run(DeleteVolume(shelf.id))
    plane.look(times=4)
    assert plane.at_the_provider() == plane.shelves() == []


def test_a_budget_that_cannot_pay_for_thirty_days_makes_none(plane):
    plane.volumes._budgets = {"job": None, "month": None, "total": "0.5"}
    plane.work()
    plane.look()
    assert plane.shelves() == plane.world.account.volumes == []


def test_a_list_that_fails_changes_nothing(plane):
    plane.work()
    plane.world.faults.append(
        faults.replaced(
            "GET", "/v2/network-volumes", 200, {"networkVolumes": None}, False, times=99
        )
    )
    plane.keep({})
    plane.look(times=4)
    assert [one.state for one in plane.shelves()] == ["ready"]
    assert len(plane.at_the_provider()) == 1


def test_jobs_leave_a_day_of_each_volume_in_the_budgets(plane):
    limits_eur = {"job": None, "month": None, "total": "100"}

    def left():
        return plane.read(
            lambda conn: left_in(budgets(plane.door.look(plane.time, conn), None, None, limits_eur))
        )

    plane.work()
    plane.until(lambda: set(plane.instance_states()) == {"terminated"})
    spent = plane.read(lambda conn: money.spent(conn, "local"))
    [shelf] = plane.shelves()
    assert left() == 100 - spent - 24 * shelf.price


def test_a_volume_goes_before_it_costs_what_others_have_reserved(plane):
    plane.work()
    plane.until(lambda: set(plane.instance_states()) == {"terminated"})
    [shelf] = plane.shelves()
    spent = plane.read(lambda conn: money.spent(conn, "local"))
    plane.volumes._budgets = {"job": None, "month": None, "total": str(spent + 3 * shelf.price)}
    plane.look()
    assert [one.state for one in plane.shelves()] == ["ready"]
    plane.look(times=40)
    assert plane.shelves() == plane.at_the_provider() == []
    [gone] = plane.read(lambda conn: volumes.page(conn, "local", None, 9, gone=True))
    assert gone.reason["code"] == "volume-unpaid"
    cost, _ = plane.read(lambda conn: volumes.cost_of(conn, "local", gone.id))
    assert cost <= 3 * shelf.price


def test_another_one_is_made_where_thirty_days_of_all_are_paid_for(plane):
    plane.work()
    plane.until(lambda: set(plane.instance_states()) == {"terminated"})
    [shelf] = plane.shelves()
    spent = plane.read(lambda conn: money.spent(conn, "local"))
    days = 24 * shelf.price
    for left, enough in ((50 * days, False), (61 * days, True)):
        plane.volumes._budgets = {"job": None, "month": None, "total": str(spent + left)}
        _, sight = plane.read(
            lambda conn: plane.volumes._seen(
                plane.door.look(plane.time, conn),
                plane.name,
                plane.provider,
                [],
                {SIZE_GB: shelf.price},
            )
        )
        assert sight.affordable is enough
