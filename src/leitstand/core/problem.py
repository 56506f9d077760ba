"""The one error that reaches a person: what happened, why, and what to do about it.

A problem carries a stable code and parameters, never a finished sentence: the sentence is made
where it is shown, in the reader's language, from the message catalogue (`problem-<code>` with the
attributes `.why` and `.do`).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of the command line; scripts may trust them (`docs/cli.md`)."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    REFUSED = 3
    NO_CAPACITY = 4
    UNREACHABLE = 5
    INTERRUPTED = 130


Param = str | int | float | None


UNWRITABLE = frozenset({"store-full", "store-unavailable"})
"""Codes by which a database says that nothing can be written now."""


class Problem(Exception):
    """A failure a person can act on.

    `code` names the sentence in the catalogue and the RFC 9457 type of an API answer.
    """

    def __init__(self, code: str, exit: Exit = Exit.FAILED, **params: Param) -> None:
        super().__init__(code)
        self.code = code
        self.exit = exit
        self.params: Mapping[str, Param] = params

    def __str__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.params.items())
        return f"{self.code}({shown})"
