"""What a control plane does before it serves: its name, its lock, its address, its log."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import secrets
import socket
import string
import sys
from collections.abc import Iterator
from pathlib import Path

import structlog

from leitstand.core.problem import Exit, Problem

INSTALLATION_CHARACTERS = 8


def installation(path: Path) -> str:
    """Eight random characters made once; every label of ours carries them."""
    with contextlib.suppress(FileExistsError):
        made = "".join(
            secrets.choice(string.ascii_lowercase + string.digits)
            for _ in range(INSTALLATION_CHARACTERS)
        )
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(made)
            file.flush()
            os.fsync(file.fileno())
    return path.read_text().strip()


@contextlib.contextmanager
def sole(lock: Path) -> Iterator[None]:
    """Hold the state folder: one control plane at a time."""
    descriptor = os.open(lock, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Problem("locked", Exit.FAILED, folder=str(lock.parent)) from None
        yield
    finally:
        os.close(descriptor)


def free(host: str, port: int) -> bool:
    """Whether an address can be listened on."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), port))
        except OSError:
            return False
    return True


def log_as_json() -> None:
    """One JSON object a line on stderr. Nothing that media or people wrote is ever logged."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
