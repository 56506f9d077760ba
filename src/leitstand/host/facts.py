"""One look at this machine: what an offer promises, what admission checks, what a beat carries."""

from __future__ import annotations

import dataclasses
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from leitstand.host.cgroup import share
from leitstand.host.nvml import Gpu, Gpus

GIB = 1024**3


@dataclass(frozen=True, slots=True)
class Facts:
    """Measured, aware of control groups and CPU affinity. Sizes in GiB.

    `shm_gib` is the size of `/dev/shm`, 0 where there is none; `gpu_visibility` says why `gpus` is
    empty (`host.nvml`).
    """

    cores: int
    ram_gib: float
    ram_free_gib: float
    disk_free_gib: float
    shm_gib: float
    swap_gib: float
    gpus: tuple[Gpu, ...]
    gpu_visibility: str

    def document(self) -> dict[str, Any]:
        """The facts as the worker protocol carries them."""
        return dataclasses.asdict(self)


def measure(folder: Path, gpus: Gpus) -> Facts:
    """This machine now; `folder` lies on the disk whose free space is meant."""
    limits, memory = share(), psutil.virtual_memory()
    total, free = memory.total, memory.available
    if limits.memory_limit_bytes is not None:
        total = min(total, limits.memory_limit_bytes)
        free = min(free, limits.memory_limit_bytes - (limits.memory_used_bytes or 0))
    swap = psutil.swap_memory().total
    if limits.swap_limit_bytes is not None:
        swap = min(swap, limits.swap_limit_bytes)
    seen, visibility = gpus.look()
    return Facts(
        cores=cores(),
        ram_gib=_gib(total),
        ram_free_gib=_gib(max(0, free)),
        disk_free_gib=_gib(_disk_free(folder)),
        shm_gib=_gib(_filesystem_size(Path("/dev/shm"))),
        swap_gib=_gib(swap),
        gpus=seen,
        gpu_visibility=visibility,
    )


def cores() -> int:
    """Whole cores this process may use at once, by affinity and group quota; at least 1."""
    allowed = len(os.sched_getaffinity(0))
    quota = share().cores
    return max(1, min(allowed, math.floor(quota)) if quota is not None else allowed)


def readings(gpus: Gpus) -> dict[str, Any]:
    """What changes while a worker works: memory and CPU of its groups, and its GPUs."""
    limits, memory = share(), psutil.virtual_memory()
    seen, visibility = gpus.look()
    return {
        "ram_used_gib": _gib(limits.memory_used_bytes or memory.total - memory.available),
        "ram_free_gib": _gib(memory.available),
        "cpu_seconds": limits.cpu_seconds,
        "gpu_visibility": visibility,
        "gpus": [dataclasses.asdict(gpu) for gpu in seen],
    }


def _gib(size: int) -> float:
    return round(size / GIB, 3)


def _disk_free(folder: Path) -> int:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return psutil.disk_usage(str(folder)).free


def _filesystem_size(folder: Path) -> int:
    try:
        return psutil.disk_usage(str(folder)).total
    except OSError:
        return 0
