"""Reading named files out of archives without ever unpacking them.

Nothing is written, no path of an archive is used as a path, links and devices are not followed: a
member is looked for by its exact name and read up to the size the catalogue declares.
"""

from __future__ import annotations

import hashlib
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from leitstand.core.limits import GIB
from leitstand.core.problem import Problem
from leitstand.models.catalogue import Source

TAR_BYTES_MAX = 16 * GIB
"""Unpacked bytes looked through for members: a bound against archives that never end."""
_DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError)
_BROKEN = (*_DAMAGED, RuntimeError)
"""`zipfile` has a RuntimeError for an encrypted member, and one below it for an unknown method."""


def read_sources(path: Path, sources: Mapping[Source, str]) -> dict[str, bytes]:
    """The files of `sources` inside the archive at `path`, by source name, each checked.

    `sources` says which model each is for. One that is not packed is the file at `path` itself.
    Raises Problem("model-digest-wrong") for other content, Problem("model-archive-broken") if a
    file is absent, or the archive damaged, encrypted or packed in a way that nothing here reads.
    """
    members = {source.member or "": source for source in sources if source.packed}
    found: dict[str, bytes] = {}
    try:
        if members and zipfile.is_zipfile(path):
            found = _from_zip(path, members)
        elif members:
            found = _from_tar(path, members)
    except _BROKEN as error:
        raise _broken(next(iter(members.values()))) from error
    for source, model in sources.items():
        if not source.packed:
            if path.stat().st_size != source.bytes:
                raise _wrong(source, model, f"{path.stat().st_size} bytes")
            found[source.name] = path.read_bytes()
        elif source.name not in found:
            raise _broken(source)
        actual = hashlib.sha256(found[source.name]).hexdigest()
        if actual != source.sha256:
            raise _wrong(source, model, actual)
    return found


def _wrong(source: Source, model: str, actual: str) -> Problem:
    return Problem("model-digest-wrong", model=model, expected=source.sha256, actual=actual)


def _broken(source: Source) -> Problem:
    return Problem("model-archive-broken", source=source.archive, member=source.member or "")


def _from_zip(path: Path, members: dict[str, Source]) -> dict[str, bytes]:
    found = {}
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            source = members.get(info.filename)
            if source is not None:
                with archive.open(info) as file:
                    found[source.name] = file.read(source.bytes + 1)
    return found


def _from_tar(path: Path, members: dict[str, Source]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    with tarfile.open(path, "r|*") as archive:
        for info in archive:
            if archive.offset > TAR_BYTES_MAX:
                raise tarfile.ReadError("the archive is longer than allowed")
            source = members.get(info.name)
            if source is None or not info.isreg():
                continue
            file = archive.extractfile(info)
            if file is not None:
                found[source.name] = file.read(source.bytes + 1)
            if len(found) == len(members):
                break
    return found
