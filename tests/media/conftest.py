"""What tests of decoding share: a zygote a module, sealed memory, and all pictures of a file."""

from __future__ import annotations

import os

import decode_clips as clips
import pytest

from leitstand.media import decode
from leitstand.media.zygote import Zygote


@pytest.fixture(scope="module")
def zygote():
    with Zygote.start() as started:
        yield started


@pytest.fixture
def memory():
    """Bytes to a sealed descriptor that is closed after the test."""
    opened = []

    def put(body):
        opened.append(decode.sealed_memfd([body]))
        return opened[-1]

    yield put
    for descriptor in opened:
        os.close(descriptor)


@pytest.fixture
def pictures(zygote, memory):
    """All pictures of a file as (time, copy, scale), and the gaps."""

    def take(body, format="matroska", *, side_max=640, from_us=0, to_us=clips.FOREVER, **rest):
        source = decode.frames(
            zygote,
            memory(body),
            format,
            side_max=side_max,
            from_us=from_us,
            to_us=to_us,
            **rest,
        )
        return [(f.time_us, f.rgb.copy(), f.scale) for f in source], source.gaps

    return take
