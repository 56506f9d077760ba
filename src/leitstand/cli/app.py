"""The tree of commands. The module of a command is imported when it is called, never for help."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, get_args

from cyclopts import App, Parameter
from cyclopts.exceptions import (
    CoercionError,
    CycloptsError,
    MissingArgumentError,
    UnknownCommandError,
    UnknownOptionError,
    UnusedCliTokensError,
)

import leitstand
from leitstand.core.problem import Exit, Problem

if TYPE_CHECKING:
    from leitstand.output import Choice

_ALONE = ("--json", "-v", "-vv", "-vvv", "--verbose")
_WITH_VALUE = ("--lang", "--color")
_NUMBERS: dict[object, str] = {int: "integer", float: "number"}
"""What a value must be that is no choice of words."""


def _app(name: str, help: str, example: str) -> App:
    return App(
        name=name,
        help=help,
        help_epilogue=f"Example: {example}",
        help_format="plaintext",
        help_formatter="plain",
        version=leitstand.__version__,
        default_parameter=Parameter(negative=()),
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )


def group(name: str, help: str, example: str) -> App:
    """The commands of one noun."""
    found = _app(name, help, example)
    found.version_flags = ()
    return found


app = _app(
    "leitstand",
    "A control room for rented GPUs that analyse media. With no server set up it works on this "
    "computer alone.",
    "leitstand analyze clip.mp4",
)

_COMMANDS = (
    ("analyze", "analyze:analyze", "Analyse images, videos and audio, and write a report.",
     "leitstand analyze bus.jpg clip.mp4 --profile people+speech"),
    ("plan", "analyze:plan", "Show where it would run, at what price, and why; start nothing.",
     "leitstand plan clip.mp4 --max-cost 2"),
    ("offers", "offers:offers", "List what could be rented now.",
     "leitstand offers --vram 24 --tier B"),
    ("explain", "offers:explain", "Show a decision again: what was chosen, and why not the rest.",
     "leitstand explain d-5540"),
    ("jobs", "jobs:app", "List jobs; show, hold, resume, cancel one or fetch its report.", None),
    ("media", "media:app", "List media; show or erase one, or take its encrypted files.", None),
    ("cases", "cases:cases", "List cases.", "leitstand cases"),
    ("instances", "instances:app", "List instances; show, drain or pay ahead for one.", None),
    ("reap", "reap:reap", "End what is ours and overdue at every provider, without the database.",
     "leitstand reap"),
    ("hosts", "hosts:hosts", "List machines by our own record.",
     "leitstand hosts --provider vast"),
    ("volumes", "volumes:app", "List volumes that keep models; delete one.", None),
    ("models", "models:app", "List models; pull or verify them.", None),
    ("images", "images:app", "Build what rented machines become workers from.", None),
    ("audit", "audit:app", "Show the ledger, or verify it.", None),
    ("events", "events:events", "Show what happened; -w goes on.",
     "leitstand events -w --subject j-71c0"),
    ("serve", "serve:serve", "Run the control plane.", "leitstand serve"),
    ("worker", "serve:worker", "What runs on an instance; a launch spec tells it where to dial.",
     "leitstand worker --label LABEL"),
    ("doctor", "doctor:doctor", "Show what works here and what does not, with the remedy.",
     "leitstand doctor"),
)  # fmt: skip

for _place, (_name, _target, _help, _example) in enumerate(_COMMANDS):
    _more: dict[str, Any] = {}
    if _example:
        _more = {"help_epilogue": f"Example: {_example}", "version_flags": ()}
    app.command(f"leitstand.cli.{_target}", name=_name, help=_help, sort_key=_place, **_more)


def call(arguments: Sequence[str]) -> int:
    """Run one command; its exit code. What the person typed wrong is a Problem with exit 2."""
    ordered = _reorder(list(arguments))
    try:
        result = app(ordered or ["--help"], exit_on_error=False, print_error=False)
    except CycloptsError as error:
        raise _usage(error) from error
    except OverflowError as error:
        raise Problem("usage", Exit.USAGE, detail=str(error), command="leitstand") from error
    return int(result or 0)


def _reorder(arguments: list[str]) -> list[str]:
    """Move common options that stand before the command behind it, where cyclopts wants them."""
    moved: list[str] = []
    rest = list(arguments)
    while rest and rest[0].startswith("-"):
        if rest[0] in _ALONE:
            moved.append(rest.pop(0))
        elif rest[0] in _WITH_VALUE and len(rest) > 1:
            moved += [rest.pop(0), rest.pop(0)]
        elif rest[0].startswith(tuple(f"{option}=" for option in _WITH_VALUE)):
            moved.append(rest.pop(0))
        else:
            break
    if not rest:
        return []
    end = rest.index("--") if "--" in rest else len(rest)
    return rest[:end] + moved + rest[end:]


def choice_of(arguments: Sequence[str]) -> Choice:
    """How to speak of a mistake in the arguments themselves."""
    from leitstand.output import Choice

    before = list(arguments)
    if "--" in before:
        before = before[: before.index("--")]
    values = {"--lang": "", "--color": "auto"}
    for option in values:
        for place, argument in enumerate(before):
            if argument == option and place + 1 < len(before):
                values[option] = before[place + 1]
            elif argument.startswith(f"{option}="):
                values[option] = argument.partition("=")[2]
    lang = values["--lang"] if values["--lang"] in ("en", "de") else None
    color = values["--color"] if values["--color"] in ("auto", "always", "never") else "auto"
    return Choice(lang, "--json" in before, color)


def _usage(error: CycloptsError) -> Problem:
    command = " ".join(["leitstand", *(error.command_chain or ())])
    match error:
        case UnknownOptionError() if error.token is not None:
            given = error.token.keyword or error.token.value
            return Problem("unknown-option", Exit.USAGE, given=given, command=command)
        case UnknownCommandError() | UnusedCliTokensError() if error.unused_tokens:
            return _unknown(error.unused_tokens[0], command, error.app or app)
        case MissingArgumentError() if error.argument is not None:
            name = error.argument.name
            return Problem("missing-argument", Exit.USAGE, name=name, command=command)
        case CoercionError() if error.token is not None:
            return Problem(
                "bad-value",
                Exit.USAGE,
                option=error.token.keyword or (error.argument.name if error.argument else ""),
                given=error.token.value,
                command=command,
                kind=_NUMBERS.get(error.target_type, "choice"),
                choices=", ".join(map(str, get_args(error.target_type))) or "none",
            )
    return Problem("usage", Exit.USAGE, detail=" ".join(str(error).split()), command=command)


def _unknown(given: str, command: str, place: App) -> Problem:
    names = [name for name in place if not name.startswith("-")]
    if not names:
        return Problem("unexpected-argument", Exit.USAGE, given=given, command=command)
    near = difflib.get_close_matches(given, names, n=1) or ["none"]
    return Problem("unknown-command", Exit.USAGE, given=given, command=command, near=near[0])
