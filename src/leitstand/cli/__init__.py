"""The command line. `main` is the only place where a failure becomes words and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from leitstand.core.problem import Problem
    from leitstand.output import Choice


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command and leave with its exit code (`docs/cli.md`)."""
    sys.exit(run(list(sys.argv[1:] if arguments is None else arguments)))


def run(arguments: Sequence[str]) -> int:
    """Run the command; its exit code. A traceback only with `LEITSTAND_DEBUG=1`."""
    _open_what_is_closed()
    from leitstand.cli import early

    early.begin(arguments)
    from leitstand.cli.app import call, choice_of
    from leitstand.core.problem import Exit, Problem

    debug = os.environ.get("LEITSTAND_DEBUG") == "1"
    try:
        try:
            return call(arguments)
        finally:
            early.end()
            sys.stdout.flush()
    except Problem as problem:
        if debug:
            raise
        return _tell(problem, choice_of(arguments))
    except KeyboardInterrupt:
        return _interrupted(choice_of(arguments))
    except BrokenPipeError:
        _silence_stdout()
        return Exit.FAILED
    except Exception as error:
        if debug:
            raise
        import errno

        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            told = Problem("disk-full", path=str(error.filename or "none"))
        else:
            told = Problem("unexpected", kind=type(error).__name__)
        return _tell(told, choice_of(arguments))


def _tell(problem: Problem, choice: Choice) -> int:
    from leitstand.output import Output

    Output(choice).problem(problem)
    return problem.exit


def _interrupted(choice: Choice) -> int:
    from leitstand.core.problem import Exit
    from leitstand.output import Output

    output = Output(choice)
    output.note(output.say("cli-interrupted"))
    return Exit.INTERRUPTED


def _open_what_is_closed() -> None:
    """A stream that whoever called us closed (`>&-`) leads nowhere, as for git. Left closed, its
    number would be that of the next file opened here, and that would be written into."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))


def _silence_stdout() -> None:
    """The reader of the pipe left; what the interpreter flushes at its end goes nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
