"""age files: what is written is read, by offset too, and nothing altered or cut off passes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitstand.vault.envelope import (
    CHUNK_BYTES,
    HEADER_BYTES_MAX,
    EnvelopeError,
    HeaderError,
    Identity,
    MacError,
    NoMatch,
    PayloadError,
    Reader,
    Recipient,
    decrypt,
    encrypt,
    encrypted_size,
)

IDENTITY = Identity.from_secret(bytes(range(32)))
OTHER = Identity.from_secret(bytes(range(1, 33)))
EDGES = [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES, 3 * CHUNK_BYTES - 7]
PATTERN = b"".join(number.to_bytes(4, "big") for number in range(CHUNK_BYTES))
LOW_ORDER = bytes(32)


def written(plain: bytes, *identities: Identity) -> bytes:
    recipients = [identity.recipient for identity in identities or (IDENTITY,)]
    return b"".join(encrypt(recipients, [plain]))


def read(data: bytes, identity: Identity = IDENTITY) -> bytes:
    return b"".join(decrypt(identity, [data]))


def reader(data: bytes, identity: Identity = IDENTITY) -> Reader:
    return Reader(identity, lambda offset, count: data[offset : offset + count], len(data))


def cut(data: bytes, sizes: list[int]) -> Iterator[bytes]:
    """`data` in pieces of these sizes, over and over, empty pieces included."""
    offset = 0
    for size in itertools.cycle(sizes):
        if offset >= len(data):
            return
        yield data[offset : offset + size]
        offset += size


def released(data: bytes) -> tuple[bytes, EnvelopeError | None]:
    """What a consumer has seen when the iterator ends, and how it ended."""
    plain = b""
    try:
        for chunk in decrypt(IDENTITY, [data]):
            plain += chunk
    except EnvelopeError as error:
        return plain, error
    return plain, None


def assert_refused(data: bytes, plain: bytes) -> None:
    seen, error = released(data)
    assert error is not None
    assert plain.startswith(seen)
    try:
        whole = reader(data)
        assert whole.read(0, whole.size) == plain
    except EnvelopeError:
        return
    raise AssertionError("random access read an altered file to its end")


# --- what is written is read ---------------------------------------------------------------------


@pytest.mark.parametrize("size", EDGES)
def test_sizes_around_the_chunk_border_return_unchanged(size: int) -> None:
    data = written(PATTERN[:size])
    assert read(data) == PATTERN[:size]
    assert len(data) == encrypted_size(1, size)


@given(
    size=st.integers(0, 3 * CHUNK_BYTES),
    writes=st.lists(st.sampled_from([0, 1, 999, CHUNK_BYTES, 100_000]), min_size=1).filter(any),
    reads=st.lists(st.sampled_from([0, 37, 4096, CHUNK_BYTES + 16, 99_999]), min_size=1).filter(
        any
    ),
)
def test_how_the_chunks_are_cut_changes_nothing(
    size: int, writes: list[int], reads: list[int]
) -> None:
    if max(writes) == 1:
        size = min(size, 5000)
    plain = PATTERN[:size]
    data = b"".join(encrypt([IDENTITY.recipient], cut(plain, writes)))
    assert len(data) == encrypted_size(1, size)
    assert b"".join(decrypt(IDENTITY, cut(data, reads))) == plain


def test_each_recipient_reads_and_nobody_else() -> None:
    data = written(b"for two", IDENTITY, OTHER)
    assert read(data, IDENTITY) == read(data, OTHER) == b"for two"
    assert len(data) == encrypted_size(2, 7)
    with pytest.raises(NoMatch):
        read(data, Identity.generate())


def test_two_files_of_the_same_plaintext_share_nothing_behind_the_version_line() -> None:
    first, second = written(b"same"), written(b"same")
    assert first.split(b"\n")[1:] != second.split(b"\n")[1:]
    assert first[-20:] != second[-20:]


def test_plaintext_is_given_before_the_file_has_ended() -> None:
    data = written(PATTERN[: 3 * CHUNK_BYTES])

    def arriving() -> Iterator[bytes]:
        yield data[: len(data) - 10]
        raise ConnectionError("the line is dead")

    chunks = decrypt(IDENTITY, arriving())
    assert next(chunks) == PATTERN[:CHUNK_BYTES]
    with pytest.raises(ConnectionError):
        list(chunks)


def test_a_file_needs_a_recipient_of_full_order() -> None:
    with pytest.raises(ValueError, match="recipient"):
        encrypt([], [b""])
    with pytest.raises(EnvelopeError):
        encrypt([Recipient(LOW_ORDER)], [b""])


def test_a_writer_makes_no_header_its_reader_refuses() -> None:
    most = (HEADER_BYTES_MAX - 70) // 98
    data = b"".join(encrypt([IDENTITY.recipient] * most, [b"crowd"]))
    assert read(data) == b"crowd"
    with pytest.raises(ValueError, match="recipients"):
        encrypt([IDENTITY.recipient] * (most + 1), [b"crowd"])


# --- by offset -----------------------------------------------------------------------------------

SEVERAL = written(PATTERN[: 3 * CHUNK_BYTES + 5])


@given(offset=st.integers(0, 3 * CHUNK_BYTES + 20), count=st.integers(0, 3 * CHUNK_BYTES + 20))
def test_any_stretch_equals_the_same_stretch_of_the_plaintext(offset: int, count: int) -> None:
    plain = PATTERN[: 3 * CHUNK_BYTES + 5]
    assert reader(SEVERAL).read(offset, count) == plain[offset : offset + count]


def test_one_reader_serves_stretches_in_any_order() -> None:
    whole = reader(SEVERAL)
    assert whole.size == 3 * CHUNK_BYTES + 5
    for offset in (CHUNK_BYTES * 3, 5, 6, CHUNK_BYTES - 1, CHUNK_BYTES, 0, 3 * CHUNK_BYTES + 4):
        assert whole.read(offset, 3) == PATTERN[: whole.size][offset : offset + 3]


def test_a_stretch_costs_only_the_chunks_it_touches() -> None:
    asked: list[int] = []

    def read_at(offset: int, count: int) -> bytes:
        asked.append(count)
        return SEVERAL[offset : offset + count]

    whole = Reader(IDENTITY, read_at, len(SEVERAL))
    asked.clear()
    whole.read(CHUNK_BYTES + 1, 10)
    assert asked == [CHUNK_BYTES + 16]
    whole.read(CHUNK_BYTES + 500, 10)
    assert len(asked) == 1


@pytest.mark.parametrize("size", EDGES)
def test_a_reader_knows_the_plaintext_size(size: int) -> None:
    whole = reader(written(PATTERN[:size]))
    assert whole.size == size
    assert whole.read(0, size + 1) == PATTERN[:size]


def test_a_reader_refuses_a_file_that_was_shortened_at_a_chunk_border() -> None:
    shorter = SEVERAL[: len(SEVERAL) - 5 - 16]
    with pytest.raises(PayloadError):
        reader(shorter)


def test_a_reader_refuses_a_store_that_gives_less_than_asked() -> None:
    missing = 0

    def read_at(offset: int, count: int) -> bytes:
        return SEVERAL[offset : offset + count - missing]

    whole = Reader(IDENTITY, read_at, len(SEVERAL))
    missing = 1
    with pytest.raises(PayloadError):
        whole.read(0, 10)


def test_a_stretch_before_the_start_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="negative"):
        reader(SEVERAL).read(-1, 1)


# --- altered and cut off -------------------------------------------------------------------------

SMALL_PLAIN = b"a short message"
SMALL = written(SMALL_PLAIN, IDENTITY, OTHER)


def test_every_bit_of_a_small_file_counts() -> None:
    for position in range(len(SMALL)):
        for bit in range(8):
            flipped = bytearray(SMALL)
            flipped[position] ^= 1 << bit
            assert_refused(bytes(flipped), SMALL_PLAIN)


def test_every_truncation_of_a_small_file_is_noticed() -> None:
    for length in range(len(SMALL)):
        assert_refused(SMALL[:length], SMALL_PLAIN)


def test_bytes_behind_the_end_are_noticed() -> None:
    for extra in (b"\0", b"\n", bytes(16), bytes(CHUNK_BYTES + 16), SMALL):
        assert_refused(SMALL + extra, SMALL_PLAIN)


def flips_and_cuts(step: int) -> None:
    plain = PATTERN[: 2 * CHUNK_BYTES + 3]
    data = written(plain)
    for position in range(0, len(data), step):
        flipped = bytearray(data)
        flipped[position] ^= 1 << position % 8
        assert_refused(bytes(flipped), plain)
        assert_refused(data[:position], plain)


def test_sampled_flips_and_truncations_of_several_chunks_are_noticed() -> None:
    flips_and_cuts(step=149)


@pytest.mark.full
@pytest.mark.timeout(1800)
def test_a_flip_and_a_truncation_at_every_byte_of_several_chunks_are_noticed() -> None:
    flips_and_cuts(step=1)


def test_chunks_that_changed_places_are_noticed() -> None:
    block = CHUNK_BYTES + 16
    start = len(SEVERAL) - 3 * block - 5 - 16
    head, first, second = (
        SEVERAL[:start],
        SEVERAL[start : start + block],
        SEVERAL[start + block : start + 2 * block],
    )
    swapped = head + second + first + SEVERAL[start + 2 * block :]
    assert_refused(swapped, PATTERN[: 3 * CHUNK_BYTES + 5])
    doubled = head + first + SEVERAL[start:]
    assert_refused(doubled, PATTERN[: 3 * CHUNK_BYTES + 5])


def test_an_altered_header_is_told_from_a_foreign_file() -> None:
    greased = SMALL.replace(b"\n-> X25519", b"\n-> grease\n\n-> X25519", 1)
    with pytest.raises(MacError):
        read(greased)


def test_an_endless_header_is_refused_without_reading_it_to_the_end() -> None:
    taken = 0

    def endless(piece: bytes) -> Iterator[bytes]:
        nonlocal taken
        yield b"age-encryption.org/v1\n"
        while True:
            taken += len(piece)
            yield piece

    for piece in (b"-> grease\n\n", b"x" * 1000, b"-> a\n" + b"A" * 64 + b"\n"):
        taken = 0
        with pytest.raises(HeaderError):
            list(decrypt(IDENTITY, endless(piece)))
        assert taken <= HEADER_BYTES_MAX + len(piece)


def test_a_long_header_is_refused_even_if_it_arrives_at_once() -> None:
    version, rest = SMALL.split(b"\n", 1)
    grease = b"\n-> " + b"x" * HEADER_BYTES_MAX + b"\n\n"
    with pytest.raises(HeaderError, match="too long"):
        read(version + grease + rest)


def test_a_header_without_a_stanza_is_malformed() -> None:
    with pytest.raises(HeaderError):
        read(b"age-encryption.org/v1\n--- " + b"A" * 43 + b"\n" + bytes(32))


@given(st.binary(max_size=400))
def test_arbitrary_bytes_are_refused_and_never_crash(data: bytes) -> None:
    for candidate in (data, b"age-encryption.org/v1\n" + data, SMALL[:60] + data):
        with pytest.raises(EnvelopeError):
            read(candidate)


def test_armor_is_refused() -> None:
    with pytest.raises(HeaderError):
        read(b"-----BEGIN AGE ENCRYPTED FILE-----\n" + b"A" * 64 + b"\n")


# --- keys as text --------------------------------------------------------------------------------


@given(st.binary(min_size=32, max_size=32))
def test_keys_survive_their_text_form(secret: bytes) -> None:
    identity = Identity.from_secret(secret)
    assert Identity.parse(identity.export()).secret == secret
    assert Recipient.parse(str(identity.recipient)) == identity.recipient


def test_the_text_forms_are_those_of_the_specification() -> None:
    text = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"
    recipient = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"
    assert Identity.parse(text).export() == text
    assert Identity.parse(text).secret == b"B" * 32
    assert str(Identity.parse(text).recipient) == recipient


@pytest.mark.parametrize(
    "damage",
    [
        str.swapcase,
        lambda text: text[:-1] + ("q" if text[-1] != "q" else "p"),
        lambda text: text[:-1],
        lambda text: text + "q",
        lambda text: text.replace("1", "2", 1),
        lambda text: text[:10].swapcase() + text[10:],
        lambda text: " " + text,
        lambda text: text.replace("K", "\u212a", 1).replace("k", "\u212a", 1),
        lambda _: "",
    ],
)
def test_damaged_text_is_no_key(damage) -> None:  # type: ignore[no-untyped-def]
    text = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"
    recipient = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"
    with pytest.raises(EnvelopeError):
        Identity.parse(damage(text))
    if damage(recipient) != recipient:
        with pytest.raises(EnvelopeError):
            Recipient.parse(damage(recipient))


def test_text_whose_padding_is_not_zero_is_no_key() -> None:
    """The checksum is right; accepting it would give one key two texts."""
    with pytest.raises(EnvelopeError):
        Identity.parse("AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPPG0UGY5")
    with pytest.raises(EnvelopeError):
        Recipient.parse("age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73epp9g8nq")


def test_hybrid_keys_are_refused() -> None:
    with pytest.raises(EnvelopeError):
        Identity.parse(
            "AGE-SECRET-KEY-PQ-1XX76JRALNLXDMEW0CRK45QMCCH4X06SE84UN3VPM33W6HWDX0H3SK3ZQFR"
        )


def test_an_identity_does_not_show_its_secret() -> None:
    shown = f"{IDENTITY} {IDENTITY!r} {[IDENTITY]}"
    assert "SECRET" not in shown
    assert IDENTITY.secret.hex() not in shown
    assert str(IDENTITY.secret) not in shown
