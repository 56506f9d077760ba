"""One audio stream to mono samples at 16 kHz, each at its time: holes become silence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from av.audio.resampler import AudioResampler

from leitstand.media.channel import Refused
from leitstand.media.damage import Damage
from leitstand.media.index import US

if TYPE_CHECKING:
    from leitstand.ports import Samples

RATE = 16_000
SECONDS_MAX = 3600
"""Sound of one segment: 230 MB of samples."""
JUMP_US = 40_000
"""Time stamps may be this far from the count of samples before the count follows them."""

_MIX = {"rematrix_maxval": "1.0"}
"""Channels are weighted so that full scale stays full scale."""


class Sound:
    """Takes decoded frames in order and yields pieces of samples that follow one another."""

    def __init__(self, damage: Damage) -> None:
        self.start_us: int | None = None
        """Time of the first sample; None before there is one."""
        self.count = 0
        self._damage = damage
        self._resampler: AudioResampler | None = None
        self._form: Any = None
        self._expected_us = 0

    @property
    def end_us(self) -> int:
        """Time after the last sample."""
        return (self.start_us or 0) + self.count * US // RATE

    def add(self, time_us: int, frame: Any) -> Iterator[Samples]:
        """Raises `Refused` above `SECONDS_MAX`."""
        length_us = frame.samples * US // frame.sample_rate
        form = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self.start_us is None:
            self.start_us = self._expected_us = time_us
        if time_us < self._expected_us - JUMP_US:
            return  # heard already
        if form != self._form or time_us > self._expected_us + JUMP_US:
            yield from self._settle(time_us)
            self._form = form
            self._resampler = AudioResampler("flt", "mono", RATE, options=_MIX)
        self._damage.good(time_us, time_us + length_us)
        jumped = time_us > self._expected_us + JUMP_US
        self._expected_us = (time_us if jumped else self._expected_us) + length_us
        frame.pts = None
        yield from self._resampled(frame)

    def end(self) -> Iterator[Samples]:
        """What the resampler still holds."""
        if self.start_us is not None:
            yield from self._resampled(None)

    def _settle(self, time_us: int) -> Iterator[Samples]:
        """Empties the resampler and fills with silence up to `time_us`."""
        yield from self._resampled(None)
        self._resampler = None
        wanted = (time_us - (self.start_us or 0)) * RATE // US
        self._room(wanted - self.count)
        if wanted > self.count:
            silence = np.zeros(wanted - self.count, np.float32)
            self.count = wanted
            yield silence

    def _resampled(self, frame: Any) -> Iterator[Samples]:
        if self._resampler is None:
            return
        for piece in self._resampler.resample(frame):
            samples = np.ascontiguousarray(piece.to_ndarray()[0], np.float32)
            self._room(len(samples))
            self.count += len(samples)
            yield samples

    def _room(self, count: int) -> None:
        if self.count + count > SECONDS_MAX * RATE:
            raise Refused("decoder-limit", limit="sound")
