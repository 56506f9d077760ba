"""How fast a machine computes now: the same multiplication over and over, for some seconds.

A machine that is shared with others, throttled, or not what its name says is slower than its kind.
What is measured is compared with what other machines with the same GPU reached, so its unit matters
less than that everywhere the same is measured.
"""

from __future__ import annotations

import base64
import time
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import structlog

from leitstand.core.accelerator import execution_of
from leitstand.worker.blame import place

if TYPE_CHECKING:
    from leitstand.ports import Device

_log = structlog.get_logger("worker.contention")

_CHAIN = zlib.decompress(
    base64.b64decode(
        "eNpN0LsOgkAQBVAGCFnGEHRjYU3pJ1ja01jaLbC8X4ki8Dcm/qjLFGSSqc4tbu4Icfs5eEL4IMwSlsiL1Tue2o0Wcx"
        "IUJ0WUcEqIUk4pUcYpI9KcNFHOKScqOBVEJaeSqOJUEdWcaqKGU0PUcmqJOk4dUc+pJxo4DUTjThHCKGGN/IfOplTH"
        "armGKBqtx6zqXhfrC7ZZ9jybT8sQAwHSR8fUoC1g03lXA5QkB4RVeugate4uWsfgDy+bVJQ="
    )
)
"""An ONNX model, opset 13: x = v · w, multiplied by itself `_TIMES` times, and the greatest element
of that. With v = wᵀ = 1/√n every power of x is x, so the answer is 1/n and tells a right one."""
_TIMES = 16
_SIDE = {"cuda": 2048, "cpu": 256}
_WARM_UP = 2
_RIGHT_WITHIN = 0.01
"""GPUs multiply with fewer digits (TF32)."""


def measure(
    device: Device,
    seconds: float,
    stop: Callable[[], bool] = lambda: False,
    monotonic: Callable[[], float] = time.monotonic,
) -> dict[str, Any] | None:
    """`{"kind", "tflops", "steady", "seconds"}`: of which device, the speed over all, that of the
    slowest tenth as a share of it, and how long it took. None where nothing was asked for, or nothing
    could be measured."""
    if seconds <= 0:
        return None
    try:
        return _measure(device, seconds, stop, monotonic)
    except Exception as error:
        _log.error("speed not measured", error=type(error).__name__, at=place(error))
        return None


def _measure(
    device: Device, seconds: float, stop: Callable[[], bool], monotonic: Callable[[], float]
) -> dict[str, Any] | None:
    once = _multiplication(device)
    for _ in range(_WARM_UP):
        once()
    took: list[float] = []
    began = last = monotonic()
    while last - began < seconds and not stop():
        once()
        now = monotonic()
        took.append(now - last)
        last = now
    if last <= began:
        return None
    work = 2.0 * _SIDE[device.kind] ** 3 * _TIMES / 1e12
    mean = work * len(took) / (last - began)
    slowest = sorted(took)[-max(1, len(took) // 10) :]
    steady = work * len(slowest) / sum(slowest) / mean
    return {
        "kind": device.kind,
        "tflops": round(mean, 6),
        "steady": round(steady, 3),
        "seconds": round(last - began, 3),
    }


def _multiplication(device: Device) -> Callable[[], Any]:
    """One run of the chain. Raises ArithmeticError on a wrong result."""
    import numpy as np
    import onnxruntime  # type: ignore[import-untyped]

    provider = execution_of(device.kind)
    session = onnxruntime.InferenceSession(_CHAIN, providers=[provider])
    side = _SIDE[device.kind]
    column = np.full((side, 1), side**-0.5, np.float32)
    inputs = {"v": column, "w": np.ascontiguousarray(column.T)}

    def once() -> None:
        (greatest,) = session.run(None, inputs)
        if not abs(float(greatest) * side - 1.0) <= _RIGHT_WITHIN:
            raise ArithmeticError("a wrong product")

    return once
