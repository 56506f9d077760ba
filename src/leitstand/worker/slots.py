"""Slots: each claims a task, works on it, and claims the next."""

from __future__ import annotations

import time
from typing import Any

import structlog

from leitstand.core.limits import CLAIM_WAIT_SECONDS_MAX
from leitstand.host.facts import cores, readings
from leitstand.host.nvml import Gpus
from leitstand.worker import lease as leases
from leitstand.worker.attempt import Tools, work
from leitstand.worker.blame import DECODER_GONE
from leitstand.worker.link import Fenced, Refused, Unreachable
from leitstand.worker.live import Board, Ended, LiveAttempt

_log = structlog.get_logger("worker.slots")

REFUSED_PAUSE_SECONDS = 5.0


class Slot:
    """One task at a time, in a thread of its own."""

    def __init__(self, board: Board, tools: Tools, gpus: Gpus) -> None:
        self._board = board
        self._tools = tools
        self._gpus = gpus

    def run(self) -> None:
        """Until the worker drains or ends."""
        while not self._board.draining:
            try:
                granted = self._claim()
            except Unreachable:
                continue
            except (Refused, Fenced, ValueError) as error:
                _log.error("claim refused", error=str(error))
                self._board.ending.wait(REFUSED_PAUSE_SECONDS)
                continue
            for attempt in granted:
                failure = work(attempt, self._tools)
                if failure is not None and failure.code == DECODER_GONE:
                    self._board.drain()
                self._board.leave(attempt)

    def _claim(self) -> list[LiveAttempt]:
        """What was granted, already on the board so that beats speak for it."""
        link, granted = self._tools.link, []

        def ask() -> tuple[float, dict[str, Any]]:
            return time.monotonic(), link.claim(self._free())

        sent_at, reply = link.patiently(ask, lambda: not self._board.draining)
        if reply.get("drain"):
            self._board.drain()
        for raw in reply.get("leases", ()):
            attempt = LiveAttempt(leases.parse(raw), sent_at, time.monotonic)
            try:
                entered = self._board.enter(attempt)
            except Ended:
                break
            if entered:
                granted.append(attempt)
        return granted

    def _free(self) -> dict[str, Any]:
        measured = readings(self._gpus)
        vram = [gpu["vram_free_gib"] for gpu in measured["gpus"] if gpu["vram_free_gib"]]
        return {
            "slots_free": 1,
            "vram_free_gib": max(vram, default=0.0),
            "ram_free_gib": measured["ram_free_gib"],
            "decoders_free": max(1, cores() - len(self._board.attempts())),
            "cached": self._tools.files.cached(),
            "holding": [attempt.lease.attempt for attempt in self._board.attempts()],
            "wait_seconds": CLAIM_WAIT_SECONDS_MAX,
        }
