"""Signed notes and ledger heads that public tools verify (c2sp.org/signed-note, tlog-checkpoint).

A note is text with a signature line below it; a head is a note whose text is the log's name, its
size and its root. A verifier key is one line, `name+key id+base64`, that a witness can be given.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from leitstand import private
from leitstand.core.problem import Exit, Problem

SIGNATURES_MAX = 100
NOTE_LENGTH_MAX = 1_000_000
SIZE_MAX = 2**63 - 1
KEY_FILE = "note.key"
_KEY_FILE_BYTES_MAX = 1024

_ED25519 = b"\x01"
_KEY_BYTES = 32
_ROOT_BYTES = 32
_MARK = "\N{EM DASH} "
_SECRET_PREFIX = "PRIVATE+KEY+"
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")


class NoteError(ValueError):
    """The note is malformed, not signed by the key it should be, or changed since."""


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """The public half of a signer."""

    name: str
    public: bytes

    @classmethod
    def parse(cls, text: str) -> Self:
        """From `name+key id+base64`. Raises NoteError unless all three fit together."""
        name, key_id, public = _parse_key(text)
        key = cls(name, public)
        if key_id != key.key_id.hex():
            raise NoteError("the key id does not belong to the key")
        return key

    @property
    def key_id(self) -> bytes:
        """Four bytes that tell signatures apart; no proof of anything."""
        bound = self.name.encode() + b"\n" + _ED25519 + self.public
        return hashlib.sha256(bound).digest()[:4]

    def __str__(self) -> str:
        encoded = base64.b64encode(_ED25519 + self.public).decode()
        return f"{self.name}+{self.key_id.hex()}+{encoded}"


class Signer:
    """An Ed25519 key with a name. The private half is written in the form of Go's sumdb/note."""

    def __init__(self, name: str, secret: bytes) -> None:
        self._secret = secret
        self._key = Ed25519PrivateKey.from_private_bytes(secret)
        self._verifier = VerifierKey(_checked_name(name), self._key.public_key().public_bytes_raw())

    @classmethod
    def open(cls, folder: Path, name: str) -> Self:
        """The signer in `folder`, made with mode 0600 if there is none.

        Of two processes that make one at once both get the same. Raises `Problem`:
        `key-folder-readable`, `key-file-readable` when others may read it, `key-file-damaged`, also
        for another name.
        """
        path = folder / KEY_FILE
        private.folder(folder)
        if not path.exists():
            made = cls(name, Ed25519PrivateKey.generate().private_bytes_raw())
            private.write_new(path, f"{made.export()}\n".encode())
        try:
            signer = cls.parse(_text(private.read(path, _KEY_FILE_BYTES_MAX)))
        except NoteError as error:
            raise Problem("key-file-damaged", Exit.FAILED, path=str(path)) from error
        if signer._verifier.name != name:
            raise Problem("key-file-damaged", Exit.FAILED, path=str(path))
        return signer

    @classmethod
    def parse(cls, text: str) -> Self:
        """From `PRIVATE+KEY+name+key id+base64`. Raises NoteError unless it fits together."""
        if not text.startswith(_SECRET_PREFIX):
            raise NoteError("not a private key")
        name, key_id, secret = _parse_key(text.removeprefix(_SECRET_PREFIX))
        signer = cls(name, secret)
        if key_id != signer._verifier.key_id.hex():
            raise NoteError("the key id does not belong to the key")
        return signer

    def export(self) -> str:
        """The private key as text: whoever has it signs in our name."""
        encoded = base64.b64encode(_ED25519 + self._secret).decode()
        return f"{_SECRET_PREFIX}{self._verifier.name}+{self._verifier.key_id.hex()}+{encoded}"

    @property
    def verifier_key(self) -> str:
        """The public key as text, for `verify` and for witnesses."""
        return str(self._verifier)

    def sign(self, text: str) -> str:
        """The note over `text`, which ends with a newline and has no other control characters."""
        _check_text(text)
        signature = self._verifier.key_id + self._key.sign(text.encode())
        encoded = base64.b64encode(signature).decode()
        return f"{text}\n{_MARK}{self._verifier.name} {encoded}\n"

    def sign_head(self, origin: str, size: int, root: bytes) -> str:
        """The head of the log `origin` at `size` leaves, with its 32-byte root."""
        if not origin or "\n" in origin or not 0 <= size <= SIZE_MAX or len(root) != _ROOT_BYTES:
            raise ValueError("a head has a name of one line, a size and a root of 32 bytes")
        return self.sign(f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n")


def verify(note: str, verifier_key: str) -> str:
    """The text of a note, once `verifier_key` signed exactly that text.

    Signatures of other keys (witnesses) are ignored. Raises NoteError.
    """
    key = VerifierKey.parse(verifier_key)
    if len(note) > NOTE_LENGTH_MAX:
        raise NoteError("the note is too long")
    text, blank, block = note.rpartition("\n\n")
    text += "\n"
    if not blank or not block.endswith("\n"):
        raise NoteError("the note has no signatures")
    _check_text(text)
    lines = block[:-1].split("\n")
    if len(lines) > SIGNATURES_MAX:
        raise NoteError("the note has too many signatures")
    signatures = [_signature(line) for line in lines]
    ours = [sig for name, sig in signatures if name == key.name and sig[:4] == key.key_id]
    if not ours:
        raise NoteError("the note is not signed by this key")
    public = Ed25519PublicKey.from_public_bytes(key.public)
    try:
        for signature in ours:
            public.verify(signature[4:], text.encode())
    except InvalidSignature as error:
        raise NoteError("the signature does not fit the text") from error
    return text


def signers(note: str) -> frozenset[tuple[str, bytes]]:
    """Name and key id of every signature line that can be read. They prove nothing: a note that
    was damaged is still known by them, as the work of its signer."""
    found = set()
    for line in note.rpartition("\n\n")[2].split("\n")[:SIGNATURES_MAX]:
        with contextlib.suppress(NoteError):
            name, signature = _signature(line)
            found.add((name, signature[:4]))
    return frozenset(found)


def verify_head(note: str, verifier_key: str, origin: str | None = None) -> tuple[int, bytes]:
    """Size and root of a signed head, and that it is of the log `origin` where one is given.

    Lines after the root are extensions and pass. Raises NoteError.
    """
    lines = verify(note, verifier_key)[:-1].split("\n")
    if len(lines) < 3 or "" in lines or not _NUMBER.fullmatch(lines[1]):
        raise NoteError("the note is no head of a log")
    name, size, root = lines[:3]
    if origin not in (None, name):
        raise NoteError("the head is of another log")
    decoded = _decode(root)
    if len(decoded) != _ROOT_BYTES or int(size) > SIZE_MAX:
        raise NoteError("the note is no head of a log")
    return int(size), decoded


class HeadVerifier:
    """See `ports.HeadVerifier`: one public key, for any head it signed."""

    def __init__(self, verifier_key: str) -> None:
        self._key = verifier_key

    def verify(self, note: str) -> tuple[int, bytes]:
        return verify_head(note, self._key)


def _parse_key(text: str) -> tuple[str, str, bytes]:
    """Name, key id in hex and 32 key bytes of either kind of key."""
    parts = text.split("+", 2)
    if len(parts) != 3:
        raise NoteError("a key is name+id+base64")
    name, key_id, encoded = parts
    material = _decode(encoded)
    if not re.fullmatch("[0-9a-f]{8}", key_id):
        raise NoteError("a key id is eight hex digits")
    if material[:1] != _ED25519 or len(material) != 1 + _KEY_BYTES:
        raise NoteError("only Ed25519 keys are known")
    return _checked_name(name), key_id, material[1:]


def _checked_name(name: str) -> str:
    if not name or "+" in name or any(character.isspace() for character in name):
        raise NoteError("a key name has no space and no plus sign")
    return name


def _check_text(text: str) -> None:
    if not text.endswith("\n") or any(c < " " and c != "\n" for c in text):
        raise NoteError("a note is text of whole lines")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise NoteError("a note is UTF-8") from error


def _signature(line: str) -> tuple[str, bytes]:
    """Name, and key id with signature, of one signature line."""
    name, space, encoded = line.removeprefix(_MARK).partition(" ")
    if not line.startswith(_MARK) or not space:
        raise NoteError("a signature line is malformed")
    decoded = _decode(encoded)
    if len(decoded) < 5:
        raise NoteError("a signature is too short")
    return _checked_name(name), decoded


def _decode(text: str) -> bytes:
    try:
        decoded = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NoteError("base64 is malformed") from error
    if base64.b64encode(decoded).decode() != text:
        raise NoteError("base64 is not canonical")
    return decoded


def _text(content: bytes) -> str:
    try:
        return content.decode().removesuffix("\n")
    except UnicodeDecodeError as error:
        raise NoteError("not text") from error
