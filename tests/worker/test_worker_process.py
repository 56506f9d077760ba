"""A worker process against a control plane, over the real protocol."""

import hashlib
import json
import os
import signal
import threading
from datetime import UTC, datetime, timedelta

import pytest
from worker_media import doubling_model, png
from worker_plane import INSTANCE, Task, problem

from leitstand.core.finding import Detection, Frame, Gap, Stats
from leitstand.vault.envelope import encrypt


def probe(name="t1", segments=1, **options):
    """Pictures of different sizes through the constant model."""
    pictures = {number: png(size=(32 + number, 24)) for number in range(segments)}
    return Task(name, "probe", pictures, {"constant": doubling_model()}, **options)


def frame_of(number):
    box = (1.0, 3.0, 32.0 + number, 24.0)
    return Frame(number, (Detection(box, "person", 1.0),))


# --- the main path -------------------------------------------------------------------------------


def test_a_picture_goes_from_lease_to_a_result_only_the_job_can_read(plane, worker, tmp_path):
    task = plane.add(probe())
    worker()
    plane.wait_finished(task)

    frame, stats = plane.lines(task, 0)
    assert frame == frame_of(0)
    assert isinstance(stats, Stats)
    assert {"fetch", "decode", "infer"} <= stats.seconds.keys()
    assert task.finished["outcome"] == "done"
    assert task.finished["reason"] is None
    assert {"fetch", "load", "decode", "infer", "write"} <= task.finished["stage_seconds"].keys()
    assert png() not in plane.results["t1", 0]


def test_admission_comes_before_the_first_claim_and_says_what_the_machine_is(plane, worker):
    worker()
    plane.wait(lambda: plane.admissions)
    (admission,) = plane.admissions
    assert admission["facts"]["cores"] >= 1
    assert admission["facts"]["ram_gib"] > 0
    assert admission["facts"]["gpu_visibility"]
    assert abs(admission["facts"]["clock_unix"] - datetime.now(UTC).timestamp()) < 60
    assert admission["self_test"] | {"seconds": 0} == {
        "inference": True,
        "decode": True,
        "seconds": 0,
    }
    assert all(isinstance(value, bool) for value in admission["sandbox"].values())
    plane.wait(lambda: "beat" in plane.calls)
    calls = [call for call in plane.calls if call != "beat"]
    assert calls[:3] == ["ca", "enrol", "admission"]


def test_segments_are_committed_one_by_one_in_order(plane, worker):
    task = plane.add(probe(segments=3))
    seen = []
    plane.before["results"] = lambda: seen.append(len(plane.results))
    worker()
    plane.wait_finished(task)
    assert seen == [0, 1, 2]
    assert [plane.lines(task, number)[0] for number in range(3)] == [
        frame_of(number) for number in range(3)
    ]


def test_beats_carry_progress_and_readings_while_an_attempt_lives(plane, worker):
    task = plane.add(probe(segments=2))

    def until_said():
        plane.wait(lambda: any(said["units"] > 0 for b in plane.beats for said in b["attempts"]))

    plane.before["results"] = until_said
    worker()
    plane.wait_finished(task)
    said = [said for beat in plane.beats for said in beat["attempts"]]
    assert {entry["attempt"] for entry in said} == {"att_t1_1"}
    assert said[-1]["units"] >= said[0]["units"]
    assert plane.beats[0]["readings"]["ram_free_gib"] > 0


def test_models_are_fetched_once_and_then_come_from_the_cache(plane, worker, tmp_path):
    first = plane.add(probe("t1"))
    worker().log  # noqa: B018
    plane.wait_finished(first)
    plane.token_spent = False
    plane.drain = True
    second = probe("t2")
    plane.drain = False
    plane.add(second)
    plane.wait_finished(second)
    assert plane.calls.count("models") == 1
    sha256 = hashlib.sha256(doubling_model()).hexdigest()
    assert (tmp_path / "cache" / "sha256" / sha256).read_bytes() == doubling_model()


def test_two_slots_work_on_two_tasks_at_once(plane, worker):
    tasks = [plane.add(probe(name)) for name in ("t1", "t2")]
    both = threading.Barrier(2, timeout=60)
    plane.before["results"] = lambda: both.wait() < 0 or None
    worker(slots=2)
    plane.wait_finished(*tasks)


def test_the_fold_reads_all_results_and_hands_back_the_report(plane, worker):
    from leitstand.core.finding import encode

    for number in (1, 2):
        body = encode([Gap(0, number, "broken")] * number)
        plane.objects[f"res_{number}"] = b"".join(
            encrypt([plane.result_identity.recipient], [body])
        )
    document = json.dumps({"results": ["res_1", "res_2"]}).encode()
    task = Task("t1", "fuse", {0: document}, format="inputs", medium=None, stream=None)
    plane.add(task)
    worker()
    plane.wait_finished(task)
    assert task.finished["outcome"] == "done", task.finished
    assert json.loads(plane.plain(task, 0)) == {
        "report": {"lines": ["gap"] * 3},
        "html": "<p>ok</p>",
    }


def test_certificates_are_renewed_while_work_goes_on(plane, worker):
    plane.renew_seconds = 0
    worker()
    plane.wait(lambda: plane.calls.count("renew") >= 2)
    task = plane.add(probe())
    plane.wait_finished(task)
    assert task.finished["outcome"] == "done"


# --- losing the right to write -------------------------------------------------------------------


def until_beats(plane, count):
    """Blocks a route until so many more beats were answered."""
    target = len(plane.beats) + count
    plane.wait(lambda: len(plane.beats) >= target)


def test_a_fenced_result_ends_the_attempt_without_a_word(plane, worker):
    task = plane.add(probe())

    def lose_once():
        if task.fence == 1:
            plane.lose(task)

    plane.before["results"] = lose_once
    worker()
    plane.wait_finished(task)
    assert task.finished["attempt"] == task.attempts[-1] != task.attempts[0]
    plane.wait(lambda: "finish" in plane.calls)
    assert plane.calls.count("finish") == 1
    assert plane.lines(task, 0)[0] == frame_of(0)


def test_a_stop_drops_the_attempt_and_the_slot_goes_on(plane, worker):
    task = plane.add(probe())
    plane.verdicts["att_t1_1"] = "stop"
    plane.before["objects"] = lambda: until_beats(plane, 2)
    worker()
    plane.wait(lambda: "objects" in plane.calls)
    plane.before.clear()
    other = plane.add(probe("t2"))
    plane.wait_finished(other)
    assert task.finished is None
    assert ("t1", 0) not in plane.results


def test_a_lease_that_runs_out_ends_the_attempt_although_nobody_said_so(plane, worker):
    plane.lease_seconds = 0.4
    task = plane.add(probe())
    for route in ("beat", "objects"):
        plane.before[route] = lambda: problem(503, "later")
    worker()
    plane.wait(lambda: plane.arrived.count("claim") >= 2)
    plane.lease_seconds = 30
    plane.before.clear()
    other = plane.add(probe("t2"))
    plane.wait_finished(other)
    assert task.finished is None
    assert ("t1", 0) not in plane.results


def test_a_hold_finishes_the_segment_and_gives_the_rest_back(plane, worker):
    task = plane.add(probe(segments=3))
    plane.verdicts["att_t1_1"] = "hold"
    plane.before["results"] = lambda: until_beats(plane, 2)
    worker()
    plane.wait_finished(task)
    assert task.finished["outcome"] == "held"
    assert plane.missing(task) == [1, 2]


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
    fetched = plane.calls.count("objects")
    plane.token_spent = False
    plane.lose(task)
    worker()
    plane.wait_finished(task)
    assert plane.results[("t1", 0)] == kept[("t1", 0)]
    assert plane.calls.count("objects") - fetched == 2
    assert [plane.lines(task, number)[0] for number in range(3)] == [
        frame_of(number) for number in range(3)
    ]


# --- whose fault it is ---------------------------------------------------------------------------


def failed(plane, worker, task):
    worker()
    plane.wait_finished(task)
    assert task.finished["outcome"] == "failed"
    return task.finished["blame"], task.finished["reason"]["code"]


def test_a_model_with_other_content_is_refused(plane, worker, tmp_path):
    task = plane.add(probe())
    sha256 = hashlib.sha256(doubling_model()).hexdigest()
    plane.models[sha256] = doubling_model()[:-1] + b"\x0e"
    assert failed(plane, worker, task) == ("model", "model-digest-wrong")
    assert not (tmp_path / "cache" / "sha256" / sha256).exists()
    assert not plane.results


def test_a_tampered_cache_is_mended_from_the_control_plane(plane, worker, tmp_path):
    sha256 = hashlib.sha256(doubling_model()).hexdigest()
    tampered = tmp_path / "cache" / "sha256" / sha256
    tampered.parent.mkdir(parents=True)
    tampered.write_bytes(b"something else")
    task = plane.add(probe())
    worker()
    plane.wait_finished(task)
    assert task.finished["outcome"] == "done"
    assert tampered.read_bytes() == doubling_model()


def test_a_file_that_is_no_model_is_blamed_on_the_model(plane, worker):
    task = plane.add(Task("t1", "probe", {0: png()}, {"constant": b"not onnx"}))
    assert failed(plane, worker, task) == ("model", "model-unloadable")


@pytest.mark.parametrize("harm", ["flip", "cut"])
def test_ciphertext_that_is_not_the_leased_one_is_never_decoded(plane, worker, harm):
    task = plane.add(probe())

    def corrupt():
        data = plane.objects["obj_t1_0"]
        flipped = data[:-1] + bytes([data[-1] ^ 1])
        plane.objects["obj_t1_0"] = flipped if harm == "flip" else data[:-1]

    plane.before["keys"] = corrupt
    blame, code = failed(plane, worker, task)
    assert blame == "us"
    assert code in {"object-corrupt", "object-unreadable", "object-unavailable"}
    assert not plane.results


def test_a_key_for_another_attempt_is_not_used_even_if_it_opens(plane, worker):
    plane.release_context = {"attempt": "att_other"}
    task = plane.add(probe())
    assert failed(plane, worker, task) == ("us", "key-context-wrong")
    assert "objects" not in plane.calls


def test_a_refused_key_is_reported_with_the_reason(plane, worker):
    plane.before["keys"] = lambda: problem(403, "release-refused")
    task = plane.add(probe())
    assert failed(plane, worker, task) == ("us", "key-refused")
    assert task.finished["reason"]["params"] == {"reason": "release-refused"}


def test_a_picture_that_cannot_be_decoded_is_the_item_s_fault(plane, worker):
    task = plane.add(Task("t1", "probe", {0: b"no picture"}, {"constant": doubling_model()}))
    assert failed(plane, worker, task) == ("item", "medium-unreadable")


def test_one_broken_segment_is_a_gap_and_the_rest_goes_on(plane, worker):
    task = probe(segments=3)
    task.segments[1] = b"no picture"
    plane.add(task)
    worker()
    plane.wait_finished(task)
    assert task.finished["outcome"] == "done"
    (gap,) = plane.lines(task, 1)
    assert (gap.type, gap.from_us, gap.to_us) == ("gap", 1, 2)
    assert plane.lines(task, 2)[0] == frame_of(2)


def test_a_host_without_memory_is_blamed_itself(plane, worker):
    task = plane.add(Task("t1", "exhausted", {0: png()}))
    assert failed(plane, worker, task) == ("host", "host-out-of-memory")


def test_a_bug_of_ours_says_where_and_nothing_it_saw(plane, worker):
    task = plane.add(Task("t1", "buggy", {0: png()}))
    worker_process = worker()
    plane.wait_finished(task)
    assert task.finished["blame"] == "us"
    assert task.finished["reason"]["code"] == "worker-error"
    assert "run_buggy" in task.finished["reason"]["params"]["place"]
    assert "canary-3f9a" not in json.dumps(task.finished) + worker_process.log


def test_a_failed_task_does_not_stop_the_slot(plane, worker):
    bad = plane.add(Task("t1", "buggy", {0: png()}))
    good = plane.add(probe("t2"))
    worker()
    plane.wait_finished(bad, good)
    assert good.finished["outcome"] == "done"


@pytest.mark.parametrize("route", ["keys", "objects", "models", "results", "finish"])
def test_an_answer_that_says_later_is_asked_again(plane, worker, route):
    asked = []

    def later():
        asked.append(route)
        return problem(503, "later") if len(asked) <= 2 else None

    plane.before[route] = later
    task = plane.add(probe())
    worker()
    plane.wait_finished(task)
    assert task.finished["outcome"] == "done"
    assert len(asked) >= 3


# --- coming and going ----------------------------------------------------------------------------


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


# --- what it leaves behind -----------------------------------------------------------------------


def test_plaintext_is_in_no_file_while_a_worker_works(plane, worker, tmp_path):
    task = plane.add(probe())
    opened = []

    def look():
        folder = f"/proc/{process.popen.pid}/fd"
        for name in os.listdir(folder):
            try:
                opened.append(os.readlink(f"{folder}/{name}"))
            except OSError:
                continue

    plane.before["results"] = look
    process = worker()
    plane.wait_finished(task)
    files = {path for path in opened if path.startswith("/") and not path.startswith("/memfd:")}
    assert files <= {str(process.log_path), "/dev/null", "/dev/urandom"}
    picture = png()
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or picture not in path.read_bytes(), path


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
