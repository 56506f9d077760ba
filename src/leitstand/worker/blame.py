"""Whose fault a failure is: the medium's, the host's, the model's, or ours.

The control plane decides by blame what happens next: an item is not tried again, a host is noted,
anything else gets another attempt.
"""

from __future__ import annotations

import errno
import traceback
from pathlib import Path

from leitstand.core.problem import Param, Problem
from leitstand.media.zygote import ZygoteError

_HOST_ERRNO = {
    errno.ENOSPC: "disk",
    errno.EDQUOT: "disk",
    errno.ENOMEM: "memory",
    errno.EMFILE: "files",
    errno.ENFILE: "files",
    errno.EAGAIN: "processes",
    errno.EIO: "device",
}
"""What a machine ran out of, or what of it failed, by error number."""
_OUT_OF_MEMORY = ("out of memory", "failed to allocate memory", "bad_alloc", "bad allocation")
DECODER_GONE = "decoder-gone"
"""The decode process died: this worker can do nothing more, another one can."""
_MODEL_CODES = frozenset({"model-changed", "model-digest-wrong", "model-missing"})


class Failure(Exception):
    """An attempt failed for a reason a person can read: a catalogue code, and who is to blame."""

    def __init__(self, code: str, blame: str, **params: Param) -> None:
        super().__init__(code)
        self.code = code
        self.blame = blame
        self.params = params


def judge(error: BaseException) -> Failure:
    """What an exception means. Messages of libraries may quote media, so none is passed on."""
    if isinstance(error, Failure):
        return error
    if isinstance(error, Problem):
        blame = "model" if error.code in _MODEL_CODES else "item"
        return Failure(error.code, blame, **error.params)
    if isinstance(error, ImportError) and "cannot open shared object file" in str(error):
        missing = str(error).partition(":")[0]
        return Failure("graphics-library-missing", "host", missing=missing)
    if isinstance(error, ZygoteError):
        return Failure(DECODER_GONE, "host")
    text = str(error).lower()
    if isinstance(error, MemoryError) or any(words in text for words in _OUT_OF_MEMORY):
        return Failure("host-out-of-memory", "host")
    if isinstance(error, OSError) and error.errno in _HOST_ERRNO:
        return Failure("host-exhausted", "host", resource=_HOST_ERRNO[error.errno])
    return Failure("worker-error", "us", error=type(error).__name__, place=place(error))


def place(error: BaseException) -> str:
    """Where an exception was raised: file, line and function, never a value."""
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1] if frames else None
    return f"{Path(last.filename).name}:{last.lineno} {last.name}" if last else "unknown"
