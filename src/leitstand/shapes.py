"""The forms that single settings have: durations, addresses, places, money."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

_DURATION = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(s|min|h|d)\s*$")
_LOOPBACK = re.compile(r"localhost|::1|127(\.\d{1,3}){3}")
_UNIT_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400}


def _duration(value: object) -> object:
    if isinstance(value, str) and (found := _DURATION.match(value)):
        return timedelta(seconds=float(found[1]) * _UNIT_SECONDS[found[2]])
    if isinstance(value, timedelta):
        return value
    raise ValueError('must be a duration such as "24 h", "7 d" or "90 s"')


def _listen(value: str) -> str:
    host, colon, port = value.rpartition(":")
    if not (colon and host and port.isdigit() and int(port) <= 65535):
        raise ValueError('must be "host:port"; port 0 takes a free one')
    return value


def _origin(value: str) -> str:
    """An origin without a path and without a secret, as addresses are printed and logged; plain http
    only for loopback."""
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


def _secure(value: str) -> str:
    if not value.startswith("https:"):
        raise ValueError("must be https: the workers' listener speaks nothing else")
    return value


def _place(text: str) -> str:
    """A path that does not depend on the folder somebody started a command in."""
    try:
        path = Path(text).expanduser()
    except RuntimeError as error:
        raise ValueError("must be a path in the home folder of a known user") from error
    if not path.is_absolute():
        raise ValueError('must be an absolute path, or one that begins with "~/"')
    return str(path)


def _root(value: str) -> str:
    scheme, _, folder = value.partition(":")
    if scheme != "file":
        raise ValueError('must be "file:" or "file:<folder>"')
    return f"file:{_place(folder)}" if folder else value


def _blobs(value: str) -> str:
    parts = urlsplit(value)
    if not value or parts.netloc or parts.scheme not in ("", "file"):
        return value
    return _place(unquote(parts.path) if parts.scheme else value)


def _store(value: str) -> str:
    scheme, slashes, path = value.partition(":///")
    sqlite = slashes and scheme.partition("+")[0] == "sqlite"
    return f"{scheme}:///{_place(path)}" if sqlite else value


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Listen = Annotated[str, AfterValidator(_listen)]
Origin = Annotated[str, AfterValidator(_origin)]
DialledOrigin = Annotated[Origin, AfterValidator(_secure)]
KeyRoot = Annotated[str, AfterValidator(_root)]
BlobsUrl = Annotated[str, AfterValidator(_blobs)]
StoreUrl = Annotated[str, AfterValidator(_store)]
Euros = Annotated[Decimal, Field(ge=0, max_digits=15, decimal_places=6)]
