"""The one door: every state change is a command that comes through `Door.run`.

Inside one transaction: access, load, pure decision, fenced writes, outbox, ledger. Calls that leave
the process happen later, in the effect runner, and report back through this same door.
"""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import ClassVar, Generic, TypeVar

import structlog
from sqlalchemy import Connection

from leitstand.control.transaction import Tx
from leitstand.core import limits
from leitstand.core.access import Actor, allowed
from leitstand.core.problem import Exit, Problem
from leitstand.core.retention import DEFAULTS, Retention
from leitstand.ports import Clock, Database, Ids, Vault

log = structlog.get_logger(__name__)

R = TypeVar("R")


class Command(Generic[R]):
    """One thing to do: a frozen dataclass with what it needs, an `action` for the access table and
    `apply`. It is data until the door runs it."""

    action: ClassVar[str]

    def owner(self) -> str | None:
        """The instance this is about, where the actor must be that instance."""
        return None

    def apply(self, tx: Tx) -> R:
        """Load, decide, write. Raises Problem; then nothing of it happened."""
        raise NotImplementedError


class Steady:
    """Whether this clock jumped back. A jump counts until the clock has caught up with what it
    showed before, or has run on for so long that whoever mends clocks has had their time: a clock
    that was put forward and mended never catches up."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._mutex = threading.Lock()
        self._newest: datetime | None = None
        self._since: float | None = None

    def jumped_back(self) -> bool:
        """Reads the clock: what a command was given as `now` may be older than what others saw."""
        with self._mutex:
            now, at = self._clock.now(), self._clock.monotonic()
            back = timedelta(0) if self._newest is None else self._newest - now
            if self._since is None and back > limits.BACKWARD_JUMP_MAX:
                self._since = at
                log.warning("clock.jumped_back", seconds=round(back.total_seconds(), 3))
            if self._since is None:
                self._newest = now if self._newest is None else max(now, self._newest)
            elif back <= timedelta(0) or at - self._since >= _HOLD_SECONDS:
                log.warning("clock.believed", now=now.isoformat())
                self._newest, self._since = now, None
            return self._since is not None


_HOLD_SECONDS = limits.BACKWARD_JUMP_HOLD.total_seconds()


class Door:
    """Runs commands one transaction each; thread safe."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        ids: Ids,
        tenant: str,
        clock: Clock,
        retention: Retention = DEFAULTS,
    ) -> None:
        self.database = database
        self.vault = vault
        self.ids = ids
        self.tenant = tenant
        self.retention = retention
        self._steady = Steady(clock)

    def run(self, command: Command[R], actor: Actor, now: datetime) -> R:
        """Apply a command as `actor`. Raises Problem `not-allowed` or what the command raises."""
        if not allowed(actor, command.action, command.owner()):
            raise Problem("not-allowed", Exit.REFUSED, action=command.action)
        jumped = self._steady.jumped_back()

        def work(conn: Connection) -> R:
            tx = Tx(
                conn,
                now,
                actor,
                self.tenant,
                self.ids,
                self.vault,
                jumped,
                retention=self.retention,
            )
            reply = command.apply(tx)
            tx.flush()
            return reply

        return self.database.write(work)

    def look(self, now: datetime, conn: Connection) -> Tx:
        """A view for reading sealed values on a read connection; it is never flushed."""
        reader, jumped = Actor("system", "reader"), self.clock_jumped_back()
        return Tx(
            conn,
            now,
            reader,
            self.tenant,
            self.ids,
            self.vault,
            jumped,
            writes=False,
            retention=self.retention,
        )

    def clock_jumped_back(self) -> bool:
        """Whether launches, leases and key releases are stopped by a jump of this clock."""
        return self._steady.jumped_back()
