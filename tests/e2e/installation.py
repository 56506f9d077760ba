"""A whole installation in a folder of the test: the command line, the embedded control plane that
it starts, and the workers that this starts, all as separate processes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from leitstand.client import Client
from leitstand.folders import Folders

COMMAND_SECONDS_MAX = 900
END_SECONDS_MAX = 30


@dataclass(frozen=True)
class Ran:
    """What a finished command left behind."""

    code: int
    out: str
    err: str
    folder: Path

    def report(self) -> dict[str, Any]:
        """The one report below the folder the command ran in."""
        found = sorted(self.folder.glob("leitstand-out/*/report.json"))
        assert found, f"no report; exit {self.code}\n{self.out}\n{self.err}"
        document: dict[str, Any] = json.loads(found[-1].read_text("utf-8"))
        return document

    def html(self) -> str:
        return max(self.folder.glob("leitstand-out/*/report.html")).read_text("utf-8")


class Installation:
    """An empty home with the model cache of the tests; `close` leaves no process behind."""

    def __init__(
        self, folder: Path, models: Path, settings: Mapping[str, str] | None = None
    ) -> None:
        self.home = folder / "home"
        self.work = folder / "work"
        self.work.mkdir(parents=True)
        (self.home / "cache").mkdir(parents=True)
        (self.home / "cache" / "models").symlink_to(models)
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder / "nobody-writes-here"),
            "LANG": "C.UTF-8",
            "LEITSTAND_HOME": str(self.home),
            **{name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ},
            **(settings or {}),
        }
        self.folders = Folders.find({"LEITSTAND_HOME": str(self.home)})

    def command(self, *arguments: str | Path) -> list[str]:
        return [sys.executable, "-m", "leitstand", *map(str, arguments)]

    def start(self, *arguments: str | Path, through: Sequence[str] = ()) -> subprocess.Popen[str]:
        """The command in the background, in a session of its own; `through`: a command that
        starts it."""
        return subprocess.Popen(
            [*through, *self.command(*arguments)],
            cwd=self.work,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def finish(self, process: subprocess.Popen[str]) -> Ran:
        out, err = process.communicate(timeout=COMMAND_SECONDS_MAX)
        return Ran(process.returncode, out, err, self.work)

    def run(self, *arguments: str | Path, through: Sequence[str] = ()) -> Ran:
        return self.finish(self.start(*arguments, through=through))

    def client(self) -> Client:
        return Client.over_socket(self.folders.socket)

    def processes(self) -> list[psutil.Process]:
        """Every process of this installation: its home or its label in the command or environment."""
        found = []
        mark = f"LEITSTAND_HOME={self.home}"
        label = f"ls1-{self.installation()}-"
        for process in psutil.process_iter(["cmdline"]):
            try:
                command = " ".join(process.info["cmdline"] or [])
                environ = (
                    Path(f"/proc/{process.pid}/environ").read_bytes().decode("utf-8", "replace")
                )
            except (OSError, psutil.Error):
                continue
            if process.pid != os.getpid() and (mark in environ.split("\0") or label in command):
                found.append(process)
        return found

    def installation(self) -> str:
        path = self.folders.data / "installation"
        return path.read_text().strip() if path.exists() else "none yet"

    def plane(self) -> psutil.Process | None:
        return _one(self.processes(), "serve")

    def worker(self) -> psutil.Process | None:
        return _one(self.processes(), "worker")

    def close(self) -> None:
        """End what still runs: first asked, then killed."""
        left = [p for p in self.processes() if "serve" in _command(p)]
        for process in left:
            _signal(process, signal.SIGTERM)
        psutil.wait_procs(left, timeout=END_SECONDS_MAX)
        for process in self.processes():
            _signal(process, signal.SIGKILL)

    def files(self) -> Iterator[Path]:
        """Every file that this installation could have written, models excepted."""
        for root in (self.home, self.work):
            for path in root.rglob("*"):
                if path.is_file() and not path.is_symlink() and "models" not in path.parts:
                    yield path


def _one(processes: Iterable[psutil.Process], word: str) -> psutil.Process | None:
    return next((p for p in processes if word in _command(p)), None)


def _command(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


def _signal(process: psutil.Process, number: int) -> None:
    with contextlib.suppress(psutil.Error):
        process.send_signal(number)
