"""Sealed columns: what media and people wrote, as AES-256-GCM bound to the row it stands in.

A value moved to another table, row or key, or read as another version of its document, does not
open. Layout: version byte 1, 12-byte random nonce, ciphertext with tag; plaintext is RFC 8785 JSON,
so equal documents have equal sizes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import rfc8785
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from leitstand.core.sealed import Sealed

JSON: TypeAlias = "bool | int | float | str | Sequence[JSON] | Mapping[str, JSON] | None"

_FORMAT = b"\x01"
_NONCE_BYTES = 12
_TAG_BYTES = 16
_INTEGER_MAX = 2**53 - 1


class SealError(Exception):
    """The value was altered, or belongs to another row, format or key."""


def seal(
    secret: bytes, table: str, row_id: str, version: int, key_id: str, document: JSON
) -> Sealed:
    """`document` under the 32-byte `secret` of key `key_id`, for one row; `version` is that of the
    document's format.

    Raises ValueError on what RFC 8785 cannot express: NaN, integers beyond 2^53 - 1, lone
    surrogates.
    """
    nonce = os.urandom(_NONCE_BYTES)
    plain = rfc8785.dumps(document)
    context = _context(table, row_id, version, key_id)
    return Sealed(_FORMAT + nonce + _cipher(secret).encrypt(nonce, plain, context))


def unseal(
    secret: bytes, table: str, row_id: str, version: int, key_id: str, sealed: Sealed
) -> Any:
    """The document `seal` was given. Raises SealError if any part of the context differs."""
    if sealed.data[:1] != _FORMAT:
        raise SealError("unknown format of a sealed value")
    nonce, cut = sealed.data[1 : 1 + _NONCE_BYTES], sealed.data[1 + _NONCE_BYTES :]
    if len(cut) < _TAG_BYTES:
        raise SealError("a sealed value is cut off")
    context = _context(table, row_id, version, key_id)
    try:
        plain = _cipher(secret).decrypt(nonce, cut, context)
    except InvalidTag as error:
        raise SealError(f"a sealed value of {table} does not open") from error
    return json.loads(plain, parse_int=_number)


def _context(table: str, row_id: str, version: int, key_id: str) -> bytes:
    if any("|" in part for part in (table, row_id, key_id)):
        raise ValueError("names in a seal's context hold no '|'")
    return f"{table}|{row_id}|{version}|{key_id}".encode()


def _cipher(secret: bytes) -> AESGCM:
    if len(secret) != 32:
        raise ValueError("a column secret is 32 bytes")
    derive = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"leitstand/column/1")
    return AESGCM(derive.derive(secret))


def _number(digits: str) -> int | float:
    """RFC 8785 writes a large float without a point; it comes back as the float it was."""
    number = int(digits)
    return number if abs(number) <= _INTEGER_MAX else float(number)
