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
    commitment,
    consistency_proof,
    entry_leaf,
    inclusion_proof,
    leaf_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
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
SIZES = [(first, second) for second in range(65) for first in range(second + 1)]


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_those_of_certificate_transparency(size: int) -> None:
    assert root_of(CT_HASHES[:size]).hex() == CT_ROOTS[size - 1]


def test_the_empty_tree_has_the_hash_of_nothing() -> None:
    assert Tree().root() == root_of([]) == EMPTY_ROOT == sha256(b"").digest()


def test_consistency_proofs_are_those_of_certificate_transparency() -> None:
    assert [digest.hex() for digest in consistency_proof(6, CT_HASHES)] == [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]
    assert [digest.hex() for digest in consistency_proof(2, CT_HASHES[:5])] == [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ]


def test_inclusion_proofs_are_those_of_certificate_transparency() -> None:
    assert [digest.hex() for digest in inclusion_proof(0, CT_HASHES)] == [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ]


def test_another_implementation_gives_the_same_roots_and_proofs() -> None:
    other = pymerkle.InmemoryTree(algorithm="sha256")
    hashes: list[bytes] = []
    for number in range(33):
        entry = f"entry {number}".encode()
        other.append_entry(entry)
        hashes.append(leaf_hash(entry))
        assert other.get_root() == root_of(hashes)
    for index in range(33):
        path = other.prove_inclusion(index + 1).path
        assert path[0] == hashes[index]
        assert path[1:] == inclusion_proof(index, hashes)


@pytest.mark.parametrize("size", range(65))
def test_every_leaf_of_every_tree_is_proved(size: int) -> None:
    root = root_of(HASHES[:size])
    for index in range(size):
        proof = inclusion_proof(index, HASHES[:size])
        assert verify_inclusion(HASHES[index], index, size, proof, root)


def test_every_tree_is_proved_to_extend_every_earlier_one() -> None:
    roots = [root_of(HASHES[:size]) for size in range(65)]
    for first, second in SIZES:
        proof = consistency_proof(first, HASHES[:second])
        assert verify_consistency(first, second, roots[first], roots[second], proof)


@given(st.data())
def test_an_inclusion_proof_holds_for_nothing_else(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 64))
    index = data.draw(st.integers(0, size - 1))
    proof, root = inclusion_proof(index, HASHES[:size]), root_of(HASHES[:size])
    other = data.draw(st.integers(-1, size + 1).filter(lambda n: n != index))
    assert not verify_inclusion(HASHES[index], other, size, proof, root)
    assert not verify_inclusion(leaf_hash(b"another"), index, size, proof, root)
    assert not verify_inclusion(HASHES[index], index, size, proof, flipped(data, root))
    assert not verify_inclusion(HASHES[index], index, size, [*proof, root], root)
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        bent = [*proof[:at], flipped(data, proof[at]), *proof[at + 1 :]]
        assert not verify_inclusion(HASHES[index], index, size, bent, root)
        assert not verify_inclusion(HASHES[index], index, size, proof[:-1], root)


@given(st.data())
def test_a_rewritten_history_has_no_consistency_proof(data: st.DataObject) -> None:
    second = data.draw(st.integers(2, 64))
    first = data.draw(st.integers(1, second - 1))
    at = data.draw(st.integers(0, first - 1))
    rewritten = [*HASHES[:at], leaf_hash(b"rewritten"), *HASHES[at + 1 : second]]
    old, new = root_of(HASHES[:first]), root_of(rewritten)
    for proof in (consistency_proof(first, rewritten), consistency_proof(first, HASHES[:second])):
        assert not verify_consistency(first, second, old, new, proof)


@given(st.data())
def test_a_bent_consistency_proof_fails(data: st.DataObject) -> None:
    second = data.draw(st.integers(2, 64))
    first = data.draw(st.integers(1, second - 1))
    proof = consistency_proof(first, HASHES[:second])
    roots = root_of(HASHES[:first]), root_of(HASHES[:second])
    at = data.draw(st.integers(0, len(proof) - 1))
    bent = [*proof[:at], flipped(data, proof[at]), *proof[at + 1 :]]
    assert not verify_consistency(first, second, *roots, bent)
    assert not verify_consistency(first, second, *roots, proof[:-1])
    assert not verify_consistency(first, second, *roots, [*proof, roots[1]])
    assert not verify_consistency(second, first, roots[1], roots[0], proof)


def flipped(data: st.DataObject, digest: bytes) -> bytes:
    bit = data.draw(st.integers(0, 255))
    return (int.from_bytes(digest, "big") ^ 1 << bit).to_bytes(32, "big")


def test_there_is_no_proof_for_what_is_not_there() -> None:
    for index in (-1, 3):
        with pytest.raises(IndexError):
            inclusion_proof(index, HASHES[:3])
    for first in (-1, 4):
        with pytest.raises(IndexError):
            consistency_proof(first, HASHES[:3])


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
        commit="ab",
    )


AT = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)


def test_a_leaf_is_canonical_json() -> None:
    assert leaf(AT) == (
        b'{"actor":"operator:0","after":"held","at":"2026-01-02T03:04:05.000006Z",'
        b'"before":"running","case":null,"commit":"ab","subject":"job_1","type":"job.hold",'
        b'"v":1,"version":2}'
    )


@given(st.text())
def test_a_leaf_equals_that_of_a_public_canonical_writer(actor: str) -> None:
    import rfc8785

    assert leaf(AT, actor) == rfc8785.dumps(json.loads(leaf(AT, actor)))


def test_the_same_instant_is_the_same_leaf_and_no_zone_is_none() -> None:
    assert leaf(AT.astimezone(timezone(timedelta(hours=5)))) == leaf(AT)
    with pytest.raises(ValueError):
        leaf(AT.replace(tzinfo=None))


def test_a_commitment_is_hmac_sha256() -> None:
    # RFC 4231, test case 2
    assert commitment(b"Jefe", b"what do ya want for nothing?") == (
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    )
