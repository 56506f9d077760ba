"""Epoch keys on disk, and the wrapping of every key row under them.

The folder lies outside the database and outside every backup: destroying an epoch key kills all
older copies of the rows it wrapped. Layout of a wrapped key: version byte 1, epoch (4 bytes, big
endian), 12-byte random nonce, AES-256-GCM ciphertext with tag.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from leitstand import private
from leitstand.core.problem import Exit, Problem
from leitstand.ports import KeyPlace

_FORMAT = 1
_KEY_BYTES = 32
_EPOCH_BYTES = 4
_NONCE_BYTES = 12
_TAG_BYTES = 16
_EPOCH_FILE = re.compile(r"epoch-([1-9][0-9]{0,8})")


class KeyRefused(Exception):
    """A wrapped key was altered, or belongs to another row, tenant or epoch."""


class EpochGone(KeyRefused):
    """There is no such epoch key, and without it nothing that it wrapped opens."""


class KeyRing:
    """The epoch keys of one installation. A row names the epoch that wrapped it, so that rows of
    several epochs can stand side by side."""

    def __init__(self, folder: Path, ciphers: dict[int, AESGCM]) -> None:
        self._folder = folder
        self._ciphers = ciphers

    @classmethod
    def open(cls, folder: Path) -> KeyRing:
        """The ring in `folder`, with `epoch-1` made if there is none yet.

        Raises Problem on a folder or file that others can read, or on a damaged file.
        """
        private.folder(folder)
        private.remove_drafts(folder)
        ring = cls(folder, {epoch: AESGCM(_read(path)) for epoch, path in _epochs(folder)})
        if not ring._ciphers:
            ring._create(1)
        return ring

    @property
    def epoch(self) -> int:
        """The current epoch: new keys are wrapped under it."""
        return max(self._ciphers)

    def wrap(self, secret: bytes, place: KeyPlace) -> bytes:
        """`secret` under the epoch key that `place` names. Raises EpochGone."""
        nonce = os.urandom(_NONCE_BYTES)
        cipher = self._cipher(place.epoch)
        return _head(place.epoch) + nonce + cipher.encrypt(nonce, secret, _bind(place))

    def unwrap(self, wrapped: bytes, place: KeyPlace) -> bytes:
        """The secret. Raises EpochGone where its epoch key is no more, else KeyRefused."""
        head = 1 + _EPOCH_BYTES
        if len(wrapped) < head + _NONCE_BYTES + _TAG_BYTES or wrapped[0] != _FORMAT:
            raise KeyRefused("unknown format of a wrapped key")
        if wrapped[:head] != _head(place.epoch):
            raise KeyRefused("wrapped under another epoch")
        nonce, body = wrapped[head : head + _NONCE_BYTES], wrapped[head + _NONCE_BYTES :]
        try:
            return self._cipher(place.epoch).decrypt(nonce, body, _bind(place))
        except InvalidTag as error:
            raise KeyRefused("the wrapped key belongs elsewhere or was altered") from error

    def _cipher(self, epoch: int) -> AESGCM:
        cipher = self._ciphers.get(epoch)
        if cipher is None:
            raise EpochGone(f"there is no key of epoch {epoch}")
        return cipher

    def _create(self, epoch: int) -> None:
        path = self._folder / f"epoch-{epoch}"
        private.write_new(path, os.urandom(_KEY_BYTES))
        self._ciphers[epoch] = AESGCM(_read(path))


def _head(epoch: int) -> bytes:
    return bytes([_FORMAT]) + epoch.to_bytes(_EPOCH_BYTES, "big")


def _bind(place: KeyPlace) -> bytes:
    """Associated data: each part with its length, so that no two places read alike."""
    parts = [place.tenant, place.kind, place.owner_id, place.key_id, str(place.epoch)]
    encoded = [part.encode() for part in parts]
    return b"leitstand/key/1" + b"".join(len(part).to_bytes(4, "big") + part for part in encoded)


def _epochs(folder: Path) -> list[tuple[int, Path]]:
    found = [(_EPOCH_FILE.fullmatch(path.name), path) for path in folder.iterdir()]
    return [(int(match[1]), path) for match, path in found if match]


def _read(path: Path) -> bytes:
    key = private.read(path, _KEY_BYTES + 1)
    if len(key) != _KEY_BYTES:
        raise Problem("key-file-damaged", Exit.FAILED, path=str(path))
    return key
