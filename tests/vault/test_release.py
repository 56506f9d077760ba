"""Key release: the blob opens with one worker's key, in one context, and nowhere else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from leitstand.core.release import release_info
from leitstand.vault.release import HpkeKey, ReleaseError, seal_to

SECRET = bytes(range(32))
NOW = datetime(2026, 9, 1, 12, 0, tzinfo=UTC)
CONTEXT = ("att_1", 7, "med_1", NOW)
INFO = release_info(*CONTEXT)


@pytest.fixture(scope="module")
def key() -> HpkeKey:
    return HpkeKey.generate()


def test_the_worker_opens_what_was_sealed_to_it(key: HpkeKey) -> None:
    assert key.open(INFO, seal_to(key.public, INFO, SECRET)) == SECRET


def test_another_worker_does_not_open_it(key: HpkeKey) -> None:
    blob = seal_to(key.public, INFO, SECRET)
    with pytest.raises(ReleaseError):
        HpkeKey.generate().open(INFO, blob)


@pytest.mark.parametrize(
    ("place", "value"),
    [(0, "att_2"), (1, 8), (2, "med_2"), (3, NOW + timedelta(microseconds=1))],
)
def test_each_part_of_the_context_counts(key: HpkeKey, place: int, value: object) -> None:
    other = list(CONTEXT)
    other[place] = value
    info = release_info(*other)  # type: ignore[arg-type]
    blob = seal_to(key.public, INFO, SECRET)
    with pytest.raises(ReleaseError):
        key.open(info, blob)


def test_an_empty_context_does_not_open_it(key: HpkeKey) -> None:
    with pytest.raises(ReleaseError):
        key.open(b"", seal_to(key.public, INFO, SECRET))


def test_every_byte_and_every_length_of_a_blob_counts(key: HpkeKey) -> None:
    blob = seal_to(key.public, INFO, SECRET)
    for position in range(len(blob)):
        flipped = bytearray(blob)
        flipped[position] ^= 1 << position % 8
        with pytest.raises(ReleaseError):
            key.open(INFO, bytes(flipped))
    for length in (0, 1, 32, 1119, 1120, len(blob) - 1):
        with pytest.raises(ReleaseError):
            key.open(INFO, blob[:length])


def test_a_blob_is_different_each_time_and_has_the_documented_sizes(key: HpkeKey) -> None:
    first, second = seal_to(key.public, INFO, SECRET), seal_to(key.public, INFO, SECRET)
    assert first != second
    assert len(key.public) == 1184 + 32
    assert len(first) == 1120 + 32 + 16


@pytest.mark.parametrize("public", [b"", bytes(1215), bytes(1217), b"\xff" * 1216, bytes(1216)])
def test_what_is_no_public_key_is_refused(public: bytes) -> None:
    with pytest.raises(ReleaseError):
        seal_to(public, INFO, SECRET)
