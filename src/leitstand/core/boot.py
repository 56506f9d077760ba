"""What the log of a fresh machine says: whether it will ever start.

A machine that will not come up bills until somebody notices. Its host says so early, in words that
are the same on every provider that runs containers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from leitstand.core.rented import LogLine

REFUSED = "leitstand boot: refused: "
"""How the last line of a boot begins that came to nothing."""
FATAL = (
    "oci runtime create failed",
    "failed to register layer",
    "layer does not exist",
    "cannot be mapped to a host id",
    "manifest unknown",
    "pull access denied",
    "repository does not exist",
    "exec format error",
    "no space left on device",
    "no matching manifest",
    "unauthorized: authentication required",
    "no basic auth credentials",
    "denied: requested access",
    "toomanyrequests",
    "invalid reference format",
    "imagepullbackoff",
    "errimagepull",
    "could not select device driver",
    REFUSED,
)
"""Fragments, in small letters: containerd, Docker and NVIDIA's runtime hook, as clients in public
repositories have met them (dstack#1976, #2729, #1145; skypilot#4285, #7321)."""


WORDS_CHARACTERS_MAX = 160
_LONG = re.compile(r"[A-Za-z0-9+/_=-]{32,}")
"""What could be a token, a key or a digest."""
_STEERS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
"""Colours and movements of a terminal (ECMA-48)."""


def fatal(lines: Iterable[LogLine]) -> str | None:
    """The words of the first line in which one of these stands; None where none does."""
    for line in lines:
        text = line.text.lower()
        if any(fragment in text for fragment in FATAL):
            begin = min(text.find(fragment) for fragment in FATAL if fragment in text)
            return words(line.text if begin < WORDS_CHARACTERS_MAX // 2 else line.text[begin:])
    return None


def words(text: str | None) -> str | None:
    """What a provider said, fit to be kept as a reason: one line, short, and nothing in it that
    could be a secret. None where it said nothing."""
    shown = "".join(c if c.isprintable() else " " for c in _STEERS.sub("", (text or "")[:4096]))
    shown = _LONG.sub("…", " ".join(shown.split())).strip(" :")
    if len(shown) > WORDS_CHARACTERS_MAX:
        shown = shown[: WORDS_CHARACTERS_MAX - 1].rstrip() + "…"
    return shown or None
