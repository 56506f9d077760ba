"""What goes to which stream, in which form, in which language: decided once, here.

stdout carries the answer, stderr progress, questions, warnings and errors. A pipe gets no colour,
no bars, no questions and nothing cut; `--json` gets objects on stdout and errors as objects on
stderr. Colour only repeats what words say. `docs/cli.md` is the same for readers.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from leitstand.core.problem import Exit, Param, Problem
from leitstand.messages import Texts, Told, plain

UPDATES_PER_SECOND_MAX = 8
HEAD_CELLS = 11
"""Width of the first word of a step line: `✓ Instance    …`."""
WIDTH_MAX = 100

_PLAIN_SIGNS = str.maketrans(
    {
        "✓": "ok",
        "×": "x",
        "▰": "#",
        "▱": ".",
        "▨": "!",
        "–": "-",
        "…": "...",
        "€": "EUR",
        "÷": "/",
        "≥": ">=",
        "\u00a0": " ",
        "\u202f": " ",
    }
)
_ID = re.compile(r"[A-Za-z0-9_-]+")
Part = str | tuple[str, str]
"""Text, or text with its style."""
_MARKS = {"✓": "green", "!": "yellow", "×": "red", "–": "dim"}


@dataclass(frozen=True, slots=True)
class Choice:
    """What the options every command has say. `lang` None: the locale decides. `verbose` 1 adds
    reasons, 2 the log of this process (the calls it makes)."""

    lang: str | None = None
    json: bool = False
    color: str = "auto"
    verbose: int = 0


def language_of(environ: Mapping[str, str]) -> str:
    """`de` for a German locale, else `en`."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if value := environ.get(name):
            return "de" if value.lower().startswith("de") else "en"
    return "en"


class Output:
    """The two streams of one command.

    `interactive`: somebody can answer a question. `terminal`: stdout is one, so tables are for
    eyes. Methods that print words do nothing under `--json`, and the other way round, so a command
    says both and does not ask which.
    """

    def __init__(
        self,
        choice: Choice,
        stdout: IO[str] | None = None,
        stderr: IO[str] | None = None,
        stdin: IO[str] | None = None,
    ) -> None:
        self.json = choice.json
        self.verbose = choice.verbose
        self.texts = Texts(choice.lang or language_of(os.environ))
        self._out = sys.stdout if stdout is None else stdout
        self._err = sys.stderr if stderr is None else stderr
        self._in = sys.stdin if stdin is None else stdin
        for stream in (self._out, self._err):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")
        self._out_console = _console(self._out, choice.color)
        self._err_console = _console(self._err, choice.color)
        if choice.verbose > 1:
            handler = logging.StreamHandler(self._err)
            handler.setFormatter(logging.Formatter("%(asctime)s %(name)s: %(message)s"))
            log = logging.getLogger("httpx")
            log.setLevel(logging.INFO)
            log.handlers = [handler]
        self.terminal = _is_terminal(self._out) and not choice.json
        dumb = os.environ.get("TERM") in ("dumb", "unknown")
        self.bars = _is_terminal(self._err) and not choice.json and not dumb
        self.interactive = _is_terminal(self._in) and _is_terminal(self._err) and not choice.json
        self._live_shown = False
        self._live_at = 0.0
        self._events = self._out

    @property
    def lang(self) -> str:
        return self.texts.lang

    @property
    def width(self) -> int:
        """Columns that a table may take."""
        return min(WIDTH_MAX, self._out_console.width)

    def say(self, id: str, /, **params: Param) -> str:
        """A sentence of the catalogue."""
        return self.texts.say(id, **params)

    # --- words -----------------------------------------------------------------------------------

    def line(self, *parts: Part) -> None:
        """One line of the answer; a part may be `(text, style)`."""
        if not self.json:
            self._print(self._out_console, self._out, *parts)

    def step(self, mark: str, head: str, text: str) -> None:
        """One line of the answer with its mark and first word: `✓ Plan        this computer`."""
        self.line((mark, _MARKS.get(mark, "")), f" {pad(head, HEAD_CELLS)} {text}")

    def commands(self, *pairs: tuple[str, str]) -> None:
        """What to read or type next: `Report  report.html      Next  leitstand audit verify`."""
        parts: list[Part] = []
        for label, command in pairs:
            parts += ["      " if parts else "", (label, "dim"), "  ", (command, "cyan")]
        self.line(*parts)

    def note(self, text: str, mark: str | None = None) -> None:
        """A line about progress, on stderr."""
        if not self.json:
            parts: list[Part] = [text]
            if mark:
                parts = [(mark, _MARKS.get(mark, "")), " ", text]
            self._print(self._err_console, self._err, *parts)

    def warn(self, text: str) -> None:
        """Something a person should know, on stderr; under `--json` an event."""
        self.note(text, "!")
        self.event("warning", text=text)

    def caution(self, problem: Problem) -> None:
        """A warning with its reason and what to do; under `--json` an event."""
        told = self.texts.problem(problem.code, problem.params)
        if not self.json:
            self.note(told.what, "!")
            self._reasons(told)
        self.event("warning", text=told.what, why=told.why, do=told.do)

    def detail(self, text: str) -> None:
        """A reason that `-v` asks for."""
        if self.verbose:
            self.note(text)

    def problem(self, problem: Problem) -> None:
        """What happened, why, and what to do, on stderr."""
        told = self.texts.problem(problem.code, problem.params)
        if self.json:
            self._object(self._err, {"error": {**self.described(problem), "exit": problem.exit}})
            return
        head = f"{self.say('cli-error')} "
        self._print(self._err_console, self._err, (head, "red"), told.what)
        self._reasons(told)

    def _reasons(self, told: Told) -> None:
        for label, text in (("why", told.why), ("do", told.do)):
            if text:
                word = pad(self.say(f"cli-{label}"), 5)
                self._print(self._err_console, self._err, f"  {word}{text}")

    def described(self, problem: Problem) -> dict[str, Any]:
        """A problem as JSON carries it."""
        told = self.texts.problem(problem.code, problem.params)
        return {
            "code": problem.code,
            "what": told.what,
            "why": told.why,
            "do": told.do,
            "params": dict(problem.params),
        }

    def ask(self, question: str, bound: str | None = None) -> str:
        """An answer in lower case. Raises Problem("not-asked") where nobody can give one: `--yes`
        would, together with `bound`, the option that limits what a yes may cost."""
        if not self.interactive:
            raise Problem("not-asked", Exit.USAGE, bound=bound)
        self._clear()
        self._err.write(self._encodable(question + " ", self._err))
        self._err.flush()
        answer = self._in.readline()
        if not answer:
            raise Problem("not-asked", Exit.USAGE, bound=bound)
        return answer.strip().lower()

    # --- objects ---------------------------------------------------------------------------------

    def document(self, schema: str, body: Mapping[str, Any]) -> None:
        """The one object that a show prints under `--json`."""
        if self.json:
            self._object(self._out, {"schema": f"leitstand.{schema}/1", **body})

    def listing(self, schema: str, items: Sequence[Any], next: Any = None) -> None:
        """The one object that a list prints under `--json`."""
        self.document(schema, {"items": items, "next": next})

    def event(self, name: str, /, **facts: Any) -> None:
        """One line of what a long command prints under `--json`."""
        if self.json:
            self._object(self._events, {"event": name, **facts})

    def one_document(self) -> None:
        """Under `--json` stdout is for one object: events go to stderr from here on."""
        self._events = self._err

    # --- the live line ---------------------------------------------------------------------------

    def live(self, text: str) -> None:
        """Replace the line at the bottom, at most `UPDATES_PER_SECOND_MAX` times a second."""
        if not self.bars:
            return
        now = time.monotonic()
        if self._live_shown and now - self._live_at < 1 / UPDATES_PER_SECOND_MAX:
            return
        self._live_at, self._live_shown = now, True
        columns = max(20, self._err_console.width - 1)
        shown = text if cell_len(text) <= columns else set_cell_size(text, columns)
        self._err.write("\r\x1b[2K" + self._encodable(shown, self._err))
        self._err.flush()

    def done_live(self) -> None:
        """Take the live line away; safe at any time and on every exit."""
        self._clear()

    def raw(self, text: str) -> None:
        """Text for a pipe, as it is."""
        self._clear()
        self._out.write(self._encodable(text, self._out))
        self._out.flush()

    def _clear(self) -> None:
        if self._live_shown:
            self._live_shown = False
            self._err.write("\r\x1b[2K")
            self._err.flush()

    def _print(self, console: Console, stream: IO[str], *parts: Part) -> None:
        self._clear()
        text = Text()
        for part in parts:
            words, style = part if isinstance(part, tuple) else (part, "")
            text.append(self._encodable(words, stream), style)
        console.print(text, soft_wrap=True, highlight=False)
        stream.flush()

    def _encodable(self, text: str, stream: IO[str]) -> str:
        return text.translate(_PLAIN_SIGNS) if _narrow(stream) else text

    def _object(self, stream: IO[str], body: Mapping[str, Any]) -> None:
        stream.write(json.dumps(body, ensure_ascii=_narrow(stream), default=str) + "\n")
        stream.flush()


def _console(stream: IO[str], color: str) -> Console:
    never = color == "never" or (color == "auto" and "NO_COLOR" in os.environ)
    always = color == "always"
    return Console(
        file=stream,
        force_terminal=True if always else None,
        no_color=False,
        color_system=None if never else "standard" if always else "auto",
        highlight=False,
        markup=False,
        emoji=False,
    )


def _is_terminal(stream: IO[str] | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        return False


def _narrow(stream: IO[str]) -> bool:
    """Whether the stream cannot show the signs of this program."""
    return "utf" not in (getattr(stream, "encoding", None) or "utf-8").lower()


def pad(text: str, cells: int, right: bool = False) -> str:
    """Text on `cells` columns of a terminal, wide characters counted as two; never cut."""
    fill = " " * max(0, cells - cell_len(text))
    return fill + text if right else text + fill


def cut(name: str, cells: int) -> str:
    """A name on one line, cut in the middle where it is too long: `bahn…_0540.mp4`."""
    name = plain(name)
    if cell_len(name) <= cells:
        return name
    head, tail = (cells - 1) // 3, cells - 1 - (cells - 1) // 3
    left, right = "", ""
    for character in name:
        if cell_len(left + character) > head:
            break
        left += character
    for character in reversed(name):
        if cell_len(character + right) > tail:
            break
        right = character + right
    return f"{left}…{right}"


def short(id: str | None, among: Sequence[str] = ()) -> str:
    """`j-71c0` of `job_…71C0`: an initial and the shortest ending that is unique `among` these,
    at least four characters. `instance_` is `i`, and so on; anything else comes out as it is."""
    if not id:
        return "–"
    noun, underscore, ulid = id.rpartition("_")
    if not underscore or len(ulid) < 4:
        return plain(id)
    others = [other for other in among if other != id]
    count = 4
    while count < len(ulid) and any(other.endswith(ulid[-count:]) for other in others):
        count += 1
    return f"{noun[0]}-{ulid[-count:].lower()}"


def full(given: str) -> str:
    """What the API takes for an id as people type it: `j-71c0` is the ending `71C0`.

    Raises Problem("bad-id") for what can be none, so that it never becomes part of an address.
    """
    if not _ID.fullmatch(given):
        raise Problem("bad-id", Exit.USAGE, given=given)
    initial, dash, ending = given.partition("-")
    if dash and len(initial) == 1 and ending.isalnum():
        return ending.upper()
    return given if "_" in given else given.upper()
