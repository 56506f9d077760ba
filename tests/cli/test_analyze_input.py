"""What people hand to `analyze`: bad files, odd names, folders, the same file twice."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from leitstand.core.problem import Exit, Problem
from tests.cli.conftest import Command, Pretended, Segment
from tests.cli.plane import Plane
from tests.cli.stories import good_story

pytestmark = pytest.mark.usefixtures("pretend")


def test_names_that_could_steer_a_terminal_or_look_like_options(run: Command, plane: Plane) -> None:
    names = ["--json", "Ä🙂.jpg", "new\nline\x1b[31m.jpg"]
    for number, name in enumerate(names):
        Path(name).write_bytes(b"IMG" + bytes([number]))
    plane.story = good_story()
    done = run("analyze", "--", *names, terminal=True)
    assert done.exit == 0
    assert "✓ --json" in done.out
    assert "✓ Ä🙂.jpg" in done.out
    assert "✓ new␊line␛[31m.jpg" in done.out
    assert "\x1b[31m.jpg" not in done.out + done.err
    assert [medium["name"] for medium in plane.media.values()] == names


def test_a_name_that_is_no_text_is_taken(run: Command, plane: Plane) -> None:
    name = os.fsdecode(b"\xff.jpg")
    Path(name).write_bytes(b"IMG")
    plane.story = good_story()
    assert run("analyze", name, "--json").exit == 0
    (medium,) = plane.media.values()
    assert medium["name"] == "\ufffd.jpg"


def test_bad_files_are_said_and_the_batch_goes_on(run: Command, plane: Plane) -> None:
    Path("a.jpg").write_bytes(b"IMG")
    Path("leer.wav").write_bytes(b"")
    Path("list.mp4").write_bytes(b"#EXTM3U\na\nb\n")
    os.mkfifo("pipe")
    plane.story = good_story()
    done = run("analyze", "leer.wav", "a.jpg", "list.mp4", "nix.png", "pipe")
    told = [line for line in done.err.splitlines() if line.startswith("error:")]
    assert told == [
        "error: nix.png does not exist",
        "error: leer.wav has nothing to analyse: it is empty (0 bytes)",
        "error: list.mp4 was not taken: it is a playlist, not a video",
        "error: pipe is no regular file",
    ]
    assert "1 of 5 media" in done.out
    assert "4 failed (nix.png, leer.wav, list.mp4, pipe). The report has the other one." in done.out
    assert done.exit == 1
    assert [m["state"] for m in plane.media.values()] == ["failed", "ready", "failed"]
    assert plane.bodies["plan"]["media"] == ["medium_01KAR3W6V9Q4T8ZC5N0EXB0002"]


def test_nothing_usable_ends_with_usage_and_starts_nothing(run: Command, plane: Plane) -> None:
    Path("leer.wav").write_bytes(b"")
    done = run("analyze", "leer.wav", "nix.png")
    assert done.exit == 2
    assert "nothing was started" in done.err
    assert not any("POST /plans" in asked for asked in plane.asked)


def test_errors_are_objects_on_stderr_under_json(run: Command, plane: Plane) -> None:
    done = run("analyze", "nix.png", "--json")
    (line,) = done.err.splitlines()
    assert json.loads(line)["error"]["code"] == "not-found"
    assert [json.loads(line)["event"] for line in done.lines()] == ["done"]


def test_the_same_file_is_analysed_once_by_path_link_and_content(
    run: Command, plane: Plane
) -> None:
    Path("a.jpg").write_bytes(b"IMG")
    Path("link.jpg").symlink_to("a.jpg")
    Path("copy.jpg").write_bytes(b"IMG")
    plane.story = good_story()
    done = run("analyze", "a.jpg", "a.jpg", "link.jpg", "copy.jpg")
    assert done.exit == 0
    assert "! a.jpg was given twice; it is analysed once" in done.err
    assert "! link.jpg is the same as a.jpg; it is analysed once" in done.err
    assert "! copy.jpg is the same as a.jpg; it is analysed once" in done.err
    assert "1 of 1 media" in done.out
    assert len(plane.media) == 1


def test_the_twin_of_a_file_that_failed_is_taken_itself(
    run: Command, plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("a.jpg").write_bytes(b"IMG")
    Path("b.jpg").write_bytes(b"IMG")
    Path("c.jpg").symlink_to("a.jpg")
    segments, dies = Pretended.segments, iter([True])

    def once(self: Pretended) -> Iterator[Segment]:
        if next(dies, False):
            raise Problem("intake-died", Exit.FAILED)
        return segments(self)

    monkeypatch.setattr(Pretended, "segments", once)
    plane.story = good_story()
    done = run("analyze", "a.jpg", "b.jpg", "c.jpg")
    assert "1 of 2 media" in done.out
    assert "1 failed (a.jpg)" in done.out
    assert "! c.jpg is the same as b.jpg; it is analysed once" in done.err
    assert done.exit == 1
    assert [m["name"] for m in plane.media.values() if m["state"] == "ready"] == ["b.jpg"]


def test_folders_are_walked_in_order_without_hidden_files(run: Command, plane: Plane) -> None:
    for name in ("f/b.jpg", "f/a/z.jpg", "f/.hidden.jpg", "f/.git/x.jpg"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(b"IMG" + name.encode())
    Path("f/README").write_text("no medium")
    plane.story = good_story()
    done = run("analyze", "f")
    assert done.exit == 0
    assert [medium["name"] for medium in plane.media.values()] == ["README", "b.jpg", "z.jpg"]
    assert "! 1 file was left out" in done.err


def test_an_empty_file_in_a_folder_is_left_out_unless_its_name_is_that_of_a_medium(
    run: Command, plane: Plane
) -> None:
    Path("f").mkdir()
    Path("f/a.jpg").write_bytes(b"IMG")
    Path("f/notes.txt").touch()
    Path("f/done").touch()
    plane.story = good_story()
    done = run("analyze", "f")
    assert done.exit == 0
    assert "! 2 files were left out" in done.err and "notes.txt" not in done.err
    names = ("film.MKV", "a.aiff", "a.jpeg", "a.m2ts", "a.eac3", "a.heic")
    for name in names:
        Path("f", name).touch()
    plane.events = []
    lost = run("analyze", "f")
    assert lost.exit == 1
    for name in names:
        assert f"error: {name} has nothing to analyse: it is empty (0 bytes)" in lost.err
    named = run("analyze", "f/notes.txt")
    assert named.exit == 2


def test_a_path_that_vanishes_is_said(
    run: Command, plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("a.jpg").write_bytes(b"IMG")
    Path("gone.jpg").write_bytes(b"IMG2")
    plane.story = good_story()
    from leitstand import upload

    opened = upload._open

    def vanish(path: Path, name: str) -> int:
        Path("gone.jpg").unlink(missing_ok=True)
        return opened(path, name)

    monkeypatch.setattr(upload, "_open", vanish)
    done = run("analyze", "a.jpg", "gone.jpg")
    assert "error: gone.jpg is gone" in done.err
    assert done.exit == 1


@pytest.mark.parametrize(
    "more",
    [
        ("a.jpg",),
        ("--class", "3"),
        ("--case", "other"),
        ("--profile", "faces"),
        ("--provider", "local"),
        ("--max-cost", "1"),
        ("--by", "in 3h"),
    ],
)
def test_a_decision_is_started_as_it_was_made_or_not_at_all(
    run: Command, plane: Plane, more: tuple[str, ...]
) -> None:
    done = run("analyze", "--plan", "d-5540", *more)
    assert done.exit == 2
    assert "no more can be given" in done.err
    assert plane.asked == []


def test_an_empty_path_is_not_the_current_folder(run: Command, plane: Plane) -> None:
    Path("private.jpg").write_bytes(b"IMG")
    done = run("analyze", "")
    assert done.exit == 2
    assert "private.jpg" not in done.err
    assert not plane.media
