"""Pipeline `video`: objects, faces and poses over time in one segment, and pictures of it.

The same segment gives the same lines, whatever machine it is on and however busy that is: which
frames are looked at follows from their times alone. The detector looks at up to
`LOOKS_PER_SECOND` frames a second (all of them in slower video), each at the first frame in a slot
of the medium's clock, and poses and faces are found on the same frames. Linking people from frame
to frame is the business of `track`, over the whole medium.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

from leitstand.analysis.look import has_pose, look, people, split
from leitstand.analysis.picture import picture
from leitstand.analysis.surroundings import surroundings
from leitstand.core.finding import Frame, Gap, Line, Stats
from leitstand.core.limits import FRAME_SIDE_MAX, PICTURES_PER_SEGMENT_MAX
from leitstand.core.profile import uses
from leitstand.ports import Model, SegmentSource, VideoFrame

LOOKS_PER_SECOND = 15
POSED_MAX = 4
"""Poses per frame, tallest persons first: with more, two cores fall below 15 frames a second."""
GROUP = 4
"""Frames handed to the models at once, so that a GPU can batch them; each is a copy in memory."""
GROUPS_AT_ONCE = 3
"""Groups that the models have at the same time, so that no core waits while a group is finished."""
PICTURE_EVERY_US = 7_500_000

_SECOND_US = 1_000_000


def run(
    profile: str,
    source: SegmentSource,
    models: Mapping[str, Model],
    progress: Callable[[int], None],
) -> Iterator[Line]:
    """Findings of one segment: frames in order, then pictures, surroundings, gaps, statistics."""
    used = uses(profile, "video")
    wanted = {use.family for use in used}
    reported, others = split(used, models)
    album = Album(source.from_us, source.to_us)
    units = detected = posed = 0
    started = time.monotonic()
    groups = _groups(source.frames(FRAME_SIDE_MAX))
    for count, group, frames in _looked(groups, reported):
        for held, frame in zip(group, frames, strict=True):
            album.consider(held, frame)
            posed += has_pose(frame)
        yield from frames
        units += count
        detected += len(group)
        progress(count)
    seconds = time.monotonic() - started
    for held, frame in album.pictures():
        yield from picture(held, frame, reported, others)
    middle = album.middle()
    if middle is not None and "scene" in wanted:
        yield from surroundings(*middle, reported)
    yield from (Gap(*gap) for gap in source.gaps())
    rate = round(posed / seconds, 1) if posed and seconds > 0 else None
    yield Stats("video", units, detected, rate)


def _groups(frames: Iterator[VideoFrame]) -> Iterator[tuple[int, list[VideoFrame]]]:
    """Copies of the frames to look at, a few at a time, with how many were decoded for them."""
    group: list[VideoFrame] = []
    count = 0
    slot: int | None = None
    for frame in frames:
        count += 1
        current = slot_of(frame.time_us)
        if current == slot:
            continue
        slot = current
        group.append(replace(frame, rgb=frame.rgb.copy()))
        if len(group) == GROUP:
            yield count, group
            count, group = 0, []
    if count:
        yield count, group


def _looked(
    groups: Iterator[tuple[int, list[VideoFrame]]], models: Mapping[str, Model]
) -> Iterator[tuple[int, list[VideoFrame], list[Frame]]]:
    """The groups in order with what is seen in them. Frames are taken while earlier groups are with
    the models. Raises what taking frames or looking at them raised, in the order of the groups."""
    busy: deque[tuple[int, list[VideoFrame], Future[list[Frame]]]] = deque()
    with ThreadPoolExecutor(GROUPS_AT_ONCE, "look") as threads:
        try:
            for count, group in groups:
                busy.append((count, group, threads.submit(look, group, models, POSED_MAX)))
                if len(busy) > GROUPS_AT_ONCE:
                    yield _first(busy)
            while busy:
                yield _first(busy)
        finally:
            threads.shutdown(wait=True, cancel_futures=True)


def _first(
    busy: deque[tuple[int, list[VideoFrame], Future[list[Frame]]]],
) -> tuple[int, list[VideoFrame], list[Frame]]:
    count, group, seen = busy.popleft()
    return count, group, seen.result()


def slot_of(time_us: int) -> int:
    """The slot of the medium's clock a frame falls into. The offset keeps borders of slots away from
    the times of frames at 15, 30, 60 and 120 a second, so that rounded times do not matter."""
    return (time_us * LOOKS_PER_SECOND * 10 + 3 * _SECOND_US) // (10 * _SECOND_US)


Held = tuple[VideoFrame, Frame]


@dataclass(slots=True)
class _Page:
    held: Held
    rank: tuple[int, int]


class Album:
    """Chooses the pictures of a segment while its frames pass: one per stretch of equal length, the
    frame with most persons, then most faces, then the first."""

    def __init__(self, from_us: int, to_us: int) -> None:
        self._from_us = from_us
        self._length_us = max(1, to_us - from_us)
        wanted = -(-self._length_us // PICTURE_EVERY_US)
        self._stretches = max(1, min(PICTURES_PER_SEGMENT_MAX, wanted))
        self._pages: dict[int, _Page] = {}
        self._middle: Held | None = None

    def consider(self, source: VideoFrame, frame: Frame) -> None:
        """`source` must stay valid: the album keeps the ones it chooses."""
        offset = source.time_us - self._from_us
        stretch = max(0, min(self._stretches - 1, offset * self._stretches // self._length_us))
        rank = (len(people(frame)), len(frame.faces))
        best = self._pages.get(stretch)
        if best is None or rank > best.rank:
            self._pages[stretch] = _Page((source, frame), rank)
        if self._middle is None or self._middle[0].time_us - self._from_us < self._length_us // 2:
            self._middle = (source, frame)

    def pictures(self) -> list[Held]:
        """In order of time: those with persons or faces, else one of the first stretch that has any
        frame, so that the reader sees what the video shows."""
        pages = [self._pages[stretch] for stretch in sorted(self._pages)]
        peopled = [page for page in pages if any(page.rank)]
        return [page.held for page in peopled or pages[:1]]

    def middle(self) -> Held | None:
        """The first frame looked at in the second half, else the last one; None without frames."""
        return self._middle
