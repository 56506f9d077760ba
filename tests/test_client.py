"""The client of the operator API: what it waits for, what it gives up, whom it believes."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest

from leitstand import client
from leitstand.api import events
from leitstand.client import TRIES, Client
from leitstand.core.problem import Exit, Problem
from leitstand.security.ca import Authority


class Told(httpx.SyncByteStream):
    """A stream that tells so much and is silent then."""

    def __init__(self, *messages: str) -> None:
        self.messages = messages

    def __iter__(self) -> Iterator[bytes]:
        for message in self.messages:
            yield message.encode()
        raise httpx.ReadTimeout("silence")


def told(*messages: str) -> httpx.Response:
    headers = {"Content-Type": "text/event-stream"}
    return httpx.Response(200, headers=headers, stream=Told(*messages))


def refuse(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("silence", request=request)


class Answers:
    """What a control plane answers, one call after another; the last one again and again."""

    def __init__(self, *answers: Callable[[httpx.Request], httpx.Response]) -> None:
        self.answers = answers
        self.asked = 0
        self.revived = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        return self.answers[min(self.asked, len(self.answers)) - 1](request)

    def client(self) -> Client:
        http = httpx.Client(transport=httpx.MockTransport(self), base_url="http://leitstand")
        return Client(http, "here", self.revive)

    def revive(self) -> None:
        self.revived += 1
        assert self.revived < 100, "tried for ever"


@pytest.mark.parametrize("answer", [refuse, lambda request: told()])
def test_a_control_plane_that_accepts_and_says_nothing_is_unreachable(
    answer: Callable[[httpx.Request], httpx.Response],
) -> None:
    plane = Answers(answer)
    with pytest.raises(Problem) as caught:
        list(plane.client().follow("job_1"))
    assert (caught.value.code, caught.value.exit) == ("unreachable", Exit.UNREACHABLE)
    assert plane.asked == TRIES


def test_one_message_is_enough_to_be_listened_to_again() -> None:
    ping = "event: ping\ndata: {}\n\n"
    plane = Answers(*[refuse, lambda request: told(ping)] * 3, refuse)
    with pytest.raises(Problem):
        list(plane.client().follow("job_1"))
    assert plane.asked == 6 + TRIES - 1


def test_what_happened_so_far_is_whole_or_unreachable() -> None:
    row = 'id: 1\nevent: job\ndata: {"state": "done"}\n\n'
    whole = Answers(lambda request: told(row, "event: present\ndata: {}\n\n"))
    assert [event.id for event in whole.client().past()] == ["1"]
    with pytest.raises(Problem, match="unreachable"):
        list(Answers(lambda request: told(row)).client().past())


def test_a_ping_comes_well_before_silence_counts() -> None:
    assert events.PING_SECONDS * 2 < client.SILENCE_SECONDS


class Healthy(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"version": "1"}')

    def log_message(self, *given: object) -> None:
        """Nothing."""


@pytest.fixture
def company(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A server whose certificate an authority of its own signed, and that authority's."""
    now = datetime.now(UTC)
    authority = Authority.open(tmp_path / "ca", now)
    with HTTPServer(("127.0.0.1", 0), Healthy) as server:
        context = authority.server_context(["127.0.0.1"], now)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        serving = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        serving.start()
        yield f"https://127.0.0.1:{server.server_port}", tmp_path / "ca" / "ca.pem"
        server.shutdown()
        serving.join()


def test_a_server_behind_an_authority_that_the_system_trusts_is_reached(
    company: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, roots = company

    def of_the_system() -> ssl.SSLContext:
        """Without a file named, as the system has it; with one it raises."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(roots)
        return context

    monkeypatch.setattr(ssl, "create_default_context", of_the_system)
    with Client.over_url(url) as found:
        assert found.get("/health") == {"version": "1"}


def test_a_server_that_the_system_does_not_trust_is_unreachable(
    company: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "PAUSE_SECONDS", 0)
    with Client.over_url(company[0]) as found, pytest.raises(Problem, match="unreachable"):
        found.get("/health")
