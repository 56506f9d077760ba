"""The forms that single settings have: durations, addresses, places, money."""

from __future__ import annotations

import ipaddress
import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

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
Origin = Annotated[str, AfterValidator(origin)]
DialledOrigin = Annotated[Origin, AfterValidator(_secure)]
Engine = Annotated[str, AfterValidator(_engine)]
KeyRoot = Annotated[str, AfterValidator(_root)]
BlobsUrl = Annotated[str, AfterValidator(_blobs)]
StoreUrl = Annotated[str, AfterValidator(_store)]
PINNED = r"^(\S+@)?sha256:[0-9a-f]{64}$"
NETWORK = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
HostName = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,32}$")]
Euros = Annotated[Decimal, Field(ge=0, max_digits=15, decimal_places=6)]
Tier = Literal["L", "A", "B", "C", "D"]
DataClass = Literal["0", "1", "2", "3"]

TIERS: dict[DataClass, Tier] = {"0": "D", "1": "C", "2": "B", "3": "A"}


def _all_tiers(value: dict[DataClass, Tier]) -> dict[DataClass, Tier]:
    return {**TIERS, **value}


WorstTiers = Annotated[dict[DataClass, Tier], AfterValidator(_all_tiers)]


class Section(BaseModel):
    """A part of the settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class HostSettings(Section):
    """One own machine with a Docker engine. `url`: its socket, or `tcp://name:port`, which needs
    `certificates`, a folder with `ca.pem`, `cert.pem` and `key.pem`, and `disk_gib`, because an engine
    tells nobody what is free. Nor does it tell of its GPUs: `gpu` to `driver` say what each of its
    `gpus` is. `places`: instances at once where it has none."""

    url: Engine = "unix:///var/run/docker.sock"
    certificates: str | None = None
    places: Annotated[int, Field(ge=1, le=64)] = 1
    disk_gib: Annotated[float, Field(ge=0)] | None = None
    price_eur_per_hour: Euros | None = None
    gpu: str | None = None
    gpus: Annotated[int, Field(ge=0, le=16)] = 0
    vram_gib: Annotated[float, Field(ge=0)] = 0.0
    cuda: str | None = None
    compute_capability: str | None = None
    driver: str | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.url.startswith("tcp:") and not self.certificates:
            raise ValueError("certificates must be named: whoever may call an engine is root there")
        if self.url.startswith("tcp:") and self.disk_gib is None:
            raise ValueError("disk_gib must be set: the engine does not tell what is free")
        if self.gpus and not self.gpu:
            raise ValueError("gpu must name what its GPUs are")
        return self
