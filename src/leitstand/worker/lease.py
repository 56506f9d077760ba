"""A lease as the control plane grants it, parsed once at the edge."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from leitstand.core.model import ModelFile, ModelVersion


@dataclass(frozen=True, slots=True)
class Segment:
    """One missing segment: what it owns on the medium's clock, and the object it lies in."""

    number: int
    from_us: int
    to_us: int
    format: str
    object_id: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write results of one attempt; `segments` are those without a result, in order.

    `stream` names kind and index such as `video:0`; `medium` and `stream` are None for `fuse`.
    """

    attempt: str
    fence: int
    lease_seconds: float
    task: str
    pipeline: str
    profile: str
    stream: str | None
    medium: str | None
    segments: tuple[Segment, ...]
    models: tuple[ModelVersion, ...]
    result_recipient: str
    release_info: bytes
    mailbox: Mapping[int, str] = field(default_factory=dict, repr=False)
    """Where a letter for a segment may be put while the lease lives; whoever has such an address may."""


def parse(raw: Mapping[str, Any]) -> Lease:
    """Raises ValueError on anything that is not a complete lease."""
    try:
        task = raw["task"]
        return Lease(
            attempt=_name(raw["attempt"]),
            fence=int(raw["fence"]),
            lease_seconds=float(raw["lease_seconds"]),
            task=str(task["id"]),
            pipeline=_name(task["pipeline"]),
            profile=str(task["profile"]),
            stream=task.get("stream"),
            medium=task.get("medium"),
            segments=tuple(
                Segment(
                    number=int(segment["number"]),
                    from_us=int(segment["from_us"]),
                    to_us=int(segment["to_us"]),
                    format=str(segment["format"]),
                    object_id=_name(segment["object_id"]),
                    bytes=int(segment["bytes"]),
                    sha256=str(segment["sha256"]),
                )
                for segment in raw["segments"]
            ),
            models=tuple(
                ModelVersion(
                    family=_name(model["family"]),
                    name=str(model["name"]),
                    version=str(model["version"]),
                    digest=str(model["digest"]),
                    files=tuple(
                        ModelFile(str(f["name"]), str(f["sha256"]), int(f["bytes"]))
                        for f in model["files"]
                    ),
                    licence="",
                )
                for model in raw["models"]
            ),
            result_recipient=str(raw["result_recipient"]),
            release_info=base64.b64decode(raw["release_info"], validate=True),
            mailbox=addresses(raw),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("not a complete lease") from error


def addresses(raw: Mapping[str, Any]) -> dict[int, str]:
    """The addresses of letters by segment; none where the control plane has no mailbox. Raises
    ValueError."""
    try:
        return {int(number): str(url) for number, url in raw.get("mailbox", {}).items()}
    except (AttributeError, TypeError) as error:
        raise ValueError("not addresses by segment") from error


def _name(value: object) -> str:
    """A name that becomes part of a path or a module: letters, digits and underscores."""
    if not isinstance(value, str) or not value.replace("_", "").isalnum() or not value.isascii():
        raise ValueError("not a name")
    return value
