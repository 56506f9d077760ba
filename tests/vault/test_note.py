"""Notes agree with the published example of Go's sumdb/note, and every change is noticed."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitstand.core.problem import Problem
from leitstand.vault.note import NoteError, Signer, VerifierKey, verify, verify_head

# The key and note of the documentation of golang.org/x/mod/sumdb/note.
PETER_PUBLIC = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_PRIVATE = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
SIGNATURE = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdng"
    "otpRZb6KE6RyyBwJnAM=\n"
)
NOTE = f"{TEXT}\n{SIGNATURE}"
ROOT = hashlib.sha256(b"root").digest()
ORIGIN = "leitstand/ab12cd34"


def test_signing_gives_the_published_note() -> None:
    signer = Signer.parse(PETER_PRIVATE)
    assert signer.sign(TEXT) == NOTE
    assert signer.verifier_key == PETER_PUBLIC
    assert signer.export() == PETER_PRIVATE


def test_the_published_note_verifies() -> None:
    assert verify(NOTE, PETER_PUBLIC) == TEXT
    assert str(VerifierKey.parse(PETER_PUBLIC)) == PETER_PUBLIC


@given(st.data())
def test_a_changed_note_does_not_verify(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(NOTE) - 1))
    other = data.draw(st.characters(codec="utf-8").filter(lambda c: c != NOTE[at]))
    with pytest.raises(NoteError):
        verify(NOTE[:at] + other + NOTE[at + 1 :], PETER_PUBLIC)


@given(st.integers(0, len(NOTE) - 1))
def test_a_note_that_ends_early_does_not_verify(length: int) -> None:
    with pytest.raises(NoteError):
        verify(NOTE[:length], PETER_PUBLIC)


@given(st.integers(0, len(PETER_PUBLIC)), st.integers(0, len(PETER_PUBLIC)))
def test_a_part_of_a_verifier_key_is_none(start: int, end: int) -> None:
    part = PETER_PUBLIC[start:end]
    if part != PETER_PUBLIC:
        with pytest.raises(NoteError):
            VerifierKey.parse(part)


@pytest.mark.parametrize(
    "key",
    [
        "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
        "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeuman+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    ],
)
def test_a_verifier_key_that_does_not_fit_together_is_refused(key: str) -> None:
    with pytest.raises(NoteError):
        VerifierKey.parse(key)


def test_signatures_of_others_are_ignored_but_must_be_well_formed() -> None:
    witness = Signer("witness.example", b"\x07" * 32)
    line = witness.sign(TEXT).rpartition("\n\n")[2]
    assert verify(NOTE + line, PETER_PUBLIC) == TEXT
    assert verify(f"{TEXT}\n{line}{SIGNATURE}", witness.verifier_key) == TEXT
    with pytest.raises(NoteError):
        verify(f"{TEXT}\n{line}", PETER_PUBLIC)
    for broken in ("— witness\n", "witness.example AAAA\n", "— w!tness ?\n", "\n"):
        with pytest.raises(NoteError):
            verify(NOTE + broken, PETER_PUBLIC)
    with pytest.raises(NoteError):
        verify(NOTE + line * 100, PETER_PUBLIC)


def test_the_signature_of_one_text_is_not_that_of_another() -> None:
    with pytest.raises(NoteError, match="does not fit"):
        verify(f"Another text.\n\n{SIGNATURE}", PETER_PUBLIC)


@pytest.mark.parametrize("text", ["", "no newline", "bell\a\n", "return\r\n", "\ud800\n"])
def test_what_is_not_a_text_is_not_signed(text: str) -> None:
    with pytest.raises(NoteError):
        Signer.parse(PETER_PRIVATE).sign(text)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u2003b", "a\n"])
def test_a_name_with_space_or_plus_is_refused(name: str) -> None:
    with pytest.raises(NoteError):
        Signer(name, b"\x01" * 32)


def test_a_head_is_a_checkpoint() -> None:
    signer = Signer.parse(PETER_PRIVATE)
    head = signer.sign_head(ORIGIN, 42, ROOT)
    assert head.split("\n")[:4] == [ORIGIN, "42", base64.b64encode(ROOT).decode(), ""]
    assert verify_head(head, PETER_PUBLIC) == (42, ROOT)
    assert verify_head(head, PETER_PUBLIC, ORIGIN) == (42, ROOT)
    with pytest.raises(NoteError, match="another log"):
        verify_head(head, PETER_PUBLIC, "leitstand/other")


def test_a_head_may_carry_extension_lines() -> None:
    text = f"{ORIGIN}\n0\n{base64.b64encode(ROOT).decode()}\nan extension\n"
    assert verify_head(Signer.parse(PETER_PRIVATE).sign(text), PETER_PUBLIC) == (0, ROOT)


@pytest.mark.parametrize(
    "text",
    [
        "origin\n1\n",
        "origin\n01\n{root}\n",
        "origin\n-1\n{root}\n",
        "origin\n9223372036854775808\n{root}\n",
        "origin\n1\nAAAA\n",
        "origin\n1\n{root}=\n",
        "\n1\n{root}\n",
        "origin\n\u0661\n{root}\n",
        "origin\n1\n{root}\n\nextension\n",
    ],
)
def test_a_signed_note_that_is_no_head_is_refused(text: str) -> None:
    note = Signer.parse(PETER_PRIVATE).sign(text.format(root=base64.b64encode(ROOT).decode()))
    with pytest.raises(NoteError):
        verify_head(note, PETER_PUBLIC)


@pytest.mark.parametrize(
    ("origin", "size", "root"),
    [("", 1, ROOT), ("a\nb", 1, ROOT), (ORIGIN, -1, ROOT), (ORIGIN, 2**63, ROOT), (ORIGIN, 1, b"")],
)
def test_a_head_that_nobody_could_read_is_not_signed(origin: str, size: int, root: bytes) -> None:
    with pytest.raises(ValueError):
        Signer.parse(PETER_PRIVATE).sign_head(origin, size, root)


def test_a_signer_is_made_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "ledger"
    signer = Signer.open(folder, "leitstand-ab12cd34")
    again = Signer.open(folder, "leitstand-ab12cd34")
    assert again.verifier_key == signer.verifier_key
    (file,) = folder.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700


def test_two_who_open_at_once_get_the_same_signer(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = pool.map(lambda _: Signer.open(tmp_path / "ledger", "a").verifier_key, range(8))
        assert len(set(keys)) == 1


def test_a_key_folder_that_others_can_enter_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with pytest.raises(Problem) as refused:
        Signer.open(tmp_path, "a")
    assert refused.value.code == "key-folder-readable"


def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    Signer.open(tmp_path, "a")
    (tmp_path / "note.key").chmod(0o640)
    with pytest.raises(Problem) as raised:
        Signer.open(tmp_path, "a")
    assert raised.value.code == "key-file-readable"


@pytest.mark.parametrize("content", [b"", b"\xff", b"PRIVATE+KEY+a+00000000+AAAA\n"])
def test_a_damaged_key_file_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "note.key"
    path.touch(mode=0o600)
    path.write_bytes(content)
    with pytest.raises(Problem) as raised:
        Signer.open(tmp_path, "a")
    assert raised.value.code == "key-file-damaged"
    assert path.read_bytes() == content


def test_openssl_verifies_a_head(tmp_path: Path) -> None:
    signer = Signer.open(tmp_path / "ledger", "leitstand-ab12cd34")
    text, _, block = signer.sign_head(ORIGIN, 7, ROOT).rpartition("\n\n")
    found = re.fullmatch(r"— (\S+) (\S+)\n", block)
    assert found is not None
    der_head = bytes.fromhex("302a300506032b6570032100")
    public = VerifierKey.parse(signer.verifier_key).public
    for name, content in {
        "public.der": der_head + public,
        "text": f"{text}\n".encode(),
        "signature": base64.b64decode(found[2])[4:],
    }.items():
        (tmp_path / name).write_bytes(content)
    subprocess.run(
        ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "public.der", "-keyform", "DER"]
        + ["-rawin", "-in", "text", "-sigfile", "signature"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
