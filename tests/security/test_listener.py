"""The workers' listener on a real socket: who gets in, and what a route learns of the caller."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import uvicorn

from leitstand.core.limits import CERTIFICATE_LIFE
from leitstand.security import listener as listening
from leitstand.security.ca import Authority, WorkerCredentials
from leitstand.security.listener import port_of, worker_server

INSTANCE = "inst_01J9ZKQ4T7M3V0R5N8X2C6B1DA"
SECONDS_MAX = 30


served: list[str] = []


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the instance id that the request arrived with."""
    if scope["type"] != "http":
        return
    served.append(scope["path"])
    told = repr(scope["state"]["instance_id"]).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": told})


def now() -> datetime:
    return datetime.now(UTC)


class Running:
    """A listener in a thread of its own."""

    def __init__(self, authority: Authority) -> None:
        self.authority = authority
        self.server: uvicorn.Server = worker_server(
            app, "127.0.0.1", 0, lambda: authority.server_context(["127.0.0.1"], now())
        )
        self._started = threading.Event()
        startup = self.server.startup

        async def announce(sockets: Any = None) -> None:
            await startup(sockets)
            self._started.set()

        self.server.startup = announce  # type: ignore[method-assign]
        self._thread = threading.Thread(target=lambda: asyncio.run(self.server.serve()))

    def __enter__(self) -> Running:
        self._thread.start()
        assert self._started.wait(SECONDS_MAX)
        return self

    def __exit__(self, *_: object) -> None:
        self.server.should_exit = True
        self._thread.join(SECONDS_MAX)
        assert not self._thread.is_alive()

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", port_of(self.server)

    def client(
        self, *, at: datetime | None = None, signer: Authority | None = None, shown: bool = True
    ) -> httpx.Client:
        """A worker whose certificate was signed at `at` by `signer`, or that shows none."""
        worker = WorkerCredentials.generate()
        pem = None
        if shown:
            signer = signer or self.authority
            pem = signer.sign_instance(worker.csr_pem(INSTANCE), INSTANCE, at or now())
        context = worker.client_context(self.authority.certificate_pem, pem)
        return httpx.Client(
            verify=context, trust_env=False, base_url="https://{}:{}".format(*self.address)
        )


@pytest.fixture(scope="module")
def listener(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(Authority.open(tmp_path_factory.mktemp("data") / "ca")) as running:
        yield running


def test_without_a_certificate_the_caller_is_nobody(listener: Running) -> None:
    with listener.client(shown=False) as client:
        assert client.get("/").text == "None"


def test_the_instance_of_the_certificate_reaches_every_request_of_its_connection(
    listener: Running,
) -> None:
    with listener.client() as client:
        assert [client.get("/").text for _ in range(3)] == [repr(INSTANCE)] * 3


def test_headers_do_not_make_an_instance(listener: Running) -> None:
    claims = {"X-Forwarded-For": "10.0.0.1", "X-Client-Cert": INSTANCE, "instance_id": INSTANCE}
    with listener.client(shown=False) as client:
        assert client.get("/", headers=claims).text == "None"


def test_connections_do_not_learn_of_each_other(listener: Running) -> None:
    with listener.client() as named, listener.client(shown=False) as nameless:
        assert named.get("/").text == repr(INSTANCE)
        assert nameless.get("/").text == "None"
        assert named.get("/").text == repr(INSTANCE)


def test_a_certificate_of_another_authority_is_refused(listener: Running, tmp_path: Path) -> None:
    other = Authority.open(tmp_path / "other")
    with listener.client(signer=other) as client, pytest.raises(httpx.TransportError):
        client.get("/")


@pytest.mark.parametrize(
    "off",
    [-CERTIFICATE_LIFE - timedelta(seconds=1), timedelta(minutes=5)],
    ids=["ended", "not begun"],
)
def test_a_certificate_out_of_its_time_is_refused(listener: Running, off: timedelta) -> None:
    with listener.client(at=now() + off) as client, pytest.raises(httpx.TransportError):
        client.get("/")


def test_a_connection_ends_with_its_certificate(listener: Running) -> None:
    with listener.client() as client:
        assert client.get("/").text == repr(INSTANCE)
        for connection in listener.server.server_state.connections:
            if connection.app_state["instance_id"] == INSTANCE:
                connection.certificate_ends_at = 0.0  # type: ignore[union-attr]
        with pytest.raises(httpx.TransportError):
            client.get("/late")
        assert client.get("/").text == repr(INSTANCE)
        assert "/late" not in served


@pytest.mark.parametrize(
    ("left", "lets_in"), [(timedelta(minutes=1), True), (timedelta(seconds=-1), False)]
)
def test_a_connection_knows_the_end_that_its_certificate_names(
    listener: Running, monkeypatch: pytest.MonkeyPatch, left: timedelta, lets_in: bool
) -> None:
    signed = now()
    clock = (signed + CERTIFICATE_LIFE - left).timestamp()
    monkeypatch.setattr(listening, "time", SimpleNamespace(time=lambda: clock))
    with listener.client(at=signed) as client:
        if lets_in:
            assert client.get("/").text == repr(INSTANCE)
        else:
            with pytest.raises(httpx.TransportError):
                client.get("/after-the-end")
    assert "/after-the-end" not in served


def test_both_sides_take_certificates_only_as_the_standard_wants_them(listener: Running) -> None:
    authority = listener.authority
    contexts = [
        authority.server_context(["127.0.0.1"], now()),
        WorkerCredentials.generate().client_context(authority.certificate_pem, None),
    ]
    assert all(context.verify_flags & ssl.VERIFY_X509_STRICT for context in contexts)


def connected(
    listener: Running, change: Callable[[ssl.SSLContext], None], session: Any = None
) -> ssl.SSLSocket:
    context = WorkerCredentials.generate().client_context(listener.authority.certificate_pem, None)
    change(context)
    raw = socket.create_connection(listener.address, timeout=SECONDS_MAX)
    return context.wrap_socket(raw, server_hostname="127.0.0.1", session=session)


def test_tls_1_2_is_refused(listener: Running) -> None:
    def older(context: ssl.SSLContext) -> None:
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.maximum_version = ssl.TLSVersion.TLSv1_2

    with pytest.raises(ssl.SSLError):
        connected(listener, older)


def test_a_session_cannot_be_resumed_past_its_certificate(listener: Running) -> None:
    with connected(listener, lambda _: None) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = b""
        while piece := connection.recv(4096):
            answer += piece
        assert b"None" in answer
        assert connection.version() == "TLSv1.3"
        assert connection.session is None or not connection.session.has_ticket


def test_plain_http_is_refused(listener: Running) -> None:
    with pytest.raises(httpx.TransportError):
        httpx.get("http://{}:{}/".format(*listener.address), trust_env=False)
