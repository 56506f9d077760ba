"""Limits and usage of the control groups this process lives in, version 1 and 2.

A container's share is what its groups allow, and the tightest ancestor counts. Sources: the
kernel's `admin-guide/cgroup-v2.rst` (cpu.max, memory.max, cpu.stat) and
`admin-guide/cgroup-v1/{memory,cpuacct}.rst`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_UNLIMITED_V1 = 1 << 60
"""Version 1 writes "no limit" as the largest page-aligned number; nothing real is above this."""


@dataclass(frozen=True, slots=True)
class Share:
    """What the groups allow and what they used; None where no group says so.

    `memory_used_bytes` leaves out file cache that the kernel would give back.
    """

    cores: float | None = None
    memory_limit_bytes: int | None = None
    memory_used_bytes: int | None = None
    swap_limit_bytes: int | None = None
    cpu_seconds: float | None = None


def share(root: Path = Path("/")) -> Share:
    """The share of this process. `root` is where `proc` and the cgroup mounts are found."""
    groups = list(_groups(root))
    cpu = [quota for group in groups if (quota := _cores(group)) is not None]
    memory = [pair for group in groups if (pair := _memory(group)) is not None]
    swap = [limit for group in groups if (limit := _number(group / "memory.swap.max")) is not None]
    tightest = min(memory, key=lambda pair: pair[0] - pair[1], default=None)
    return Share(
        cores=min(cpu, default=None),
        memory_limit_bytes=min((limit for limit, _ in memory), default=None),
        memory_used_bytes=tightest[1] if tightest else None,
        swap_limit_bytes=min(swap, default=None),
        cpu_seconds=next((s for group in groups if (s := _cpu_seconds(group)) is not None), None),
    )


def _groups(root: Path) -> Iterator[Path]:
    """Folders of our groups, each followed by its ancestors up to the mount point."""
    mounts = list(_mounts(root))
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        wanted = set(filter(None, controllers.split(",")))
        for kind, options, inside, point in mounts:
            if kind == ("cgroup" if wanted else "cgroup2") and wanted <= options:
                yield from _upward(root, point, inside, path)
                break


def _upward(root: Path, point: str, inside: str, path: str) -> Iterator[Path]:
    """In a container the mount shows a subtree: its root is cut from the group's path."""
    relative = path.removeprefix(inside) if inside != "/" else path
    top = root / point.lstrip("/")
    here = top / relative.lstrip("/")
    if ".." in Path(relative).parts or not here.is_dir():
        here = top
    while True:
        yield here
        if here == top:
            return
        here = here.parent


def _mounts(root: Path) -> Iterator[tuple[str, set[str], str, str]]:
    for line in _lines(root / "proc/self/mountinfo"):
        left, _, right = line.partition(" - ")
        kind, _, options = right.split(" ", 2)
        if kind in {"cgroup", "cgroup2"}:
            fields = left.split(" ")
            yield kind, set(options.split(",")), fields[3], fields[4]


def _cores(group: Path) -> float | None:
    v2 = _words(group / "cpu.max")
    if len(v2) == 2 and v2[0] != "max":
        return int(v2[0]) / int(v2[1])
    quota, period = _number(group / "cpu.cfs_quota_us"), _number(group / "cpu.cfs_period_us")
    return quota / period if quota and period and quota > 0 else None


def _memory(group: Path) -> tuple[int, int] | None:
    for limit_name, used_name, key in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        limit, used = _number(group / limit_name), _number(group / used_name)
        if limit is not None and used is not None and limit < _UNLIMITED_V1:
            return limit, max(0, used - _stat(group / "memory.stat", key))
    return None


def _cpu_seconds(group: Path) -> float | None:
    v1 = _number(group / "cpuacct.usage")
    if v1 is not None:
        return v1 / 1e9
    v2 = _stat(group / "cpu.stat", "usage_usec")
    return v2 / 1e6 if v2 else None


def _stat(path: Path, key: str) -> int:
    for line in _lines(path):
        name, _, value = line.partition(" ")
        if name == key:
            return int(value)
    return 0


def _number(path: Path) -> int | None:
    words = _words(path)
    return int(words[0]) if words and words[0].lstrip("-").isdigit() else None


def _words(path: Path) -> list[str]:
    lines = _lines(path)
    return lines[0].split() if lines else []


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
