"""The main path below HTTP, on both databases: what is kept, what is freed, what the ledger says."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from leitstand.control.audit import verify
from leitstand.control.cases import OpenCase
from leitstand.control.instances import DrainInstance
from leitstand.control.jobs import CancelJob, HoldJob, ReadReport, ResumeJob, StartJob
from leitstand.control.leases import Claim, Fenced
from leitstand.control.plan import Wish
from leitstand.core.problem import Problem
from leitstand.ports import NoCapacity, Seen, Status, UnknownOutcome
from leitstand.store import attempts, events, instances, jobs, media, money, tables
from leitstand.store.engine import Database
from leitstand.worker.lease import parse
from tests.control.rig import GOOD, OPERATOR, TENANT, Rig, Verifier, Worker, serve, to_the_end


@pytest.fixture
def rig(database: Database, tmp_path: Path) -> Rig:
    return Rig(database, tmp_path)


def assert_settled(rig: Rig) -> None:
    """Nothing runs, nothing is reserved, and every row's history is in the ledger."""
    assert set(rig.instance_states()) <= {"terminated"}
    assert rig.rented.running == {}
    assert rig.read(lambda conn: money.held(conn, TENANT)) == 0
    live = rig.read(attempts.live_by_instance)
    assert live == {}
    verdict = rig.read(lambda conn: verify(conn, Verifier(rig.signer.verifier_key)))
    assert verdict.faults == []
    assert verdict.entries > 0


def test_a_job_ends_done_released_erased_and_in_the_ledger(rig: Rig) -> None:
    job = rig.job()
    assert rig.job_state(job) == "waiting"
    worker = serve(rig)
    to_the_end(rig, worker)
    assert rig.job_state(job) == "done"
    assert_settled(rig)
    found = rig.read(lambda conn: media.of_job(conn, TENANT, job.id))
    assert [medium.state for medium in found] == ["erased"]
    kept = set(rig.blobs.held)
    report = rig.run(ReadReport(job.id))
    assert kept == {report}


def test_the_worst_case_is_reserved_with_the_intent_and_shrinks_as_time_is_booked(rig: Rig) -> None:
    job = rig.job()
    assert rig.read(lambda conn: money.held(conn, TENANT, job.id)) == Decimal("0.36")
    assert rig.rented.launches == 0
    serve(rig)
    rig.later(minutes=10)
    rig.step()
    spent = rig.read(lambda conn: money.spent(conn, TENANT, job.id))
    held = rig.read(lambda conn: money.held(conn, TENANT, job.id))
    assert spent > 0
    assert spent + held == Decimal("0.36")


def test_i2_a_job_that_no_budget_covers_is_not_started_and_nothing_is_rented(
    database: Database, tmp_path: Path
) -> None:
    rig = Rig(database, tmp_path)
    case = rig.run(OpenCase("inbox"))
    wish = Wish(case.id, (rig.medium(case.id),), "people", "en")
    decision = rig.planner.decide(wish, OPERATOR, rig.time)
    budgets = {"job": None, "month": "0.30", "total": None}
    with pytest.raises(Problem) as caught:
        rig.run(StartJob(decision.id, "test1234", 4, budgets))
    assert caught.value.code == "over-budget"
    assert caught.value.params["left_eur"] == "0.300000"
    rig.step(2)
    assert rig.rented.launches == 0
    assert rig.instance_states() == []


def test_a_decision_starts_one_job_however_often_it_is_started(rig: Rig) -> None:
    job = rig.job()
    again = rig.run(StartJob(job.decision_id, "test1234", 4))
    assert again.id == job.id
    assert len(rig.instance_states()) == 1


def test_i4_a_segment_has_one_result_and_a_late_attempt_is_fenced(rig: Rig) -> None:
    job = rig.job()
    first = serve(rig)
    lease = first.claim()[0]
    first.key(lease)
    assert first.result(lease, 0) is True
    assert first.result(lease, 0) is False
    rig.later(seconds=61)
    rig.step()
    again = first.claim()[0]
    assert again["fence"] == lease["fence"] + 1
    assert [segment["number"] for segment in again["segments"]] == [1]
    with pytest.raises(Fenced):
        first.result(lease, 1)
    with pytest.raises(Fenced):
        first.finish(lease)
    assert first.beat(lease, 10) == "fenced"
    first.work(again)
    to_the_end(rig, first)
    assert rig.job_state(job) == "done"
    results = rig.read(lambda conn: attempts.results_of_job(conn, TENANT, job.id))
    assert len({(r.task_id, r.segment) for r in results}) == len(results) == 3
    assert_settled(rig)


def test_a_beat_renews_a_lease_only_while_units_advance(rig: Rig) -> None:
    rig.job()
    worker = serve(rig)
    lease = worker.claim()[0]
    for units in range(1, 6):
        rig.later(seconds=50)
        assert worker.beat(lease, units) == "go"
    verdicts = []
    for _ in range(5):
        rig.later(seconds=50)
        verdicts.append(worker.beat(lease, 5))
    assert verdicts[0] == "go"
    assert verdicts[-1] in ("stop", "fenced")


def test_f13_a_lost_launch_reply_is_settled_by_label_before_a_second_launch(rig: Rig) -> None:
    job = rig.job()
    rig.rented.fails = [UnknownOutcome("timeout")]
    rig.step()
    assert rig.instance_states() == ["launching"]
    instance = rig.read(instances.alive)[0]
    rig.rented.running["p9"] = Seen("p9", instance.label, Status.RUNNING)
    rig.step()
    assert rig.instance_states() == ["booting"]
    assert rig.rented.launches == 1
    assert rig.job_state(job) == "waiting"


def test_f12_a_launch_that_never_happened_is_given_up_and_launched_anew(rig: Rig) -> None:
    rig.job()
    rig.rented.fails = [UnknownOutcome("timeout")]
    rig.step(4)
    assert rig.instance_states()[0] == "terminated"
    assert rig.rented.launches == 2
    serve(rig)


def test_a_refused_launch_frees_its_reservation_and_the_next_one_is_tried(rig: Rig) -> None:
    job = rig.job()
    rig.rented.fails = [NoCapacity("gone")]
    rig.step(3)
    assert rig.rented.launches == 2
    assert rig.read(lambda conn: money.held(conn, TENANT, job.id)) <= Decimal("0.36")


def test_i1_an_instance_under_our_label_without_a_record_is_ended(rig: Rig) -> None:
    orphan = Seen("p7", "ls1-test1234-01ARZ3NDEKTSV4RRFFQ69G5FAV-29923623", Status.RUNNING)
    foreign = Seen("p8", "ls1-other123-01ARZ3NDEKTSV4RRFFQ69G5FAV-29923623", Status.RUNNING)
    rig.rented.running = {"p7": orphan, "p8": foreign}
    rig.step(2)
    assert set(rig.rented.running) == {"p8"}


def test_what_is_only_called_as_ours_are_is_told_once_and_left_alone(rig: Rig) -> None:
    name = "ls1-test1234-01ARZ3NDEKTSV4RRFFQ69G5FAV-29923623"
    rig.rented.running = {"p7": Seen("p7", name, Status.UNKNOWN, doubtful=True)}
    rig.step(4)
    assert set(rig.rented.running) == {"p7"}
    told = [
        e for e in rig.read(lambda c: events.after(c, TENANT, None, 0, 100)) if e.kind == "alarm"
    ]
    assert [one.facts["provider_id"] for one in told] == ["p7"]


def test_an_instance_of_ours_that_no_longer_says_so_is_neither_believed_gone_nor_left(
    rig: Rig,
) -> None:
    job = rig.job()
    serve(rig)
    (id, seen), *_ = rig.rented.running.items()
    rig.rented.running[id] = replace(seen, status=Status.UNKNOWN, doubtful=True)
    rig.step(4)
    assert rig.instance_states() == ["ready"]
    rig.rented.stubborn = True
    rig.run(CancelJob(job.id))
    rig.step(4)
    assert rig.instance_states() == ["terminating"] and id in rig.rented.ends
    rig.rented.stubborn = False
    rig.step(6)
    assert rig.instance_states() == ["terminated"] and not rig.rented.running
    rig.rented.running[id] = replace(seen, status=Status.UNKNOWN, doubtful=True)
    rig.step(4)
    assert not rig.rented.running


def test_an_instance_that_vanishes_loses_its_attempts_and_the_job_gets_another(rig: Rig) -> None:
    job = rig.job()
    worker = serve(rig)
    lease = worker.claim()[0]
    worker.result(lease, 0)
    rig.rented.running.clear()
    rig.step(4)
    assert rig.instance_states()[0] == "terminated"
    second = serve(rig)
    to_the_end(rig, second)
    assert rig.job_state(job) == "done"
    assert_settled(rig)


def test_a_silent_provider_changes_nothing(rig: Rig) -> None:
    rig.job()
    serve(rig)
    rig.rented.silent = True
    rig.step(5)
    assert rig.instance_states() == ["ready"]


def test_terminated_means_seen_absent_not_asked_to_end(rig: Rig) -> None:
    rig.job()
    rig.rented.stubborn = True
    worker = serve(rig)
    to_the_end(rig, worker)
    assert rig.instance_states() == ["terminating"]
    assert rig.read(lambda conn: money.held(conn, TENANT)) > 0
    assert len(rig.rented.ends) >= 2
    rig.rented.stubborn = False
    rig.later(seconds=10)
    rig.step(8)
    assert_settled(rig)


def test_an_instance_that_never_enrols_is_ended_at_its_deadline(rig: Rig) -> None:
    rig.job()
    rig.step(2)
    assert rig.instance_states() == ["booting"]
    rig.later(minutes=21)
    rig.step(3)
    assert rig.instance_states()[0] == "terminated"


def test_f70_a_token_enrols_once_and_not_after_its_deadline(rig: Rig) -> None:
    rig.job()
    rig.step(2)
    worker = Worker.newest(rig)
    worker.enrol()
    thief = Worker(rig, next(iter(rig.rented.specs.values())))
    for other in (thief, with_(thief, "hpke", worker.hpke), with_(thief, "csr", worker.csr)):
        with pytest.raises(Problem, match="token-refused"):
            other.enrol()
    with pytest.raises(Problem, match="token-refused"):
        with_(worker, "token", "0" * 64).enrol()
    rig.later(minutes=21)
    with pytest.raises(Problem, match="token-refused"):
        worker.enrol()


def with_(worker: Worker, name: str, value: Any) -> Worker:
    """The same worker, but for one thing."""
    changed = copy(worker)
    setattr(changed, name, value)
    return changed


def test_an_enrolment_whose_reply_was_lost_is_answered_again_until_admission(rig: Rig) -> None:
    rig.job()
    rig.step(2)
    worker = Worker.newest(rig)
    worker.enrol()
    first = rig.read(instances.alive)[0]
    worker.enrol()
    again = rig.read(instances.alive)[0]
    assert (again.state, again.version) == ("admitting", first.version)
    assert again.certificate_serial != first.certificate_serial
    assert worker.admit() == ()
    with pytest.raises(Problem, match="token-refused"):
        worker.enrol()


def test_leases_whose_reply_was_lost_are_told_again_and_cost_no_try(rig: Rig) -> None:
    rig.job(media=3)
    worker = serve(rig)
    begun = worker.claim()[0]
    worker.key(begun)
    worker.holding.clear()
    unheard = worker.claim(lost=True)
    assert unheard == []
    live = rig.read(lambda c: attempts.live_of_instance(c, worker.id))
    rig.later(seconds=20)
    first, second = worker.claim(2)
    assert first["attempt"] == live[1].id
    assert first["fence"] == live[1].fence
    assert first["lease_seconds"] == 40
    assert len({begun["attempt"], first["attempt"], second["attempt"]}) == 3
    assert worker.claim() == []
    worker.work(first)


def test_what_a_claim_would_get_is_known_from_a_read(rig: Rig) -> None:
    rig.job(media=2)
    worker = serve(rig)

    def look(slots: int = 1, ram: float = 16.0) -> tuple[bool, bool]:
        command = Claim(worker.id, slots, ram, 0.0, tuple(worker.holding))
        found: tuple[bool, bool] = rig.read(lambda c: command.look(rig.door.look(rig.time, c)))
        return found

    assert look() == (True, False)
    assert look(slots=0) == (False, False)
    worker.claim()
    assert look() == (True, False)
    assert look(ram=0.1) == (False, False), "two tasks do not fit beside each other"
    worker.claim()
    assert look() == (False, False)
    rig.run(DrainInstance(worker.id))
    assert look() == (False, True)


@pytest.mark.parametrize(("tasks_fit", "leased"), [(1.5, 1), (2.5, 2)])
def test_a_lease_that_is_told_again_takes_its_memory_before_more_is_granted(
    rig: Rig, tasks_fit: float, leased: int
) -> None:
    job = rig.job(media=2)
    worker = serve(rig)
    assert worker.claim(lost=True) == []
    need = rig.read(lambda c: jobs.tasks_of(c, TENANT, job.id))[0].requirements["ram_gib"]
    leases = rig.run(Claim(worker.id, 2, need * tasks_fit, 0.0), worker.actor)
    assert len(leases) == leased


def test_an_instance_without_sandbox_is_refused_with_the_check_that_failed(rig: Rig) -> None:
    rig.job()
    rig.step(2)
    worker = Worker.newest(rig)
    worker.enrol()
    weak: dict[str, Any] = {
        "facts": {},
        "sandbox": {"rlimits": True},
        "self_test": {"inference": True, "decode": False},
    }
    assert [fault.check for fault in worker.admit(weak)] == [
        "self-test-decode",
        "sandbox-no_new_privs",
        "sandbox-landlock",
        "sandbox-seccomp",
    ]
    assert rig.instance_states() == ["terminating"]
    assert worker.claim() == []


@pytest.mark.parametrize(
    ("hours", "armed", "admitted"),
    [(24.0, True, True), (24.0, False, False), (2.1, None, False), (2.0, None, True)],
)
def test_a_rented_machine_that_would_not_end_itself_is_not_kept_beyond_two_hours(
    rig: Rig, hours: float, armed: bool | None, admitted: bool
) -> None:
    rules: Any = rig.planner
    rules.rules = replace(rig.planner.rules, end_by_hours_max={"rented": hours})
    rig.rented.tier = "A"
    rig.job()
    rig.step(2)
    worker = Worker.newest(rig)
    worker.enrol()
    told = {} if armed is None else {"dead_man_switch": armed}
    found = worker.admit({**GOOD, "facts": {**GOOD["facts"], **told}})
    assert [fault.check for fault in found] == ([] if admitted else ["dead-man-switch"])
    assert rig.instance_states() == (["ready"] if admitted else ["terminating"])
    if not admitted:
        (ended,) = rig.read(instances.alive)
        assert ended.reason == {"code": "unguarded", "params": {"term": f"{hours:g} h"}}


def test_a_second_machine_that_fails_admission_ends_the_job_with_the_checks_that_failed(
    rig: Rig,
) -> None:
    job = rig.job()
    weak: dict[str, Any] = {**GOOD, "self_test": {"inference": True, "decode": False}}
    for _ in range(2):
        rig.step(6)
        worker = Worker.newest(rig)
        worker.enrol()
        assert worker.admit(weak)
    rig.step(6)
    found = rig.read(lambda conn: jobs.find(conn, TENANT, job.id))
    assert found.state == "failed"
    assert found.reason == {"code": "admission", "params": {"reasons": "self-test-decode"}}
    assert rig.rented.launches == 2
    assert_settled(rig)


def test_hold_keeps_committed_segments_and_resume_goes_on_behind_them(rig: Rig) -> None:
    job = rig.job(segments=3)
    worker = serve(rig)
    lease = worker.claim()[0]
    worker.key(lease)
    worker.result(lease, 0)
    rig.run(HoldJob(job.id))
    assert worker.beat(lease, 5) == "hold"
    worker.result(lease, 1)
    worker.finish(lease, "held")
    assert worker.claim() == []
    rig.step(6)
    assert rig.instance_states() == ["terminated"]
    assert [m.state for m in rig.read(lambda c: media.of_job(c, TENANT, job.id))] == ["ready"]
    rig.run(ResumeJob(job.id))
    second = serve(rig)
    again = second.claim()[0]
    assert [segment["number"] for segment in again["segments"]] == [2]
    second.work(again)
    to_the_end(rig, second)
    assert rig.job_state(job) == "done"
    assert_settled(rig)


def test_cancel_fences_live_attempts_at_once_and_erases_inbox_media(rig: Rig) -> None:
    job = rig.job()
    worker = serve(rig)
    lease = worker.claim()[0]
    rig.run(CancelJob(job.id))
    with pytest.raises(Fenced):
        worker.result(lease, 0)
    rig.step(6)
    assert rig.job_state(job) == "cancelled"
    assert [m.state for m in rig.read(lambda c: media.of_job(c, TENANT, job.id))] == ["erased"]
    assert_settled(rig)


def test_a_medium_that_cannot_be_read_is_a_gap_of_a_done_job(rig: Rig) -> None:
    job = rig.job(media=2)
    worker = serve(rig)
    lease = worker.claim()[0]
    reason = {"code": "decode-failed", "params": {}}
    worker.finish(lease, "failed", reason=reason, blame="item")
    to_the_end(rig, worker)
    assert rig.job_state(job) == "done"
    states = [t.state for t in rig.read(lambda c: jobs.tasks_of(c, TENANT, job.id))]
    assert states == ["failed", "done", "done"]


def test_i13_a_task_that_fails_everywhere_ends_failed_after_its_last_attempt(rig: Rig) -> None:
    job = rig.job()
    worker = serve(rig)
    tries = 0
    while leases := worker.claim():
        worker.finish(leases[0], "failed", reason={"code": "x", "params": {}}, blame="us")
        tries += 1
        rig.later(seconds=3)
        if leases[0]["task"]["pipeline"] == "fuse":
            break
    assert tries == 5
    rig.step()
    task = rig.read(lambda c: jobs.tasks_of(c, TENANT, job.id))[0]
    assert task.state == "failed"


def test_media_of_a_named_case_are_kept_for_their_term_and_then_erased(rig: Rig) -> None:
    job = rig.job(case="K-2031")
    worker = serve(rig)
    to_the_end(rig, worker)
    assert [m.state for m in rig.read(lambda c: media.of_job(c, TENANT, job.id))] == ["ready"]
    rig.later(hours=25)
    rig.step(2)
    assert [m.state for m in rig.read(lambda c: media.of_job(c, TENANT, job.id))] == ["erased"]


def test_names_of_media_and_cases_stand_nowhere_in_the_open(rig: Rig) -> None:
    rig.job(case="Straßenfest 2031")
    worker = serve(rig)
    to_the_end(rig, worker)
    for table in tables.metadata.sorted_tables:
        rows = rig.read(lambda conn, t=table: conn.execute(t.select()).all())
        for row in rows:
            for value in row:
                shown = value if isinstance(value, str) else repr(value)
                assert "straße" not in shown.lower()
                assert "Straßenfest" not in shown


def test_i15_the_same_seed_gives_the_same_ledger_root(database: Database, tmp_path: Path) -> None:
    # Two rigs cannot share a database, so the second run uses a fresh SQLite file.
    roots = []
    for number, db in enumerate((database, Database.open(f"sqlite:///{tmp_path}/second.db"))):
        db.migrate()
        rig = Rig(db, tmp_path / str(number), seed=7)
        worker_key = rig.job()
        worker = serve(rig)
        to_the_end(rig, worker)
        assert worker_key.id
        heads = rig.read(lambda conn: conn.execute(tables.heads.select()).all())
        roots.append(max((h.size, h.root) for h in heads))
        if number:
            db.close()
    assert roots[0] == roots[1]


def test_instances_max_lets_a_job_use_several_instances_at_once(
    database: Database, tmp_path: Path
) -> None:
    rig = Rig(database, tmp_path, instances_max=3, segments_per_task=1)
    rig.job(segments=5)
    rig.step(4)
    assert rig.instance_states() == ["booting"] * 3
    assert rig.read(lambda conn: money.held(conn, TENANT)) > Decimal("1.0")


def test_an_operator_may_not_act_as_a_worker(rig: Rig) -> None:
    rig.job()
    worker = serve(rig)
    worker.actor = OPERATOR
    with pytest.raises(Problem, match="not-allowed"):
        worker.claim()


class Noted(dict[str, Any]):
    """A document that knows which of its names were read."""

    def __init__(self, document: dict[str, Any]) -> None:
        super().__init__({name: noted(value) for name, value in document.items()})
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.names.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self.names.add(name)
        return super().get(name, default)

    def unread(self) -> set[str]:
        found = set(self) - self.names
        for value in self.values():
            for inner in value if isinstance(value, list) else [value]:
                found |= inner.unread() if isinstance(inner, Noted) else set()
        return found


def noted(value: Any) -> Any:
    if isinstance(value, list):
        return [noted(one) for one in value]
    return Noted(value) if isinstance(value, dict) else value


def test_a_lease_says_nothing_that_no_worker_reads(rig: Rig) -> None:
    rig.job()
    lease = noted(serve(rig).claim()[0])
    parse(lease)
    assert lease.unread() == set()
