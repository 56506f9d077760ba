"""Results as they travel: shorter, the same when they are read, and no larger than any may be."""

from __future__ import annotations

import zlib

import pytest

from leitstand.core.finding import Gap, decode, encode, packed, unpacked
from leitstand.core.limits import RESULT_BYTES_MAX

LINES = [Gap(number, number + 1, "damaged") for number in range(100)]


def test_lines_that_repeat_themselves_travel_several_times_shorter() -> None:
    body = encode(LINES)
    assert len(packed(body)) * 5 < len(body)
    assert unpacked(packed(body)) == body
    assert list(decode(packed(body))) == list(decode(body)) == LINES


@pytest.mark.parametrize("body", [b"", b"{}\n"])
def test_what_would_be_longer_stays_as_it_is(body: bytes) -> None:
    assert packed(body) == body == unpacked(body)


@pytest.mark.parametrize(
    "damaged",
    [
        packed(encode(LINES))[:-1],
        packed(encode(LINES)) + b"x",
        b"x" * 20,
        zlib.compress(b"{" * (RESULT_BYTES_MAX + 1)),
    ],
)
def test_what_is_damaged_or_grows_too_large_is_refused(damaged: bytes) -> None:
    with pytest.raises(ValueError, match="a "):
        unpacked(damaged)
