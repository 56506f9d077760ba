"""Key release: one HPKE seal of a medium key to the key a worker made at start.

RFC 9180 base mode with MLKEM768-X25519 (draft-ietf-hpke-pq), HKDF-SHA256 and AES-256-GCM. `info`
binds attempt, fence, medium, expiry and policy: a blob opens in no other context.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)

_SUITE = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_MLKEM_BYTES = 1184
_X25519_BYTES = 32


class ReleaseError(Exception):
    """The blob does not open with this key and context, or the public key is malformed."""


class HpkeKey:
    """A worker's key pair. It lives in memory only and ends with the process."""

    def __init__(self, mlkem: MLKEM768PrivateKey, x25519: X25519PrivateKey) -> None:
        self._private = MLKEM768X25519PrivateKey(mlkem, x25519)
        self.public: bytes = (
            mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()
        )
        """ML-KEM-768 encapsulation key (1184 bytes), then the X25519 key (32 bytes)."""

    @classmethod
    def generate(cls) -> HpkeKey:
        return cls(MLKEM768PrivateKey.generate(), X25519PrivateKey.generate())

    def open(self, info: bytes, blob: bytes) -> bytes:
        """The secret `seal_to` was given. Raises ReleaseError."""
        try:
            return _SUITE.decrypt(blob, self._private, info)
        except (InvalidTag, ValueError) as error:
            raise ReleaseError("the key blob does not open") from error


def seal_to(public: bytes, info: bytes, secret: bytes) -> bytes:
    """Encapsulated key and ciphertext of `secret` for the holder of `public`, bound to `info`.

    Raises ReleaseError on a public key that is none.
    """
    if len(public) != _MLKEM_BYTES + _X25519_BYTES:
        raise ReleaseError("a release key has 1216 bytes")
    try:
        recipient = MLKEM768X25519PublicKey(
            MLKEM768PublicKey.from_public_bytes(public[:_MLKEM_BYTES]),
            X25519PublicKey.from_public_bytes(public[_MLKEM_BYTES:]),
        )
        return _SUITE.encrypt(secret, recipient, info)
    except ValueError as error:
        raise ReleaseError("not a release key") from error
