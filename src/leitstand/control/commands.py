"""The one door: every state change is a command that comes through `Door.run`.

Inside one transaction: access, load, pure decision, fenced writes, outbox, ledger. Calls that leave
the process happen later, in the effect runner, and report back through this same door.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Generic, TypeVar

from sqlalchemy import Connection

from leitstand.control.transaction import Tx
from leitstand.core import limits
from leitstand.core.access import Actor, allowed
from leitstand.core.problem import Exit, Problem
from leitstand.core.retention import DEFAULTS, Retention
from leitstand.ports import Database, Ids, Vault

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


class Door:
    """Runs commands one transaction each; thread safe."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        ids: Ids,
        tenant: str,
        retention: Retention = DEFAULTS,
    ) -> None:
        self.database = database
        self.vault = vault
        self.ids = ids
        self.tenant = tenant
        self.retention = retention
        self._newest: datetime | None = None

    def run(self, command: Command[R], actor: Actor, now: datetime) -> R:
        """Apply a command as `actor`. Raises Problem `not-allowed` or what the command raises."""
        if not allowed(actor, command.action, command.owner()):
            raise Problem("not-allowed", Exit.REFUSED, action=command.action)
        jumped = self._jumped_back(now)

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
        reader = Actor("system", "reader")
        return Tx(conn, now, reader, self.tenant, self.ids, self.vault, writes=False)

    def _jumped_back(self, now: datetime) -> bool:
        """A backward jump of the clock stops launches and key releases until time catches up."""
        newest = self._newest
        if newest is None or now > newest:
            self._newest = now
            return False
        return newest - now > limits.BACKWARD_JUMP_MAX
