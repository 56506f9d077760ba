"""Finding and starting the embedded control plane: who wins, what a crash leaves, what is said."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from leitstand import embedded
from leitstand.config import Folders
from leitstand.core.problem import Exit, Problem
from tests.cli.conftest import Command
from tests.cli.plane import BREAK, Plane
from tests.cli.stories import good_story


class Starter:
    """Instead of a real control plane: what `act` does, as a process that left with `code`."""

    def __init__(self, act: object = None, code: int | None = None, log: str = "") -> None:
        self.act, self.returncode, self.log = act, code, log
        self.starts = 0

    def __call__(self, folders: Folders, log: Path) -> Starter:
        self.starts += 1
        with log.open("a") as stream:
            stream.write(self.log)
        if callable(self.act):
            self.act()
        return self

    def poll(self) -> int | None:
        return self.returncode


def starts(monkeypatch: pytest.MonkeyPatch, starter: Starter) -> Starter:
    monkeypatch.setattr(embedded, "start", starter)
    return starter


def test_one_that_answers_is_used(
    plane: Plane, home: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    starter = starts(monkeypatch, Starter())
    with embedded.connect(None, home) as client:
        assert client.get("/health")["embedded"] is True
    assert starter.starts == 0


def test_nobody_there_starts_one_and_waits_for_its_answer(
    home: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    plane = Plane(home.socket)
    starter = starts(monkeypatch, Starter(plane.start))
    with embedded.connect(None, home) as client:
        assert client.get("/health")["version"] == "0.1.0"
    assert starter.starts == 1
    plane.stop()


def test_a_socket_left_by_a_crash_is_only_a_name(
    home: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(home.socket))
    left.close()
    assert home.socket.exists()
    plane = Plane(home.socket)
    starter = starts(monkeypatch, Starter(plane.start))
    embedded.ensure(home)
    assert starter.starts == 1
    plane.stop()


def test_of_two_starters_the_one_without_the_lock_connects_to_the_other(
    home: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    plane = Plane(home.socket)
    told = json.dumps({"error": {"code": "locked", "params": {"folder": "x"}, "exit": 1}})
    rival = threading.Timer(0.3, plane.start)
    starts(monkeypatch, Starter(rival.start, code=1, log=told + "\n"))
    embedded.ensure(home)
    rival.join()
    plane.stop()


def test_what_kept_it_from_starting_is_told(home: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    error = {"code": "port-busy", "params": {"address": "127.0.0.1:8443"}, "exit": 1}
    starts(monkeypatch, Starter(code=1, log="noise\n" + json.dumps({"error": error}) + "\n"))
    with pytest.raises(Problem) as caught:
        embedded.ensure(home)
    assert (caught.value.code, caught.value.exit) == ("port-busy", Exit.FAILED)
    assert caught.value.params["address"] == "127.0.0.1:8443"


def test_one_that_is_killed_on_the_way_is_started_once_more(
    home: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    plane = Plane(home.socket)
    starter = starts(monkeypatch, Starter(code=-9))

    def second() -> None:
        if starter.starts == 2:
            starter.returncode = None
            plane.start()

    starter.act = second
    embedded.ensure(home)
    assert starter.starts == 2
    plane.stop()


def test_an_end_without_words_names_the_log(home: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    starter = starts(monkeypatch, Starter(code=-9))
    with pytest.raises(Problem) as caught:
        embedded.ensure(home)
    assert (caught.value.code, starter.starts) == ("not-started", 2)
    assert "control-plane.log" in str(caught.value.params["detail"])


def test_an_older_problem_in_the_log_is_not_told_again(
    home: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = {"error": {"code": "port-busy", "params": {"address": "x"}, "exit": 1}}
    (home.logs / "control-plane.log").write_text(json.dumps(error) + "\n")
    starts(monkeypatch, Starter(code=1))
    with pytest.raises(Problem) as caught:
        embedded.ensure(home)
    assert caught.value.code == "not-started"


def test_one_that_accepts_and_says_nothing_hangs(
    home: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "ANSWER_SECONDS_MAX", 0.2)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(home.socket))
        silent.listen()
        with pytest.raises(Problem) as caught:
            embedded.ensure(home)
    assert (caught.value.code, caught.value.exit) == ("unreachable", Exit.UNREACHABLE)


def test_the_process_is_detached_and_imports_nothing_from_where_the_person_stands(
    home: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("leitstand.py").write_text("raise SystemExit('wrong module')")
    seen: dict[str, object] = {}
    real = subprocess.Popen

    def noting(command: list[str], **how: object) -> subprocess.Popen[bytes]:
        seen.update(how, command=command)
        return real([sys.executable, "-c", ""], **how)  # type: ignore[call-overload, no-any-return]

    monkeypatch.setattr(subprocess, "Popen", noting)
    monkeypatch.setenv("LEITSTAND_HOME", os.path.relpath(home.state.parent))
    process = embedded.start(home, home.logs / "log")
    process.wait()
    command = seen["command"]
    assert isinstance(command, list)
    assert command[1:5] == ["-P", "-m", "leitstand", "serve"]
    assert (seen["start_new_session"], seen["cwd"]) == (True, home.state)
    environment = seen["env"]
    assert isinstance(environment, dict)
    assert environment["LEITSTAND_HOME"] == str(home.state.parent)


# httpcore leaves a socket that could not be connected to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.usefixtures("pretend")
def test_a_control_plane_that_dies_is_started_again_and_the_job_followed_on(
    run: Command, plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("clip.avi").write_bytes(b"VID")
    story = good_story(3)
    plane.story = [*story[:4], Plane.crash, BREAK, *story[4:]]
    starter = starts(monkeypatch, Starter(plane.start))
    done = run("analyze", "clip.avi")
    assert done.exit == 0
    assert starter.starts == 1
    assert plane.last_event_ids == ["0", "4"]
    assert done.err.count("clip.avi: ") == 3


def test_a_server_that_does_not_answer_is_unreachable(
    run: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leitstand.client.PAUSE_SECONDS", 0)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("LEITSTAND_SERVER__URL", f"http://127.0.0.1:{free.getsockname()[1]}")
        done = run("jobs")
    assert done.exit == 5
    assert "does not answer (3 tries," in done.err
