"""Epoch keys on disk, and the wrapping of every key row under them.

The folder lies outside the database and outside every backup: destroying an epoch key kills all
older copies of the rows it wrapped. Layout of a wrapped key: version byte 1, epoch (4 bytes, big
endian), 12-byte random nonce, AES-256-GCM ciphertext with tag.
"""

from __future__ import annotations

import os
import re
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from leitstand.core.problem import Exit, Problem

_FORMAT = 1
_KEY_BYTES = 32
_EPOCH_BYTES = 4
_NONCE_BYTES = 12
_TAG_BYTES = 16
_EPOCH_FILE = re.compile(r"epoch-([1-9][0-9]{0,8})")
_DRAFT = ".draft-"
"""Begins the name of a key file being written; what a crash left of one is removed at opening."""
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class KeyRefused(Exception):
    """A wrapped key was altered, or belongs to another row, tenant or epoch."""


class EpochGone(KeyRefused):
    """The epoch key was destroyed, and with it everything wrapped under it."""


@dataclass(frozen=True, slots=True)
class KeyContext:
    """What a wrapped key is bound to; a row with any other of these values does not open it.

    `kind` is medium, result, case, model or payload.
    """

    tenant: str
    kind: str
    owner_id: str
    key_id: str
    epoch: int


class KeyRing:
    """The epoch keys of one installation.

    Rotation is `advance()`, re-wrapping the surviving rows in one transaction, then `destroy(old)`;
    a crash in between leaves both epochs, and the same steps again finish it.
    """

    def __init__(self, folder: Path, ciphers: dict[int, AESGCM]) -> None:
        self._folder = folder
        self._ciphers = ciphers

    @classmethod
    def open(cls, folder: Path) -> KeyRing:
        """The ring in `folder`, with `epoch-1` made if there is none yet.

        Raises Problem on a folder or file that others can read, or on a damaged file.
        """
        _private_folder(folder)
        for draft in folder.glob(_DRAFT + "*"):
            draft.unlink(missing_ok=True)
        ring = cls(folder, {epoch: AESGCM(_read(path)) for epoch, path in _epochs(folder)})
        if not ring._ciphers:
            ring._create(1)
        return ring

    @property
    def epoch(self) -> int:
        """The current epoch: new keys are wrapped under it."""
        return max(self._ciphers)

    def advance(self) -> int:
        """Makes the next epoch key, durable before this returns, and makes it current."""
        epoch = self.epoch + 1
        self._create(epoch)
        return epoch

    def destroy(self, epoch: int) -> None:
        """Overwrites and removes an old epoch key; already gone is success.

        On a copying file system or a wear-levelled disk the overwriting is no proof: the folder
        should lie on an encrypted volume.
        """
        if epoch == self.epoch:
            raise ValueError("the current epoch key is not destroyed; advance first")
        self._ciphers.pop(epoch, None)
        path = self._folder / f"epoch-{epoch}"
        try:
            with path.open("r+b") as file:
                file.write(os.urandom(_KEY_BYTES))
                file.flush()
                os.fsync(file.fileno())
        except FileNotFoundError:
            return
        path.unlink()
        _sync_folder(self._folder)

    def wrap(self, secret: bytes, context: KeyContext) -> bytes:
        """`secret` under the epoch key that `context` names. Raises EpochGone."""
        nonce = os.urandom(_NONCE_BYTES)
        cipher = self._cipher(context.epoch)
        return _head(context.epoch) + nonce + cipher.encrypt(nonce, secret, _bind(context))

    def unwrap(self, wrapped: bytes, context: KeyContext) -> bytes:
        """The secret. Raises EpochGone where its epoch key is no more, else KeyRefused."""
        head = 1 + _EPOCH_BYTES
        if len(wrapped) < head + _NONCE_BYTES + _TAG_BYTES or wrapped[0] != _FORMAT:
            raise KeyRefused("unknown format of a wrapped key")
        if wrapped[:head] != _head(context.epoch):
            raise KeyRefused("wrapped under another epoch")
        nonce, body = wrapped[head : head + _NONCE_BYTES], wrapped[head + _NONCE_BYTES :]
        try:
            return self._cipher(context.epoch).decrypt(nonce, body, _bind(context))
        except InvalidTag as error:
            raise KeyRefused("the wrapped key belongs elsewhere or was altered") from error

    def _cipher(self, epoch: int) -> AESGCM:
        cipher = self._ciphers.get(epoch)
        if cipher is None:
            raise EpochGone(f"there is no key of epoch {epoch}")
        return cipher

    def _create(self, epoch: int) -> None:
        path = self._folder / f"epoch-{epoch}"
        _write_new(path, os.urandom(_KEY_BYTES))
        self._ciphers[epoch] = AESGCM(_read(path))


def _head(epoch: int) -> bytes:
    return bytes([_FORMAT]) + epoch.to_bytes(_EPOCH_BYTES, "big")


def _bind(context: KeyContext) -> bytes:
    """Associated data: each part with its length, so that no two contexts read alike."""
    parts = [context.tenant, context.kind, context.owner_id, context.key_id, str(context.epoch)]
    encoded = [part.encode() for part in parts]
    return b"leitstand/key/1" + b"".join(len(part).to_bytes(4, "big") + part for part in encoded)


def _epochs(folder: Path) -> list[tuple[int, Path]]:
    found = [(_EPOCH_FILE.fullmatch(path.name), path) for path in folder.iterdir()]
    return [(int(match[1]), path) for match, path in found if match]


def _private_folder(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_mode & _OTHERS:
        raise Problem("key-folder-readable", Exit.REFUSED, path=str(folder))


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_mode & _OTHERS:
            raise Problem("key-file-readable", Exit.REFUSED, path=str(path))
        key = file.read(_KEY_BYTES + 1)
    if len(key) != _KEY_BYTES:
        raise Problem("key-file-damaged", Exit.FAILED, path=str(path))
    return key


def _write_new(path: Path, key: bytes) -> None:
    """A whole, durable file of mode 0600, or none; one that stands there already is kept."""
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=_DRAFT)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(key)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        Path(draft).unlink()
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
