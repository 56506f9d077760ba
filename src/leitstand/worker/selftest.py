"""The two things a worker must be able to do, tried once on inputs made here."""

from __future__ import annotations

import base64
import os
import struct
import time
import zlib
from typing import Any

import structlog

from leitstand.core.accelerator import execution_of
from leitstand.media import decode
from leitstand.media.zygote import Zygote
from leitstand.ports import Device
from leitstand.worker.blame import place

_log = structlog.get_logger("worker.selftest")

_DOUBLING = base64.b64decode(
    "CAg6NQoOCgF4CgF4EgF5IgNBZGQSAWdaDwoBeBIKCggIARIECgIIAmIPCgF5EgoKCAgBEgQKAggCQgQKABAN"
)
"""An ONNX model, opset 13, of one node: y = x + x, float32[2]."""
_SIDE = 8
_COLOUR = (200, 40, 90)


def self_test(zygote: Zygote, device: Device) -> dict[str, Any]:
    """`{"inference", "decode", "execution_provider", "seconds"}`: what succeeded, by which of ONNX
    Runtime's execution providers, and how long both took."""
    started = time.monotonic()
    return {
        "inference": _try("inference", lambda: _infers(device)),
        "decode": _try("decode", lambda: _decodes(zygote)),
        "execution_provider": execution_of(device.kind),
        "seconds": round(time.monotonic() - started, 3),
    }


def _try(name: str, test: Any) -> bool:
    try:
        return bool(test())
    except Exception as error:
        _log.error("self-test failed", test=name, error=type(error).__name__, at=place(error))
        return False


def _infers(device: Device) -> bool:
    import numpy as np
    import onnxruntime  # type: ignore[import-untyped]

    provider = execution_of(device.kind)
    session = onnxruntime.InferenceSession(_DOUBLING, providers=[provider])
    if session.get_providers()[0] != provider:
        return False
    (doubled,) = session.run(None, {"x": np.array([1.5, -2.0], np.float32)})
    return bool(np.array_equal(doubled, np.array([3.0, -4.0], np.float32)))


def _decodes(zygote: Zygote) -> bool:
    descriptor = decode.sealed_memfd([_png()])
    try:
        with decode.frames(
            zygote, descriptor, "image", side_max=_SIDE, from_us=0, to_us=1
        ) as pictures:
            frames = [(frame.rgb.shape, tuple(frame.rgb[0, 0])) for frame in pictures]
    finally:
        os.close(descriptor)
    return frames == [((_SIDE, _SIDE, 3), _COLOUR)]


def _png() -> bytes:
    """A square of one colour (PNG specification, third edition)."""
    rows = b"".join(b"\0" + bytes(_COLOUR) * _SIDE for _ in range(_SIDE))

    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)

    header = struct.pack(">IIBBBBB", _SIDE, _SIDE, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body
