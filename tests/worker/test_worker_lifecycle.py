"""A worker process from launch to exit: admission, drain, signals, kills, and what it leaves."""

import contextlib
import json
import re
import signal
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

from worker_media import frame_of, png, probe
from worker_plane import INSTANCE, problem

from leitstand.launch import VARIABLE


def test_admission_comes_before_the_first_claim_and_says_what_the_machine_is(plane, worker):
    worker()
    plane.wait(lambda: plane.admissions)
    (admission,) = plane.admissions
    assert admission["facts"]["cores"] >= 1
    assert admission["facts"]["ram_gib"] > 0
    assert admission["facts"]["gpu_visibility"]
    assert admission["facts"]["dead_man_switch"] is False
    assert abs(admission["facts"]["clock_unix"] - datetime.now(UTC).timestamp()) < 60
    assert admission["self_test"] | {"seconds": 0} == {
        "inference": True,
        "decode": True,
        "execution_provider": "CPUExecutionProvider",
        "seconds": 0,
    }
    assert all(isinstance(value, bool) for value in admission["sandbox"].values())
    plane.wait(lambda: "beat" in plane.calls)
    calls = [call for call in plane.calls if call != "beat"]
    assert calls[:3] == ["ca", "enrol", "admission"]


def test_an_enrolment_whose_reply_is_lost_is_said_again_in_the_same_bytes(plane, worker):
    plane.lost_enrolments = 2
    worker()
    plane.wait(lambda: plane.admissions)
    assert plane.calls.count("enrol") == 3


def test_a_model_an_earlier_worker_fetched_comes_from_the_cache(plane, worker):
    first = plane.add(probe())
    process = worker()
    plane.wait_finished(first)
    process.kill()
    plane.restart_allowed()
    worker()
    second = plane.add(probe())
    plane.wait_finished(second)
    assert plane.arrived.count("models") == 1


def test_two_slots_work_on_two_tasks_at_once(plane, worker):
    tasks = [plane.add(probe()) for _ in range(2)]
    both = threading.Barrier(2, timeout=60)
    plane.before["results"] = lambda: both.wait() < 0 or None
    worker(slots=2)
    plane.wait_finished(*tasks)


def test_certificates_are_renewed_while_work_goes_on(plane, worker):
    plane.renew_seconds = 0
    worker()
    plane.wait(lambda: plane.calls.count("renew") >= 2)
    task = plane.add(probe())
    plane.wait_finished(task)
    assert task.finished["outcome"] == "done"


def test_a_killed_worker_leaves_its_segments_and_the_next_begins_at_the_first_missing(
    plane, worker
):
    task = plane.add(probe(segments=3))
    second = threading.Event()

    def hang_at_second():
        if len(plane.results) == 1 and task.fence == 1:
            second.set()
            with plane.changed:
                plane.changed.wait_for(lambda: task.fence == 2, 60)

    plane.before["results"] = hang_at_second
    first = worker()
    assert second.wait(60)
    kept = dict(plane.results)
    first.kill()
    cached = [path for path in worker.cache.rglob("*") if path.is_file()]
    assert [path.parent.name for path in cached] == ["sha256"]
    fetched = plane.calls.count("objects")
    plane.restart_allowed()
    plane.lose(task)
    worker()
    plane.wait_finished(task)
    assert plane.results[(task.id, 0)] == kept[(task.id, 0)]
    assert plane.calls.count("objects") - fetched == 2
    assert [plane.lines(task, number)[0] for number in range(3)] == [
        frame_of(number) for number in range(3)
    ]


def test_nothing_but_models_is_ever_in_the_folder_that_outlives_the_worker(plane, worker):
    task = plane.add(probe(segments=2))
    worker()
    plane.wait_finished(task)
    kept = [path for path in worker.cache.rglob("*") if path.is_file()]
    assert {path.name: path.read_bytes() for path in kept} == plane.models
    assert {path.parent for path in kept} == {worker.cache / "sha256"}


def test_a_drained_worker_leaves_with_zero_after_its_attempt(plane, worker):
    task = plane.add(probe(segments=2))

    def drain():
        plane.drain = True

    plane.before["results"] = drain
    process = worker()
    assert process.wait() == 0
    assert task.finished["outcome"] == "done"
    assert plane.missing(task) == []


def test_sigterm_ends_an_idle_worker_with_zero(plane, worker):
    process = worker()
    plane.wait(lambda: "beat" in plane.calls)
    process.popen.send_signal(signal.SIGTERM)
    assert process.wait() == 0


def test_sigterm_ends_a_working_worker_without_finishing(plane, worker):
    task = plane.add(probe())
    at_result = threading.Event()
    go_on = threading.Event()

    def hang():
        at_result.set()
        go_on.wait(60)

    plane.before["objects"] = hang
    process = worker()
    assert at_result.wait(60)
    process.popen.send_signal(signal.SIGTERM)
    assert process.wait() == 0
    go_on.set()
    assert task.finished is None
    assert not plane.results


def test_an_authority_that_is_not_the_pinned_one_is_told_nothing(plane, worker):
    process = worker(ca_sha256="ab" * 32)
    assert process.wait() == 3
    assert set(plane.calls) == {"ca"}


def test_a_spent_token_ends_the_worker(plane, worker):
    plane.token_spent = True
    assert worker().wait() == 3
    assert "admission" not in plane.calls


def test_a_worker_that_is_not_admitted_claims_nothing(plane, worker):
    plane.verdict = "refused"
    assert worker().wait() == 3
    assert "claim" not in plane.calls


def test_a_worker_past_its_end_leaves(plane, worker):
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    assert worker(end_by=past).wait() == 0
    assert "claim" not in plane.calls


def test_a_worker_ends_by_itself_when_nobody_answers_any_more(plane, worker):
    process = worker({"LEITSTAND_TEST_UNREACHABLE_SECONDS": "0.5"})
    plane.wait(lambda: "beat" in plane.calls)
    for route in ("beat", "claim"):
        plane.before[route] = lambda: problem(503, "later")
    assert process.wait() == 5


def test_a_worker_without_a_launch_spec_says_so(worker):
    process = worker()
    process.kill()
    from leitstand.worker.main import run

    assert run({"PATH": "/bin"}) == 2


def test_plaintext_is_in_no_file_while_a_worker_works(plane, worker, tmp_path):
    task = plane.add(probe())
    opened = []

    def look():
        for entry in Path(f"/proc/{process.popen.pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                opened.append(str(entry.readlink()))

    plane.before["results"] = look
    process = worker()
    plane.wait_finished(task)
    files = {path for path in opened if path.startswith("/") and not path.startswith("/memfd:")}
    assert files <= {str(process.log_path), "/dev/null", "/dev/urandom"}
    picture = png()
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or picture not in path.read_bytes(), path


def test_a_worker_dumps_no_core_and_writes_and_keeps_nothing_for_others(plane, worker):
    process = worker({"RUNPOD_API_KEY": "not-meant-for-a-worker"})
    plane.wait(lambda: plane.admissions)
    system = Path(f"/proc/{process.popen.pid}")
    assert re.search(r"^Max core file size +0 +0 ", (system / "limits").read_text(), re.MULTILINE)
    assert "\nUmask:\t0077\n" in (system / "status").read_text()
    plane.drain = True
    with plane.changed:
        plane.changed.notify_all()
    assert process.wait() == 0
    kept = set(json.loads(process.log.splitlines()[-1])["environment"])
    assert "PATH" in kept and not kept & {"RUNPOD_API_KEY", VARIABLE}


def test_the_log_names_ids_and_codes_and_no_secret(plane, worker):
    task = plane.add(probe())
    process = worker()
    plane.wait_finished(task)
    plane.drain = True
    with plane.changed:
        plane.changed.notify_all()
    assert process.wait() == 0
    lines = [json.loads(line) for line in process.log.splitlines()]
    assert {"enrolled", "admitted", "attempt over", "leaving"} <= {line["event"] for line in lines}
    assert INSTANCE in process.log
    for secret in ("one-time-token-of-a-test", "AGE-SECRET-KEY", plane.identity.secret.hex()):
        assert secret not in process.log
