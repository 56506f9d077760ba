"""The tree agrees with published vectors and another implementation, and catches each change."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256

import pymerkle  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitstand.core.ledger import (
    EMPTY_ROOT,
    Tree,
    entry_leaf,
    leaf_hash,
    root_of,
    row_digest,
)

# Inputs and roots of the reference tests of Certificate Transparency (merkle_tree_test).
CT_LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
CT_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
CT_HASHES = [leaf_hash(leaf) for leaf in CT_LEAVES]
HASHES = [leaf_hash(str(number).encode()) for number in range(64)]


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_those_of_certificate_transparency(size: int) -> None:
    assert root_of(CT_HASHES[:size]).hex() == CT_ROOTS[size - 1]


def test_the_empty_tree_has_the_hash_of_nothing() -> None:
    assert Tree().root() == root_of([]) == EMPTY_ROOT == sha256(b"").digest()


def test_another_implementation_gives_the_same_roots() -> None:
    other = pymerkle.InmemoryTree(algorithm="sha256")
    hashes: list[bytes] = []
    for number in range(33):
        entry = f"entry {number}".encode()
        other.append_entry(entry)
        hashes.append(leaf_hash(entry))
        assert other.get_root() == root_of(hashes)


@given(st.integers(0, 64), st.integers(0, 64))
def test_a_tree_goes_on_from_its_state(one: int, two: int) -> None:
    first, second = sorted((one, two))
    tree = Tree()
    tree.extend(HASHES[:first])
    state = json.loads(json.dumps(tree.to_state()))
    again = Tree.from_state(tree.size, state)
    again.extend(HASHES[first:second])
    assert (again.size, again.root()) == (second, root_of(HASHES[:second]))
    assert len(state) == first.bit_count()


@pytest.mark.parametrize(
    ("size", "frontier"), [(1, []), (0, ["00" * 32]), (3, ["00" * 32]), (1, ["00"]), (1, ["zz"])]
)
def test_a_state_that_does_not_fit_is_refused(size: int, frontier: list[str]) -> None:
    with pytest.raises(ValueError):
        Tree.from_state(size, frontier)


def leaf(at: datetime, actor: str = "operator:0") -> bytes:
    return entry_leaf(
        at=at,
        type="job.hold",
        actor=actor,
        subject="job_1",
        case=None,
        version=2,
        before="running",
        after="held",
        row="ab",
    )


AT = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)


def test_a_leaf_is_canonical_json() -> None:
    assert leaf(AT) == (
        b'{"actor":"operator:0","after":"held","at":"2026-01-02T03:04:05.000006Z",'
        b'"before":"running","case":null,"commit":null,"row":"ab","subject":"job_1",'
        b'"type":"job.hold","v":1,"version":2}'
    )


@given(st.text())
def test_a_leaf_equals_that_of_a_public_canonical_writer(actor: str) -> None:
    import rfc8785

    assert leaf(AT, actor) == rfc8785.dumps(json.loads(leaf(AT, actor)))


def test_the_same_instant_is_the_same_leaf_and_no_zone_is_none() -> None:
    assert leaf(AT.astimezone(timezone(timedelta(hours=5)))) == leaf(AT)
    with pytest.raises(ValueError):
        leaf(AT.replace(tzinfo=None))


def test_a_row_digest_is_that_of_a_public_canonical_writer() -> None:
    import rfc8785

    columns = {"price": 360_000, "offer": '{"host":"straße"}', "region": None, "own": True}
    assert row_digest(columns) == sha256(rfc8785.dumps(columns)).hexdigest()
