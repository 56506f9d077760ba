"""The worker process from launch spec to exit code.

Order matters: the decode zygote starts before there are threads or keys, keys exist before anything
is said to the control plane, and no work is claimed before admission.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import MutableMapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from leitstand import __version__
from leitstand import launch as launching
from leitstand.core.limits import LEASE
from leitstand.core.problem import Exit
from leitstand.worker.blame import place
from leitstand.worker.hygiene import clear_environment, confine_memory

if TYPE_CHECKING:
    from leitstand.media.zygote import Zygote
    from leitstand.ports import Device
    from leitstand.vault.release import HpkeKey
    from leitstand.worker.infer import Sessions
    from leitstand.worker.link import Link

_log = structlog.get_logger("worker")

BEATS = "LEITSTAND_BEATS"
"""Where the dead-man switch hears that the control plane answers (`boot/program.py`)."""
UNREACHABLE_SECONDS_MAX = LEASE.total_seconds() + 60.0
"""Without an answer for so long every lease has run out: the instance only costs money."""
WATCH_SECONDS = 0.5
_ENDING = (signal.SIGTERM, signal.SIGINT)
LEAVE_SECONDS_MAX = 3.0
"""How long slots have to notice that the worker ends; what is left dies with the process."""


def run(environ: MutableMapping[str, str]) -> int:
    """Work until drained, ended or cut off. The launch spec is removed from `environ`.

    Exit codes: 0 drained or ended as asked, 1 our fault or the host's, 2 no usable launch spec,
    3 refused by the control plane, 5 control plane not reachable.
    """
    _log_to_stderr()
    try:
        spec = launching.decode(environ.pop(launching.VARIABLE, ""))
    except ValueError as error:
        _log.error("no launch spec", variable=launching.VARIABLE, error=str(error))
        return Exit.USAGE
    beats = environ.pop(BEATS, "")
    if beats.isdigit():
        os.set_inheritable(int(beats), False)
    clear_environment(environ)
    confine_memory()
    os.umask(0o077)

    from leitstand.media.zygote import Zygote

    try:
        with Zygote.start() as zygote:
            return _Worker(spec, zygote, int(beats) if beats.isdigit() else None).run()
    except Exception as error:  # a traceback could quote what it worked on
        _log.error("worker failed", error=type(error).__name__, at=place(error))
        return Exit.FAILED


class _Worker:
    def __init__(
        self, spec: launching.WorkerSpec, zygote: Zygote, beats: int | None = None
    ) -> None:
        from leitstand.host.nvml import Gpus
        from leitstand.worker.live import Board

        self._spec = spec
        self._zygote = zygote
        self._beats = beats
        self._board = Board()
        self._gpus = Gpus()
        self._started = time.monotonic()
        self._ends_at = self._started + (spec.end_by - datetime.now(UTC)).total_seconds()
        self._cache_folder = _cache_folder(spec)

    def run(self) -> int:
        """From the first connection to the exit code."""
        from leitstand.worker.link import Fenced, Refused, Unreachable, WrongAuthority

        # In a thread of its own: a handler could interrupt the very locks that ending takes.
        signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
        threading.Thread(target=self._end_when_told, name="signals", daemon=True).start()
        try:
            return self._admitted_and_worked()
        except Unreachable as error:
            if self._board.ending.is_set():
                return Exit.DONE
            _log.error("control plane unreachable", error=str(error))
            return Exit.UNREACHABLE
        except (Refused, Fenced) as error:
            _log.error("refused by the control plane", error=str(error))
            return Exit.REFUSED
        except WrongAuthority:
            _log.error("the authority at the address is not the one of the launch spec")
            return Exit.REFUSED

    def _end_when_told(self) -> None:
        number = signal.sigwait(_ENDING)
        _log.info("leaving", why=signal.Signals(number).name)
        self._board.end()

    def _admitted_and_worked(self) -> int:
        from leitstand.vault.release import HpkeKey
        from leitstand.worker.infer import Sessions, choose_device
        from leitstand.worker.selftest import self_test

        release_key = HpkeKey.generate()
        link, enrolment = self._enrol(release_key)
        device = choose_device(self._gpus)
        admission = {
            "facts": self._facts() | {"dead_man_switch": self._beats is not None},
            "sandbox": dict(self._zygote.abilities()),
            "self_test": self_test(self._zygote, device) | self._probed(device),
            "version": __version__,
        }
        reply = link.patiently(lambda: link.admission(admission), lambda: self._hears(link))
        if reply.get("verdict") != "ready":
            _log.error("not admitted", reasons=reply.get("reasons"))
            return Exit.REFUSED
        _log.info("admitted", device=device.kind, slots=self._spec.slots)
        return self._work(link, enrolment, release_key, Sessions(device, time.monotonic))

    def _probed(self, device: Device) -> dict[str, Any]:
        """How fast this machine computes now, where its launch asks for it."""
        from leitstand.worker.contention import measure

        found = measure(device, self._spec.probe_seconds, self._board.ending.is_set)
        return {} if found is None else {"probe": found}

    def _enrol(self, release_key: HpkeKey) -> tuple[Link, dict[str, Any]]:
        from leitstand.security.ca import WorkerCredentials
        from leitstand.worker.link import Link, fetch_authority, patiently
        from leitstand.worker.traffic import Traffic

        spec, stop = self._spec, self._board.ending
        authority = patiently(
            lambda: fetch_authority(spec.url, spec.ca_sha256),
            stop,
            lambda: time.monotonic() - self._started < UNREACHABLE_SECONDS_MAX,
        )
        credentials, traffic = WorkerCredentials.generate(), Traffic(spec.mbit_per_s)
        link = Link(spec.url, spec.instance_id, credentials, authority, stop, traffic)
        facts = self._facts()
        enrolment = link.patiently(
            lambda: link.enrol(spec.token, release_key.public, facts), lambda: self._hears(link)
        )
        _log.info("enrolled", instance=spec.instance_id)
        return link, enrolment

    def _facts(self) -> dict[str, Any]:
        from leitstand.host.facts import measure

        measured = measure(self._cache_folder, self._gpus).document()
        return measured | {"clock_unix": time.time()}

    def _hears(self, link: Link) -> bool:
        now = time.monotonic()
        return now < self._ends_at and now - link.heard_at < UNREACHABLE_SECONDS_MAX

    def _work(
        self, link: Link, enrolment: dict[str, Any], release_key: HpkeKey, sessions: Sessions
    ) -> int:
        from leitstand.models.cache import ModelCache
        from leitstand.worker.attempt import Tools
        from leitstand.worker.cache import ModelFiles
        from leitstand.worker.pulse import Pulse
        from leitstand.worker.slots import Slot

        files = ModelFiles(ModelCache(self._cache_folder), link)
        tools = Tools(link, files, sessions, self._zygote, release_key)
        pulse = Pulse(link, self._board, sessions, self._gpus, enrolment, beats=self._beats)
        threads = [threading.Thread(target=pulse.run, name="network", daemon=True)]
        for number in range(self._spec.slots):
            slot = Slot(self._board, tools, self._gpus)
            threads.append(threading.Thread(target=slot.run, name=f"slot-{number}", daemon=True))
        self._past_end()  # before a slot could claim, not a moment after
        for thread in threads:
            thread.start()
        code = self._watch(link)
        self._let_go()
        return code

    def _let_go(self) -> None:
        """Until no slot holds an attempt; a waiting claim holds nothing and is cut off."""
        leave_by = time.monotonic() + LEAVE_SECONDS_MAX
        while not self._board.empty() and time.monotonic() < leave_by:
            self._board.changed.wait(leave_by - time.monotonic())
            self._board.changed.clear()

    def _past_end(self) -> bool:
        """Whether this instance's time is over; then the board is ended, and no slot claims."""
        if time.monotonic() < self._ends_at:
            return False
        _log.info("leaving", why="end_by passed")
        self._board.end()
        return True

    def _watch(self, link: Link) -> int:
        """Until there is a reason to leave; the board is ended on return."""
        board, code = self._board, Exit.DONE
        while not board.ending.is_set():
            if self._past_end():
                continue
            if time.monotonic() - link.heard_at >= UNREACHABLE_SECONDS_MAX:
                _log.error("leaving", why="control plane unreachable")
                code = Exit.UNREACHABLE
                board.end()
            elif board.draining and board.empty():
                _log.info("leaving", why="drained")
                board.end()
            else:
                board.changed.wait(WATCH_SECONDS)
                board.changed.clear()
        return code


def _cache_folder(spec: launching.WorkerSpec) -> Path:
    if spec.cache_folder is not None:
        return Path(spec.cache_folder)
    return Path("/var/cache/leitstand/models")


def _log_to_stderr() -> None:
    """JSON lines with ids, codes and counts; nothing that media or people wrote."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
