"""What the log of a fresh machine says: whether it will ever start.

A machine that will not come up bills until somebody notices. Its host says so early, in words that
are the same on every provider that runs containers.
"""

from __future__ import annotations

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
    "could not select device driver",
    REFUSED,
)
"""Fragments, in small letters: containerd, Docker and NVIDIA's runtime hook, as clients in public
repositories have met them (dstack#1976, #2729, #1145; skypilot#4285, #7321)."""


def fatal(lines: Iterable[LogLine]) -> str | None:
    """Which of these stands in a line; None where none does. What else the line says is not
    ours to repeat."""
    for line in lines:
        text = line.text.lower()
        for fragment in FATAL:
            if fragment in text:
                return fragment.strip(" :")
    return None
