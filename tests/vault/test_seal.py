"""Sealed columns: a document returns in its own row and opens in no other."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitstand.core.sealed import Sealed
from leitstand.vault.seal import SealError, seal, unseal

SECRET = bytes(range(32))
ROW = ("media", "med_1", 3, "key_1")

words = st.text(st.characters(codec="utf-8"), max_size=20)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | words
)
documents = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4)
)
names = st.text(st.characters(codec="utf-8", exclude_characters="|"), max_size=12)
rows = st.tuples(names, names, st.integers(0, 2**40), names)


@given(row=rows, document=documents)
def test_a_document_returns_in_its_own_row(row: tuple[str, str, int, str], document: Any) -> None:
    sealed = seal(SECRET, *row, document)
    opened = unseal(SECRET, *row, sealed)
    assert opened == document
    assert unseal(SECRET, *row, seal(SECRET, *row, opened)) == document


@given(row=rows, other=rows)
def test_a_document_opens_in_no_other_row(
    row: tuple[str, str, int, str], other: tuple[str, str, int, str]
) -> None:
    if row == other:
        return
    with pytest.raises(SealError):
        unseal(SECRET, *other, seal(SECRET, *row, {"name": "clip.mp4"}))


@pytest.mark.parametrize(
    "other",
    [
        ("cases", "med_1", 3, "key_1"),
        ("media", "med_2", 3, "key_1"),
        ("media", "med_1", 4, "key_1"),
        ("media", "med_1", 2, "key_1"),
        ("media", "med_1", 3, "key_2"),
    ],
)
def test_table_row_version_and_key_all_count(other: tuple[str, str, int, str]) -> None:
    sealed = seal(SECRET, *ROW, {"name": "clip.mp4"})
    with pytest.raises(SealError):
        unseal(SECRET, *other, sealed)


def test_another_secret_does_not_open() -> None:
    sealed = seal(SECRET, *ROW, "x")
    with pytest.raises(SealError):
        unseal(bytes(32), *ROW, sealed)
    with pytest.raises(ValueError, match="32 bytes"):
        unseal(b"short", *ROW, sealed)


def test_every_bit_and_every_length_of_a_sealed_value_counts() -> None:
    data = seal(SECRET, *ROW, {"n": 1}).data
    for position in range(len(data)):
        for bit in range(8):
            flipped = bytearray(data)
            flipped[position] ^= 1 << bit
            with pytest.raises(SealError):
                unseal(SECRET, *ROW, Sealed(bytes(flipped)))
        with pytest.raises(SealError):
            unseal(SECRET, *ROW, Sealed(data[:position]))


def test_sealing_twice_gives_different_bytes_of_equal_size() -> None:
    first = seal(SECRET, *ROW, {"a": 1, "b": 2})
    second = seal(SECRET, *ROW, {"b": 2, "a": 1})
    assert first.data != second.data
    assert len(first.data) == len(second.data)
    assert first.data[0] == second.data[0] == 1


def test_the_plaintext_is_nowhere_in_the_sealed_value() -> None:
    sealed = seal(SECRET, *ROW, {"name": "holiday.mp4"})
    assert b"holiday" not in sealed.data
    assert "holiday" not in repr(sealed)


@pytest.mark.parametrize(
    "document", [math.nan, math.inf, 2**53, -(2**53), "\ud800", {"\ud800": 1}, [[math.nan]]]
)
def test_what_canonical_json_cannot_say_is_refused(document: Any) -> None:
    with pytest.raises(ValueError):  # several libraries' messages
        seal(SECRET, *ROW, document)


def test_large_floats_come_back_as_floats_and_can_be_sealed_again() -> None:
    opened = unseal(SECRET, *ROW, seal(SECRET, *ROW, [1e17, -1e20]))
    assert [type(number) for number in opened] == [float, float]
    seal(SECRET, *ROW, opened)


@pytest.mark.parametrize("row", [("a|b", "c", 1, "d"), ("a", "b|c", 1, "d"), ("a", "b", 1, "c|d")])
def test_names_cannot_shift_the_borders_of_the_context(row: tuple[str, str, int, str]) -> None:
    with pytest.raises(ValueError, match="context"):
        seal(SECRET, *row, {})
