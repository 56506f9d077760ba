"""Takes every ability from the calling process that decoding does not need.

Order and content follow `contracts.md`: privileges, limits, files, system calls. Nothing here can
be taken back by the process. An ability of the kernel that is missing is reported, never assumed.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import resource
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from leitstand.core.limits import DECODER_ADDRESS_BYTES
from leitstand.media import syscalls

DESCRIPTORS_MAX = 64

_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38
_LANDLOCK_CREATE_RULESET = 444
_LANDLOCK_RESTRICT_SELF = 446
_LANDLOCK_VERSION_QUERY = 1
_LANDLOCK_FILES_BY_VERSION = ((1, 13), (2, 14), (3, 15), (5, 16))
"""From which version of the kernel's interface how many file rights exist (`linux/landlock.h`)."""
_CAPABILITY_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Limits:
    """`address_bytes` is what may be mapped beyond what the libraries of the zygote already occupy
    (they map some 300 MiB; a fixed total would mean a different allowance on every machine);
    `cpu_seconds` bounds the processor time of all threads together."""

    address_bytes: int = DECODER_ADDRESS_BYTES
    cpu_seconds: int = 600


def confine(limits: Limits) -> dict[str, bool]:
    """Confines the calling process for good and says what holds: `no_new_privs`, `rlimits`,
    `landlock`, `seccomp`. Threads that already run are not confined: call it before any."""
    syscalls.load_library()
    return {
        "no_new_privs": _holds(_drop_privileges),
        "rlimits": _holds(lambda: _limit(limits)),
        "landlock": _holds(_close_files),
        "seccomp": _holds(syscalls.confine),
    }


def abilities() -> dict[str, bool]:
    """What this machine offers, without confining anyone. `Zygote.abilities` proves it in a child."""
    return {
        "no_new_privs": True,
        "rlimits": True,
        "landlock": _landlock_version() > 0,
        "seccomp": importlib.util.find_spec("pyseccomp") is not None and syscalls.available(),
    }


def hide() -> None:
    """Keeps other processes of the same user out of this one's memory, and memory out of cores."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _check(_libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0))


def mapped_bytes() -> int:
    """Address space of the calling process as `RLIMIT_AS` counts it."""
    pages = Path("/proc/self/statm").read_text().split()[0]
    return int(pages) * resource.getpagesize()


def _holds(step: Callable[[], None]) -> bool:
    try:
        step()
    except (OSError, RuntimeError, ValueError, AttributeError, ImportError):
        return False
    return True


def _drop_privileges() -> None:
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    _check(_libc.capset(header, bytes(24)))


def _limit(limits: Limits) -> None:
    address = mapped_bytes() + limits.address_bytes
    _lower(resource.RLIMIT_AS, address, address)
    _lower(resource.RLIMIT_CPU, limits.cpu_seconds, limits.cpu_seconds + 1)
    _lower(resource.RLIMIT_FSIZE, 0, 0)
    _lower(resource.RLIMIT_NOFILE, DESCRIPTORS_MAX, DESCRIPTORS_MAX)
    _lower(resource.RLIMIT_CORE, 0, 0)


def _lower(kind: int, soft: int, hard: int) -> None:
    """Sets a limit, or keeps one that is tighter already."""
    _, bound = resource.getrlimit(kind)
    if bound != resource.RLIM_INFINITY:
        soft, hard = min(soft, bound), min(hard, bound)
    resource.setrlimit(kind, (soft, hard))


def _landlock_version() -> int:
    return _call(_LANDLOCK_CREATE_RULESET, None, 0, _LANDLOCK_VERSION_QUERY)


def _close_files() -> None:
    """A Landlock domain that handles every right this kernel knows and grants none."""
    version = _landlock_version()
    if version < 1:
        raise OSError("no Landlock")
    files = max(bits for since, bits in _LANDLOCK_FILES_BY_VERSION if since <= version)
    network = 0b11 if version >= 4 else 0
    scopes = 0b11 if version >= 6 else 0
    rights = struct.pack("=QQQ", (1 << files) - 1, network, scopes)
    known = rights[: 8 if version < 4 else 16 if version < 6 else 24]
    ruleset = _check(_call(_LANDLOCK_CREATE_RULESET, known, len(known), 0))
    try:
        _check(_call(_LANDLOCK_RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)


def _call(number: int, *arguments: int | bytes | None) -> int:
    """A system call that the C library does not wrap; integers travel at full width."""
    wide = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    return int(_libc.syscall(ctypes.c_long(number), *wide))


def _check(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
