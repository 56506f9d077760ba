"""One command's transaction: rows, ledger entries, effects and events that commit together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from leitstand.core import ledger
from leitstand.core.access import Actor
from leitstand.core.instance import INSTANCE
from leitstand.core.job import ATTEMPT, JOB, TASK
from leitstand.core.machine import Machine
from leitstand.core.medium import MEDIUM, Case
from leitstand.core.problem import Exit, Problem
from leitstand.core.retention import DEFAULTS, Retention
from leitstand.core.volume import VOLUME
from leitstand.ports import Ids, KeyPlace, Vault
from leitstand.store import cases, effects, events, keys, locks, tables
from leitstand.store.ledger import RECORDED, digests
from leitstand.store.rows import add, move, set_columns

CASE = Machine("case", "open", frozenset(), {})
RESERVATION = Machine(
    "reservation", "held", frozenset({"consumed", "freed"}), {("held", "free"): "freed"}
)
RESULT = Machine("result", "committed", frozenset({"committed"}), {})
KEY = Machine("key", "live", frozenset({"destroyed"}), {("live", "destroy"): "destroyed"})

_TABLES = {
    machine.noun: table
    for machine, table in (
        (CASE, tables.cases),
        (MEDIUM, tables.media),
        (JOB, tables.jobs),
        (TASK, tables.tasks),
        (ATTEMPT, tables.attempts),
        (INSTANCE, tables.instances),
        (RESERVATION, tables.reservations),
        (VOLUME, tables.volumes),
    )
}


@dataclass(frozen=True, slots=True)
class Change:
    """One state change: the row as it was read, and other columns that change with it."""

    row: Any
    values: Mapping[str, Any] = field(default_factory=dict)
    case: Case | None = None


@dataclass(slots=True)
class Tx:
    """What a command may touch. `flush` writes the collected entries and events; it is called once,
    by the door, before the commit."""

    conn: Connection
    now: datetime
    actor: Actor
    tenant: str
    ids: Ids
    vault: Vault
    clock_jumped_back: bool = False
    writes: bool = True
    retention: Retention = DEFAULTS
    _entries: list[dict[str, Any]] = field(default_factory=list)
    _events: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)

    def new_id(self, noun: str) -> str:
        """A fresh identifier."""
        return self.ids.new(noun, self.now)

    def born(self, row_id: str | None, noun: str) -> dict[str, Any]:
        """The columns that every row begins with."""
        return {
            "id": row_id or self.new_id(noun),
            "tenant_id": self.tenant,
            "version": 1,
            "created_at": self.now,
            "updated_at": self.now,
        }

    def create(
        self,
        machine: Machine,
        rows: Sequence[Mapping[str, Any]],
        *,
        case: Case | None = None,
    ) -> None:
        """Insert rows in their machine's initial state, one ledger entry each."""
        full = [{**row, "state": row.get("state", machine.initial)} for row in rows]
        add(self.conn, _TABLES[machine.noun], full)
        held = digests(self.conn, machine.noun, [row["id"] for row in full])
        for row in full:
            row_id, state = row["id"], row["state"]
            self.enter(machine.noun, "create", row_id, 1, None, state, case, held[row_id])

    def move(self, machine: Machine, event: str, changes: Sequence[Change]) -> None:
        """Send `event` to every row; each must still be in the state it was read in.

        Raises NotAllowed for a pair outside the table and Stale when somebody was first.
        """
        if not changes:
            return
        table = _TABLES[machine.noun]
        planned = []
        for change in changes:
            after = machine.after(change.row.state, event)
            planned.append((change.row.id, change.row.state, after, dict(change.values)))
        move(self.conn, table, self.tenant, planned, self.now)
        held = digests(self.conn, machine.noun, [row_id for row_id, _, _, _ in planned])
        for change, (row_id, before, after, _) in zip(changes, planned, strict=True):
            version, case = change.row.version + 1, change.case
            self.enter(machine.noun, event, row_id, version, before, after, case, held[row_id])

    def act(self, noun: str, event: str, row: Any, *, case: Case | None = None) -> None:
        """An entry for something that changes no state but must be seen: an export, a refusal."""
        self.enter(noun, event, row.id, row.version, row.state, row.state, case)

    def enter(
        self,
        noun: str,
        event: str,
        subject: str,
        version: int,
        before: str | None,
        after: str,
        case: Case | None = None,
        held: str | None = None,
    ) -> None:
        """One ledger entry for one state change, with the digest of the row as it now is, which
        `held` is where it is known."""
        leaf = ledger.entry_leaf(
            at=self.now,
            type=f"{noun}.{event}",
            actor=str(self.actor),
            subject=subject,
            case=None if case is None else case.id,
            version=version,
            before=before,
            after=after,
            row=held or digests(self.conn, noun, [subject])[subject],
        )
        self._entries.append(
            {
                "id": self.new_id("entry"),
                "created_at": self.now,
                "subject_id": subject,
                "leaf": leaf,
                "leaf_hash": ledger.leaf_hash(leaf),
                "position": None,
                "payload_id": None,
            }
        )

    def event(self, subject: str, kind: str, **facts: Any) -> None:
        """Tell progress streams; open facts only."""
        self._events.append((subject, kind, facts))

    def effect(
        self, kind: str, target_id: str, *, key: str | None = None, after: timedelta | None = None
    ) -> None:
        """Intend a call that leaves the process. The same key is the same call: asked again it is
        re-armed when done and left alone while under way."""
        name = key or f"{kind}:{target_id}"
        not_before = None if after is None else self.now + after
        found = effects.by_key(self.conn, name)
        if found is None:
            row = {
                **self.born(None, "effect"),
                "kind": kind,
                "target_id": target_id,
                "key": name,
                "state": "intended",
                "attempts": 0,
                "not_before": not_before,
                "last_error": None,
            }
            add(self.conn, tables.effects, [row])
        elif found.state == "done":
            effects.set_state(self.conn, found.id, "intended", self.now, not_before=not_before)

    # keys

    def new_key(self, kind: str, owner_id: str, *, identity: bool) -> tuple[str, bytes, str | None]:
        """A wrapped key row: id, secret, and the public recipient when it is an age identity."""
        key_id = self.new_id("key")
        recipient = None
        if identity:
            secret, recipient = self.vault.new_identity()
        else:
            secret = self.vault.new_secret()
        place = KeyPlace(self.tenant, kind, owner_id, key_id, self.vault.epoch)
        row = {
            **self.born(key_id, "key"),
            "kind": kind,
            "owner_id": owner_id,
            "epoch": self.vault.epoch,
            "wrapped": self.vault.wrap(secret, place),
            "recipient": recipient,
            "destroyed_at": None,
        }
        add(self.conn, tables.keys, [row])
        self.enter("key", "create", key_id, 1, None, KEY.initial)
        return key_id, secret, recipient

    def secret(self, key_id: str, gone: Problem | None = None) -> bytes:
        """The secret of a key row. Raises `gone`, else Problem `key-destroyed`, after erasure."""
        found = keys.find(self.conn, self.tenant, key_id)
        if found is None or found.wrapped is None:
            raise gone or Problem("key-destroyed", Exit.FAILED)
        place = KeyPlace(found.tenant_id, found.kind, found.owner_id, found.id, found.epoch)
        return self.vault.unwrap(found.wrapped, place)

    def recipient(self, key_id: str) -> str:
        """The public half of an identity's key row."""
        found = keys.find(self.conn, self.tenant, key_id)
        if found is None or found.recipient is None:
            raise Problem("key-destroyed", Exit.FAILED)
        return found.recipient

    def destroy_key(self, key_id: str) -> None:
        """Forget a wrapped secret; once is enough."""
        if keys.destroy(self.conn, self.tenant, key_id, self.now):
            self.enter("key", "destroy", key_id, 2, KEY.initial, "destroyed")

    def unseal(self, table: str, row: Any) -> Any:
        """What a row's sealed column says."""
        return self.vault.unseal(
            self.secret(row.key_id), table, row.id, _SEAL_VERSION, row.key_id, row.sealed
        )

    def seal(self, table: str, row_id: str, key_id: str, document: Any) -> Any:
        """A sealed column bound to its table, row and key."""
        return self.vault.seal(self.secret(key_id), table, row_id, _SEAL_VERSION, key_id, document)

    # reading

    def case(self, case_id: str) -> Case:
        """A case by id. Raises Problem `unknown-case`."""
        found = cases.find(self.conn, self.tenant, case_id)
        if found is None:
            raise Problem("unknown-case", Exit.USAGE, case=case_id)
        return found

    def set(self, noun: str, row_id: str, **values: Any) -> None:
        """Change columns that are no state and that no ledger entry vouches for. Raises ValueError
        for any other: verification would take the change for a forgery."""
        table = _TABLES[noun]
        if vouched := {"state", "version", *RECORDED[table.name]} & set(values):
            raise ValueError(f"{table.name}: {', '.join(sorted(vouched))} need an entry")
        set_columns(self.conn, table, self.tenant, row_id, **values)

    def hold(self, name: str) -> None:
        """Keep other control planes from deciding about `name` until this transaction ends."""
        locks.hold(self.conn, name)

    def flush(self) -> None:
        """Write what was collected. Events come last and under a lock, so that their numbers grow
        in the order of commits: a stream that has seen one never misses a smaller one."""
        add(self.conn, tables.entries, self._entries)
        if self._events:
            self.hold("events")
            add(self.conn, tables.events, events.rows(self.tenant, self.now, self._events))


_SEAL_VERSION = 1
"""Version of the document inside sealed columns, bound as associated data."""
