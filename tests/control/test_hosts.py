"""What happens to instances is written down for their machines, and decides the next choice."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from leitstand.api.documents import host_document
from leitstand.control.decision import document, replayed
from leitstand.control.hosts import listed
from leitstand.control.jobs import CancelJob
from leitstand.core import history, limits
from leitstand.core.history import Key, Record
from leitstand.core.placement import Offer, Requirements
from leitstand.ports import Seen, Status
from leitstand.store import hosts, instances, jobs
from tests.control.rig import GOOD, TENANT, Rented, Rig, Worker, job_of, serve, to_the_end


class Elsewhere(Rented):
    """Two rented machines of one price; the first is taken first."""

    there = ("first", "second")

    def offers(self, want: Requirements) -> Iterable[Offer]:
        for found in super().offers(want):
            for number, name in enumerate(self.there, 1):
                yield replace(found, tier="B", gpu="T4", host=name, offer_id=str(number))


@pytest.fixture
def abroad(rig: Rig) -> Rig:
    """The own machine makes the report, rented ones do the rest."""
    providers: Any = rig.reconciler._providers
    providers["rented"] = rig.rented = Elsewhere()
    return rig


def records(rig: Rig) -> dict[Key, Record]:
    found = rig.read(lambda conn: hosts.records(conn, TENANT))
    return {record.key: record for record in found}


def host(rig: Rig, name: str = "first") -> Record:
    return records(rig)[Key("rented", name, "eu", "T4")]


def test_a_rental_that_works_and_ends_is_written_down_for_machine_place_and_class(
    abroad: Rig,
) -> None:
    abroad.job(segments=2)
    abroad.step(2)
    abroad.later(seconds=90)
    worker = Worker.newest(abroad).ready()
    lease = worker.claim()[0]
    abroad.later(seconds=30)
    for segment in lease["segments"]:
        worker.key(lease)
        worker.result(lease, segment["number"])
    worker.finish(lease)
    abroad.step(3)
    place = Key("rented", "", "eu", "T4")
    assert set(records(abroad)) == {place, replace(place, host="first"), Key("", "", "", "T4")}
    found = host(abroad)
    assert found.starts == pytest.approx(1, abs=1e-3)
    assert found.ready_seconds == pytest.approx(91, abs=2)
    assert (found.rentals, found.strikes) == (1, 0)
    assert found.held == pytest.approx(1, abs=1e-3)
    assert found.work_seconds == pytest.approx(2 * 30 * 1.2, rel=1e-3)
    assert found.wall_seconds == pytest.approx(30, rel=1e-3)
    shown = abroad.read(lambda c: listed(abroad.door.look(abroad.time, c), None, None, 10))
    assert [(h.record.key.host, h.standing.state) for h in shown] == [("first", "new")]
    assert shown[0].speed == pytest.approx(1.0)


def stop(rig: Rig) -> None:
    """The host stops what runs there."""
    for provider_id, seen in list(rig.rented.running.items()):
        rig.rented.running[provider_id] = Seen(provider_id, seen.label, Status.STOPPED)


def test_a_machine_that_lost_two_is_in_quarantine_and_the_other_is_taken(abroad: Rig) -> None:
    abroad.rented.there = ("first",)  # type: ignore[attr-defined]
    job = abroad.job(segments=8)
    for _ in range(2):
        serve(abroad)
        assert chosen_host(abroad, job.id) == "first"
        stop(abroad)
        abroad.step(4)
    abroad.rented.there = Elsewhere.there  # type: ignore[attr-defined]
    abroad.later(minutes=1)
    assert (host(abroad).rentals, host(abroad).strikes) == (2, 2)
    serve(abroad)
    assert chosen_host(abroad, job.id) == "second"
    found = abroad.planner.odds(list(abroad.rented.offers(Requirements())), abroad.time)
    assert [odds.quarantine_until is not None for odds in found] == [True, False]


class Sliced(Elsewhere):
    """Another slice of one machine for each who asks."""

    there = ("first",)
    slice = 0

    def offers(self, want: Requirements) -> Iterable[Offer]:
        for found in super().offers(want):
            yield replace(found, offer_id=f"{found.offer_id}.{self.slice}")


def of_one_machine(rig: Rig, count: int) -> list[Worker]:
    """Workers on slices of it, each with a job of its own; then it offers nothing more."""
    providers: Any = rig.reconciler._providers
    rented: Any = Sliced()
    providers["rented"] = rig.rented = rented
    found = []
    for rented.slice in range(count):
        rig.job(segments=8)
        rig.step(3)
        found.append(Worker.newest(rig).ready())
        rig.step(1)
    rented.there = ()
    return found


def lose(rig: Rig, worker: Worker) -> None:
    """Its host stops it, and that is seen."""
    for id, seen in list(rig.rented.running.items()):
        if rig.rented.specs[seen.label].instance_id == worker.id:
            rig.rented.running[id] = replace(seen, status=Status.STOPPED)
    rig.reconciler.step(rig.time)


def stands(rig: Rig) -> list[history.Standing]:
    found = rig.read(lambda c: listed(rig.door.look(rig.time, c), None, None, 10))
    return [one.standing for one in found]


def test_what_still_runs_on_a_machine_in_quarantine_gets_no_keys_no_work_and_leaves(
    rig: Rig,
) -> None:
    one, two, three = of_one_machine(rig, 3)
    lease = three.claim()[0]
    lose(rig, one)
    assert three.key(lease).refused is None
    rig.later(seconds=1)
    lose(rig, two)
    assert host(rig).strikes == 2
    assert three.key(lease).refused == "host-not-quarantined"
    assert three.claim(2) == []
    rig.later(seconds=1)
    rig.reconciler.step(rig.time)
    left = rig.read(lambda c: instances.find(c, TENANT, three.id))
    assert (left.state, left.reason["code"]) == ("draining", "host-quarantined")
    assert host(rig).strikes == 2, "leaving speaks for no machine"
    (standing,) = stands(rig)
    assert standing.state == "quarantine"
    assert standing.until is not None and standing.until > rig.time + timedelta(hours=23)
    rig.later(days=2)
    assert stands(rig) == [history.Standing("parole")]


def test_what_was_on_its_way_to_a_machine_in_quarantine_does_not_arrive(rig: Rig) -> None:
    one, two = of_one_machine(rig, 2)
    rented: Any = rig.rented
    rented.there, rented.slice = ("first",), 7
    rig.job(segments=8)
    rig.step(2)
    rented.there = ()
    late = Worker.newest(rig)
    lose(rig, one)
    rig.later(seconds=1)
    lose(rig, two)
    rig.later(seconds=1)
    rig.reconciler.step(rig.time)
    left = rig.read(lambda c: instances.find(c, TENANT, late.id))
    assert (left.state, left.reason["code"]) == ("terminating", "host-quarantined")
    assert host(rig).strikes == 2


def chosen_host(rig: Rig, job_id: str) -> str:
    found = rig.read(lambda c: instances.of_job(c, TENANT, job_id))
    return str(found[-1].offer["host"])


def test_a_machine_that_never_became_ready_is_counted_once_and_the_other_is_taken(
    abroad: Rig,
) -> None:
    job = abroad.job()
    abroad.step(2)
    abroad.later(minutes=20)
    abroad.step(6)
    assert host(abroad).rentals == 1
    assert chosen_host(abroad, job.id) == "second"
    assert host(abroad).failed_starts == pytest.approx(1, abs=1e-3)


def test_a_machine_on_which_nothing_came_to_work_is_tried_again_where_there_is_no_other(
    abroad: Rig,
) -> None:
    abroad.rented.there = ("first",)  # type: ignore[attr-defined]
    job = abroad.job()
    abroad.step(2)
    abroad.later(minutes=20)
    abroad.step(6)
    found = abroad.read(lambda c: instances.of_job(c, TENANT, job.id))
    assert [one.offer["host"] for one in found] == ["first", "first"]


def measured(tflops: Any, kind: str = "cpu") -> dict[str, Any]:
    probe = {"kind": kind, "tflops": tflops, "steady": 1.0, "seconds": 10.0}
    return GOOD | {"self_test": {**GOOD["self_test"], "probe": probe}}


def test_a_machine_far_below_its_class_is_refused_and_the_next_is_taken(abroad: Rig) -> None:
    abroad.effects._address = replace(abroad.effects._address, probe_seconds=10.0)
    for _ in range(3):
        job = abroad.job()
        abroad.step(2)
        worker = Worker.newest(abroad)
        spec = list(abroad.rented.specs.values())[-1]
        assert spec.probe_seconds == 10.0
        worker.enrol()
        assert worker.admit(measured(40.0)) == ()
        abroad.run(CancelJob(job.id))
        abroad.step(6)
    job = abroad.job()
    abroad.step(2)
    worker = Worker.newest(abroad)
    worker.enrol()
    [fault] = worker.admit(measured(12.0))
    assert (fault.check, fault.has, fault.needs) == ("contention", "12 TFLOP/s", "20 TFLOP/s")
    abroad.step(4)
    first, second = abroad.read(lambda c: instances.of_job(c, TENANT, job.id))
    assert first.reason == {
        "code": "contended", "params": {"has": "12 TFLOP/s", "needs": "20 TFLOP/s"}
    }  # fmt: skip
    assert [one.offer["host"] for one in (first, second)] == ["first", "second"]
    assert host(abroad).failed_starts == pytest.approx(1, abs=1e-3)
    shown = abroad.read(lambda c: listed(abroad.door.look(abroad.time, c), None, None, 10))
    [of_first] = [one for one in shown if one.record.key.host == "first"]
    assert of_first.probe == pytest.approx(1.0, abs=0.05), "both are of this one machine"
    assert host_document(of_first)["probe"] == round(of_first.probe or 0, 3)


@pytest.mark.parametrize("tflops", [None, "40", True, -1.0, 0.0, 1e9, [40.0]])
def test_what_is_no_speed_is_not_written_down(abroad: Rig, tflops: Any) -> None:
    abroad.job()
    abroad.step(2)
    worker = Worker.newest(abroad)
    worker.enrol()
    assert worker.admit(measured(tflops)) == ()
    assert Key("", "", "", "T4") not in records(abroad)


def test_what_a_worker_measured_with_cuda_is_of_the_nvidia_card_that_was_offered(
    abroad: Rig,
) -> None:
    class Cards(Elsewhere):
        def offers(self, want: Requirements) -> Iterable[Offer]:
            for found in super().offers(want):
                yield replace(
                    found,
                    accelerator="nvidia",
                    cuda="13.0",
                    compute_capability="7.5",
                    vram_gib=48.0,
                )

    providers: Any = abroad.reconciler._providers
    providers["rented"] = abroad.rented = Cards()
    abroad.job()
    abroad.step(2)
    worker = Worker.newest(abroad)
    worker.enrol()
    gpus = {"facts": {"cores": 4, "gpus": [{"name": "NVIDIA T4", "vram_gib": 48.0}]}}
    assert worker.admit(measured(40.0, "cuda") | gpus) == ()
    assert records(abroad)[Key("", "", "", "T4")].probes == 1


def test_what_was_not_measured_on_the_gpu_that_was_offered_is_not_written_down(
    abroad: Rig,
) -> None:
    abroad.job()
    abroad.step(2)
    worker = Worker.newest(abroad)
    worker.enrol()
    assert worker.admit(measured(40.0, "cuda")) == ()
    assert Key("", "", "", "T4") not in records(abroad)


def test_an_instance_that_we_gave_up_before_it_was_ready_says_nothing(abroad: Rig) -> None:
    job = abroad.job()
    abroad.step(2)
    abroad.run(CancelJob(job.id))
    abroad.step(6)
    assert records(abroad) == {}


def test_this_computer_keeps_no_record(rig: Rig) -> None:
    class Here(Rented):
        def offers(self, want: Requirements) -> Iterable[Offer]:
            for found in super().offers(want):
                yield replace(found, host=None)

    providers: Any = rig.reconciler._providers
    providers["rented"] = rig.rented = Here()
    job = rig.job()
    to_the_end(rig, serve(rig))
    assert rig.job_state(job) == "done"
    assert records(rig) == {}


# --- decisions ----------------------------------------------------------------------------------


def decision_of(rig: Rig, job: Any) -> jobs.Decision:
    decision_id = job_of(rig, job.id).decision_id
    found = rig.read(lambda conn: jobs.decision(conn, TENANT, decision_id))
    assert found is not None
    return found


def test_a_recorded_decision_is_made_again_from_what_it_kept(abroad: Rig) -> None:
    decision = decision_of(abroad, abroad.job())
    abroad.later(days=40)
    assert replayed(decision) is True
    shown = document(decision)
    assert shown["chosen"]["offer"]["host"] == "first"
    assert [row["offer"]["host"] for row in shown["ranked"]] == ["first", "second"]
    assert shown["would_change"][0]["offer"]["offer_id"] == "2"
    assert set(shown["chosen"]["parts_eur"]) >= {"boot", "transfer", "work", "redo", "release"}


@pytest.mark.parametrize("part", ["offers", "outlooks", "terms"])
def test_a_decision_whose_facts_were_altered_is_not_the_one_that_was_made(
    abroad: Rig, part: str
) -> None:
    decision = decision_of(abroad, abroad.job())
    inputs = json.loads(json.dumps(decision.inputs))
    market = inputs["market"]
    match part:
        case "offers":
            market["offers"][0]["price_eur_per_hour"] = "9.00"
        case "outlooks":
            market["outlooks"][0]["work_seconds"] *= 2
        case "terms":
            market["terms"]["left_eur"] = "0.001"
    assert replayed(replace(decision, inputs=inputs)) is False


def test_a_decision_over_too_many_offers_says_that_it_cannot_be_made_again(
    abroad: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "REPLAYED_OFFERS_MAX", 1)
    assert replayed(decision_of(abroad, abroad.job())) is None


def test_a_deadline_that_no_offer_keeps_takes_the_best_firm_one(abroad: Rig) -> None:
    """Late is better than never, but not by a bid."""

    class Bids(Elsewhere):
        def offers(self, want: Requirements) -> Iterable[Offer]:
            first, second = super().offers(want)
            yield replace(first, bid=True, price_eur_per_hour=first.price_eur_per_hour / 9)
            yield second

    providers: Any = abroad.reconciler._providers
    providers["rented"] = abroad.rented = Bids()
    money = Decimal(2)
    job = abroad.job(due_at=abroad.time + timedelta(minutes=50), max_cost_eur=money)
    serve(abroad)
    assert chosen_host(abroad, job.id) == "first"
    abroad.later(minutes=48)
    stop(abroad)
    abroad.step(6)
    assert chosen_host(abroad, job.id) == "second"
