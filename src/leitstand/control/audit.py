"""Verification of the whole ledger: leaves, tree, every signed head, and the state it describes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from leitstand.core.ledger import Tree, leaf_hash, read_leaf
from leitstand.ports import HeadVerifier
from leitstand.store import ledger

WALK_BATCH = 2_000
Seen = tuple[str | None, int, str | None]
"""State, version and digest of a row."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong and where: the number or id of an entry, the size of a head, the id of a row.
    The words are the messages `cli-fault-<code>`."""

    code: str
    place: str


@dataclass(slots=True)
class Verdict:
    """What was checked and what was found wrong; `faults` empty means verified."""

    entries: int = 0
    waiting: int = 0
    heads: int = 0
    root: str = ""
    subjects: dict[str, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def fault(self, code: str, place: object) -> None:
        self.faults.append(Fault(code, str(place)))


def verify(conn: Connection, verifier: HeadVerifier) -> Verdict:
    """Recompute everything from the stored leaves. Reads one consistent snapshot."""
    verdict = Verdict(waiting=ledger.waiting(conn))
    heads = {head.size: head for head in ledger.signed_heads(conn)}
    tree = Tree()
    signed = 0
    last: dict[str, Seen] = {}
    released: set[str] = set()
    for entry in ledger.walk(conn, WALK_BATCH):
        if entry.position != tree.size:
            verdict.fault("entry-missing", tree.size)
            break
        tree.append(_hash(entry))
        if (leaf := _read(entry, entry.position, verdict)) is not None:
            _follow(leaf, entry.position, last, verdict)
            _note_release(leaf, released)
        head = heads.pop(tree.size, None)
        if head is not None and _holds(head, tree, verifier, verdict):
            signed = tree.size
    for size in sorted(heads):
        verdict.fault("head-beyond", size)
    if signed != tree.size:
        # A batch gets its positions and its head in one transaction, so no entry ever stands
        # between the newest head and the end.
        verdict.fault("head-missing", signed)
    verdict.entries = tree.size
    verdict.root = tree.root().hex()
    _compare(conn, last, released, verdict)
    return verdict


def _hash(entry: ledger.Entry) -> bytes:
    """The hash of a leaf as it lies there: a database that takes any type may hold text."""
    leaf = entry.leaf if isinstance(entry.leaf, bytes) else str(entry.leaf).encode()
    return leaf_hash(leaf)


def _read(entry: ledger.Entry, name: object, verdict: Verdict) -> dict[str, Any] | None:
    """What an entry says, where it is what was written; where not, that is a fault."""
    if _hash(entry) != entry.leaf_hash:
        verdict.fault("entry-changed", name)
        return None
    try:
        return read_leaf(entry.leaf)
    except ValueError:
        verdict.fault("entry-unreadable", name)
        return None


def _holds(head: ledger.Signed, tree: Tree, verifier: HeadVerifier, verdict: Verdict) -> bool:
    """Whether a head was signed over exactly these entries. The tree grows from leaf to leaf, so
    heads that hold are consistent with one another."""
    verdict.heads += 1
    try:
        size, root = verifier.verify(head.note)
    except (TypeError, ValueError):
        verdict.fault("head-signature", head.size)
        return False
    if size != tree.size or root != tree.root() or head.root != root.hex():
        verdict.fault("head-differs", head.size)
        return False
    return True


def _follow(leaf: dict[str, Any], position: int, last: dict[str, Seen], verdict: Verdict) -> None:
    subject = leaf["subject"]
    state, version, _ = last.get(subject, _UNBORN)
    acted = leaf["before"] == leaf["after"] and leaf["version"] == version
    if leaf["before"] != state or (leaf["version"] != version + 1 and not acted):
        verdict.fault("entry-astray", position)
    last[subject] = _seen(leaf)


def _note_release(leaf: dict[str, Any], released: set[str]) -> None:
    """That a key was released is an entry that leaves state and version as they are."""
    if leaf["type"] == "attempt.release_key":
        released.add(leaf["subject"])


def _compare(conn: Connection, last: dict[str, Seen], released: set[str], verdict: Verdict) -> None:
    """Rows and entries one to one; changes that wait for their position are read as well."""
    for entry in ledger.unsequenced(conn, None):
        leaf = _read(entry, entry.id, verdict)
        if leaf is None:
            continue
        _note_release(leaf, released)
        if leaf["version"] >= last.get(leaf["subject"], _UNBORN)[1]:
            last[leaf["subject"]] = _seen(leaf)
    states, keyed = ledger.states(conn), ledger.released(conn)
    for row_id in sorted(set(last) - set(states)):
        verdict.fault("row-gone", row_id)
    for row_id, (state, version, digest) in states.items():
        noun = row_id.split("_", 1)[0]
        verdict.subjects[noun] = verdict.subjects.get(noun, 0) + 1
        told = (row_id in released) == (row_id in keyed)
        if last.get(row_id) != (state, version, digest) or not told:
            verdict.fault("row-changed", row_id)


_UNBORN: Seen = (None, 0, None)


def _seen(leaf: dict[str, Any]) -> Seen:
    return leaf["after"], leaf["version"], leaf["row"]
