"""The vault of a control plane: its key ring and the formats of this package behind one port."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from leitstand.core.sealed import Sealed
from leitstand.ports import KeyPlace
from leitstand.vault import envelope, seal
from leitstand.vault.identity import Identity, Recipient
from leitstand.vault.keyring import KeyRing
from leitstand.vault.release import seal_to

SECRET_BYTES = 32


class Strongbox:
    """See `ports.Vault`. With the root in a file, whoever is root on this machine can open it."""

    def __init__(self, folder: Path) -> None:
        self._ring = KeyRing.open(folder)

    @property
    def epoch(self) -> int:
        return self._ring.epoch

    def new_secret(self) -> bytes:
        return os.urandom(SECRET_BYTES)

    def new_identity(self) -> tuple[bytes, str]:
        identity = Identity.generate()
        return identity.secret, str(identity.recipient)

    def wrap(self, secret: bytes, place: KeyPlace) -> bytes:
        return self._ring.wrap(secret, place)

    def unwrap(self, wrapped: bytes, place: KeyPlace) -> bytes:
        return self._ring.unwrap(wrapped, place)

    def export(self, secret: bytes) -> str:
        return Identity.from_secret(secret).export()

    def seal(
        self, secret: bytes, table: str, row_id: str, version: int, key_id: str, document: Any
    ) -> Sealed:
        return seal.seal(secret, table, row_id, version, key_id, document)

    def unseal(
        self, secret: bytes, table: str, row_id: str, version: int, key_id: str, sealed: Sealed
    ) -> Any:
        return seal.unseal(secret, table, row_id, version, key_id, sealed)

    def encrypt(self, recipient: str, chunks: Iterable[bytes]) -> Iterator[bytes]:
        return envelope.encrypt([Recipient.parse(recipient)], chunks)

    def decrypt(self, secret: bytes, chunks: Iterable[bytes]) -> Iterator[bytes]:
        return envelope.decrypt(Identity.from_secret(secret), chunks)

    def release(self, hpke_public: bytes, info: bytes, secret: bytes) -> bytes:
        return seal_to(hpke_public, info, secret)
