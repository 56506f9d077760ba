"""What the tests of the command line share: a home, a cardboard control plane, and terminals."""

from __future__ import annotations

import io
import itertools
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from leitstand import cli, upload
from leitstand.cli import batch, early, wanted
from leitstand.config import Folders
from leitstand.core.problem import Exit, Problem
from tests.cli.plane import Plane


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folders:
    """An empty home, an English locale, and a folder to stand in."""
    for name in [name for name in os.environ if name.startswith("LEITSTAND_")]:
        monkeypatch.delenv(name)
    for name in ("LC_ALL", "LC_MESSAGES", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.setenv("LEITSTAND_HOME", str(tmp_path / "home"))
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    folders = Folders.find()
    folders.create()
    return folders


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """What `-vv` switched on is off again."""
    yield
    logging.getLogger("httpx").handlers = []
    logging.getLogger("httpx").setLevel(logging.NOTSET)


@pytest.fixture
def plane(home: Folders) -> Iterator[Plane]:
    """A control plane that answers on the socket of this home."""
    found = Plane(home.socket)
    found.start()
    yield found
    found.stop()


@dataclass(frozen=True)
class Segment:
    stream: str
    number: int
    from_us: int
    to_us: int
    format: str
    body: bytes


class Pretended:
    """Intake without a decoder: what a file begins with says what it is."""

    def __init__(self, descriptor: int, size: int) -> None:
        import hashlib

        data = os.pread(descriptor, size, 0)
        if not data:
            raise Problem("empty-file", Exit.USAGE)
        if data.startswith(b"#EXTM3U"):
            raise Problem("playlist", Exit.USAGE, files=data.count(b"\n") - 1)
        kinds = {b"IMG": "image", b"VID": "video", b"AUD": "audio"}
        if data[:3] not in kinds:
            raise Problem("not-media", Exit.USAGE, found="text")
        self._data = data
        self.kind = kinds[data[:3]]
        self.sha256 = hashlib.sha256(data).hexdigest()
        self.technical = {} if self.kind == "image" else {"duration_s": 79.5}
        self.exif = {"GPS": b"\xff\x00", "maker": "\udcff", "ratio": float("nan")}
        self.gaps: list[dict[str, Any]] = []
        self.closed = False

    def segments(self) -> Iterator[Segment]:
        count = 1 if self.kind == "image" else 3
        for number in range(count):
            start = number * 30_000_000
            yield Segment(
                f"{self.kind}:0", number, start, start + 30_000_000, "matroska", self._data
            )

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are looked at by `Pretended`, and every model is here."""

    @contextmanager
    def intake(settings: object) -> Iterator[Callable[[int, int], Pretended]]:
        yield Pretended

    monkeypatch.setattr(batch, "intake", intake)
    numbers = itertools.count(1)
    monkeypatch.setattr(
        upload, "new_id", lambda: f"medium_01KAR3W6V9Q4T8ZC5N0EXB{next(numbers):04d}"
    )
    monkeypatch.setattr(wanted, "provide", lambda *given: None)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@dataclass
class Run:
    """What a command left behind."""

    exit: int
    out: str
    err: str

    def lines(self) -> list[str]:
        return self.out.splitlines()


def uncoloured(text: str) -> str:
    """Text of a terminal without its colours; other control sequences stay."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


Command = Callable[..., Run]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command in this process, into pipes; `terminal=True` into terminals of `columns`, with
    `typed` as what a person answers. No process that looks at files is begun ahead."""
    monkeypatch.setattr(early, "begin", lambda arguments: None)

    def call(*arguments: str, terminal: bool = False, typed: str = "", columns: int = 100) -> Run:
        if not terminal:
            capsys.readouterr()
            monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
            code = cli.run(list(arguments))
            caught = capsys.readouterr()
            return Run(code, caught.out, caught.err)
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setenv("TERM", "xterm")
        out, err, typing = Terminal(), Terminal(), Terminal(typed)
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            patch.setattr(sys, "stdin", typing)
            code = cli.run(list(arguments))
        return Run(code, uncoloured(out.getvalue()), uncoloured(err.getvalue()))

    return call
