"""Find the control plane: the configured server, or the embedded one, started when nobody answers.

The embedded control plane is a process of its own, detached from the terminal. It holds the lock of
the state folder, so of two starters one wins and both find the same socket. Whether it is up is
found out by connecting, never by looking at files: a socket left behind by a crash is only a name.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

from leitstand.client import Client
from leitstand.core.problem import Exit, Param, Problem
from leitstand.folders import Folders

START_SECONDS_MAX = 30.0
"""How long a control plane may take until it answers; migrations of a large database included."""
ANSWER_SECONDS_MAX = 5.0
LOOK_SECONDS = 0.05
RIVAL_SECONDS_MAX = 10.0
"""How long to go on looking after the process we started left: another one may have the lock."""
ROOM_BYTES_MIN = 1024 * 1024
"""Less free space than this explains why a control plane did not start."""
LOG_BYTES_MAX = 5 * 1024 * 1024


def connect(server_url: str | None, folders: Folders) -> Client:
    """A client whose control plane answered once. Raises Problem `unreachable` or `not-started`."""
    if server_url is not None:
        client = Client.over_url(server_url)
        client.get("/health")
        return client
    folders.create()
    ensure(folders)
    return Client.over_socket(folders.socket, revive=lambda: ensure(folders))


def answers(path: Path) -> bool:
    """Whether a control plane is there. A socket that accepts and then says nothing is one that
    hangs: that raises Problem("unreachable")."""
    if not _accepts(path):
        return False
    try:
        with httpx.Client(
            transport=httpx.HTTPTransport(uds=str(path)), timeout=ANSWER_SECONDS_MAX
        ) as http:
            return http.get("http://leitstand/api/v1/health").is_success
    except httpx.TimeoutException as error:
        raise Problem(
            "unreachable", Exit.UNREACHABLE, where=str(path), tries=1, detail="no answer"
        ) from error
    except httpx.TransportError:
        return False


def _accepts(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(ANSWER_SECONDS_MAX)
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True


def ensure(folders: Folders) -> None:
    """Return when the embedded control plane answers, starting it if need be, and once more if it
    was killed on the way."""
    if answers(folders.socket):
        return
    log = _log(folders)
    seen = log.stat().st_size
    process = start(folders, log)
    began = time.monotonic()
    ended: float | None = None
    killed = False
    while True:
        if answers(folders.socket):
            return
        now = time.monotonic()
        if not killed and (process.poll() or 0) < 0:
            killed, process = True, start(folders, log)  # from outside, so once more is worth it
        if ended is None and process.poll() is not None:
            ended = now
        if ended is not None and (process.returncode != 0 or now - ended > RIVAL_SECONDS_MAX):
            told = _last_problem(log, seen)
            if told is None or told.code != "locked" or now - ended > RIVAL_SECONDS_MAX:
                detail = f"exit {process.returncode}, see {log}"
                raise told or _no_room(folders) or _not_started(folders, detail)
        if now - began > START_SECONDS_MAX:
            raise _not_started(folders, f"no answer in {START_SECONDS_MAX:.0f} s, see {log}")
        time.sleep(LOOK_SECONDS)


def start(folders: Folders, log: Path) -> subprocess.Popen[bytes]:
    """Start it in a session of its own, away from this terminal, folder and module path."""
    environment = dict(os.environ)
    if "LEITSTAND_HOME" in environment:
        environment["LEITSTAND_HOME"] = str(folders.state.parent)
    with log.open("ab") as stream:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "leitstand", "serve", "--embedded", "--json"],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            cwd=folders.state,
            env=environment,
            start_new_session=True,
        )


def _log(folders: Folders) -> Path:
    log = folders.logs / "control-plane.log"
    if log.exists() and log.stat().st_size > LOG_BYTES_MAX:
        log.replace(log.with_suffix(".log.1"))
    os.close(os.open(log, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600))
    return log


def _last_problem(log: Path, seen: int) -> Problem | None:
    """The error object that the process left in its log after byte `seen`."""
    with log.open("rb") as stream:
        stream.seek(seen)
        lines = stream.read(LOG_BYTES_MAX).decode("utf-8", "replace").splitlines()
    for line in reversed(lines):
        try:
            told = json.loads(line)["error"]
            params: dict[str, Param] = dict(told["params"])
            return Problem(str(told["code"]), Exit(told["exit"]), **params)
        except (ValueError, KeyError, TypeError):
            continue
    return None


def _no_room(folders: Folders) -> Problem | None:
    """A full disk, which a control plane that cannot even write its log cannot report itself."""
    for folder in (folders.state, folders.data):
        if folder.is_dir() and shutil.disk_usage(folder).free < ROOM_BYTES_MIN:
            return Problem("disk-full", Exit.FAILED, path=str(folder))
    return None


def _not_started(folders: Folders, detail: str) -> Problem:
    return Problem("not-started", Exit.UNREACHABLE, detail=detail, path=str(folders.state))
