"""One segment on its way from ciphertext to frames and samples, never on a path."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote

from leitstand.media import decode
from leitstand.media.zygote import Zygote
from leitstand.vault import envelope
from leitstand.worker.blame import Failure
from leitstand.worker.lease import Segment
from leitstand.worker.link import Link, Refused
from leitstand.worker.live import LiveAttempt
from leitstand.worker.stages import Stages
from leitstand.worker.traffic import Rank

if TYPE_CHECKING:
    from leitstand.ports import Samples, VideoFrame

Gap = tuple[int, int, str]


def plaintext(live: LiveAttempt, link: Link, segment: Segment) -> Iterator[bytes]:
    """The segment's bytes, decrypted. What was yielded may be used only after the end: only then
    are end of file and the digest that the lease binds proved.

    Raises Failure blamed on us when the object is not the one of the lease or does not open.
    """
    path = f"/w/1/objects/{quote(segment.object_id, safe='')}"
    ciphertext = _bound(link.download(path, segment.bytes, live.alive, Rank.MEDIA), segment, live)
    try:
        for chunk in envelope.decrypt(live.identity, ciphertext):
            live.check()
            yield chunk
    except Refused as error:
        raise Failure("object-unavailable", "us", reason=error.code) from error
    except envelope.EnvelopeError as error:
        for _ in ciphertext:
            pass  # to its end, where the digest tells a damaged object from a wrong key
        raise Failure("object-unreadable", "us", segment=segment.number) from error


def _bound(parts: Iterable[bytes], segment: Segment, live: LiveAttempt) -> Iterator[bytes]:
    """The parts as they come, until the last proves that they are the leased object. On a slow
    line a large object takes long: its further parts count as progress."""
    digest = hashlib.sha256()
    for number, part in enumerate(parts):
        if number:
            live.advance()
        digest.update(part)
        yield part
    if digest.hexdigest() != segment.sha256:
        raise Failure("object-corrupt", "us", segment=segment.number)


class DecodedSegment:
    """A segment as pipelines see it (`ports.SegmentSource`); closes its memory with `close`."""

    def __init__(
        self, live: LiveAttempt, zygote: Zygote, segment: Segment, descriptor: int, stages: Stages
    ) -> None:
        self.from_us = segment.from_us
        self.to_us = segment.to_us
        self._live = live
        self._zygote = zygote
        self._format = segment.format
        self._descriptor = descriptor
        self._stages = stages
        self._gaps: list[Gap] = []
        self.read = False
        """Whether anything of the segment could be read."""

    def frames(self, side_max: int) -> Iterator[VideoFrame]:
        """Frames that the segment owns, in order."""
        with self._stages.measure("decode"):
            decoded = decode.frames(
                self._zygote,
                self._descriptor,
                self._format,
                side_max=side_max,
                from_us=self.from_us,
                to_us=self.to_us,
            )
        readable_to = self.from_us
        with decoded:
            while (frame := self._next(decoded, readable_to)) is not None:
                self._live.check()
                self.read = True
                readable_to = min(frame.time_us + 1, self.to_us)
                yield frame
            self._gaps.extend(decoded.gaps)

    def _next(self, decoded: decode.Frames, readable_to: int) -> VideoFrame | None:
        """The next picture. Where decoding breaks off, the rest of the segment is a gap."""
        try:
            with self._stages.measure("decode"):
                return next(decoded, None)
        except decode.DecodeError as error:
            if readable_to < self.to_us:
                self._gaps.append((readable_to, self.to_us, error.code))
            return None

    def audio(self) -> tuple[int, Samples]:
        """Start and samples, margins included. Raises DecodeError where there is no sound."""
        with self._stages.measure("decode"):
            start_us, samples = decode.audio(
                self._zygote, self._descriptor, self._format, gaps=self._gaps
            )
        self._live.check()
        self.read = samples.size > 0
        return start_us, samples

    def gaps(self) -> Sequence[Gap]:
        """What could not be read, once frames or audio were taken."""
        return tuple(self._gaps)

    def close(self) -> None:
        """Give the plaintext back to the kernel."""
        os.close(self._descriptor)
