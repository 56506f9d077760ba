"""The same command on the same files goes on with the job that was held."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from leitstand.cli.batch import Refused
from leitstand.cli.files import Given, gather
from leitstand.client import Client
from leitstand.core.problem import Exit, Problem
from leitstand.upload import Take, look

HELD_MAX = 50
"""How many of the newest held jobs are looked through."""
_READ_BYTES = 1024 * 1024


def held(
    client: Client, take: Take, paths: Sequence[str], meets: Callable[[Mapping[str, Any]], bool]
) -> tuple[Mapping[str, Any], list[Refused]] | None:
    """The newest held job that `meets` what is asked for, over exactly these files, or None; and
    the files that intake refuses, which are in no job.

    Files are read for their digests only where a held job has files of their sizes, and looked at
    only where all media of a job are among them.
    """
    jobs = (job for job in client.pages("/jobs", state="held") if meets(job))
    files: _Files | None = None
    for job in islice(jobs, HELD_MAX):
        whole: Mapping[str, Any] = client.get(f"/jobs/{job['id']}")
        media = [client.get(f"/media/{medium['id']}") for medium in whole.get("media") or ()]
        files = files or _Files(take, gather(paths).files)
        if media and (refused := files.beside(media)) is not None:
            return whole, refused
    return None


class _Files:
    """The files given. What is learned of one is learned once."""

    def __init__(self, take: Take, given: Sequence[Given]) -> None:
        self._take = take
        self._sizes = {one: _size(one.path) for one in given}
        self._digests: dict[Given, str | None] = {}
        self._seen: dict[Given, Problem | None] = {}

    def beside(self, media: Sequence[Mapping[str, Any]]) -> list[Refused] | None:
        """The files that are none of these media, if all media are here and nobody would take one
        of those files; else None."""
        sizes = {medium.get("bytes") for medium in media}
        if not sizes <= set(self._sizes.values()):
            return None
        wanted = {medium.get("sha256") for medium in media}
        found = {one: self._digest(one) for one, size in self._sizes.items() if size in sizes}
        if not wanted <= set(found.values()):
            return None
        refused: list[Refused] = []
        for one in self._sizes:
            if found.get(one) in wanted:
                continue
            problem = self._refusal(one)
            if problem is None:
                return None
            refused.append((one, problem))
        return refused

    def _digest(self, one: Given) -> str | None:
        if one not in self._digests:
            self._digests[one] = _digest(one.path)
        return self._digests[one]

    def _refusal(self, one: Given) -> Problem | None:
        if one not in self._seen:
            try:
                look(self._take, one.path, one.name)
                self._seen[one] = None
            except Problem as problem:
                if problem.exit is Exit.UNREACHABLE or problem.code == "sandbox-lacks":
                    raise
                self._seen[one] = problem
        return self._seen[one]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:
        return 0


def _digest(path: Path) -> str | None:
    whole = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(_READ_BYTES):
                whole.update(chunk)
    except OSError:
        return None
    return whole.hexdigest()
