"""What a fresh machine fetches before it has a certificate: the worker's files, by digest.

Nothing here is secret and nothing here is believed: the launch spec holds the digest of the
manifest, and the manifest those of the files. Since anybody may ask, the bytes are rationed.
"""

from __future__ import annotations

import threading
from typing import Annotated

from fastapi import FastAPI, Header
from fastapi.responses import Response

from leitstand.api import problems
from leitstand.api.bytes import asked, ranged
from leitstand.core import limits
from leitstand.core.problem import Exit, Problem
from leitstand.ports import BootFiles, Clock


class Ration:
    """A bucket of bytes that fills with time: `take` says whether they may go out now."""

    def __init__(self, clock: Clock, at_once: int, per_second: int) -> None:
        self._clock = clock
        self._at_once = at_once
        self._per_second = per_second
        self._left = float(at_once)
        self._filled_at = clock.monotonic()
        self._lock = threading.Lock()

    def take(self, size: int) -> bool:
        """Whether `size` bytes may go; they count only then."""
        with self._lock:
            now = self._clock.monotonic()
            gained = (now - self._filled_at) * self._per_second
            self._left = min(float(self._at_once), self._left + gained)
            self._filled_at = now
            if size > self._left:
                return False
            self._left -= size
            return True


def boot_routes(app: FastAPI, files: BootFiles, clock: Clock) -> None:
    """`GET /w/1/boot/manifest` and `/w/1/boot/files/{sha256}`, without a certificate."""
    ration = Ration(clock, limits.BOOT_BYTES_AT_ONCE, limits.BOOT_BYTES_PER_SECOND)

    def later() -> Response:
        answer = problems.answer(Problem("boot-busy", Exit.UNREACHABLE))
        answer.headers["Retry-After"] = str(limits.BOOT_RETRY_SECONDS)
        return answer

    @app.get("/w/1/boot/manifest")
    def manifest() -> Response:
        body = files.manifest()
        if body is None:
            raise Problem("no-boot-files", Exit.USAGE)
        return Response(body, media_type="application/json") if ration.take(len(body)) else later()

    @app.get("/w/1/boot/files/{sha256}")
    def file(sha256: str, range: Annotated[str | None, Header()] = None) -> Response:
        found = files.open(sha256)
        if found is None:
            raise Problem("unknown-boot-file", Exit.USAGE, sha256=sha256[:64])
        size, read = found
        return ranged(range, size, read) if ration.take(asked(range, size)) else later()
