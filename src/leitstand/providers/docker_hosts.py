"""The machines of one's own that run a Docker engine: what is said of each, and how it is called."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlsplit

import httpx

from leitstand.ports import Rejected
from leitstand.wire.mutual import client_context

SOCKET = "unix:///var/run/docker.sock"
HERE = "here"
"""The machine whose socket is tried where none is named."""
ONE_CALL = httpx.Limits(max_keepalive_connections=0)
"""A connection for each call: none is left half open by an engine that restarts."""


@dataclass(frozen=True, slots=True)
class Host:
    """One machine. `places` is how many instances it runs at once, each with an equal share of
    cores and memory and, where it has GPUs, one of them. What is not known stays None: an engine
    tells nothing of its GPUs."""

    name: str
    url: str
    certificates: str | None
    places: int
    disk_gib: float | None
    price_eur_per_hour: Decimal
    gpu: str | None
    vram_gib: float
    cuda: str | None
    compute_capability: str | None
    driver: str | None

    @property
    def socket(self) -> str | None:
        """The path of a Unix socket: the engine is on this machine."""
        return self.url.removeprefix("unix://") if self.url.startswith("unix://") else None

    def address(self) -> str:
        """The origin that its API has for an HTTP client."""
        return "http://localhost" if self.socket else f"https://{urlsplit(self.url).netloc}"

    def transport(self) -> httpx.BaseTransport:
        """Its socket, or TLS 1.3 with a certificate on both sides: whoever may call an engine is
        root on its machine. Raises Problem `unreadable-path`, `key-file-readable`,
        `certificates-damaged`."""
        if self.socket:
            return httpx.HTTPTransport(uds=self.socket, limits=ONE_CALL, trust_env=False)
        return httpx.HTTPTransport(
            verify=client_context(self.certificates or "", self.name),
            limits=ONE_CALL,
            trust_env=False,
        )


def read_hosts(settings: Mapping[str, str]) -> list[Host]:
    """Of the setting `hosts`, a JSON object by name, and `price_eur_per_hour`, which a host's own
    price replaces. Without `hosts`: the engine of this machine. Raises Rejected on what is none."""
    try:
        named = json.loads(settings.get("hosts") or "{}") or {HERE: {}}
        price = settings.get("price_eur_per_hour", "0")
        return [_host(name, dict(said), price) for name, said in sorted(named.items())]
    except (ValueError, TypeError, AttributeError, InvalidOperation) as error:
        raise Rejected(f"hosts: {error}") from None


def _host(name: str, said: dict[str, Any], price: str) -> Host:
    gpus = int(said.get("gpus") or (1 if said.get("gpu") else 0))
    if gpus and not said.get("gpu"):
        raise ValueError(f"{name} has GPUs of no name")
    own = said.get("price_eur_per_hour")
    return Host(
        name=name,
        url=str(said.get("url") or SOCKET),
        certificates=said.get("certificates"),
        places=gpus or int(said.get("places") or 1),
        disk_gib=said.get("disk_gib"),
        price_eur_per_hour=Decimal(str(price if own is None else own)),
        gpu=said.get("gpu"),
        vram_gib=float(said.get("vram_gib") or 0.0),
        cuda=said.get("cuda"),
        compute_capability=said.get("compute_capability"),
        driver=said.get("driver"),
    )
