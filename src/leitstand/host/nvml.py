"""GPUs as the NVIDIA driver shows them (NVML API reference; Python binding `nvidia-ml-py`).

Drivers differ in what they answer and a GPU may fall off the bus at any time, so every single call
may fail without taking the rest with it: what is missing is named in `not_visible`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")

GIB = 1024**3
SEEN = "seen"
NO_LIBRARY = "no NVML library"


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU. `ecc_errors` counts uncorrected ones since boot. None: the driver did not say."""

    ordinal: int
    name: str | None = None
    vram_gib: float | None = None
    vram_free_gib: float | None = None
    driver: str | None = None
    cuda: str | None = None
    compute_capability: str | None = None
    temperature_c: int | None = None
    ecc_errors: int | None = None
    busy_percent: int | None = None
    power_w: float | None = None
    not_visible: tuple[str, ...] = ()
    """Facts the driver refused, each with its reason: `power_w: Function Not Found`."""


class Gpus:
    """The driver's view, opened at the first look and kept open: a cold driver takes seconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open = False

    def look(self) -> tuple[tuple[Gpu, ...], str]:
        """All GPUs and how well they are seen: `SEEN`, `NO_LIBRARY` or the driver's own words.

        Never raises for what a driver does.
        """
        import pynvml  # type: ignore[import-untyped]

        with self._lock:
            try:
                if not self._open:
                    pynvml.nvmlInit()
                    self._open = True
                count = pynvml.nvmlDeviceGetCount()
            except pynvml.NVMLError as error:
                missing = isinstance(error, pynvml.NVMLError_LibraryNotFound)
                return (), NO_LIBRARY if missing else f"NVML: {error}"
            return tuple(_gpu(pynvml, ordinal) for ordinal in range(count)), SEEN


def _gpu(nvml: Any, ordinal: int) -> Gpu:
    refused: list[str] = []

    def ask(fact: str, call: Callable[[], T]) -> T | None:
        try:
            return call()
        except nvml.NVMLError as error:
            refused.append(f"{fact}: {error}")
            return None

    device = ask("device", lambda: nvml.nvmlDeviceGetHandleByIndex(ordinal))
    if device is None:
        return Gpu(ordinal, not_visible=tuple(refused))
    memory = ask("vram_gib", lambda: nvml.nvmlDeviceGetMemoryInfo(device))
    version = ask("cuda", nvml.nvmlSystemGetCudaDriverVersion_v2)
    capability = ask("compute_capability", lambda: nvml.nvmlDeviceGetCudaComputeCapability(device))
    load = ask("busy_percent", lambda: nvml.nvmlDeviceGetUtilizationRates(device))
    milliwatts = ask("power_w", lambda: nvml.nvmlDeviceGetPowerUsage(device))
    return Gpu(
        ordinal=ordinal,
        name=_text(ask("name", lambda: nvml.nvmlDeviceGetName(device))),
        vram_gib=round(memory.total / GIB, 2) if memory else None,
        vram_free_gib=round(memory.free / GIB, 2) if memory else None,
        driver=_text(ask("driver", nvml.nvmlSystemGetDriverVersion)),
        cuda=f"{version // 1000}.{version % 1000 // 10}" if version else None,
        compute_capability=f"{capability[0]}.{capability[1]}" if capability else None,
        temperature_c=ask(
            "temperature_c",
            lambda: int(nvml.nvmlDeviceGetTemperature(device, nvml.NVML_TEMPERATURE_GPU)),
        ),
        ecc_errors=ask(
            "ecc_errors",
            lambda: int(
                nvml.nvmlDeviceGetTotalEccErrors(
                    device, nvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED, nvml.NVML_VOLATILE_ECC
                )
            ),
        ),
        busy_percent=int(load.gpu) if load else None,
        power_w=milliwatts / 1000 if milliwatts is not None else None,
        not_visible=tuple(refused),
    )


def _text(value: str | bytes | None) -> str | None:
    return value.decode(errors="replace") if isinstance(value, bytes) else value
