"""The network thread: beats that renew leases, and certificates that are renewed at half life."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import structlog

from leitstand.core.limits import BEAT_BYTES_MAX
from leitstand.host.facts import readings
from leitstand.host.nvml import Gpus
from leitstand.worker.infer import Sessions
from leitstand.worker.lease import addresses
from leitstand.worker.link import Fenced, Link, Refused, Unreachable
from leitstand.worker.live import Board, LiveAttempt, Monotonic

_log = structlog.get_logger("worker.pulse")

RENEW_AGAIN_SECONDS = 10.0
"""Pause before a failed renewal is tried again."""


class Pulse:
    """Beats until the board ends. A missed beat is not repeated: the next one says more."""

    def __init__(
        self,
        link: Link,
        board: Board,
        sessions: Sessions,
        gpus: Gpus,
        enrolment: Mapping[str, Any],
        monotonic: Monotonic = time.monotonic,
        beats: int | None = None,
    ) -> None:
        """`beats` is written to whenever the control plane answered."""
        self._beats = beats
        self._link = link
        self._board = board
        self._sessions = sessions
        self._gpus = gpus
        self._monotonic = monotonic
        self._beat_seconds = float(enrolment["beat_seconds"])
        self._renew_at = monotonic() + float(enrolment["renew_seconds"])

    def run(self) -> None:
        """Until the worker ends."""
        while not self._board.ending.wait(self._beat_seconds):
            try:
                self.beat()
                if self._monotonic() >= self._renew_at:
                    self.renew()
            except (Unreachable, Refused, Fenced) as error:
                _log.warning("no beat", error=str(error) or type(error).__name__)
            except Exception as error:  # a beat that dies takes every lease with it
                _log.error("beat failed", error=type(error).__name__)
            self._sessions.unload_idle()

    def beat(self) -> None:
        """One beat, and its verdicts applied. Raises Unreachable, Refused."""
        attempts = self._board.attempts()
        said = [attempt.beat() for attempt in attempts]
        sent_at = self._monotonic()
        reply = self._link.beat(said, _bounded(readings(self._gpus), said))
        if self._beats is not None:
            with suppress(OSError):
                os.write(self._beats, b".")
        verdicts = reply.get("attempts", {})
        for attempt in attempts:
            _apply(attempt, verdicts.get(attempt.lease.attempt), sent_at)
        if reply.get("instance", {}).get("drain"):
            self._board.drain()
        if reply.get("renew"):
            self._renew_at = min(self._renew_at, self._monotonic())

    def renew(self) -> None:
        """A fresh certificate. Raises Unreachable, Refused."""
        self._renew_at = self._monotonic() + RENEW_AGAIN_SECONDS
        reply = self._link.renew()
        self._renew_at = self._monotonic() + float(reply["renew_seconds"])


def _apply(attempt: LiveAttempt, verdict: Any, sent_at: float) -> None:
    """Without a verdict the lease goes on counting down."""
    match verdict:
        case {"verdict": "go", "lease_seconds": seconds}:
            attempt.renew(sent_at, float(seconds), addresses(verdict))
        case {"verdict": "hold"}:
            attempt.held = True
            seconds = float(verdict.get("lease_seconds", 0.0))
            attempt.renew(sent_at, seconds, addresses(verdict))
        case {"verdict": "stop" | "fenced" as why}:
            _log.info("attempt revoked", attempt=attempt.lease.attempt, why=why)
            attempt.revoke()


def _bounded(measured: dict[str, Any], said: list[dict[str, Any]]) -> dict[str, Any]:
    """Readings that keep the beat under its limit; facts of hundreds of GPUs go first."""
    if len(json.dumps([measured, said])) > BEAT_BYTES_MAX:
        return {name: value for name, value in measured.items() if name != "gpus"}
    return measured
