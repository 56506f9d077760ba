"""The workers' listener: uvicorn with TLS, and the caller's instance id given to every request."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import ssl
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from leitstand.security.ca import instance_of

KEEP_ALIVE_SECONDS = 30
"""Longer than a worker's beat, so that beats and claims share connections."""
SHUTDOWN_SECONDS = 5


class TlsProtocol(H11Protocol):
    """Puts the instance id of the verified peer certificate into `scope["state"]["instance_id"]`.

    It is None where the caller showed no certificate. A connection takes no request after its
    certificate has ended, however long it is kept alive: TLS looks at the certificate only once.
    """

    certificate_ends_at: float | None = None
    """On the loop's clock."""

    def connection_made(  # type: ignore[override]  # asyncio.Protocol says BaseTransport
        self, transport: asyncio.Transport
    ) -> None:
        super().connection_made(transport)
        certificate: dict[str, Any] = transport.get_extra_info("peercert") or {}
        self.app_state = {**self.app_state, "instance_id": instance_of(certificate)}
        if certificate:
            left = ssl.cert_time_to_seconds(certificate["notAfter"]) - time.time()
            self.certificate_ends_at = self.loop.time() + left

    def data_received(self, data: bytes) -> None:
        waiting = self.cycle is None or self.cycle.response_complete
        ends_at = self.certificate_ends_at
        if waiting and ends_at is not None and self.loop.time() >= ends_at:
            self.transport.close()
            return
        super().data_received(data)


def worker_server(
    app: Any, host: str, port: int, context_factory: Callable[[], ssl.SSLContext]
) -> uvicorn.Server:
    """A server for `app` on `host`:`port` (0: any free one, see `port_of`), not yet running.

    Nothing a caller sends decides who it is: proxy headers are ignored. Requests are not logged
    here; the control plane logs what they did.
    """
    return uvicorn.Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            http=TlsProtocol,
            ws="none",
            loop="asyncio",
            proxy_headers=False,
            server_header=False,
            access_log=False,
            log_config=None,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
            ssl_context_factory=lambda _config, _default: context_factory(),
        )
    )


def names_of(host: str, advertised: str | None) -> list[str]:
    """What a worker may dial to reach a listener on `host`: its certificate proves these. Workers
    here and the address that workers elsewhere are told count too."""
    names = {host, "localhost", "127.0.0.1"}
    name = None if advertised is None else urlsplit(advertised).hostname
    return sorted(names if name is None else names | {name})


def nearest(host: str, port: int, advertised: str | None) -> str:
    """What workers of this computer dial: the listener itself. The address that workers elsewhere
    are told may lead here from outside alone, where a router forwards a port. One of this computer
    is dialled as it is."""
    name = None if advertised is None else urlsplit(advertised).hostname
    if advertised is not None and name is not None and _is(name, "is_loopback"):
        return advertised
    if _is(host, "is_unspecified"):
        host = "localhost" if ":" in host else "127.0.0.1"
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"


def _is(name: str, what: str) -> bool:
    with contextlib.suppress(ValueError):
        return bool(getattr(ipaddress.ip_address(name), what))
    return what == "is_loopback" and name == "localhost"


def port_of(server: uvicorn.Server) -> int:
    """The port a started server listens on."""
    port: int = server.servers[0].sockets[0].getsockname()[1]
    return port
