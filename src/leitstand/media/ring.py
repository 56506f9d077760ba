"""Shared memory through which decoded pictures reach the parent without being copied again.

A `memfd` of fixed size holds K slots; the child writes a picture into a free slot and says so on
the channel, the parent looks at it in place and says when the slot is free again.
"""

from __future__ import annotations

import fcntl
import math
import mmap
import os
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from leitstand.ports import Rgb


def open_ring(slots: int, side_max: int) -> int:
    """A descriptor of shared memory for `slots` RGB pictures; its size is fixed for good."""
    descriptor = os.memfd_create("frames", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(descriptor, slots * slot_bytes(side_max))
        seals = fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def slot_bytes(side_max: int) -> int:
    """Room for the largest picture whose long side is `side_max`."""
    return 3 * side_max * side_max


class Ring:
    """A mapping of the ring. Views outlive it: memory goes back when the last one is dropped."""

    def __init__(self, descriptor: int, slots: int, side_max: int, *, writable: bool) -> None:
        self._slot_bytes = slot_bytes(side_max)
        self._memory = mmap.mmap(
            descriptor,
            slots * self._slot_bytes,
            mmap.MAP_SHARED,
            mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0),
        )

    def view(self, slot: int, height: int, width: int) -> Rgb:
        """The picture in `slot`, (height, width, 3) and at most as large as a slot."""
        picture = np.frombuffer(
            self._memory, np.uint8, height * width * 3, offset=slot * self._slot_bytes
        )
        return picture.reshape(height, width, 3)


def fitted(width: int, height: int, side_max: int) -> tuple[int, int]:
    """Width and height that fit into a square of `side_max` at the same shape; never larger."""
    shrink = min(1.0, side_max / max(width, height))
    fit = [max(1, min(side_max, math.floor(side * shrink + 0.5))) for side in (width, height)]
    return fit[0], fit[1]
