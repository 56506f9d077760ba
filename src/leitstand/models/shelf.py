"""Model versions that a control plane hands to its workers: the catalogue over its cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from leitstand.core.model import ModelVersion
from leitstand.models.cache import ModelCache
from leitstand.models.catalogue import Catalogue

CHUNK_BYTES = 1024 * 1024


class Shelf:
    """See `ports.ModelShelf`."""

    def __init__(self, folder: Path) -> None:
        self._catalogue = Catalogue.load()
        self._cache = ModelCache(folder)

    def best(self, family: str) -> ModelVersion | None:
        return self._catalogue.best(family, self._cache)

    def open(self, sha256: str) -> tuple[int, Callable[[int, int], Iterator[bytes]]] | None:
        path = self._cache.path(sha256)
        try:
            size = path.stat().st_size
        except OSError:
            return None
        return size, lambda start, end: _pieces(path, start, end)


def _pieces(path: Path, start: int, end: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(start)
        left = end - start
        while left > 0:
            piece = file.read(min(CHUNK_BYTES, left))
            if not piece:
                return
            left -= len(piece)
            yield piece
