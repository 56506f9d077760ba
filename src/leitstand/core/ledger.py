"""The ledger as mathematics: leaves and the tree over them (RFC 6962, section 2.1).

A leaf is canonical JSON; its place in the tree is given later by the sequencer. The tree keeps only
the roots of its perfect subtrees, so that appending needs no earlier entry.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Self

LEAF_VERSION = 1
HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()


# --- leaves --------------------------------------------------------------------------------------


def entry_leaf(
    *,
    at: datetime,
    type: str,
    actor: str,
    subject: str,
    case: str | None,
    version: int,
    before: str | None,
    after: str | None,
    row: str | None,
) -> bytes:
    """Canonical JSON (RFC 8785) of one state change.

    `at` is an aware time, written as UTC with six decimals. `actor`, `subject` and `case` are
    pseudonyms (identifiers), `before` and `after` states, `version` the row's version after the
    change, `row` the `row_digest` of what it then holds. `commit` is reserved for sealed payloads,
    which nothing writes yet. Raises ValueError on a time without zone.
    """
    if at.utcoffset() is None:
        raise ValueError("a ledger entry needs a time zone")
    fields: dict[str, str | int | None] = {
        "v": LEAF_VERSION,
        "at": f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z",
        "type": type,
        "actor": actor,
        "subject": subject,
        "case": case,
        "version": version,
        "before": before,
        "after": after,
        "commit": None,
        "row": row,
    }
    return _canonical(fields)


def read_leaf(leaf: bytes) -> dict[str, Any]:
    """What a leaf says. Raises ValueError for bytes that `entry_leaf` never wrote."""
    try:
        fields = json.loads(leaf)
    except (RecursionError, TypeError) as error:
        raise ValueError("no ledger entry") from error
    if not isinstance(fields, dict) or not all(
        isinstance(fields.get(name), kind) for name, kind in _KINDS.items()
    ):
        raise ValueError("no ledger entry")
    return fields


_KINDS: Mapping[str, Any] = {
    **dict.fromkeys(("at", "type", "actor", "subject"), str),
    **dict.fromkeys(("case", "before", "after", "row"), str | None),
    "version": int,
}


def row_digest(columns: Mapping[str, str | int | None]) -> str:
    """SHA-256 in hex over the open columns of a row, as canonical JSON. Nothing in an open column
    is personal, so a plain hash gives nothing away."""
    return hashlib.sha256(_canonical(columns)).hexdigest()


def _canonical(fields: Mapping[str, str | int | None]) -> bytes:
    """RFC 8785, for names in ASCII and values that are text, whole numbers, truth or nothing."""
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def leaf_hash(leaf: bytes) -> bytes:
    """Hash of a leaf; its prefix keeps a leaf from being taken for a node."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


# --- tree ----------------------------------------------------------------------------------------


class Tree:
    """A growing tree as its compact range: one hash for each bit set in its size, largest first."""

    def __init__(self) -> None:
        self._size = 0
        self._frontier: list[bytes] = []

    @classmethod
    def from_state(cls, size: int, frontier: Sequence[str]) -> Self:
        """The tree that `to_state` wrote. Raises ValueError when size and hashes do not fit."""
        hashes = [bytes.fromhex(text) for text in frontier]
        if size < 0 or len(hashes) != size.bit_count():
            raise ValueError("a tree has one hash for each bit set in its size")
        if any(len(digest) != HASH_BYTES for digest in hashes):
            raise ValueError("a hash has 32 bytes")
        tree = cls()
        tree._size, tree._frontier = size, hashes
        return tree

    def to_state(self) -> list[str]:
        """The frontier in hex; with `size` it is all that appending needs."""
        return [digest.hex() for digest in self._frontier]

    @property
    def size(self) -> int:
        """Leaves so far, and the position of the next one."""
        return self._size

    def append(self, hashed: bytes) -> None:
        """Add the hash of the next leaf."""
        size, frontier = self._size, self._frontier
        while size & 1:
            hashed = _node(frontier.pop(), hashed)
            size >>= 1
        frontier.append(hashed)
        self._size += 1

    def extend(self, hashes: Iterable[bytes]) -> None:
        """Add the hashes of the next leaves in order."""
        for hashed in hashes:
            self.append(hashed)

    def root(self) -> bytes:
        """The root over all leaves so far."""
        if not self._frontier:
            return EMPTY_ROOT
        *rest, root = self._frontier
        for left in reversed(rest):
            root = _node(left, root)
        return root


def root_of(hashes: Iterable[bytes]) -> bytes:
    """The root over leaf hashes in order."""
    tree = Tree()
    tree.extend(hashes)
    return tree.root()
