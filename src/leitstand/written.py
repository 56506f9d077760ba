"""How single values are written in settings, and what is said of one that is none."""

from __future__ import annotations

import ipaddress
import re
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from leitstand.core.address import origin

_DURATION = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(s|min|h|d)\s*$")
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


def every_address(host: str) -> bool:
    """Whether a listener at `host` listens on every address of this machine."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def _secure(value: str) -> str:
    if not value.startswith("https:"):
        raise ValueError("must be https: the workers' listener speaks nothing else")
    return value


def _engine(value: str) -> str:
    if not re.fullmatch(
        r"unix:///\S+|tcp://[A-Za-z0-9.-]+:\d{1,5}|tcp://\[[0-9a-f:]+\]:\d{1,5}", value
    ):
        raise ValueError("must be unix:///path or tcp://name:port")
    return value


def _root(value: str) -> str:
    if not value.startswith("file:"):
        raise ValueError('must be "file:" or "file:<folder>"')
    return value


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Listen = Annotated[str, AfterValidator(_listen)]
Origin = Annotated[str, AfterValidator(origin)]
Secure = Annotated[Origin, AfterValidator(_secure)]
Engine = Annotated[str, AfterValidator(_engine)]
Root = Annotated[str, AfterValidator(_root)]
PINNED = r"^(\S+@)?sha256:[0-9a-f]{64}$"
NETWORK = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
HostName = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,32}$")]
Euros = Annotated[Decimal, Field(ge=0, max_digits=15, decimal_places=6)]
Tier = Literal["L", "A", "B", "C", "D"]
DataClass = Literal["0", "1", "2", "3"]
