"""What keeps a worker's memory to itself: no core dump, no tracing, no files, no secrets around."""

from __future__ import annotations

import ctypes
import os
import resource
import tempfile
from collections.abc import MutableMapping

_PR_SET_DUMPABLE = 4
_KEPT = frozenset({"PATH", "LANG", "LD_LIBRARY_PATH", "PYTHONPATH", "CUDA_VISIBLE_DEVICES", "TZ"})
MEMORY_FOLDER = "/dev/shm"
SILENCE = {"ORT_DISABLE_TELEMETRY": "1", "HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1"}
"""ONNX Runtime reports to its maker and keeps a database in the home folder unless told not to
before it is loaded (its `Privacy.md`)."""


def confine_memory() -> None:
    """No core dumps, and our memory closed to other processes of the same user (prctl(2))."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_DUMPABLE)")


def clear_environment(environ: MutableMapping[str, str]) -> None:
    """Drops every variable a child has no use for, and points temporary files into memory.

    Nothing here writes temporary files; if a library ever does, it is not to reach a disk.
    """
    for name in list(environ):
        if name not in _KEPT and not name.startswith(("LC_", "OMP_", "COVERAGE_")):
            del environ[name]
    environ.update(SILENCE)
    environ["HOME"] = "/nonexistent"
    environ["TMPDIR"] = MEMORY_FOLDER
    tempfile.tempdir = MEMORY_FOLDER if os.access(MEMORY_FOLDER, os.W_OK) else None
