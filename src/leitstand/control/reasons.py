"""What of a reason may stand in an open column."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NUMBERS = frozenset(
    {
        "bytes",
        "bytes_max",
        "entries",
        "height",
        "packets_max",
        "pixels_max",
        "seconds",
        "seconds_max",
        "segment",
        "status",
        "width",
    }
)
WORDS = frozenset(
    {
        "actual",
        "device",
        "error",
        "expected",
        "file",
        "format",
        "kept",
        "kind",
        "missing",
        "model",
        "place",
        "predicate",
        "reason",
        "resource",
        "stream",
    }
)
"""Words of ours: codes, types of errors, names of formats, models and libraries, digests of models."""
_WORD_CHARACTERS_MAX = 64


def open_params(params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that may be seen by whoever reads the database. Only what is named above
    passes: what a file or a person named stays out, and whoever shows the reason knows the name."""
    return {name: value for name, value in params.items() if _is_open(name, value)}


def _is_open(name: str, value: Any) -> bool:
    if isinstance(value, str):
        plain = value.isascii() and value.isprintable() and len(value) <= _WORD_CHARACTERS_MAX
        return plain and name in WORDS
    return isinstance(value, int | float) and name in NUMBERS
