"""The sequencer: committed entries get their positions in batches, the tree grows, a head is signed.

Writers never queue behind the tree; that an entry waits longer than 5 s is a warning in the log.
"""

from __future__ import annotations

from collections.abc import Sequence as Sequence_
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

import structlog

from leitstand.control.commands import Command, Door
from leitstand.control.transaction import Tx
from leitstand.core import limits
from leitstand.core.access import SYSTEM
from leitstand.core.ledger import Tree, read_leaf
from leitstand.core.problem import Problem
from leitstand.ports import HeadSigner
from leitstand.store import ledger, tables
from leitstand.store.ledger import Entry
from leitstand.store.rows import add


@dataclass(frozen=True, slots=True)
class Sequence(Command[int]):
    """Extend the ledger by what was committed; returns how many entries got a position.

    Raises Problem `ledger-damaged` when the newest head and the entries do not end together:
    signing on would make a second history look like the first."""

    origin: str
    signer: HeadSigner = field(repr=False)
    action: ClassVar[str] = "ledger.sequence"

    def apply(self, tx: Tx) -> int:
        entries = ledger.unsequenced(tx.conn, limits.SEQUENCE_BATCH_MAX)
        if not entries:
            return 0
        head = ledger.head(tx.conn)
        tree = Tree() if head is None else Tree.from_state(head.size, head.frontier)
        numbered = ledger.size(tx.conn)
        if numbered != tree.size:
            raise Problem("ledger-damaged", entries=numbered, signed=tree.size)
        positions = []
        for entry in in_order(entries):
            positions.append((entry.id, tree.size))
            tree.append(entry.leaf_hash)
        ledger.place(tx.conn, positions)
        root = tree.root()
        row = {
            "size": tree.size,
            "created_at": tx.now,
            "root": root.hex(),
            "frontier": tree.to_state(),
            "note": self.signer.sign_head(self.origin, tree.size, root),
        }
        add(tx.conn, tables.heads, [row])
        return len(entries)


def in_order(entries: Sequence_[Entry]) -> list[Entry]:
    """Entries by id, those about one subject by its versions. Ids grow with the clock of whoever
    wrote them, and two control planes have two clocks; versions grow with the row."""
    places: dict[str, list[int]] = {}
    for place, entry in enumerate(entries):
        places.setdefault(entry.subject_id, []).append(place)
    ordered = list(entries)
    for mine in places.values():
        if len(mine) > 1:
            by_version = sorted((entries[place] for place in mine), key=_age)
            for place, entry in zip(mine, by_version, strict=True):
                ordered[place] = entry
    return ordered


def _age(entry: Entry) -> tuple[int, bool, str]:
    try:
        leaf = read_leaf(entry.leaf)
    except ValueError:  # verification names it; the entries of others get their positions
        return 0, False, entry.id
    return leaf["version"], leaf["before"] == leaf["after"], entry.id


log = structlog.get_logger(__name__)


class Sequencer:
    """The step that holds the lock `sequence`."""

    def __init__(self, door: Door, signer: HeadSigner, origin: str) -> None:
        self._door = door
        self._signer = signer
        self._origin = origin

    def step(self, now: datetime) -> None:
        """Sequence one batch; its commit wakes this step again, for more."""
        oldest = self._door.database.read(ledger.oldest_waiting)
        if oldest is None:
            return
        if now - oldest > limits.ENTRY_UNSEQUENCED_MAX:
            log.warning("ledger.late", seconds=round((now - oldest).total_seconds(), 1))
        with self._door.database.named_lock("sequence") as held:
            if held:
                self._door.run(Sequence(self._origin, self._signer), SYSTEM, now)
