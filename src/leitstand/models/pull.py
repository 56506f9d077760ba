"""Pulling models: what is missing is fetched, checked, converted, checked again, and cached.

An archive is fetched once for all models inside it. Files reach the cache one by one, each whole;
what an interrupted pull left in staging is removed by the next one, and what it had finished stays.
"""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from leitstand.core.problem import Problem
from leitstand.models import convert, fetch, unpack
from leitstand.models.cache import Changed, ModelCache
from leitstand.models.catalogue import Catalogue, Entry, Source


@dataclass(frozen=True, slots=True)
class Step:
    """One report of progress. `stage` is total (first, once, even when nothing is to be done),
    fetch, make or done; bytes are those of the whole pull."""

    stage: str
    name: str
    done_bytes: int
    total_bytes: int


OnStep = Callable[[Step], None]


@dataclass(frozen=True, slots=True)
class Pulled:
    """What a pull did, by model name."""

    fetched: tuple[str, ...]
    present: tuple[str, ...]
    bytes: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What `verify` found about one model: ok, missing or wrong (a wrong file is set aside)."""

    name: str
    state: str
    files: tuple[str, ...] = ()


def pull(
    names: Sequence[str],
    cache: ModelCache,
    progress: OnStep = lambda step: None,
    *,
    catalogue: Catalogue | None = None,
) -> Pulled:
    """Completes the named models in the cache; no network is touched when nothing is missing.

    Raises Problem: model-unknown, the problems of `fetch`, `unpack` and `convert`. Models finished
    before a problem stay.
    """
    catalogue = catalogue or Catalogue.load()
    entries = [catalogue.get(name) for name in dict.fromkeys(names)]
    with _alone(cache) as staging:
        missing = [entry for entry in entries if not entry.complete(cache)]
        archives = catalogue.archives(missing)
        total = sum(catalogue.size(archive, found) for archive, found in archives.items())
        progress(Step("total", "", 0, total))
        _Pull(catalogue, cache, staging, progress, total).run(missing, archives)
        progress(Step("done", "", total, total))
    return Pulled(
        fetched=tuple(entry.name for entry in missing),
        present=tuple(entry.name for entry in entries if entry not in missing),
        bytes=total,
    )


def verify(
    names: Iterable[str], cache: ModelCache, *, catalogue: Catalogue | None = None
) -> Iterator[Verdict]:
    """Reads every file of the named models and compares its digest."""
    catalogue = catalogue or Catalogue.load()
    for entry in [catalogue.get(name) for name in names]:
        missing: list[str] = []
        wrong: list[str] = []
        for file in entry.version.files:
            try:
                cache.read(file.sha256)
            except Changed:
                wrong.append(file.name)
            except Problem:
                missing.append(file.name)
        if wrong:
            yield Verdict(entry.name, "wrong", tuple(wrong))
        elif missing:
            yield Verdict(entry.name, "missing", tuple(missing))
        else:
            yield Verdict(entry.name, "ok")


@contextmanager
def _alone(cache: ModelCache) -> Iterator[Path]:
    """One pull at a time per cache, with an empty staging folder on the same file system; a second
    pull waits and then finds the work done."""
    cache.folder.mkdir(parents=True, exist_ok=True)
    with (cache.folder / "pull.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        cache.sweep()
        staging = cache.folder / "pulling"
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir()
        try:
            yield staging
        finally:
            shutil.rmtree(staging, ignore_errors=True)


class _Pull:
    """The running state of one pull: what is fetched, and which models still wait for a source."""

    def __init__(
        self,
        catalogue: Catalogue,
        cache: ModelCache,
        staging: Path,
        progress: OnStep,
        total: int,
    ) -> None:
        self._catalogue = catalogue
        self._cache = cache
        self._staging = staging
        self._progress = progress
        self._total = total
        self._done = 0
        self._held: dict[Source, bytes] = {}

    def run(self, missing: list[Entry], archives: dict[str, list[Source]]) -> None:
        waiting = list(missing)
        models = {source: entry.name for entry in missing for source in entry.sources}
        for archive, sources in archives.items():
            self._fetch(archive, sources, models)
            ready = [entry for entry in waiting if all(s in self._held for s in entry.sources)]
            for entry in ready:
                self._make(entry)
                waiting.remove(entry)
            needed = {source for entry in waiting for source in entry.sources}
            self._held = {s: data for s, data in self._held.items() if s in needed}

    def _fetch(self, archive: str, sources: list[Source], models: Mapping[Source, str]) -> None:
        size = self._catalogue.size(archive, sources)

        def on_bytes(count: int) -> None:
            shown = self._done + min(count, size)
            self._progress(Step("fetch", archive, shown, self._total))

        on_bytes(0)
        with tempfile.TemporaryDirectory(dir=self._staging) as folder:
            paths = fetch.fetch(archive, sources, Path(folder), on_bytes)
            for path, inside in _by_path(paths, sources).items():
                found = unpack.read_sources(path, {source: models[source] for source in inside})
                self._held.update({source: found[source.name] for source in inside})
        on_bytes(size)
        self._done += size

    def _make(self, entry: Entry) -> None:
        self._progress(Step("make", entry.name, self._done, self._total))
        sources = {source.name: self._held[source] for source in entry.sources}
        for file in entry.version.files:
            if not self._cache.has(file.sha256):
                making = entry.makings[file.name]
                self._cache.add(convert.make(entry.name, file, making, sources))


def _by_path(paths: Mapping[str, Path], sources: Sequence[Source]) -> dict[Path, list[Source]]:
    grouped: dict[Path, list[Source]] = {}
    for source in sources:
        grouped.setdefault(paths[source.member or ""], []).append(source)
    return grouped
