"""Attempts of a real worker process, over the real protocol: results, lost leases, blame.

One worker serves the whole module, so every test also proves that the one before left it whole.
"""

import hashlib
import json

import pytest
from worker_media import constant_detector, doubling_model, frame_of, plain, png, probe
from worker_plane import Task, problem

from leitstand.control.reasons import open_params
from leitstand.core.finding import Gap, Stats, encode
from leitstand.vault.envelope import encrypt


def until_beats(plane, count):
    """Blocks a route until so many more beats were answered."""
    target = len(plane.beats) + count
    plane.wait(lambda: len(plane.beats) >= target)


def until_free(plane, task):
    """Until the slot that was given `task` asks for the next one."""
    plane.wait(lambda: task.attempt)
    claims = plane.arrived.count("claim")
    plane.wait(lambda: plane.arrived.count("claim") > claims)


# --- results -------------------------------------------------------------------------------------


def test_a_picture_goes_from_lease_to_a_result_only_the_job_can_read(working):
    task = working.add(probe())
    working.wait_finished(task)
    frame, stats = working.lines(task, 0)
    assert frame == frame_of(0)
    assert isinstance(stats, Stats)
    assert {"fetch", "decode", "infer"} <= stats.seconds.keys()
    assert task.finished["outcome"] == "done"
    assert task.finished["reason"] is None
    assert {"fetch", "load", "decode", "infer", "write"} <= task.finished["stage_seconds"].keys()
    assert png() not in working.results[task.id, 0]


def test_a_picture_through_the_real_pipeline_and_a_real_model_family(working):
    picture = png(size=(416, 416))
    task = working.add(plain("image", picture, {"detector": constant_detector()}))
    working.wait_finished(task)
    assert task.finished["outcome"] == "done", task.finished
    frame = next(line for line in working.lines(task, 0) if line.type == "frame")
    (detection,) = frame.detections
    assert detection.label == "person"
    assert detection.box == pytest.approx((112, 112, 304, 304), abs=0.5)


def test_segments_are_committed_one_by_one_in_order(working):
    task = working.add(probe(segments=3))
    seen = []
    working.before["results"] = lambda: seen.append(len(working.results))
    working.wait_finished(task)
    assert seen == [0, 1, 2]
    assert [working.lines(task, number)[0] for number in range(3)] == [
        frame_of(number) for number in range(3)
    ]


def test_beats_carry_progress_and_readings_while_an_attempt_lives(working):
    """The worker is shared: a beat about the test before may still be on its way."""
    task = probe(segments=2)

    def of_task():
        every = [said for beat in working.beats for said in beat["attempts"]]
        return [said for said in every if said["attempt"] == task.attempt]

    def until_said():
        working.wait(lambda: any(said["units"] for said in of_task()))

    working.before["results"] = until_said
    working.add(task)
    working.wait_finished(task)
    assert of_task()[-1]["units"] >= of_task()[0]["units"]
    assert working.beats[-1]["readings"]["ram_free_gib"] > 0


def test_the_fold_reads_all_results_and_hands_back_the_report(working):
    for number in (1, 2):
        body = encode([Gap(0, number, "broken")] * number)
        sealed = encrypt([working.result_identity.recipient], [body])
        working.objects[f"res_{number}"] = b"".join(sealed)
    results = [
        {"object_id": f"res_{n}", "pipeline": "probe", "medium": "m", "stream": "s", "segment": n}
        for n in (1, 2)
    ]
    document = {
        "schema": "leitstand.inputs/1",
        "made_at": "2026-01-01T00:00:00Z",
        "lang": "en",
        "job": {},
        "case": {},
        "media": [],
        "results": results,
    }
    inputs = {0: json.dumps(document).encode()}
    task = Task("fold", "fuse", inputs, format="inputs", medium=None, stream=None)
    working.add(task)
    working.wait_finished(task)
    assert task.finished["outcome"] == "done", task.finished
    assert json.loads(working.plain(task, 0)) == {
        "report": {"lines": ["gap"] * 3},
        "html": "<p>ok</p>",
    }


# --- losing the right to write -------------------------------------------------------------------


def test_a_fenced_result_ends_the_attempt_without_a_word(working):
    task = probe()

    def lose_once():
        if task.fence == 1:
            working.lose(task)

    working.before["results"] = lose_once
    working.add(task)
    working.wait_finished(task)
    assert task.finished["attempt"] == task.attempts[-1] != task.attempts[0]
    working.wait(lambda: "finish" in working.calls)
    assert working.arrived.count("finish") == 1
    assert working.lines(task, 0)[0] == frame_of(0)


def test_a_stop_drops_the_attempt_and_the_slot_goes_on(working):
    task = probe()
    working.verdicts[task.id] = "stop"
    working.before["objects"] = lambda: until_beats(working, 2)
    working.add(task)
    until_free(working, task)
    working.before.clear()
    other = working.add(probe())
    working.wait_finished(other)
    assert task.finished is None
    assert (task.id, 0) not in working.results


def test_a_lease_that_runs_out_ends_the_attempt_although_nobody_said_so(working):
    working.lease_seconds = 0.4
    for route in ("beat", "objects"):
        working.before[route] = lambda: problem(503, "later")
    task = working.add(probe())
    until_free(working, task)
    working.lease_seconds = 30
    working.before.clear()
    other = working.add(probe())
    working.wait_finished(other)
    assert task.finished is None
    assert (task.id, 0) not in working.results


def test_a_hold_finishes_the_segment_and_gives_the_rest_back(working):
    task = probe(segments=3)
    working.verdicts[task.id] = "hold"
    working.before["results"] = lambda: until_beats(working, 2)
    working.add(task)
    working.wait_finished(task)
    assert task.finished["outcome"] == "held"
    assert working.missing(task) == [1, 2]


# --- whose fault it is ---------------------------------------------------------------------------


def failed(plane, task):
    """Blame and code of a task that is to fail."""
    plane.add(task)
    plane.wait_finished(task)
    assert task.finished["outcome"] == "failed"
    return task.finished["blame"], task.finished["reason"]["code"]


def in_cache(shared, data):
    return shared.cache / "sha256" / hashlib.sha256(data).hexdigest()


def test_a_model_with_other_content_is_refused(working, shared):
    model = doubling_model(b"swapped")
    other = {hashlib.sha256(model).hexdigest(): model[:-1] + b"!"}
    working.before["models"] = lambda: working.models.update(other)
    task = probe(model=model)
    assert failed(working, task) == ("model", "model-digest-wrong")
    assert not in_cache(shared, model).exists()
    assert (task.id, 0) not in working.results


def test_a_model_whose_files_are_not_those_of_its_digest_is_refused(working):
    task = probe(model=doubling_model(b"pinned"))
    task.digest = "ab" * 32
    assert failed(working, task) == ("model", "model-digest-wrong")
    assert "models" not in working.calls


def test_a_tampered_cache_is_mended_from_the_control_plane(working, shared):
    model = doubling_model(b"tampered")
    kept = in_cache(shared, model)
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_bytes(b"something else")
    task = working.add(probe(model=model))
    working.wait_finished(task)
    assert task.finished["outcome"] == "done"
    assert kept.read_bytes() == model
    (aside,) = kept.parents[1].glob(f"changed/{kept.name[:12]}.changed-*")
    assert aside.read_bytes() == b"something else"


def test_where_the_only_copy_was_tampered_with_every_task_names_it_and_where_it_is_kept(
    working, shared
):
    model = doubling_model(b"the only copy")
    kept = in_cache(shared, model)
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_bytes(b"something else")
    working.before["models"] = lambda: problem(404, "unknown-model-file")
    actual = hashlib.sha256(b"something else").hexdigest()
    for _ in range(2):
        task = probe(model=model)
        assert failed(working, task) == ("model", "model-changed")
        params = task.finished["reason"]["params"]
        assert (params["expected"], params["actual"]) == (kept.name, actual)
        assert (shared.cache / params["kept"]).read_bytes() == b"something else"
        assert open_params(params) == params


def test_a_model_is_fetched_once(working):
    model = doubling_model(b"once")
    for _ in range(2):
        task = working.add(probe(model=model))
        working.wait_finished(task)
    assert working.arrived.count("models") == 1


def test_a_file_that_is_no_model_is_blamed_on_the_model(working):
    assert failed(working, plain("probe", png(), {"constant": b"not onnx"})) == (
        "model",
        "model-unloadable",
    )


@pytest.mark.parametrize(
    ("harm", "code"), [("flip", "object-corrupt"), ("cut", "object-unavailable")]
)
def test_ciphertext_that_is_not_the_leased_one_is_never_decoded(working, harm, code):
    task = probe()

    def corrupt():
        data = working.objects[f"obj_{task.id}_0"]
        changed = data[:-1] + bytes([data[-1] ^ 1]) if harm == "flip" else data[:-1]
        working.objects[f"obj_{task.id}_0"] = changed

    working.before["keys"] = corrupt
    assert failed(working, task) == ("us", code)
    assert (task.id, 0) not in working.results


def test_a_key_for_another_attempt_is_not_used_even_if_it_opens(working):
    working.release_context = {"attempt": "att_other"}
    assert failed(working, probe()) == ("us", "key-context-wrong")
    assert "objects" not in working.calls


def test_a_refused_key_is_reported_with_the_reason(working):
    working.before["keys"] = lambda: problem(403, "key-refused", predicate="tier-allows-class")
    task = probe()
    assert failed(working, task) == ("us", "key-refused")
    assert task.finished["reason"]["params"] == {"predicate": "tier-allows-class"}


def test_a_picture_that_cannot_be_decoded_is_the_item_s_fault(working):
    task = plain("probe", b"no picture", {"constant": doubling_model()})
    assert failed(working, task) == ("item", "medium-unreadable")


def test_one_broken_segment_is_a_gap_and_the_rest_goes_on(working):
    task = probe(segments=3)
    task.segments[1] = b"no picture"
    working.add(task)
    working.wait_finished(task)
    assert task.finished["outcome"] == "done"
    gap = next(line for line in working.lines(task, 1) if line.type == "gap")
    assert (gap.from_us, gap.to_us, gap.reason) == (1, 2, "unreadable")
    assert working.gaps == {(task.id, 1)}
    assert working.lines(task, 2)[0] == frame_of(2)


def test_a_host_without_memory_is_blamed_itself(working):
    assert failed(working, plain("exhausted", png())) == ("host", "host-out-of-memory")


def test_a_bug_of_ours_says_where_and_nothing_it_saw(working, shared):
    task = plain("buggy", png())
    assert failed(working, task) == ("us", "worker-error")
    assert "run_buggy" in task.finished["reason"]["params"]["place"]
    assert "canary-3f9a" not in json.dumps(task.finished) + shared.started[0].log


def test_a_pipeline_that_does_not_exist_is_our_fault(working):
    assert failed(working, plain("nowhere", png()))[0] == "us"


@pytest.mark.parametrize("route", ["keys", "objects", "models", "results", "finish"])
def test_an_answer_that_says_later_is_asked_again(working, route):
    asked = []

    def later():
        asked.append(route)
        return problem(503, "later") if len(asked) <= 2 else None

    working.before[route] = later
    task = working.add(probe(model=doubling_model(route.encode())))
    working.wait_finished(task)
    assert task.finished["outcome"] == "done"
    assert len(asked) >= 3
