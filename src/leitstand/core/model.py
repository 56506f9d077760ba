"""A version of a machine-learning model as plans pin it and workers check it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of a model version, named by the digest of its content."""

    name: str
    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """What a job pins: family, name, version and the digest that binds all its files.

    `vram_gib` and `ram_gib` are measured peaks; None means not measured: then the
    settings `placement.vram_gib` count, and memory is not asked for.
    """

    family: str
    name: str
    version: str
    digest: str
    files: tuple[ModelFile, ...]
    licence: str
    vram_gib: float | None = None
    ram_gib: float | None = None


def digest_of(files: Iterable[ModelFile]) -> str:
    """SHA-256 over canonical JSON of name and digest of every file, sorted by name."""
    listed = sorted([file.name, file.sha256] for file in files)
    return hashlib.sha256(json.dumps(listed, separators=(",", ":")).encode()).hexdigest()
