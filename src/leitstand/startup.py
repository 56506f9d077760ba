"""What a control plane does before and as it serves: its name, its lock, its address, its log."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import json
import logging
import os
import resource
import secrets
import socket
import string
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO, cast

import structlog
import uvicorn

from leitstand import private
from leitstand.core.problem import Exit, Problem
from leitstand.folders import read_installation

INSTALLATION_CHARACTERS = 8
DESCRIPTORS_MIN = 128
"""Open files of a control plane: some 30 with one client, more with every caller and worker."""
DESCRIPTORS_WANTED = 1024
ANSWER_SECONDS_MAX = 5.0


def installation(path: Path) -> str:
    """Eight random characters made once; every label of ours carries them. Raises Problem
    as `read_installation`."""
    if not path.exists():
        made = "".join(
            secrets.choice(string.ascii_lowercase + string.digits)
            for _ in range(INSTALLATION_CHARACTERS)
        )
        private.write_new(path, made.encode())
    return read_installation(path)


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
    """Whether an address can be listened on; False where a program listens already. Raises Problem
    `cannot-listen` with any other reason of the system: another port would change nothing."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except (OSError, UnicodeError) as error:
        if getattr(error, "errno", None) == errno.EADDRINUSE:
            return False
        detail = getattr(error, "strerror", None) or str(error)
        shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        raise Problem("cannot-listen", Exit.FAILED, address=shown, detail=detail) from error
    return True


def reach_itself(host: str) -> None:
    """Raises Problem `no-loopback` where this computer cannot connect to an address of its own: the
    workers of this machine would wait for ever."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0]
        with socket.create_server(address[:2], family=family) as listener:
            socket.create_connection(listener.getsockname()[:2], ANSWER_SECONDS_MAX).close()
    except OSError as error:
        detail = error.strerror or str(error)
        raise Problem("no-loopback", Exit.UNREACHABLE, address=host, detail=detail) from error


def enough_descriptors() -> None:
    """Raise this process's limit of open files where it is low. Raises Problem `few-descriptors`
    where it may not be raised: what accepts no connection would wait in silence."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = DESCRIPTORS_WANTED if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS_WANTED)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    if most < DESCRIPTORS_MIN:
        raise Problem("few-descriptors", Exit.FAILED, limit=hard, needed=DESCRIPTORS_MIN)


class _Lossy:
    """A stream that drops what cannot be written: a full disk costs lines of the log, and never
    the thread that wanted to say that the disk is full."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            return self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()


class _Terse(logging.Formatter):
    """Records of libraries in our form: the first line, and of an error its type and place. A whole
    traceback ends in the error's text, and that may quote what it failed on."""

    def __init__(self, place_of: Callable[[BaseException], str]) -> None:
        super().__init__()
        self._place_of = place_of

    def format(self, record: logging.LogRecord) -> str:
        told = {
            "event": record.getMessage().partition("\n")[0],
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            told |= {"error": type(error).__name__, "where": self._place_of(error)}
        return json.dumps(told)


def log_as_json(place_of: Callable[[BaseException], str]) -> None:
    """One JSON object a line on stderr. Nothing that media or people wrote is ever logged; of an
    error `place_of` says where it arose."""
    stream = _Lossy(sys.stderr)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Terse(place_of))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # an address may be a key
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, stream)),
    )


async def quiet_serve(server: uvicorn.Server) -> None:
    """Serve without taking the process's signals: there are two servers and one ending."""
    await server._serve()


async def started(servers: list[uvicorn.Server], running: list[asyncio.Task[None]]) -> None:
    """Return once all of them answer. Raises what ended one before that."""
    while not all(server.started for server in servers):
        for task in running:
            if task.done():
                task.result()
                raise Problem("not-started", Exit.FAILED, detail="a listener ended at once")
        await asyncio.sleep(0.01)
