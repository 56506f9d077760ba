"""The main path as a person sees it, against a control plane of cardboard."""

from __future__ import annotations

import errno
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from leitstand.cli import reports
from tests.cli.conftest import Command
from tests.cli.plane import BREAK, JOB, Plane, decision
from tests.cli.stories import ended, good_story, instance
from tests.cli.test_ctrl_c import refused

pytestmark = pytest.mark.usefixtures("pretend")


def masked(text: str) -> str:
    """Times replaced, spaces that hold numbers and units together made ordinary."""
    return re.sub(r"\d+(\.\d+)? (s|min)\b", "TIME", text.replace("\u00a0", " "))


def test_golden_transcript_of_an_analysis_on_this_computer(run: Command, plane: Plane) -> None:
    Path("clip.avi").write_bytes(b"VID" * 1000)
    plane.story = good_story(3)
    done = run("analyze", "clip.avi", terminal=True)
    assert masked(done.out).splitlines() == [
        "Case inbox, 1 video (1:19.5). Nothing leaves this computer, no money flows.",
        "✓ Plan        this computer: 4 cores, no GPU; about TIME",
        "✓ Instance    i-8c20 admitted in TIME, all checks passed",
        "✓ Models      nanodet-g 1.3.0: digests match",
        "✓ clip.avi      2 persons, 1 bus",
        "✓ Released    i-8c20 seen absent; media erased (receipt 3)",
        "Done in TIME for 0.00 €. 1 of 1 media, no gaps.",
        "Report  leitstand-out/j-71c0/report.html      Next  leitstand audit verify",
    ] or pytest.fail(done.out + done.err)
    assert done.exit == 0


def test_an_instance_that_did_its_work_ends_without_a_warning(run: Command, plane: Plane) -> None:
    Path("clip.avi").write_bytes(b"VID")
    *before, end, done_event = good_story(3)
    idle = instance("terminating", reason={"code": "idle", "params": {}})
    plane.story = [*before, idle, end, done_event]
    done = run("analyze", "clip.avi")
    assert "✓ Instance    i-8c20 ends: nobody needs it any more" in done.out.splitlines()
    assert done.err.count("!") == 0


HERE = decision()["chosen"]
ELSEWHERE = {
    "the control plane": ({"embedded": False}, {}),
    "the blobs": ({"kept_here": False}, {}),
    "the machine": ({}, {"chosen": HERE | {"offer": HERE["offer"] | {"tier": "A"}}}),
    "the machine, for money": ({}, {"chosen": HERE | {"worst_eur": "0.10"}}),
}


@pytest.mark.parametrize(("place", "plan"), ELSEWHERE.values(), ids=ELSEWHERE.keys())
def test_where_anything_is_elsewhere_nobody_says_that_nothing_leaves(
    run: Command, plane: Plane, place: dict[str, bool], plan: dict[str, Any]
) -> None:
    Path("a.jpg").write_bytes(b"IMG")
    vars(plane).update(place)
    plane.decision = decision(**plan)
    done = run("plan", "a.jpg")
    assert "Nothing leaves" not in done.out
    assert re.match(r"Case inbox, 1 image\. Encrypted here, \d+ B stored\.", masked(done.out))


def test_german_transcript(run: Command, plane: Plane) -> None:
    Path("clip.avi").write_bytes(b"VID" * 1000)
    Path("leer.wav").write_bytes(b"")
    plane.story = good_story(3)
    done = run("analyze", "leer.wav", "clip.avi", "--lang", "de")
    assert "Fehler: leer.wav enthält nichts zum Auswerten: die Datei ist leer (0 Byte)" in done.err
    assert "✓ Plan        dieser Rechner: 4 Kerne, keine GPU; etwa TIME" in masked(done.out)
    assert "1 von 2 Medien" in done.out
    assert "Die Auswertung enthält das andere." in done.out
    assert plane.bodies["plan"]["lang"] == "de"
    assert done.exit == 1


def test_only_ciphertext_is_sent_and_it_opens_to_the_file(run: Command, plane: Plane) -> None:
    Path("a.jpg").write_bytes(b"IMG" + os.urandom(100_000))
    plane.story = good_story()
    assert run("analyze", "a.jpg").exit == 0
    (medium,) = plane.media.values()
    (cut,) = medium["segments"]
    assert plane.plaintext(cut["object_id"], medium["id"]) == Path("a.jpg").read_bytes()
    assert Path("a.jpg").read_bytes()[:64] not in plane.objects[cut["object_id"]]
    assert medium["exif"] == {"GPS": "/wA=", "maker": "?", "ratio": None}


def test_report_lies_whole_and_private_where_it_was_asked_for(run: Command, plane: Plane) -> None:
    Path("a.jpg").write_bytes(b"IMG")
    plane.story = good_story()
    assert run("analyze", "a.jpg", "--out", "x/y").exit == 0
    assert {path.name for path in Path("x/y").iterdir()} == {"report.json", "report.html"}
    assert Path("x/y/report.html").stat().st_mode & 0o777 == 0o600


def no_room(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The disk is full when a file of this name is written, and then takes no change at all."""
    write, unlink = reports._write, Path.unlink
    full: list[OSError] = []

    def refuse(part: Path, data: bytes) -> None:
        if part.name == name:
            full.append(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
            raise full[0]
        write(part, data)

    def removed(path: Path, missing_ok: bool = False) -> None:
        unlink(path, missing_ok)
        if full:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(reports, "_write", refuse)
    monkeypatch.setattr(Path, "unlink", removed)


@pytest.mark.parametrize("name", [".report.json.part", ".report.html.part"])
def test_a_report_that_cannot_be_written_is_named_with_how_to_get_it(
    run: Command, plane: Plane, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    Path("a.jpg").write_bytes(b"IMG")
    plane.story = good_story()
    no_room(monkeypatch, name)
    done = run("analyze", "a.jpg", "--out", "x")
    assert done.exit == 1
    assert "error: the report of j-71c0 is not written: x/report." in done.err
    assert "  why  No space left on device; nothing is lost" in done.err
    assert done.err.endswith("  do   leitstand jobs report j-71c0 --out DIR\n")
    assert "✓ a.jpg" in done.out and "1 of 1 media" in done.out
    assert "Report" not in done.out
    assert list(Path("x").iterdir()) == []


def test_a_report_that_cannot_be_written_still_ends_json_lines(
    run: Command, plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("a.jpg").write_bytes(b"IMG")
    plane.story = good_story()
    no_room(monkeypatch, ".report.html.part")
    done = run("analyze", "a.jpg", "--json")
    last = json.loads(done.lines()[-1])
    assert (done.exit, last["event"], last["job"], last["report"]) == (1, "done", JOB, None)
    assert json.loads(done.err)["error"]["code"] == "report-unwritten"


def test_a_name_that_was_erased_before_it_was_seen_is_said_to_be(
    run: Command, plane: Plane
) -> None:
    Path("a.jpg").write_bytes(b"IMG1")
    Path("b.jpg").write_bytes(b"IMG2")

    def erased(found: Plane) -> None:
        for medium in found.job()["media"]:
            medium["name"] = None

    def fails(found: Plane) -> None:
        ended("done")(found)
        found.job()["media"][1] |= {
            "state": "failed", "reason": {"code": "medium-unreadable", "params": {}},
        }  # fmt: skip

    plane.after["start"] = [erased]
    plane.story = [fails, ("job", {"state": "done", "reason": None})]
    done = run("analyze", "a.jpg", "b.jpg")
    assert "✓ (erased)" in done.out
    assert "1 failed ((erased))" in done.out
    assert "error: nothing of (erased) could be decoded" in done.err
    assert "None" not in done.out + done.err


def test_an_unwritable_out_is_said_before_anything_is_sent(run: Command, plane: Plane) -> None:
    Path("a.jpg").write_bytes(b"IMG")
    Path("file").write_text("")
    done = run("analyze", "a.jpg", "--out", "file/below")
    assert done.exit == 2
    assert "error: file/below cannot be written" in done.err
    assert plane.asked == []


def test_json_lines_end_with_what_scripts_need(run: Command, plane: Plane) -> None:
    Path("a.jpg").write_bytes(b"IMG")
    plane.story = good_story()
    done = run("analyze", "a.jpg", "--json")
    events = [json.loads(line) for line in done.lines()]
    last = events[-1]
    assert last.pop("seconds") >= 0
    assert last == {
        "event": "done", "job": JOB, "state": "done", "reason": None,
        "report": "leitstand-out/j-71c0/report.json",
        "media": {"done": 1, "failed": 0}, "gaps": 0, "cost_eur": "0.00", "receipts": [3],
    }  # fmt: skip
    assert {"file", "plan", "instance", "segment", "job"} <= {event["event"] for event in events}
    assert done.err == ""


def test_piped_progress_is_one_line_for_each_committed_segment(run: Command, plane: Plane) -> None:
    Path("clip.avi").write_bytes(b"VID")
    plane.story = good_story(3)
    done = run("analyze", "clip.avi")
    assert [line.split(",")[0] for line in done.err.splitlines()] == [
        "clip.avi: 1 of 3 segments",
        "clip.avi: 2 of 3 segments",
        "clip.avi: 3 of 3 segments",
    ]
    assert "\x1b" not in done.out + done.err


def test_live_strip_is_on_stderr_and_taken_away_again(run: Command, plane: Plane) -> None:
    Path("clip.avi").write_bytes(b"VID")
    story = good_story(3)
    story.insert(3, ("progress", {
        "segments": {"done": 1, "total": 3, "gap": 0}, "units_per_s": 41.0, "cost_eur": "0.00",
        "media": {"medium_01KAR3W6V9Q4T8ZC5N0EXB0001": {"done": 1, "total": 3}},
    }))  # fmt: skip
    plane.story = story
    done = run("analyze", "clip.avi", terminal=True)
    assert "clip.avi    ▰▱▱  33 %   41 frames/s   0.00 €" in done.err.replace("\u00a0", " ")
    assert "▰" not in done.out
    assert done.err.endswith("\r\x1b[2K")


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ({"code": "medium-unreadable", "params": {}}, "nothing of b.jpg could be decoded"),
        (
            {"code": "not-in-profile", "params": {"profile": "audio"}},
            "b.jpg was not analysed: the profile audio looks for nothing in it",
        ),
    ],
)
def test_a_medium_that_fails_on_the_way_makes_the_batch_partial(
    run: Command, plane: Plane, reason: dict[str, Any], told: str
) -> None:
    Path("a.jpg").write_bytes(b"IMG1")
    Path("b.jpg").write_bytes(b"IMG2")

    def fails(found: Plane) -> None:
        ended("done")(found)
        found.job()["media"][1] |= {
            "state": "failed",
            "reason": reason,
        }

    plane.story = [fails, ("job", {"state": "done", "reason": None})]
    done = run("analyze", "a.jpg", "b.jpg")
    assert done.exit == 1
    assert f"error: {told}" in done.err
    assert "1 of 2 media" in done.out
    assert "1 failed (b.jpg)" in done.out


def test_gaps_are_done_and_say_so(run: Command, plane: Plane) -> None:
    Path("clip.avi").write_bytes(b"VID")
    segments = {"done": 2, "total": 3, "redone": 0, "gap": 1}

    def in_part(found: Plane) -> None:
        ended("done", segments=segments)(found)
        medium = found.report["media"][0]
        found.job()["media"][0]["state"] = "partial"
        gap = {"media": medium["id"], "stream": "video:0", "from_s": 53.0, "to_s": 79.5}
        found.report["gaps"] = [{**gap, "reason": "truncated", "sentence": ""}]

    plane.story = [in_part, ("job", {"state": "done", "reason": None})]
    done = run("analyze", "clip.avi")
    assert "error: clip.avi ends in the middle: 0:53.0 of 1:19.5 read" in done.err
    assert "! clip.avi" in done.out
    assert "1 gap." in done.out
    assert "1 could be read in part only (clip.avi); the report marks what is missing." in done.out
    assert done.exit == 1


@pytest.mark.parametrize(
    ("image", "told"),
    [({"readable": 0.62}, ": at least 62 % of the picture is there\n"), ({}, "\n")],
)
def test_a_picture_cut_short_is_told_without_times(
    run: Command, plane: Plane, image: dict[str, float], told: str
) -> None:
    Path("a.jpg").write_bytes(b"IMG")

    def in_part(found: Plane) -> None:
        ended("done")(found)
        medium = found.report["media"][0]
        found.job()["media"][0]["state"] = "partial"
        medium |= {"kind": "image", "technical": {"image": image}}
        gap = {"media": medium["id"], "stream": "image:0", "from_s": 0.0, "to_s": 0.0}
        found.report["gaps"] = [{**gap, "reason": "truncated", "sentence": ""}]

    plane.story = [in_part, ("job", {"state": "done", "reason": None})]
    done = run("analyze", "a.jpg")
    assert f"error: a.jpg was read in part{told}" in done.err.replace("\u00a0", " ")
    assert "0:00" not in done.err
    assert done.exit == 1


def test_a_failed_job_says_why_and_what_to_do(run: Command, plane: Plane) -> None:
    Path("a.jpg").write_bytes(b"IMG")
    reason = {"code": "no-instance-stays", "params": {"launches": 8}}
    plane.story = [
        ended("failed", reason=reason),
        ("job", {"state": "failed", "reason": reason}),
    ]
    done = run("analyze", "a.jpg")
    assert done.exit == 1
    assert "error: no instance stayed up (8 tried)" in done.err
    assert "  do   leitstand doctor" in done.err


def test_a_job_that_is_held_because_it_cannot_go_on_says_why_and_how_to_go_on(
    run: Command, plane: Plane
) -> None:
    Path("a.jpg").write_bytes(b"IMG")
    reason = {"code": "no-instance-stays", "params": {"launches": 8}}
    plane.story = [ended("held", reason=reason), ("job", {"state": "held", "reason": reason})]
    done = run("analyze", "a.jpg")
    assert done.exit == 1
    assert "error: no instance stayed up (8 tried)" in done.err
    assert "leitstand jobs resume" in done.out


@pytest.mark.parametrize("state", ["done", "held", "cancelled", "failed"])
def test_the_last_of_the_json_lines_has_the_same_names_however_the_job_ended(
    run: Command, plane: Plane, state: str
) -> None:
    Path("a.jpg").write_bytes(b"IMG")
    reason = {"code": "no-instance-stays", "params": {"launches": 8}} if state == "failed" else None
    plane.story = [ended(state, reason=reason), ("job", {"state": state, "reason": reason})]
    last = json.loads(run("analyze", "a.jpg", "--json").lines()[-1])
    assert {
        "event", "job", "state", "reason", "report", "media", "gaps", "cost_eur", "seconds",
        "receipts",
    } == set(last) - {"segments", "left"}  # fmt: skip
    assert (last["event"], last["state"], last["reason"]) == ("done", state, reason)


@pytest.mark.parametrize("state", ["held", "cancelled"])
def test_an_analysis_that_is_held_or_cancelled_from_elsewhere_was_interrupted(
    run: Command, plane: Plane, state: str
) -> None:
    Path("a.jpg").write_bytes(b"IMG")
    plane.story = [ended(state), ("job", {"state": state, "reason": None})]
    done = run("analyze", "a.jpg", "--json")
    assert done.exit == 130
    last = json.loads(done.lines()[-1])
    assert (last["event"], last["state"]) == ("done", state)
    assert done.err == ""


def test_a_lost_instance_is_told_once(run: Command, plane: Plane) -> None:
    Path("clip.avi").write_bytes(b"VID")
    story = good_story(3)
    story.insert(4, instance("terminated", reason={"code": "instance-lost", "params": {}}))
    plane.story = story
    done = run("analyze", "clip.avi")
    assert done.err.count("! i-8c20 ended: the instance was lost.") == 1


def test_a_broken_stream_is_resumed_after_the_last_event(run: Command, plane: Plane) -> None:
    Path("clip.avi").write_bytes(b"VID")
    story = good_story(3)
    story.insert(4, BREAK)
    plane.story = story
    done = run("analyze", "clip.avi")
    assert done.exit == 0
    assert plane.last_event_ids == ["0", "4"]
    assert done.err.count("clip.avi: ") == 3


def test_a_ping_within_what_happened_so_far_does_not_end_it(run: Command, plane: Plane) -> None:
    Path("clip.avi").write_bytes(b"VID")
    story = good_story(3)
    plane.story = [ended("done"), ("ping", {}), *story]
    done = run("analyze", "clip.avi")
    assert done.exit == 0
    assert done.err.count("clip.avi: ") == 3


def test_a_ping_is_the_occasion_to_look_at_the_job(run: Command, plane: Plane) -> None:
    Path("clip.avi").write_bytes(b"VID")

    plane.story = [*good_story(3)[:4], ("present", {}), ended("cancelled"), ("ping", {})]
    assert run("analyze", "clip.avi").exit == 130


@pytest.mark.parametrize("call", ["GET /events", f"GET /jobs/{JOB}"])
def test_a_database_that_is_away_for_a_while_is_named_and_waited_for(
    run: Command, plane: Plane, call: str
) -> None:
    Path("clip.avi").write_bytes(b"VID")

    def away(found: Plane) -> None:
        where = "postgresql:///leitstand"
        found.problems[call] = refused("store-unavailable", 5, where=where, reason="connection")

    plane.before[call] = lambda found: found.problems.pop(call)
    plane.story = good_story(3)
    plane.story[4:4] = [away, BREAK]
    done = run("analyze", "clip.avi")
    assert done.exit == 0
    told = "the control plane cannot write: the database at postgresql:///leitstand cannot be used"
    assert done.err.count(told) == 1


def test_a_damaged_database_is_not_waited_for(run: Command, plane: Plane) -> None:
    Path("clip.avi").write_bytes(b"VID")
    damaged = refused("store-unavailable", 5, where="/x.db", reason="SQLITE_CORRUPT")
    plane.problems["GET /events"] = damaged
    assert run("analyze", "clip.avi").exit == 5


def test_parts_that_got_lost_are_sent_again(run: Command, plane: Plane) -> None:
    Path("a.jpg").write_bytes(b"IMG")
    plane.story = good_story()
    plane.lose_parts = 2
    assert run("analyze", "a.jpg").exit == 0
    assert sum("PUT" in asked for asked in plane.asked) == 3


def test_verbose_adds_reasons_and_twice_the_log(run: Command, plane: Plane) -> None:
    Path("clip.avi").write_bytes(b"VID")
    story = good_story(3)
    reason = {"code": "lease-expired", "params": {}}
    story.insert(4, ("task", {"id": "t", "pipeline": "video", "state": "queued", "reason": reason}))
    plane.story = story
    done = run("analyze", "clip.avi", "-v")
    assert "video, queued: its lease ran out" in done.err
    plane.events, plane.story = [], good_story(3)
    Path("b.avi").write_bytes(b"VID2")
    assert "/api/v1/plans" in run("analyze", "b.avi", "-vv").err
