"""Epoch keys: private and durable on disk, and a wrapped key opens only where it belongs."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitstand.core.problem import Problem
from leitstand.ports import KeyPlace
from leitstand.vault.keyring import EpochGone, KeyRefused, KeyRing

SECRET = bytes(range(32))
CONTEXT = KeyPlace("local", "medium", "med_1", "key_1", 1)

texts = st.text(st.characters(codec="utf-8"), max_size=20)
contexts = st.builds(KeyPlace, texts, texts, texts, texts, st.just(1))


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> KeyRing:
    return KeyRing.open(tmp_path_factory.mktemp("data") / "keys")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# --- wrapping ------------------------------------------------------------------------------------


@given(secret=st.binary(max_size=100), context=contexts)
def test_a_wrapped_key_returns_in_its_own_context(
    ring: KeyRing, secret: bytes, context: KeyPlace
) -> None:
    assert ring.unwrap(ring.wrap(secret, context), context) == secret


@given(context=contexts, other=contexts)
def test_a_wrapped_key_opens_in_no_other_context(
    ring: KeyRing, context: KeyPlace, other: KeyPlace
) -> None:
    if other == context:
        return
    with pytest.raises(KeyRefused):
        ring.unwrap(ring.wrap(SECRET, context), other)


@pytest.mark.parametrize(
    "other",
    [
        replace(CONTEXT, tenant="another"),
        replace(CONTEXT, kind="result"),
        replace(CONTEXT, owner_id="med_2"),
        replace(CONTEXT, key_id="key_2"),
    ],
)
def test_each_part_of_the_context_counts(ring: KeyRing, other: KeyPlace) -> None:
    wrapped = ring.wrap(SECRET, CONTEXT)
    with pytest.raises(KeyRefused):
        ring.unwrap(wrapped, other)


def test_parts_of_a_context_do_not_run_into_each_other(ring: KeyRing) -> None:
    wrapped = ring.wrap(SECRET, replace(CONTEXT, owner_id="ab", key_id="c"))
    with pytest.raises(KeyRefused):
        ring.unwrap(wrapped, replace(CONTEXT, owner_id="a", key_id="bc"))


def test_every_bit_of_a_wrapped_key_counts(ring: KeyRing) -> None:
    wrapped = ring.wrap(SECRET, CONTEXT)
    for position in range(len(wrapped)):
        for bit in range(8):
            flipped = bytearray(wrapped)
            flipped[position] ^= 1 << bit
            with pytest.raises(KeyRefused):
                ring.unwrap(bytes(flipped), CONTEXT)
        with pytest.raises(KeyRefused):
            ring.unwrap(wrapped[:position], CONTEXT)


def test_wrapping_twice_gives_different_bytes_that_name_format_and_epoch(ring: KeyRing) -> None:
    first, second = ring.wrap(SECRET, CONTEXT), ring.wrap(SECRET, CONTEXT)
    assert first != second
    assert first[:5] == second[:5] == b"\x01\x00\x00\x00\x01"


# --- on disk -------------------------------------------------------------------------------------


def test_a_new_ring_is_private_and_the_same_when_opened_again(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "keys"
    old_mask = os.umask(0)
    try:
        wrapped = KeyRing.open(folder).wrap(SECRET, CONTEXT)
    finally:
        os.umask(old_mask)
    assert mode(folder) == 0o700
    assert [(path.name, mode(path)) for path in folder.iterdir()] == [("epoch-1", 0o600)]
    assert (folder / "epoch-1").stat().st_size == 32
    assert KeyRing.open(folder).unwrap(wrapped, CONTEXT) == SECRET


def test_two_installations_have_different_keys(tmp_path: Path) -> None:
    wrapped = KeyRing.open(tmp_path / "one").wrap(SECRET, CONTEXT)
    with pytest.raises(KeyRefused):
        KeyRing.open(tmp_path / "two").unwrap(wrapped, CONTEXT)


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o660, 0o610])
def test_a_key_file_others_can_read_is_refused_by_name(tmp_path: Path, bits: int) -> None:
    KeyRing.open(tmp_path / "keys")
    path = tmp_path / "keys" / "epoch-1"
    path.chmod(bits)
    with pytest.raises(Problem) as refused:
        KeyRing.open(tmp_path / "keys")
    assert refused.value.code == "key-file-readable"
    assert refused.value.params == {"path": str(path)}


@pytest.mark.parametrize("bits", [0o755, 0o750, 0o701, 0o720])
def test_a_key_folder_others_can_enter_is_refused_by_name(tmp_path: Path, bits: int) -> None:
    folder = tmp_path / "keys"
    KeyRing.open(folder)
    folder.chmod(bits)
    with pytest.raises(Problem) as refused:
        KeyRing.open(folder)
    assert refused.value.code == "key-folder-readable"
    assert refused.value.params == {"path": str(folder)}


@pytest.mark.parametrize("content", [b"", b"k" * 31, b"k" * 33])
def test_a_key_file_of_another_size_is_damaged_and_not_replaced(
    tmp_path: Path, content: bytes
) -> None:
    KeyRing.open(tmp_path / "keys")
    path = tmp_path / "keys" / "epoch-1"
    path.write_bytes(content)
    with pytest.raises(Problem) as refused:
        KeyRing.open(tmp_path / "keys")
    assert refused.value.code == "key-file-damaged"
    assert path.read_bytes() == content


@pytest.mark.parametrize("failing", ["fsync", "link"])
def test_a_failed_write_leaves_no_key_and_no_draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, failing, fail)
        with pytest.raises(OSError, match="no space"):
            KeyRing.open(tmp_path / "keys")
    assert list((tmp_path / "keys").iterdir()) == []
    assert KeyRing.open(tmp_path / "keys").epoch == 1


def test_what_a_crash_left_of_a_draft_is_removed(tmp_path: Path) -> None:
    ring = KeyRing.open(tmp_path / "keys")
    draft = tmp_path / "keys" / ".draft-abc"
    draft.hardlink_to(tmp_path / "keys" / "epoch-1")
    wrapped = ring.wrap(SECRET, CONTEXT)
    assert KeyRing.open(tmp_path / "keys").unwrap(wrapped, CONTEXT) == SECRET
    assert not draft.exists()


def test_other_files_in_the_folder_are_left_alone(tmp_path: Path) -> None:
    KeyRing.open(tmp_path / "keys")
    for name in ("epoch-01", "epoch-0", "epoch-x", "notes"):
        (tmp_path / "keys" / name).write_text("mine")
    assert KeyRing.open(tmp_path / "keys").epoch == 1
    assert (tmp_path / "keys" / "notes").read_text() == "mine"


# --- epochs --------------------------------------------------------------------------------------


def with_a_second_epoch(folder: Path) -> KeyRing:
    (folder / "epoch-2").write_bytes(b"2" * 32)
    (folder / "epoch-2").chmod(0o600)
    return KeyRing.open(folder)


def test_keys_of_every_epoch_that_is_there_open_and_new_ones_are_of_the_last(
    tmp_path: Path,
) -> None:
    old = KeyRing.open(tmp_path).wrap(SECRET, CONTEXT)
    ring = with_a_second_epoch(tmp_path)
    assert ring.epoch == 2
    assert ring.unwrap(old, CONTEXT) == SECRET
    now = replace(CONTEXT, epoch=2)
    assert ring.unwrap(ring.wrap(SECRET, now), now) == SECRET


def test_a_key_is_not_opened_by_claiming_another_epoch(tmp_path: Path) -> None:
    old = KeyRing.open(tmp_path).wrap(SECRET, CONTEXT)
    with pytest.raises(KeyRefused):
        with_a_second_epoch(tmp_path).unwrap(old, replace(CONTEXT, epoch=2))


def test_without_its_epoch_key_nothing_is_wrapped_or_opened(tmp_path: Path) -> None:
    old = KeyRing.open(tmp_path).wrap(SECRET, CONTEXT)
    with_a_second_epoch(tmp_path)
    (tmp_path / "epoch-1").unlink()
    ring = KeyRing.open(tmp_path)
    with pytest.raises(EpochGone):
        ring.unwrap(old, CONTEXT)
    with pytest.raises(EpochGone):
        ring.wrap(SECRET, CONTEXT)
