"""The ledger as mathematics: leaves, the tree over them, and proofs (RFC 6962, section 2.1).

A leaf is canonical JSON; its place in the tree is given later by the sequencer. The tree keeps only
the roots of its perfect subtrees, so that appending needs no earlier entry. Proofs here are made
from all leaf hashes; verifying needs only the proof.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Self

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
    commit: str | None,
) -> bytes:
    """Canonical JSON (RFC 8785) of one state change.

    `at` is an aware time, written as UTC with six decimals. `actor`, `subject` and `case` are
    pseudonyms (identifiers), `before` and `after` states, `version` the row's version after the
    change, `commit` the commitment to a payload that is kept apart and may be deleted. Raises
    ValueError on a time without zone.
    """
    if at.utcoffset() is None:
        raise ValueError("a ledger entry needs a time zone")
    fields = {
        "v": LEAF_VERSION,
        "at": f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z",
        "type": type,
        "actor": actor,
        "subject": subject,
        "case": case,
        "version": version,
        "before": before,
        "after": after,
        "commit": commit,
    }
    return json.dumps(
        fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def commitment(key: bytes, payload: bytes) -> str:
    """HMAC-SHA-256 in hex: binds to a payload without revealing it to who lacks the key.

    A plain hash of personal data could be guessed; once the key is gone, this points to nobody.
    """
    return hmac.digest(key, payload, "sha256").hex()


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


# --- proofs --------------------------------------------------------------------------------------


def inclusion_proof(index: int, hashes: Sequence[bytes]) -> list[bytes]:
    """The hashes that lead from the leaf at `index` to the root over `hashes`.

    Raises IndexError when there is no such leaf.
    """
    if not 0 <= index < len(hashes):
        raise IndexError("no such leaf")
    proof = []
    low, high = 0, len(hashes)
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            proof.append(root_of(hashes[middle:high]))
            high = middle
        else:
            proof.append(root_of(hashes[low:middle]))
            low = middle
    return proof[::-1]


def verify_inclusion(
    hashed: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> bool:
    """Whether `proof` shows the leaf hash at `index` in the tree of `size` (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    place, last = index, size - 1
    for sibling in proof:
        if last == 0:
            return False
        if place & 1 or place == last:
            hashed = _node(sibling, hashed)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            hashed = _node(hashed, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and hmac.compare_digest(hashed, root)


def consistency_proof(first: int, hashes: Sequence[bytes]) -> list[bytes]:
    """The hashes that show the tree of the first `first` leaves as a beginning of this one.

    Empty for no leaves and for all of them. Raises IndexError beyond the end.
    """
    if not 0 <= first <= len(hashes):
        raise IndexError("no such tree")
    if first in (0, len(hashes)):
        return []
    proof = []
    low, high, whole = 0, len(hashes), True
    while first != high:
        middle = low + _split(high - low)
        if first <= middle:
            proof.append(root_of(hashes[middle:high]))
            high = middle
        else:
            proof.append(root_of(hashes[low:middle]))
            low, whole = middle, False
    if not whole:
        proof.append(root_of(hashes[low:high]))
    return proof[::-1]


def verify_consistency(
    first: int, second: int, first_root: bytes, second_root: bytes, proof: Sequence[bytes]
) -> bool:
    """Whether the tree of `second` leaves begins with that of `first` (RFC 9162, 2.1.4.2)."""
    if not 0 <= first <= second:
        return False
    if first == second:
        return not proof and hmac.compare_digest(first_root, second_root)
    if first == 0:
        return not proof and hmac.compare_digest(first_root, EMPTY_ROOT)
    path = [first_root, *proof] if first & (first - 1) == 0 else list(proof)
    if not path:
        return False
    place, last = first - 1, second - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    older = newer = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            older, newer = _node(sibling, older), _node(sibling, newer)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            newer = _node(newer, sibling)
        place, last = place >> 1, last >> 1
    return (
        last == 0
        and hmac.compare_digest(older, first_root)
        and hmac.compare_digest(newer, second_root)
    )


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << ((size - 1).bit_length() - 1)
