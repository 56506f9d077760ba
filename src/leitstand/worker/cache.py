"""Model files on this worker: from the cache, or from the control plane, always checked."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from urllib.parse import quote

import structlog

from leitstand.core.model import ModelFile, ModelVersion, digest_of
from leitstand.core.problem import Problem
from leitstand.models.cache import Changed, ModelCache
from leitstand.worker.blame import Failure
from leitstand.worker.link import Link, Refused
from leitstand.worker.live import LiveAttempt
from leitstand.worker.traffic import Rank

CACHED_NAMED_MAX = 1_000
"""Digests a claim names at most; they help placement and nothing depends on them."""
_log = structlog.get_logger("worker.models")


class ModelFiles:
    """Safe to use from several threads; one file is downloaded once."""

    def __init__(self, cache: ModelCache, link: Link) -> None:
        self._cache = cache
        self._link = link
        self._lock = threading.Lock()
        self._downloads: dict[str, threading.Lock] = {}
        self._changed: dict[str, Changed] = {}
        """Files whose copy here was another one and was set aside."""

    def cached(self) -> list[str]:
        """Digests of the files in the cache."""
        folder = self._cache.path("0" * 64).parent
        try:
            names = sorted(entry.name for entry in folder.iterdir())
        except OSError:
            return []
        return names[:CACHED_NAMED_MAX]

    def read(self, version: ModelVersion, live: LiveAttempt) -> dict[str, bytes]:
        """All files of a version by name. Raises Failure with code `model-digest-wrong` when they
        are not what the job pinned; downloading counts as progress of the attempt."""
        if digest_of(version.files) != version.digest:
            raise _wrong(version)
        return {file.name: self._file(version, file, live) for file in version.files}

    def _file(self, version: ModelVersion, file: ModelFile, live: LiveAttempt) -> bytes:
        with self._lock:
            alone = self._downloads.setdefault(file.sha256, threading.Lock())
        with alone:
            if self._cache.has(file.sha256):
                try:
                    return self._cache.read(file.sha256)
                except Problem:
                    pass  # gone since
                except Changed as changed:
                    self._changed[file.sha256] = changed
                    _log.warning("model file changed", file=file.name, kept=changed.kept)
            try:
                return self._download(version, file, live)
            except Failure as failure:
                was = self._changed.get(file.sha256)
                if was is None or failure.code != "model-unavailable":
                    raise
                raise Failure(  # the only copy there was
                    "model-changed",
                    "model",
                    model=version.name,
                    file=file.name,
                    expected=was.expected,
                    actual=was.actual,
                    kept=was.kept,
                ) from failure

    def _download(self, version: ModelVersion, file: ModelFile, live: LiveAttempt) -> bytes:
        whole = bytearray()
        path = f"/w/1/models/{quote(file.sha256, safe='')}"
        try:
            for part in self._link.download(path, file.bytes, live.alive, Rank.MODEL):
                whole += part
                live.advance()
        except Refused as error:
            raise Failure(
                "model-unavailable", "us", model=version.name, reason=error.code
            ) from error
        data = bytes(whole)
        if hashlib.sha256(data).hexdigest() != file.sha256:
            raise _wrong(version)
        with contextlib.suppress(OSError):  # a full disk costs the next attempt a download
            self._cache.add(data)
        return data


def _wrong(version: ModelVersion) -> Failure:
    return Failure("model-digest-wrong", "model", model=version.name)
