"""Intake of one medium: everything that must be known before it is encrypted, and its segments.

The whole look at untrusted bytes happens in a sandboxed child (role `intake`). This side hashes the
plaintext, checks that what the child sends has the agreed form and nothing else, since the child
may have been taken over by the bytes it reads, and turns its refusals into problems.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from leitstand.core.limits import MEDIA_SECONDS_MAX, MIB
from leitstand.core.problem import Exit, Problem
from leitstand.media.answer import IntakeLimits
from leitstand.media.channel import Message
from leitstand.media.closing import Closing
from leitstand.media.sandbox import Limits
from leitstand.media.zygote import Child, ChildError

if TYPE_CHECKING:
    from leitstand.media.zygote import Zygote

__all__ = ["CutSegment", "Intake", "IntakeLimits", "take"]

CPU_SECONDS_MIN = 900
BYTES_PER_CPU_SECOND = 2 * MIB
"""Reading, hashing and proving together are faster than this on any machine we admit."""
SILENCE_SECONDS = 900.0
"""The child says nothing while it proves a cut, which may mean decoding a minute of 4K twice."""

REFUSALS = frozenset(
    (
        "empty-file",
        "playlist",
        "encrypted-file",
        "archive",
        "not-media",
        "format-unsupported",
        "unreadable-media",
        "truncated-file",
        "no-frames",
        "no-sound",
        "too-many-pixels",
        "image-too-large",
        "too-long",
        "too-many-packets",
        "cannot-be-cut",
    )
)

_KINDS = ("image", "video", "audio")
_STREAM = re.compile(r"(?:image|video|audio):\d\Z")
_WORD = re.compile(r"[A-Za-z0-9._+/-]{1,128}\Z")
_GAPS_MAX = 1000


@dataclass(frozen=True, slots=True)
class CutSegment:
    """One segment: the interval it owns on the medium's clock and its file.

    `format` is `matroska`, `image`, or the demuxer of the original where it could only be kept
    whole; then the file's own clock is moved by `source.start_of`.
    """

    stream: str
    number: int
    from_us: int
    to_us: int
    format: str
    body: bytes | bytearray


@dataclass(slots=True)
class Intake(Closing):
    """What was learnt about a medium. `segments()` can be taken once; then the child ends.

    `gaps` are dictionaries `stream, from_us, to_us, reason`; `proof` says per stream what was
    compared: `frames` or `samples`, `joins`, `windows`, `sha256`, `exact`.
    """

    kind: str
    mime: str
    sha256: str
    technical: dict[str, Any]
    exif: dict[str, Any]
    gaps: list[dict[str, Any]]
    proof: dict[str, Any]
    segment_count: int
    _child: Child = field(repr=False)
    _limits: IntakeLimits = field(repr=False)

    def segments(self) -> Iterator[CutSegment]:
        """Every segment, stream by stream, in order. Raises `Problem` when the child fails."""
        seen: dict[str, CutSegment] = {}
        count = 0
        for message in _messages(self._child):
            segment = _segment(message, seen, self._limits)
            seen[segment.stream] = segment
            count += 1
            yield segment
        if count != self.segment_count:
            raise _died("protocol")
        self.close()

    def close(self) -> None:
        """Ends the child; safe to call again."""
        self._child.close()


def take(zygote: Zygote, descriptor: int, size: int, limits: IntakeLimits | None = None) -> Intake:
    """Looks at the `size` bytes behind `descriptor` (a file or memfd, read by offset).

    Raises `Problem` with a code of `REFUSALS` for what cannot be analysed, `intake-died` when the
    child crashed or ran into a limit of its sandbox, `sandbox-lacks` where this machine cannot shut
    it in; `ZygoteError` when there is no zygote.
    """
    limits = limits or IntakeLimits()
    if size == 0:
        raise Problem("empty-file", Exit.USAGE)
    child = zygote.spawn(
        "intake",
        {"size": size, "limits": asdict(limits)},
        [descriptor],
        limits=Limits(cpu_seconds=CPU_SECONDS_MIN + size // BYTES_PER_CPU_SECOND),
        silence_seconds=SILENCE_SECONDS,
    )
    try:
        sha256 = _sha256(descriptor, size)
        message = next(_messages(child), None)
        if message is None:
            raise _died("protocol")
        return _intake(message.head, sha256, child, limits)
    except BaseException:
        child.close()
        raise


def _sha256(descriptor: int, size: int) -> str:
    digest = hashlib.sha256()
    for offset in range(0, size, MIB):
        digest.update(os.pread(descriptor, min(MIB, size - offset), offset))
    return digest.hexdigest()


def _messages(child: Child) -> Iterator[Message]:
    try:
        yield from child.messages()
    except ChildError as error:
        if error.code in REFUSALS:
            raise Problem(error.code, Exit.USAGE, **_plain(error.params)) from None
        lacking = [ability for ability, holds in child.abilities.items() if not holds]
        if lacking:
            raise Problem("sandbox-lacks", missing=", ".join(lacking)) from None
        raise _died(error.code) from error


def _died(reason: str) -> Problem:
    return Problem("intake-died", Exit.FAILED, reason=reason if _WORD.match(reason) else "protocol")


def _plain(params: Mapping[str, Any]) -> dict[str, str | int]:
    """Parameters of a refusal: numbers and single words, which cannot carry a text of the file."""
    return {
        name: value
        for name, value in params.items()
        if (isinstance(value, int) and abs(value) < 2**63)
        or (isinstance(value, str) and _WORD.match(value.replace(":", "")))
    }


def _intake(head: Mapping[str, Any], sha256: str, child: Child, limits: IntakeLimits) -> Intake:
    kind, mime, count = head.get("kind"), head.get("mime"), head.get("segments")
    documents = [head.get(name) for name in ("technical", "exif", "proof")]
    gaps = head.get("gaps")
    if (
        kind not in _KINDS
        or not (isinstance(mime, str) and _WORD.match(mime))
        or not isinstance(count, int)
        or not all(isinstance(document, dict) for document in documents)
        or not (isinstance(gaps, list) and len(gaps) <= _GAPS_MAX and all(map(_is_gap, gaps)))
        or len(json.dumps(documents)) > 8 * limits.metadata_bytes_max
    ):
        raise _died("protocol")
    technical, exif, proof = (document or {} for document in documents)
    return Intake(kind, mime, sha256, technical, exif, gaps, proof, count, child, limits)


def _is_gap(gap: object) -> bool:
    return (
        isinstance(gap, dict)
        and set(gap) == {"stream", "from_us", "to_us", "reason"}
        and isinstance(gap["stream"], str)
        and bool(_STREAM.match(gap["stream"]))
        and isinstance(gap["reason"], str)
        and bool(_WORD.match(gap["reason"]))
        and _is_interval(gap["from_us"], gap["to_us"])
    )


def _is_interval(from_us: object, to_us: object) -> bool:
    most = int(2 * MEDIA_SECONDS_MAX * 1_000_000)
    return isinstance(from_us, int) and isinstance(to_us, int) and -most <= from_us <= to_us <= most


def _segment(message: Message, seen: Mapping[str, CutSegment], limits: IntakeLimits) -> CutSegment:
    """A segment that follows the one before it in its stream without a hole."""
    head = message.head
    stream, number, format = head.get("stream"), head.get("number"), head.get("format")
    from_us: Any = head.get("from_us")
    to_us: Any = head.get("to_us")
    if (
        not (isinstance(stream, str) and _STREAM.match(stream))
        or not (isinstance(format, str) and _WORD.match(format))
        or not _is_interval(from_us, to_us)
        or from_us == to_us
        or not 0 < len(message.body) <= limits.segment_bytes_max
    ):
        raise _died("protocol")
    before = seen.get(stream)
    if number != (before.number + 1 if before else 0) or (before and before.to_us != from_us):
        raise _died("protocol")
    return CutSegment(stream, number, from_us, to_us, format, message.body)
