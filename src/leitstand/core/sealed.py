"""A value that media or people wrote, as the store carries it: ciphertext without a readable form."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, repr=False)
class Sealed:
    """AES-256-GCM over canonical JSON; only `vault.seal` opens it. Begins with one version byte."""

    data: bytes

    def __repr__(self) -> str:
        return f"Sealed({len(self.data)} bytes)"

    __str__ = None  # type: ignore[assignment]  # formatting one is a mistake, so it raises
