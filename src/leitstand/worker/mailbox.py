"""The worker's side of the mailbox: a result put where the control plane will find it."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

import httpx

from leitstand.core.letter import Letter, pack, to_sign
from leitstand.worker.link import Link, Unreachable, sized

_PUT = httpx.Timeout(30.0, connect=5.0)


def leave(
    link: Link, address: str, attempt: str, fence: int, segment: int, sealed: bytes, gap: bool
) -> None:
    """Put the letter; once more is fine. The store is shown ciphertext, and none of our keys.

    Raises Unreachable for whatever it answers but yes: nothing it says is about the attempt. The
    address is in no message, because whoever reads it may put there too.
    """
    if not _safe(address):
        raise Unreachable("the mailbox is at no address that may be used")
    certificate, signature = link.sign(to_sign(attempt, fence, segment, gap, sealed))
    letter = pack(Letter(attempt, fence, segment, gap, certificate, signature, sealed))
    try:
        with (
            httpx.Client(timeout=_PUT, trust_env=False) as client,
            link.result(letter) as content,
            client.stream("PUT", address, content=content, headers=sized(letter)) as reply,
        ):
            status = reply.status_code  # what else it says is not read
    except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL) as error:
        raise Unreachable(f"mailbox: {type(error).__name__}") from None
    if not httpx.codes.is_success(status):
        raise Unreachable(f"mailbox: {status}")


def _safe(address: str) -> bool:
    """Whether it is HTTPS, or stays on this machine."""
    parts = urlsplit(address)
    if parts.scheme == "https":
        return True
    try:
        return parts.scheme == "http" and ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False
