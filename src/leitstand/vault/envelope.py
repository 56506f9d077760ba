"""age v1 files with X25519 recipients: written, read in order, and read at any offset.

Format: C2SP `age.md` (age-encryption.org/v1). Only the binary form and X25519 stanzas are known;
armor, passphrases and hybrid recipients are refused. The header parser accepts exactly the grammar
of the specification, because a lenient one lets two readers disagree about a file. age has no
associated data: which medium a file belongs to is bound by its key (`vault.keyring`) and by the
digest of its ciphertext.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from leitstand.vault.identity import EnvelopeError, Identity, Recipient

__all__ = [
    "CHUNK_BYTES",
    "EnvelopeError",
    "HeaderError",
    "Identity",
    "MacError",
    "NoMatch",
    "PayloadError",
    "Reader",
    "Recipient",
    "decrypt",
    "encrypt",
    "encrypted_size",
]

CHUNK_BYTES = 64 * 1024
"""Plaintext of one chunk; the unit of authentication and of random access."""
HEADER_BYTES_MAX = 64 * 1024
"""Several hundred stanzas; a file that claims more is not one of ours."""

_TAG_BYTES = 16
_BLOCK_BYTES = CHUNK_BYTES + _TAG_BYTES
_NONCE_BYTES = 16
_FILE_KEY_BYTES = 16
_LOOK_AHEAD_BYTES = 4096
_VERSION = b"age-encryption.org/v1"
_X25519_INFO = b"age-encryption.org/v1/X25519"
_ZERO_NONCE = bytes(12)

_ARGUMENTS = re.compile(rb"->( [!-~]+)+")
_BODY = re.compile(rb"[A-Za-z0-9+/]{0,64}")
_MAC = re.compile(rb"--- [A-Za-z0-9+/]{43}")
_BODY_COLUMNS = 64


class HeaderError(EnvelopeError):
    """The header is not the grammar of age v1, or a stanza in it is malformed."""


class NoMatch(EnvelopeError):
    """A well-formed file for somebody else."""


class MacError(EnvelopeError):
    """The header was altered after it was written."""


class PayloadError(EnvelopeError):
    """The payload was altered, reordered or cut off."""


# --- header --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Stanza:
    arguments: tuple[bytes, ...]
    body: bytes


class _Source:
    """Chunks of any size, taken in the sizes the format asks for."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._held = bytearray()
        self.taken = 0

    def _more(self) -> bool:
        for chunk in self._chunks:
            if chunk:
                self._held += chunk
                return True
        return False

    def take(self, count: int) -> bytes:
        """`count` bytes, or what is left before the end."""
        while len(self._held) < count and self._more():
            pass
        with memoryview(self._held) as held:
            taken = bytes(held[:count])
        del self._held[:count]
        self.taken += len(taken)
        return taken

    def line(self) -> bytes:
        """The next header line without its line feed."""
        searched = 0
        while (end := self._held.find(b"\n", searched)) < 0:
            searched = len(self._held)
            if self.taken + searched > HEADER_BYTES_MAX:
                raise HeaderError("header too long")
            if not self._more():
                raise HeaderError("header ends early")
        if self.taken + end >= HEADER_BYTES_MAX:
            raise HeaderError("header too long")
        return self.take(end + 1)[:-1]


def _encode(data: bytes) -> bytes:
    return base64.b64encode(data).rstrip(b"=")


def _decode(text: bytes) -> bytes:
    """Unpadded canonical base64."""
    try:
        data = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error as error:
        raise HeaderError("not base64") from error
    if _encode(data) != text:
        raise HeaderError("base64 is not canonical")
    return data


def _parse_header(source: _Source) -> tuple[list[_Stanza], bytes, bytes]:
    """Stanzas, MAC, and the bytes the MAC covers."""
    if source.line() != _VERSION:
        raise HeaderError("not an age v1 file")
    stanzas: list[_Stanza] = []
    covered = bytearray(_VERSION + b"\n")
    while not (line := source.line()).startswith(b"---"):
        if not _ARGUMENTS.fullmatch(line):
            raise HeaderError("malformed stanza")
        covered += line + b"\n"
        body = bytearray()
        while True:
            part = source.line()
            if not _BODY.fullmatch(part):
                raise HeaderError("malformed stanza body")
            covered += part + b"\n"
            body += part
            if len(part) < _BODY_COLUMNS:
                break
        stanzas.append(_Stanza(tuple(line.split(b" ")[1:]), _decode(bytes(body))))
    if not stanzas or not _MAC.fullmatch(line):
        raise HeaderError("malformed end of header")
    return stanzas, _decode(line[4:]), bytes(covered + b"---")


def _derive(secret: bytes, salt: bytes, info: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=salt or None, info=info).derive(secret)


def _header_mac(file_key: bytes, covered: bytes) -> bytes:
    return hmac.digest(_derive(file_key, b"", b"header"), covered, "sha256")


def _payload_cipher(file_key: bytes, nonce: bytes) -> ChaCha20Poly1305:
    return ChaCha20Poly1305(_derive(file_key, nonce, b"payload"))


def _wrap_file_key(recipient: Recipient, file_key: bytes) -> bytes:
    ephemeral = Identity.generate()
    share = ephemeral.recipient.public
    try:
        shared = ephemeral.shared(recipient.public)
    except ValueError as error:
        raise EnvelopeError("the recipient is a point of low order") from error
    key = _derive(shared, share + recipient.public, _X25519_INFO)
    body = ChaCha20Poly1305(key).encrypt(_ZERO_NONCE, file_key, None)
    return b"-> X25519 %s\n%s\n" % (_encode(share), _encode(body))


def _unwrap_stanza(identity: Identity, stanza: _Stanza) -> bytes | None:
    """The file key if the stanza is ours. Sizes are checked first: partitioning oracles."""
    if len(stanza.arguments) != 2:
        raise HeaderError("an X25519 stanza has one share")
    share = _decode(stanza.arguments[1])
    if len(share) != 32 or len(stanza.body) != _FILE_KEY_BYTES + _TAG_BYTES:
        raise HeaderError("wrong size in an X25519 stanza")
    try:
        shared = identity.shared(share)
    except ValueError as error:
        raise HeaderError("the share is a point of low order") from error
    key = _derive(shared, share + identity.recipient.public, _X25519_INFO)
    try:
        return ChaCha20Poly1305(key).decrypt(_ZERO_NONCE, stanza.body, None)
    except InvalidTag:
        return None


def _unwrap_file_key(identity: Identity, stanzas: Sequence[_Stanza]) -> bytes:
    """Every X25519 stanza is checked, ours or not, so that all identities judge a file alike."""
    if len(stanzas) > 1 and any(stanza.arguments[0] == b"scrypt" for stanza in stanzas):
        raise HeaderError("a passphrase stanza must be alone")
    opened = [
        _unwrap_stanza(identity, stanza) for stanza in stanzas if stanza.arguments[0] == b"X25519"
    ]
    for file_key in opened:
        if file_key is not None:
            return file_key
    raise NoMatch("no stanza is for this identity")


def _open_header(identity: Identity, source: _Source) -> ChaCha20Poly1305:
    """The payload's cipher; the source then stands at its first chunk."""
    stanzas, mac, covered = _parse_header(source)
    file_key = _unwrap_file_key(identity, stanzas)
    if not hmac.compare_digest(mac, _header_mac(file_key, covered)):
        raise MacError("the header was altered")
    nonce = source.take(_NONCE_BYTES)
    if len(nonce) != _NONCE_BYTES:
        raise HeaderError("no payload")
    return _payload_cipher(file_key, nonce)


# --- payload -------------------------------------------------------------------------------------


def _chunk_nonce(number: int, last: bool) -> bytes:
    return number.to_bytes(11, "big") + (b"\x01" if last else b"\x00")


def _open_chunk(cipher: ChaCha20Poly1305, number: int, block: bytes, last: bool) -> bytes:
    try:
        plain = cipher.decrypt(_chunk_nonce(number, last), block, None)
    except (InvalidTag, ValueError) as error:
        raise PayloadError(f"chunk {number} is altered or the file is cut off") from error
    if not plain and number:
        raise PayloadError("empty last chunk")
    return plain


def _numbered(source: _Source, size: int) -> Iterator[tuple[int, bytes, bool]]:
    """Every `size` bytes with their number and whether they are the last; one empty of nothing."""
    number, block = 0, source.take(size)
    while following := source.take(size):
        yield number, block, False
        number, block = number + 1, following
    yield number, block, True


def encrypt(recipients: Sequence[Recipient], chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The age file of `chunks`, which may have any sizes, readable by each of `recipients`.

    Header first, then one block per 64 KiB; each block is sealed without the interpreter lock.
    """
    if not recipients:
        raise ValueError("a file needs a recipient")
    file_key = os.urandom(_FILE_KEY_BYTES)
    stanzas = [_wrap_file_key(recipient, file_key) for recipient in recipients]
    covered = b"".join([_VERSION, b"\n", *stanzas, b"---"])
    if len(covered) + 45 > HEADER_BYTES_MAX:
        raise ValueError("too many recipients")
    nonce = os.urandom(_NONCE_BYTES)
    mac = _encode(_header_mac(file_key, covered))
    return _encrypted(covered + b" " + mac + b"\n" + nonce, file_key, nonce, chunks)


def _encrypted(
    opening: bytes, file_key: bytes, nonce: bytes, chunks: Iterable[bytes]
) -> Iterator[bytes]:
    yield opening
    cipher = _payload_cipher(file_key, nonce)
    for number, plain, last in _numbered(_Source(chunks), CHUNK_BYTES):
        yield cipher.encrypt(_chunk_nonce(number, last), plain, None)


def encrypted_size(recipient_count: int, plaintext_bytes: int) -> int:
    """Bytes of the file that `encrypt` writes for so many recipients and bytes of plaintext."""
    stanza = len(b"-> X25519 \n\n") + 2 * 43
    header = len(_VERSION) + 1 + recipient_count * stanza + len(b"--- \n") + 43
    chunk_count = max(1, -(-plaintext_bytes // CHUNK_BYTES))
    return header + _NONCE_BYTES + plaintext_bytes + chunk_count * _TAG_BYTES


def decrypt(identity: Identity, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The plaintext in order, each chunk only once it is authentic. Raises EnvelopeError.

    A file that is cut off, or goes on behind its last chunk, gives every authentic chunk and then
    PayloadError instead of the end: a consumer commits nothing before the iterator has ended.
    """
    source = _Source(chunks)
    cipher = _open_header(identity, source)
    for number, block, last in _numbered(source, _BLOCK_BYTES):
        try:
            plain = _open_chunk(cipher, number, block, last)
        except PayloadError:
            if len(block) == _BLOCK_BYTES:
                yield _open_chunk(cipher, number, block, not last)
            raise
        yield plain


class Reader:
    """Plaintext at any offset of a file that is read through `read_at(offset, count)`.

    Opening verifies header and last chunk, which proves `size`: an attacker cannot shorten the
    file without being noticed. Raises EnvelopeError. Safe to share between threads if `read_at` is.
    """

    def __init__(self, identity: Identity, read_at: Callable[[int, int], bytes], size: int) -> None:
        source = _Source(
            read_at(offset, min(_LOOK_AHEAD_BYTES, size - offset))
            for offset in range(0, size, _LOOK_AHEAD_BYTES)
        )
        self._cipher = _open_header(identity, source)
        self._read_at = read_at
        self._start = source.taken
        self._file_size = size
        self._last = max(0, -(-(size - self._start) // _BLOCK_BYTES) - 1)
        self._kept = (self._last, self._chunks(self._last, self._last)[0])
        self.size = self._last * CHUNK_BYTES + len(self._kept[1])

    def read(self, offset: int, count: int) -> bytes:
        """`count` bytes from `offset`, fewer at the end of the file, none behind it."""
        if offset < 0 or count < 0:
            raise ValueError("offset and count are not negative")
        end = min(offset + count, self.size)
        if offset >= end:
            return b""
        first, last = offset // CHUNK_BYTES, (end - 1) // CHUNK_BYTES
        kept, plain = self._kept
        if not first == last == kept:
            chunks = self._chunks(first, last)
            self._kept = (last, chunks[-1])
            plain = b"".join(chunks)
        start = first * CHUNK_BYTES
        return plain[offset - start : end - start]

    def _chunks(self, first: int, last: int) -> list[bytes]:
        start = self._start + first * _BLOCK_BYTES
        end = min(self._start + (last + 1) * _BLOCK_BYTES, self._file_size)
        data = self._read_at(start, end - start)
        return [
            _open_chunk(
                self._cipher,
                number,
                data[(number - first) * _BLOCK_BYTES : (number - first + 1) * _BLOCK_BYTES],
                number == self._last,
            )
            for number in range(first, last + 1)
        ]
