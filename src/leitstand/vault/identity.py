"""The X25519 keys of age files: recipients and identities, and their text forms (C2SP `age.md`)."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_CHECKSUM = 6
_BECH32_KEY_GROUPS = 52
"""Five-bit groups of 32 bytes; the last four bits are padding."""


def _bech32_polymod(groups: Iterable[int]) -> int:
    checksum = 1
    for group in groups:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ group
        for bit, generator in enumerate(
            (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
        ):
            if top >> bit & 1:
                checksum ^= generator
    return checksum


def _bech32_prefix(prefix: str) -> list[int]:
    return [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]


def _bech32_encode(prefix: str, key: bytes) -> str:
    """BIP 173 of a 32-byte key under a lower-case prefix."""
    number = int.from_bytes(key, "big") << 4
    groups = [number >> 5 * place & 31 for place in reversed(range(_BECH32_KEY_GROUPS))]
    rest = _bech32_polymod([*_bech32_prefix(prefix), *groups, *([0] * _BECH32_CHECKSUM)]) ^ 1
    groups += [rest >> 5 * place & 31 for place in reversed(range(_BECH32_CHECKSUM))]
    return prefix + "1" + "".join(_BECH32[group] for group in groups)


def _bech32_decode(prefix: str, text: str) -> bytes:
    """The 32-byte key of lower-case BIP 173 text under `prefix`. Raises ValueError."""
    found, _, data = text.rpartition("1")
    if found != prefix or len(data) != _BECH32_KEY_GROUPS + _BECH32_CHECKSUM:
        raise ValueError("wrong prefix or length")
    groups = [_BECH32.index(character) for character in data]
    if _bech32_polymod([*_bech32_prefix(prefix), *groups]) != 1:
        raise ValueError("wrong checksum")
    number = 0
    for group in groups[:_BECH32_KEY_GROUPS]:
        number = number << 5 | group
    if number & 0xF:
        raise ValueError("padding is not zero")
    return (number >> 4).to_bytes(32, "big")


class EnvelopeError(Exception):
    """A file or key that cannot be used. The message never holds key or plaintext."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whom a file is written to: an X25519 public key, as text `age1…`."""

    public: bytes

    @classmethod
    def parse(cls, text: str) -> Recipient:
        """From `age1…`, all lower case. Raises EnvelopeError on anything else."""
        try:
            return cls(_bech32_decode("age", text))
        except ValueError as error:
            raise EnvelopeError("not an age X25519 recipient") from error

    def __str__(self) -> str:
        return _bech32_encode("age", self.public)


class Identity:
    """The secret that opens what was written to its recipient; never shown by `str` or `repr`."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) != 32:
            raise EnvelopeError("an identity is 32 bytes")
        self.secret = secret
        self._private = X25519PrivateKey.from_private_bytes(secret)

    @classmethod
    def generate(cls) -> Identity:
        return cls(os.urandom(32))

    @classmethod
    def from_secret(cls, secret: bytes) -> Identity:
        """From the 32 bytes that key rows and key releases carry."""
        return cls(secret)

    @classmethod
    def parse(cls, text: str) -> Identity:
        """From `AGE-SECRET-KEY-1…`, all upper case. Raises EnvelopeError on anything else."""
        try:
            if not text.isascii() or text != text.upper():
                raise ValueError("not upper case")
            return cls(_bech32_decode("age-secret-key-", text.lower()))
        except ValueError as error:
            raise EnvelopeError("not an age X25519 identity") from error

    def export(self) -> str:
        """`AGE-SECRET-KEY-1…`, for the public `age` tool. This is the secret itself."""
        return _bech32_encode("age-secret-key-", self.secret).upper()

    @cached_property
    def recipient(self) -> Recipient:
        return Recipient(self._private.public_key().public_bytes_raw())

    def __repr__(self) -> str:
        return f"Identity({self.recipient})"

    def shared(self, share: bytes) -> bytes:
        """X25519 with an ephemeral share. Raises ValueError where the result is all zero."""
        return self._private.exchange(X25519PublicKey.from_public_bytes(share))
