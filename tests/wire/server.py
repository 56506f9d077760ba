"""A simulated provider behind HTTP: on a loopback port, or as a transport of `httpx` in this process.

with Served(clock, simulator) as served: ...                  # answers at `served.url`
httpx.Client(transport=Wire(Line(clock, simulator)))          # the same without sockets
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Protocol

import httpx

from tests.wire.clock import Clock
from tests.wire.faults import Fault

Body = bytes | Iterator[bytes]
Raw = tuple[int, dict[str, str], Body]
"""Status, headers, and a body that is whole or a stream."""


class Simulator(Protocol):
    """What answers. `waiter` makes what a stream waits with, `origin` is where it is reached."""

    waiter: Callable[[], Callable[[], bool]]
    origin: str

    def now(self) -> Any: ...

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Raw: ...


class Line:
    """Between client and simulator: what goes wrong, and what is written down."""

    def __init__(self, clock: Clock, sim: Simulator) -> None:
        self.clock = clock
        self.sim = sim
        self.faults: list[Fault] = []
        self.recording: list[dict[str, Any]] | None = None
        """Where exchanges are written down, and moves of the clock between them."""
        self.tick = 0.0
        """Seconds that pass before every call, for clients that make several at once."""

    def fault(self, method: str, target: str) -> Fault | None:
        now, path = self.clock.now(), target.partition("?")[0]
        return next((f for f in self.faults if f.takes(method, path, now)), None)

    def forward(self, seconds: float) -> None:
        """Moves the clock, and writes it down where exchanges are."""
        if self.recording is not None:
            self.recording.append({"forward_seconds": seconds})
        self.clock.forward(seconds=seconds)

    def exchange(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[str, Raw]:
        """What becomes of a call: `told`, `lost` or `never`, and what is told."""
        if self.tick:
            self.forward(self.tick)
        fault = self.fault(method, target)
        raw: Raw = (0, {}, b"")
        if fault is None or fault.effect:
            raw = self.sim.answer(method, target, headers, body)
        if fault is not None:
            if fault.reply in ("never", "lost"):
                return fault.reply, raw
            raw = _spoilt(fault, raw)
        if self.recording is not None:
            raw = _noted(self.recording, method, target, headers, body, raw)
        return "told", raw


class Wire(httpx.BaseTransport):
    """A line as a transport, for many calls in little time. A call that hangs times out at once."""

    def __init__(self, line: Line) -> None:
        self.line = line

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        target = request.url.raw_path.decode()
        headers = dict(request.headers)
        end, (status, sent, body) = self.line.exchange(
            request.method, target, headers, request.read()
        )
        if end == "lost":
            raise httpx.RemoteProtocolError("Server disconnected", request=request)
        if end == "never":
            raise httpx.ReadTimeout("timed out", request=request)
        content = body if isinstance(body, bytes) else b"".join(body)
        return httpx.Response(status, headers=sent, content=content, request=request)


class Served(Line):
    """`with Served(clock, sim) as served:` answers at `served.url` until the block ends."""

    def __init__(self, clock: Clock, sim: Simulator) -> None:
        super().__init__(clock, sim)
        self.held = threading.Semaphore(0)
        """Released by every call that begins to hang."""
        self.closed = False
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        sim.waiter = self._waiter
        sim.origin = self.url

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Served:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self.clock.moved:
            self.closed = True
            self.clock.moved.notify_all()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _waiter(self) -> Callable[[], bool]:
        seen = self.clock.moves

        def wait() -> bool:
            nonlocal seen
            with self.clock.moved:
                self.clock.moved.wait_for(lambda: self.closed or self.clock.moves != seen)
                seen = self.clock.moves
                return not self.closed

        return wait


def _handler(served: Served) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing is printed."""

        def handle(self) -> None:
            with suppress(ConnectionError):  # a client that is gone
                super().handle()

        def date_time_string(self, timestamp: float | None = None) -> str:
            """`Date` is the provider's clock, not this machine's."""
            return super().date_time_string(served.sim.now().timestamp())

        def _do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            end, raw = served.exchange(self.command, self.path, dict(self.headers), body)
            if end == "never":
                wait = served._waiter()
                served.held.release()
                while wait():
                    pass
            if end != "told":
                self.close_connection = True
                return
            self._reply(*raw)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _do

        def _reply(self, status: int, headers: dict[str, str], body: Body) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if isinstance(body, bytes):
                if status != 204:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                return
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.close_connection = True
            try:
                for part in body:
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
                    self.wfile.flush()
                self.wfile.write(b"0\r\n\r\n")
            except OSError:
                return  # the client has gone

    return Handler


def _spoilt(fault: Fault, raw: Raw) -> Raw:
    status, headers, body = raw
    if fault.reply == "replaced":
        return fault.status, fault.headers, fault.body
    if fault.reply == "truncated" and isinstance(body, bytes):
        return status, headers, body[: len(body) // 2]
    if fault.reply == "rewritten" and isinstance(body, bytes) and body and fault.rewrite:
        return status, headers, json.dumps(fault.rewrite(json.loads(body))).encode()
    return raw


def _noted(
    notes: list[dict[str, Any]],
    method: str,
    target: str,
    headers: Mapping[str, str],
    body: bytes,
    raw: Raw,
) -> Raw:
    """Writes an exchange down; of a stream, what is sent before it waits."""
    status, sent, content = raw
    given = {name.lower(): value for name, value in headers.items()}
    note: dict[str, Any] = {
        "client": given.get("user-agent", "").split(" ")[0],
        "method": method,
        "target": target,
    }
    if body:
        note["body"] = json.loads(body)
    note["status"] = status
    notes.append(note)
    if isinstance(content, bytes):
        if sent.get("Content-Type", "").startswith("text/"):
            note["text"] = content.decode()
        else:
            note["answer"] = json.loads(content) if content else None
        return raw
    frames: list[str] = []
    note["frames"] = frames

    def passing() -> Iterator[bytes]:
        for frame in content:
            if not frames or not frames[-1].startswith(":"):
                frames.append(frame.decode())
            yield frame

    return status, sent, passing()
