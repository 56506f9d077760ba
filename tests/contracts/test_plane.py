"""The control plane with a real adapter over each simulated account, from the plan to the last cent."""

from datetime import timedelta
from decimal import Decimal

import pytest
from tests.contracts.plane import Plane
from tests.contracts.worlds import RENTED
from tests.control.rig import START, TENANT, Worker
from tests.wire import faults

from leitstand.store import money
from leitstand.store.engine import Database

ENDING_SECONDS_MAX = 120
"""From the end of an instance to the second listing that lacks it: booked until it is proved."""


@pytest.fixture(params=RENTED)
def plane(request, sqlite_url, tmp_path):
    with Database.open(sqlite_url, relaxed=True) as database:
        yield Plane(database, tmp_path, request.param)


def test_a_job_is_done_on_a_rented_machine_and_the_account_is_empty_afterwards(plane):
    assert plane.time >= START
    job = plane.job(provider=plane.name)
    worker = plane.boot()
    plane.until(lambda: plane.states() == ["ready"])
    plane.until(lambda: plane.there()[0].shown_at)  # until then no key leaves for it
    assert worker.work_all() == 1
    plane.until(lambda: plane.states() == ["terminated"])
    assert plane.world.alive() == set()
    plane.until(lambda: plane.rented.specs)
    Worker.newest(plane).ready().work_all()
    plane.until(lambda: plane.job_state(job) == "done")
    assert plane.world.creates() == 1


@pytest.mark.parametrize("fault", [faults.lost_after, faults.failed_after, faults.truncated])
def test_a_create_with_a_lost_answer_is_adopted_and_never_made_twice(plane, fault):
    plane.job(provider=plane.name)
    plane.world.faults.append(fault(*plane.world.CREATE))
    plane.boot()
    plane.until(lambda: plane.states() == ["ready"])
    assert len(plane.world.alive()) == plane.world.creates() == 1
    [one] = plane.there()
    assert {one.provider_id} == plane.world.alive()


def test_an_api_that_is_no_more_is_why_the_job_waits(plane):
    job = plane.job(provider=plane.name)
    gone = {"error": "deprecated_endpoint", "title": "Gone"}
    plane.world.faults.append(faults.replaced(*plane.world.CREATE, 410, gone, False, times=10**6))
    plane.until(lambda: plane.states()[-1:] == ["terminated"])
    assert plane.there()[-1].reason["code"] == "provider-retired"
    assert plane.job_state(job) == "waiting"
    assert plane.world.alive() == set()


def test_a_machine_that_never_dials_in_is_ended_and_another_is_tried(plane):
    plane.job(provider=plane.name)
    plane.until(lambda: plane.states()[-1:] == ["terminated"])
    assert plane.there()[-1].reason["code"] == "never-ready"
    plane.until(lambda: len(plane.there()) == 2)
    assert plane.there()[-1].provider_id not in plane.world.alive()


def test_an_end_that_is_refused_for_an_hour_is_never_called_an_end(plane):
    plane.job(provider=plane.name)
    plane.boot()
    plane.until(lambda: plane.states() == ["ready"])
    alive = plane.world.alive()
    refused = faults.failed_before(*plane.world.END, times=10**6)
    plane.world.faults.append(refused)
    plane.later(minutes=59)  # it has agreed to end after an hour
    plane.until(lambda: plane.there()[-1].state == "terminating")
    for _ in range(40):
        plane.step()
        plane.later(seconds=90)
        assert plane.there()[-1].state == "terminating"
        assert alive <= plane.world.alive()
    plane.world.faults.clear()
    plane.until(lambda: plane.there()[-1].state == "terminated")
    assert not alive & plane.world.alive()


def test_what_is_taken_away_at_work_is_done_elsewhere_and_billed_no_more(plane):
    job = plane.job(provider=plane.name)
    worker = plane.boot()
    plane.until(lambda: plane.there()[0].shown_at)
    assert worker.claim()
    first = plane.there()[0]
    plane.world.interrupt(first.provider_id)
    plane.until(lambda: len(plane.there()) == 2)
    ended = next(one for one in plane.there() if one.id == first.id)
    assert ended.reason["code"] == "stopped-by-host"
    other = plane.boot()
    plane.until(lambda: plane.there()[0].shown_at)
    plane.until(other.work_all)
    plane.until(lambda: "terminated" in plane.states())
    assert first.provider_id not in plane.world.alive()
    plane.until(lambda: plane.states() == ["terminated"] * 2)
    plane.until(lambda: plane.rented.specs)
    Worker.newest(plane).ready().work_all()
    plane.until(lambda: plane.job_state(job) == "done")


def test_an_outage_during_work_makes_nothing_and_ends_nothing(plane):
    plane.job(provider=plane.name)
    plane.boot()
    plane.until(lambda: plane.states() == ["ready"])
    alive = plane.world.alive()
    plane.world.faults.append(faults.outage(plane.time + timedelta(minutes=30)))
    for _ in range(30):
        plane.step()
        plane.later(minutes=1)
    assert plane.world.alive() == alive
    assert plane.world.creates() == 1
    assert "terminated" not in plane.states()


def test_what_is_booked_covers_what_the_provider_bills(plane):
    plane.job(provider=plane.name)
    worker = plane.boot()
    plane.until(lambda: plane.states() == ["ready"])
    plane.later(minutes=17)
    plane.step()
    worker.work_all()
    plane.until(lambda: plane.states() == ["terminated"])
    [one] = plane.there()
    booked = plane.read(lambda conn: money.spent_on(conn, TENANT, one.id))
    rate = Decimal(one.offer["price_eur_per_hour"]) + Decimal(one.offer["storage_eur_per_hour"])
    billed = plane.world.cost_eur()
    assert billed > 0
    assert Decimal(0) <= booked - billed < rate * ENDING_SECONDS_MAX / 3600


def test_a_pod_of_another_cloud_whose_create_was_lost_gets_no_work(sqlite_url, tmp_path):
    with Database.open(sqlite_url, relaxed=True) as database:
        plane = Plane(database, tmp_path, "runpod")
        plane.job(provider="runpod")
        plane.world.faults.append(faults.lost_after(*plane.world.CREATE))
        plane.until(plane.world.account.live)
        [pod] = plane.world.account.live()
        pod.cloud = "COMMUNITY"
        plane.until(lambda: plane.states()[-1:] == ["terminating"])
        first = plane.there()[-1]
        assert (first.tier, first.shown_at) == ("B", None)
        assert first.reason == {"code": "mismatch", "params": {"said": "tier"}}
