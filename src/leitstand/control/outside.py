"""What has to be so before an instance elsewhere is paid for: it can dial us, and we have what it
starts from. Resolving a name takes time, so an answer is kept for a while."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from leitstand.core.placement import Rejection
from leitstand.core.reach import unreachable, unreachable_nearby
from leitstand.ports import BootFiles, Clock

KEPT_SECONDS = 30.0
BOOT_FILES = "boot-files"


def resolve(host: str) -> Sequence[str]:
    """Addresses of a name, or of the address it is; none where it has none."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ()
    return sorted({str(entry[4][0]) for entry in found})


class Outside:
    """Says why no machine elsewhere may be rented now, and no other own one started. `url` is what
    workers are told to dial."""

    def __init__(
        self,
        url: str,
        boot: BootFiles,
        clock: Clock,
        resolve: Callable[[str], Sequence[str]] = resolve,
    ) -> None:
        self._url = url
        self._boot = boot
        self._clock = clock
        self._resolve = resolve
        self._kept: tuple[float, Sequence[str]] | None = None
        self._lock = threading.Lock()

    def fault(self) -> Rejection | None:
        """The first thing that is not so for a rented machine."""
        rule = unreachable(self._url, self._addresses())
        if rule is not None:
            return Rejection(rule, self._url, "a public https address")
        return self._bootless()

    def nearby(self) -> Rejection | None:
        """The same for an own machine that dials over the network."""
        rule = unreachable_nearby(self._url, self._addresses())
        if rule is not None:
            return Rejection(rule, self._url, "an https address of this network")
        return self._bootless()

    def _bootless(self) -> Rejection | None:
        if self._boot.manifest() is None:
            return Rejection(BOOT_FILES, "none", "the worker's files")
        return None

    def _addresses(self) -> Sequence[str]:
        with self._lock:
            now = self._clock.monotonic()
            if self._kept is None or now - self._kept[0] >= KEPT_SECONDS:
                host = urlsplit(self._url).hostname
                self._kept = now, self._resolve(host) if host else ()
            return self._kept[1]
