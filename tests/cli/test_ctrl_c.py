"""Ctrl-C once holds, twice stops now, and before a job exists everything is taken back."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from leitstand.cli import follow
from leitstand.client import Client
from leitstand.core.problem import Problem
from leitstand.output import Output
from tests.cli import conftest
from tests.cli.conftest import Command
from tests.cli.plane import CTRL_C, INSTANCE, JOB, Act, Plane
from tests.cli.stories import MEDIUM, ended, good_story, instance, segment

pytestmark = pytest.mark.usefixtures("pretend")


def working() -> list[Act]:
    """A job that has committed one of three segments, and then has all the time in the world."""
    return [
        instance("ready", seconds=1.9),
        ("task", {"id": "task_1", "pipeline": "video", "medium": MEDIUM, "state": "leased"}),
        segment(MEDIUM, 0),
    ]


def held(plane: Plane) -> None:
    job = plane.job()
    job |= {"state": "held", "segments": {"done": 2, "total": 3, "redone": 0, "gap": 0}}
    job["instances"] = [{"id": INSTANCE, "state": "terminated"}]
    plane.media[MEDIUM]["held_until"] = "2126-11-25T08:12:00Z"


HELD: list[Act] = [held, ("job", {"state": "held", "reason": None})]


def cancelled(instance_state: str) -> list[Act]:
    def act(plane: Plane) -> None:
        ended("cancelled")(plane)
        plane.job()["instances"] = [{"id": INSTANCE, "state": instance_state}]

    return [act, ("job", {"state": "cancelled", "reason": None})]


def press_after(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Press Ctrl-C once this was printed."""
    note = Output.note

    def pressing(self: Output, words: str, mark: str | None = None) -> None:
        note(self, words, mark)
        if words.startswith(text):
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Output, "note", pressing)


def test_once_finishes_the_segment_releases_and_holds(
    run: Command, plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("clip.avi").write_bytes(b"VID")
    plane.story = working()
    plane.after["hold"] = [segment(MEDIUM, 1), *HELD]
    press_after(monkeypatch, "clip.avi: 1 of 3 segments")
    done = run("analyze", "clip.avi")
    assert done.exit == 130
    assert (
        "Finishing segment 2 of clip.avi, then releasing. Ctrl-C again stops now."
        in done.err.splitlines()
    )
    assert "✓ Released    i-8c20 seen absent; media and 2 of 3 segments kept until" in done.out
    term, *rest = done.lines()[-3:]
    assert term.startswith("They are erased then if Leitstand is running, otherwise by the first")
    assert rest == [
        "Held.",
        "Go on  leitstand jobs resume j-71c0      Drop it  leitstand jobs cancel j-71c0",
    ]
    assert not any("cancel" in asked for asked in plane.asked)


def test_twice_cancels_now(run: Command, plane: Plane) -> None:
    Path("clip.avi").write_bytes(b"VID")
    plane.story = [*working(), CTRL_C]
    plane.after = {"hold": [CTRL_C], "cancel": cancelled("terminated")}
    done = run("analyze", "clip.avi")
    assert done.exit == 130
    assert plane.bodies["cancel"] == {"now": True}
    assert "Stopping now." in done.err
    assert "j-71c0 is cancelled." in done.out


def test_an_instance_that_does_not_end_is_named(
    run: Command, plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "STOP_SECONDS_MAX", 0.2)
    Path("clip.avi").write_bytes(b"VID")
    plane.story = [*working(), CTRL_C]
    plane.after = {"hold": [CTRL_C], "cancel": cancelled("terminating")}
    done = run("analyze", "clip.avi")
    assert done.exit == 130
    assert "! i-8c20 is asked to end, not yet seen absent." in done.err
    assert "Check with  leitstand instances" in done.out


def test_once_does_not_wait_for_the_proof_that_the_instance_of_a_done_job_is_gone(
    run: Command, plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = Output.live

    def pressing(self: Output, text: str) -> None:
        live(self, text)
        if text.startswith("i-8c20 asked to end; waiting until"):
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Output, "live", pressing)
    Path("clip.avi").write_bytes(b"VID")
    left = [{"id": INSTANCE, "state": "terminating"}]
    plane.story = [*working(), ended("done", instances=left), ("job", {"state": "done"})]
    done = run("analyze", "clip.avi")
    assert done.exit == 0
    assert "! Released    i-8c20 asked to end, not yet seen absent;" in done.out + done.err
    assert "Report  leitstand-out/j-71c0/report.html" in done.out
    assert not any("hold" in asked for asked in plane.asked)


def test_a_job_that_is_done_before_the_hold_arrives_is_done(run: Command, plane: Plane) -> None:
    Path("clip.avi").write_bytes(b"VID")
    plane.story = [*working(), CTRL_C]
    plane.after["hold"] = good_story(3)[3:]
    done = run("analyze", "clip.avi")
    assert "1 of 1 media, no gaps." in done.out
    assert done.exit == 0


def test_a_hold_that_is_refused_because_it_ended_is_no_error(run: Command, plane: Plane) -> None:
    Path("clip.avi").write_bytes(b"VID")
    story = working()
    plane.story = [*story, CTRL_C, ended("done"), ("job", {"state": "done", "reason": None})]
    plane.problems[f"POST /jobs/{'job_01KAR3W6V9Q4T8ZC5N0EXB71C0'}/hold"] = {
        "type": "urn:leitstand:problem:job-changed", "status": 409, "exit": 1,
        "params": {"job": "j-71c0", "state": "done"},
    }  # fmt: skip
    done = run("analyze", "clip.avi")
    assert done.exit == 0
    assert "error" not in done.err


def refused(code: str, exit: int = 3, **params: object) -> dict[str, object]:
    return {
        "type": f"urn:leitstand:problem:{code}", "status": 409, "exit": exit, "params": params,
    }  # fmt: skip


FULL = refused("store-full", 1, where="/state/leitstand.db")
NO_ROOM: Act = ("store", {"code": "store-full", "params": {"where": "/state/leitstand.db"}})
ROOM: Act = ("store", {"code": None, "params": {}})


def test_a_hold_that_cannot_be_written_down_is_said_and_made_as_soon_as_it_can(
    run: Command, plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("clip.avi").write_bytes(b"VID")
    plane.story = [*working(), CTRL_C]
    plane.problems[f"POST /jobs/{JOB}/hold"] = FULL

    def room(found: Plane) -> None:
        found.problems.clear()
        found.after["hold"] = HELD

    caution = Output.caution

    def cautioned(self: Output, problem: Problem) -> None:
        caution(self, problem)
        plane.tell([room, ROOM])

    monkeypatch.setattr(Output, "caution", cautioned)
    done = run("analyze", "clip.avi")
    assert done.exit == 130
    assert "! j-71c0 is not held yet: no space is left for the database" in done.err
    assert "do   make room, then it is held; Ctrl-C again ends its instances now" in done.err
    assert "Held." in done.out


def test_a_cancel_that_cannot_be_written_down_is_asked_for_until_the_instances_are_gone(
    run: Command, plane: Plane
) -> None:
    Path("clip.avi").write_bytes(b"VID")
    path = f"POST /jobs/{JOB}/cancel"
    left = [2, 1, 0, 0]

    def not_kept(found: Plane) -> None:
        more = {"job": JOB, "store": "store-full", "where": "/state/leitstand.db"}
        found.problems[path] = refused("cancel-not-kept", 1, left=left.pop(0), **more)

    def pressed(found: Plane) -> None:
        not_kept(found)
        os.kill(os.getpid(), signal.SIGINT)

    plane.story = [*working(), CTRL_C]
    plane.after["hold"] = [pressed]
    plane.before[path] = not_kept
    done = run("analyze", "clip.avi")
    assert done.exit == 130
    assert plane.asked.count(path) == 3
    assert "error: the end of j-71c0 could not be written down" in done.err
    assert "none of its instances is left" in done.err
    assert "leitstand jobs cancel j-71c0 makes sure of it" in done.err


def test_while_the_control_plane_cannot_write_the_command_says_so_once(
    run: Command, plane: Plane
) -> None:
    Path("clip.avi").write_bytes(b"VID")
    told: list[Act] = [NO_ROOM, ROOM, NO_ROOM, ROOM]
    plane.story = [*working(), *told, *good_story(3)[3:]]
    done = run("analyze", "clip.avi")
    assert done.exit == 0
    assert done.err.count("! the control plane cannot write: no space is left") == 1
    assert "  why  nothing that is found now could be kept, so the job waits" in done.err
    assert "  do   make room or mend the database, then it goes on by itself;" in done.err


@pytest.mark.parametrize("moment", ["intake", "planning"])
def test_before_a_job_exists_what_was_sent_is_erased(
    run: Command, plane: Plane, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    Path("a.avi").write_bytes(b"VID1")
    Path("b.avi").write_bytes(b"VID2")

    def press(*given: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    if moment == "planning":
        from leitstand.cli import wanted

        monkeypatch.setattr(wanted, "provide", press)
    else:
        monkeypatch.setattr(conftest.Pretended, "close", press)
    done = run("analyze", "a.avi", "b.avi")
    assert done.exit == 130
    assert "Stopped before anything was started; what was sent is erased." in done.err
    assert {medium["state"] for medium in plane.media.values()} == {"erased"}
    assert "POST /jobs" not in plane.asked


def started_and_pressed(plane: Plane) -> None:
    """The job has begun to use its media when Ctrl-C comes, before the answer does."""
    plane.lists["jobs"] = [plane.job()]
    plane.problems[f"DELETE /media/{MEDIUM}"] = refused("medium-in-use", medium=MEDIUM)
    os.kill(os.getpid(), signal.SIGINT)


def withdrawn(plane: Plane) -> None:
    plane.job()["state"] = "cancelled"
    plane.problems.clear()


def test_pressed_while_the_job_starts_it_is_cancelled_and_what_was_sent_is_erased(
    run: Command, plane: Plane
) -> None:
    Path("clip.avi").write_bytes(b"VID")
    plane.after = {"start": [started_and_pressed], "cancel": [withdrawn]}
    done = run("analyze", "clip.avi")
    assert done.exit == 130
    assert plane.bodies["cancel"] == {"now": True}
    assert plane.media[MEDIUM]["state"] == "erased"
    assert done.err.splitlines()[-2:] == ["j-71c0 is cancelled.", "What was sent is erased."]


def test_a_job_of_another_decision_is_left_alone(run: Command, plane: Plane) -> None:
    Path("clip.avi").write_bytes(b"VID")

    def other(found: Plane) -> None:
        started_and_pressed(found)
        found.lists["jobs"] = [found.job() | {"decision": "decision_of_somebody_else"}]

    plane.after = {"start": [other]}
    done = run("analyze", "clip.avi")
    assert done.exit == 130
    assert "cancel" not in plane.bodies
    assert "error: one file that was sent is not erased (m-0001)" in done.err
    assert "is needed by a job that is not over" in done.err
    assert "leitstand media erase m-0001" in done.err


def test_what_cannot_be_erased_is_counted_and_nobody_is_asked_again(
    run: Command, plane: Plane
) -> None:
    for name in ("a.avi", "b.avi"):
        Path(name).write_bytes(name.encode().replace(b"a", b"VIDa").replace(b"b", b"VIDb"))
    gone = refused("store-unavailable", 5, where="/state/leitstand.db", reason="SQLITE_IOERR")
    plane.problems = {f"DELETE /media/{MEDIUM}": gone, "POST /jobs": gone}
    done = run("analyze", "a.avi", "b.avi")
    assert done.exit == 5
    assert "error: 2 files that were sent are not erased (m-0001 is one)" in done.err
    assert done.err.count("the database at /state/leitstand.db cannot be used") == 2
    assert [asked for asked in plane.asked if asked.startswith("DELETE")] == [
        f"DELETE /media/{MEDIUM}"
    ]


def test_pressed_again_while_it_is_erased_what_is_left_is_named(
    run: Command, plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("clip.avi").write_bytes(b"VID")

    def interrupted(*given: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Client, "delete", interrupted)
    plane.after = {"start": [lambda found: os.kill(os.getpid(), signal.SIGINT)]}
    done = run("analyze", "clip.avi")
    assert done.exit == 130
    assert "one file that was sent is not erased (m-0001)\n  why  Ctrl-C stopped it" in done.err
    assert "Stopped before" not in done.err


@pytest.mark.parametrize("known", [True, False])
def test_a_medium_whose_announcement_was_interrupted_is_taken_back(
    run: Command, plane: Plane, known: bool
) -> None:
    Path("clip.avi").write_bytes(b"VID")

    def pressed(found: Plane) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        if known:
            found.media[MEDIUM] = {"id": MEDIUM, "state": "receiving"}
        else:
            found.problems[f"DELETE /media/{MEDIUM}"] = refused("unknown-medium", 2, medium=MEDIUM)

    plane.problems["POST /media"] = refused("internal", 1)
    plane.before["POST /media"] = pressed
    done = run("analyze", "clip.avi")
    assert done.exit == 130
    assert f"DELETE /media/{MEDIUM}" in plane.asked
    assert {medium["state"] for medium in plane.media.values()} <= {"erased"}
    assert done.err.splitlines()[-1].endswith("what was sent is erased.")


@pytest.mark.parametrize("command", ["analyze", "plan"])
def test_an_error_of_any_kind_takes_back_what_was_sent(
    run: Command, plane: Plane, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    Path("clip.avi").write_bytes(b"VID")

    def fails(*given: object) -> None:
        raise OSError(5, "the disk is gone")

    monkeypatch.setattr("leitstand.cli.wanted.provide", fails)
    done = run(command, "clip.avi")
    assert done.exit == 1
    assert plane.media[MEDIUM]["state"] == "erased"


def test_json_says_held_with_what_is_kept(run: Command, plane: Plane) -> None:
    Path("clip.avi").write_bytes(b"VID")
    plane.story = [*working(), CTRL_C]
    plane.after["hold"] = HELD
    done = run("analyze", "clip.avi", "--json")
    last = json.loads(done.lines()[-1])
    assert (last["event"], last["state"], last["segments"]["done"]) == ("done", "held", 2)


def test_a_held_job_is_resumed_and_followed_to_its_report(run: Command, plane: Plane) -> None:
    Path("clip.avi").write_bytes(b"VID")
    plane.story = [*working(), CTRL_C]
    plane.after["hold"] = HELD
    assert run("analyze", "clip.avi").exit == 130

    plane.after["resume"] = [lambda found: found.job().update(state="running")]
    plane.later = good_story(3)[4:]
    done = run("jobs", "resume", "j-71c0")
    assert done.exit == 0
    assert "Report  leitstand-out/j-71c0/report.html" in done.out


def test_the_same_command_on_the_same_files_goes_on(run: Command, plane: Plane) -> None:
    Path("clip.avi").write_bytes(b"VID")
    Path("leer.wav").write_bytes(b"")
    plane.story = [*working(), CTRL_C]
    plane.after["hold"] = HELD
    assert run("analyze", "clip.avi", "leer.wav").exit == 130
    plane.lists["jobs"] = [plane.job()]

    def goes_on(found: Plane) -> None:
        found.job()["state"] = "running"
        found.later = good_story(3)[4:]

    plane.after["resume"] = [goes_on]
    Path("elsewhere").mkdir()
    Path("clip.avi").rename("elsewhere/renamed.avi")
    done = run("analyze", "elsewhere/renamed.avi", "leer.wav")
    assert done.err.startswith("These are the files of j-71c0, which was held. It goes on.")
    assert "error: leer.wav has nothing to analyse" in done.err
    assert "1 failed (leer.wav)" in done.out
    assert done.exit == 1
    assert plane.asked.count("POST /jobs") == 1


def test_files_that_intake_leaves_out_or_refuses_do_not_keep_a_held_job_from_going_on(
    run: Command, plane: Plane
) -> None:
    Path("given").mkdir()
    for name, body in {"clip.avi": b"VID", "notes.txt": b"notes", "list.m3u": b"#EXTM3U\n"}.items():
        Path("given", name).write_bytes(body)
    plane.story = [*working(), CTRL_C]
    plane.after["hold"] = HELD
    assert run("analyze", "given").exit == 130
    ended_since = [plane.job() | {"id": f"job_{n}", "state": "done"} for n in range(60)]
    plane.lists["jobs"] = [*ended_since, plane.job()]

    def goes_on(found: Plane) -> None:
        found.job()["state"] = "running"
        found.later = good_story(3)[4:]

    plane.after["resume"] = [goes_on]
    done = run("analyze", "given")
    assert plane.asked.count("POST /jobs") == 1
    assert "! 1 file was left out" in done.err
    assert "error: list.m3u was not taken" in done.err
    assert done.exit == 1


WISHES = {
    "profile": ["--profile", "people"],
    "case": ["--case", "K-1"],
    "class": ["--class", "3"],
    "provider": ["--provider", "local"],
    "cost": ["--max-cost", "1"],
    "time": ["--by", "in 3h"],
}


@pytest.mark.parametrize(
    ("wish", "planned"),
    [
        (["--class", "2"], {}),
        ([], {"max_cost_eur": "2", "due_at": "2126-11-24T12:00:00Z", "provider": "local"}),
        (["--provider", "local"], {"provider": "local"}),
        (["--max-cost", "3"], {"max_cost_eur": "2.50"}),
        (["--by", "2126-11-24T14:00"], {"due_at": "2126-11-23T12:00:00Z"}),
    ],
)
def test_a_held_job_within_the_bounds_that_are_named_now_goes_on(
    run: Command, plane: Plane, wish: list[str], planned: dict[str, object]
) -> None:
    Path("clip.avi").write_bytes(b"VID1")
    plane.story = [*working(), CTRL_C]
    plane.after["hold"] = HELD
    assert run("analyze", "clip.avi").exit == 130
    plane.lists["jobs"] = [plane.job() | planned]

    def goes_on(found: Plane) -> None:
        found.job()["state"] = "running"
        found.later = good_story(3)[4:]

    plane.after["resume"] = [goes_on]
    assert run("analyze", "clip.avi", *wish).exit == 0
    assert plane.asked.count("POST /jobs") == 1


def test_without_a_class_no_job_of_the_inbox_of_another_class_goes_on(
    run: Command, plane: Plane
) -> None:
    Path("clip.avi").write_bytes(b"VID1")
    plane.story = [*working(), CTRL_C]
    plane.after["hold"] = HELD
    assert run("analyze", "clip.avi", "--class", "0").exit == 130
    plane.lists["jobs"] = [plane.job() | {"data_class": 0}]
    plane.events, plane.story = [], good_story(3)
    run("analyze", "clip.avi")
    assert plane.asked.count("POST /jobs") == 2


@pytest.mark.parametrize("other", ["content", "more", *WISHES])
def test_anything_else_is_a_new_job(run: Command, plane: Plane, other: str) -> None:
    Path("clip.avi").write_bytes(b"VID1")
    plane.story = [*working(), CTRL_C]
    plane.after["hold"] = HELD
    assert run("analyze", "clip.avi").exit == 130
    plane.lists["jobs"] = [plane.job()]
    plane.events, plane.story = [], good_story(3)
    more = WISHES.get(other, [])
    if other == "content":
        Path("clip.avi").write_bytes(b"VID2")
    if other == "more":
        Path("b.jpg").write_bytes(b"IMG")
        more = ["b.jpg"]
    run("analyze", "clip.avi", *more)
    assert plane.asked.count("POST /jobs") == 2
