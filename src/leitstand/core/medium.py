"""Cases and their media: states, and what intake says of a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from leitstand.core.machine import Machine
from leitstand.core.problem import Exit, Problem
from leitstand.core.sealed import Sealed

MEDIUM = Machine(
    "medium",
    "receiving",
    frozenset({"erased"}),
    {
        ("receiving", "received"): "intake",
        ("receiving", "refused"): "failed",
        ("intake", "taken"): "ready",
        ("intake", "refused"): "failed",
        ("ready", "erase"): "erasing",
        ("receiving", "erase"): "erasing",
        ("failed", "erase"): "erasing",
        ("erasing", "erased"): "erased",
    },
)

INBOX = "inbox"
"""The case of the embedded mode: media are erased when their job ends."""

DATA_CLASS = 2
"""The data class of a case that none was named for: persons."""


@dataclass(frozen=True, slots=True)
class Case:
    """Why media are here and until when. `sealed` holds title and purpose."""

    id: str
    state: str
    data_class: int
    key_id: str
    payload_key_id: str
    legal_hold: bool
    sealed: Sealed
    version: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Medium:
    """One file the user gave. `sealed` holds its name, digest, technical metadata and EXIF;
    `reason` says why intake refused it, or that it took only a part."""

    id: str
    case_id: str
    kind: str | None
    state: str
    reason: dict[str, Any] | None
    key_id: str
    bytes: int
    duration_s: float | None
    erase_after: datetime | None
    sealed: Sealed
    version: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Segment:
    """A half-open stretch `[from_us, to_us)` of one stream; an image is one segment at 0."""

    id: str
    medium_id: str
    stream: str
    number: int
    from_us: int
    to_us: int
    format: str
    object_id: str


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One age file in the blob store."""

    id: str
    key_id: str
    ciphertext_sha256: str
    bytes: int
    purpose: str


def takeable(media: Sequence[Medium]) -> None:
    """Whether a job may be made of these media. One that intake refused may be among them: the
    report says why. Raises Problem `medium-gone` for an erased one and `medium-not-ready` for one
    that is still on its way in."""
    for medium in media:
        if medium.state in ("erasing", "erased"):
            raise Problem("medium-gone", Exit.USAGE, medium=medium.id)
        if medium.state not in ("ready", "failed"):
            raise Problem("medium-not-ready", Exit.USAGE, medium=medium.id)
