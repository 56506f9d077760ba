"""The system calls that a decoding child may make; every other one answers EPERM.

An allowlist: what a kernel adds later is denied. EPERM, not death, so that a library that probes
(for a thread name, a huge page) goes on, and a child that is turned away can say so.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import mmap
import os
import platform
from pathlib import Path
from typing import Any

ALLOWED = (
    # bytes of descriptors that were handed over
    *("read", "write", "readv", "writev", "pread64", "preadv", "lseek", "close", "fstat"),
    *("poll", "ppoll", "select", "pselect6"),
    # memory
    *("munmap", "mremap", "brk", "madvise", "msync", "membarrier"),
    # threads and signals of this process
    *("futex", "set_robust_list", "set_tid_address", "rseq", "exit", "exit_group"),
    *("rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "restart_syscall"),
    *("sched_yield", "sched_getaffinity", "getcpu", "getpid", "gettid"),
    # time, randomness, and facts about this process
    *("clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday", "time"),
    *("getrandom", "getrusage", "times", "sysinfo", "getrlimit"),
    *("getuid", "geteuid", "getgid", "getegid"),
)
_FCNTL_COMMANDS = (0, 1, 2, 3, 1030, 1034)
"""F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_DUPFD_CLOEXEC, F_GET_SEALS; not F_SETOWN, which signals."""
_CLONE_THREAD = 0x00010000
_CLONE_NAMESPACES = 0x7E020000 | 0x00000080
_PROT_EXEC = mmap.PROT_EXEC
_CLONE_FLAGS_ARGUMENT = 1 if platform.machine() == "s390x" else 0


def available() -> bool:
    """Whether libseccomp is here (Debian and Ubuntu: package `libseccomp2`, which apt itself
    needs) and the kernel takes filters."""
    try:
        import pyseccomp  # type: ignore[import-untyped]

        return bool(pyseccomp.get_api() > 0) and Path("/proc/sys/kernel/seccomp").exists()
    except (ImportError, RuntimeError, OSError, AttributeError):
        return False


def load_library() -> None:
    """Loads libseccomp, which `confine` cannot do once files are closed."""
    with contextlib.suppress(ImportError, RuntimeError):
        importlib.import_module("pyseccomp")


def confine() -> None:
    """Loads the filter for this process and all it starts. Raises where that is not possible."""
    import pyseccomp as seccomp

    deny = seccomp.ERRNO(errno.EPERM)
    rules = seccomp.SyscallFilter(defaction=deny)
    for name in ALLOWED:
        _allow(rules, name)
    for command in _FCNTL_COMMANDS:
        _allow(rules, "fcntl", seccomp.Arg(1, seccomp.EQ, command))
    for name in ("mmap", "mprotect"):
        _allow(rules, name, seccomp.Arg(2, seccomp.MASKED_EQ, _PROT_EXEC, 0))
    _allow(
        rules,
        "clone",
        seccomp.Arg(
            _CLONE_FLAGS_ARGUMENT,
            seccomp.MASKED_EQ,
            _CLONE_THREAD | _CLONE_NAMESPACES,
            _CLONE_THREAD,
        ),
    )
    rules.add_rule(seccomp.ERRNO(errno.ENOSYS), "clone3")
    _allow(rules, "prlimit64", seccomp.Arg(0, seccomp.EQ, 0), seccomp.Arg(2, seccomp.EQ, 0))
    _allow(rules, "tgkill", seccomp.Arg(0, seccomp.EQ, os.getpid()))
    rules.load()


def _allow(rules: Any, name: str, *conditions: Any) -> None:
    """Allows a call; one that this architecture does not have is left out."""
    import pyseccomp as seccomp

    try:
        seccomp.resolve_syscall(seccomp.Arch.NATIVE, name)
    except ValueError:
        return
    rules.add_rule(seccomp.ALLOW, name, *conditions)
