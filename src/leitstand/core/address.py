"""Addresses as people write them: an origin, without a secret, and plain http for loopback only."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_LOOPBACK = re.compile(r"localhost|::1|127(\.\d{1,3}){3}")


def origin(value: str) -> str:
    """An origin without a path and without a secret, as addresses are printed and logged. Raises
    ValueError that says what it must be."""
    try:
        parts = urlsplit(value)
        _ = parts.port  # the parser looks at it only now
    except ValueError as error:
        raise ValueError("must be an address such as https://leitstand.example") from error
    if "@" in parts.netloc:
        raise ValueError("must hold no name or password; addresses are printed and logged")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an address such as https://leitstand.example")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("must be an origin without a path")
    if parts.scheme == "http" and not _LOOPBACK.fullmatch(parts.hostname):
        raise ValueError("must be https; plain http is accepted for loopback only")
    return value.rstrip("/")
