"""The same command on the same files goes on with the job that was held."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from leitstand.cli.files import gather
from leitstand.client import Client

HELD_MAX = 50
"""How many of the newest jobs are looked through."""
_READ_BYTES = 1024 * 1024


def held(
    client: Client, paths: Sequence[str], meets: Callable[[Mapping[str, Any]], bool]
) -> Mapping[str, Any] | None:
    """The newest held job that `meets` what is asked for, over exactly these files, or None.

    Files are read for their digests only where a held job has files of the same sizes. Empty ones
    and those that cannot be read are in no job and do not count.
    """
    jobs = [job for job in client.pages("/jobs", HELD_MAX) if job["state"] == "held" and meets(job)]
    if not jobs:
        return None
    sizes = _sizes([given.path for given in gather(paths).files])
    digests: set[str] | None = None
    for job in jobs:
        whole: Mapping[str, Any] = client.get(f"/jobs/{job['id']}")
        media = [client.get(f"/media/{medium['id']}") for medium in whole.get("media") or ()]
        if not media or {medium.get("bytes") for medium in media} != set(sizes.values()):
            continue
        if digests is None:
            digests = {digest for path in sizes if (digest := _digest(path)) is not None}
        if {medium.get("sha256") for medium in media} == digests:
            return whole
    return None


def _sizes(paths: Sequence[Path]) -> dict[Path, int]:
    found: dict[Path, int] = {}
    for path in paths:
        try:
            if path.is_file() and (size := path.stat().st_size):
                found[path] = size
        except OSError:
            continue
    return found


def _digest(path: Path) -> str | None:
    whole = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(_READ_BYTES):
                whole.update(chunk)
    except OSError:
        return None
    return whole.hexdigest()
