"""The key of an account at a provider: read from a file of its owner, and cut out of every text."""

from __future__ import annotations

import re
from pathlib import Path

from leitstand import private
from leitstand.core.problem import Exit, Problem

BYTES_MAX = 4096
_KEY = re.compile(r"[\x21-\x7e]{8,1024}")
SECRET_MIN = 8
"""Shorter texts are no secrets, and cutting them out would cut anything."""


class Key:
    """A secret that shows itself in one header and nowhere else."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return "Key(…)"

    def bearer(self) -> str:
        """The value of `Authorization` (RFC 6750)."""
        return f"Bearer {self._text}"

    def redact(self, text: str, *others: str) -> str:
        """The text without the key and without other secrets of the same call."""
        for secret in sorted((self._text, *others), key=len, reverse=True):
            if len(secret) >= SECRET_MIN:
                text = text.replace(secret, "(secret)")
        return text


def has_agreement(path: str | None) -> bool:
    """Whether a processing agreement is recorded. Raises Problem `unreadable-path` where the file
    that is named is none, because a tier rests on it."""
    if not path:
        return False
    try:
        with Path(path).expanduser().open("rb") as file:
            return bool(file.read(1))
    except OSError as error:
        detail = error.strerror or type(error).__name__
        raise Problem("unreadable-path", Exit.USAGE, path=path, detail=detail) from None


def read_key(provider: str, path: str | None) -> Key:
    """The key of a provider. Raises Problem `provider-key-unset`, `unreadable-path`,
    `key-file-readable` (others may read it), `provider-key-damaged`."""
    if not path:
        raise Problem("provider-key-unset", Exit.USAGE, provider=provider)
    try:
        content = private.read(Path(path).expanduser(), BYTES_MAX)
    except OSError as error:
        detail = error.strerror or type(error).__name__
        raise Problem("unreadable-path", Exit.USAGE, path=path, detail=detail) from None
    text = content.decode("ascii", "replace").strip()
    if not _KEY.fullmatch(text):
        raise Problem("provider-key-damaged", Exit.USAGE, provider=provider, path=path)
    return Key(text)
