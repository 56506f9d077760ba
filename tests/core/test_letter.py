"""The letter as `docs/formats/letter.md` says it."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitstand.core.letter import (
    HEADER_BYTES_MAX,
    Letter,
    attempt_of,
    name_of,
    pack,
    to_sign,
    unpack,
)

LETTER = Letter(
    "attempt_1", 3, 7, False, b"-----BEGIN CERTIFICATE-----\n", b"\x30\x01", b"age\nfile"
)
SHA256 = hashlib.sha256(LETTER.body).hexdigest()


def test_the_line_and_what_is_signed_are_these_bytes() -> None:
    assert to_sign("attempt_1", 3, 7, False, b"age\nfile") == (
        b'leitstand mailbox/1\n{"attempt":"attempt_1","fence":3,"gap":false,"segment":7,"sha256":"'
        + SHA256.encode()
        + b'"}'
    )
    line, _, body = pack(LETTER).partition(b"\n")
    assert body == b"age\nfile"
    assert json.loads(line) == {
        "v": 1,
        "attempt": "attempt_1",
        "fence": 3,
        "segment": 7,
        "gap": False,
        "sha256": SHA256,
        "certificate": "-----BEGIN CERTIFICATE-----\n",
        "signature": "MAE=",
    }
    assert LETTER.signed() == to_sign("attempt_1", 3, 7, False, b"age\nfile")


@given(st.binary(max_size=2_000), st.binary(max_size=100), st.integers(0, 2**31 - 1), st.booleans())
def test_what_was_packed_comes_back(body: bytes, signature: bytes, number: int, gap: bool) -> None:
    letter = Letter("attempt_1", number, number, gap, b"pem", signature, body)
    assert unpack(pack(letter)) == letter


@given(st.binary(max_size=500), st.integers(0, 400), st.integers(0, 255))
def test_anything_else_is_refused_by_one_error(noise: bytes, at: int, byte: int) -> None:
    """Noise, and a good letter with one byte changed: no letter, or one that says something else."""
    with pytest.raises(ValueError):
        unpack(noise)
    packed = bytearray(pack(LETTER))
    packed[at % len(packed)] = byte
    try:
        found = unpack(bytes(packed))
    except ValueError:
        return
    assert found == LETTER or found.signed() != LETTER.signed() or found.body == LETTER.body


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"\n",
        b"[]\n",
        b"[" * 9_000 + b"\n",
        pack(LETTER).replace(b'"v":1', b'"v":1,"w":1'),
        pack(LETTER).replace(b'"fence":3', b'"fence":-3'),
        pack(LETTER).replace(b'"fence":3', b'"fence":3.0'),
        pack(LETTER).replace(b'"fence":3', b'"fence":9999999999'),
        pack(LETTER).replace(b'"gap":false', b'"gap":0'),
        pack(LETTER).replace(b'"MAE="', b'"M"'),
        pack(LETTER).replace(b'"attempt_1"', b'["attempt_1"]'),
        pack(LETTER)[:-1],
        b" " * HEADER_BYTES_MAX + pack(LETTER),
    ],
)
def test_what_is_no_letter_is_refused(packed: bytes) -> None:
    with pytest.raises(ValueError):
        unpack(packed)


def test_a_name_says_whose_letter_it_is() -> None:
    attempt = f"attempt_{'0' * 26}"
    assert name_of(attempt, 7) == f"mailbox/{attempt}/7"
    assert attempt_of(name_of(attempt, 7)) == attempt
    for other in ("mailbox", f"mailbox/{attempt}", f"mailbox/{attempt}/x", f"mail/{attempt}/7"):
        assert attempt_of(other) is None
