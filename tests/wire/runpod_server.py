"""The simulated RunPod on a loopback port, for clients that speak HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from tests.wire.runpod import Raw, RunPod
from tests.wire.runpod_faults import Fault


class Clock:
    """Time that the test moves; whoever waits for the next moment wakes up."""

    def __init__(self, at: datetime = datetime(2026, 11, 2, 8, tzinfo=UTC)) -> None:
        self.at = at
        self.moves = 0
        self.moved = threading.Condition()

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    def forward(self, **time: float) -> None:
        with self.moved:
            self.at += timedelta(**time)
            self.moves += 1
            self.moved.notify_all()


class Served:
    """`with Served(clock) as served:` answers at `served.url` until the block ends."""

    def __init__(self, clock: Clock, **simulator: Any) -> None:
        self.clock = clock
        self.sim = RunPod(clock, **simulator)
        self.sim.waiter = self._waiter
        self.faults: list[Fault] = []
        self.held = threading.Semaphore(0)
        """Released by every call that begins to hang."""
        self.recording: list[dict[str, Any]] | None = None
        """Where exchanges are written down, and moves of the clock between them."""
        self.closed = False
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

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

    def fault(self, method: str, target: str) -> Fault | None:
        now, path = self.clock.now(), target.partition("?")[0]
        return next((f for f in self.faults if f.takes(method, path, now)), None)

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

        def date_time_string(self, timestamp: float | None = None) -> str:
            """`Date` is the provider's clock, not this machine's."""
            return super().date_time_string(served.sim.now().timestamp())

        def _do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            fault = served.fault(self.command, self.path)
            raw: Raw = (0, {}, b"")
            if fault is None or fault.effect:
                raw = served.sim.answer(self.command, self.path, dict(self.headers), body)
            if fault is not None:
                if fault.reply == "never":
                    wait = served.sim.waiter()
                    served.held.release()
                    while wait():
                        pass
                if fault.reply in ("never", "lost"):
                    self.close_connection = True
                    return
                raw = _spoilt(fault, raw)
            if served.recording is not None:
                raw = _noted(
                    served.recording, self.command, self.path, dict(self.headers), body, raw
                )
            self._reply(*raw)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _do

        def _reply(
            self, status: int, headers: dict[str, str], body: bytes | Iterator[bytes]
        ) -> None:
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
    note: dict[str, Any] = {
        "client": headers.get("User-Agent", "").split(" ")[0],
        "method": method,
        "target": target,
    }
    if body:
        note["body"] = json.loads(body)
    note["status"] = status
    notes.append(note)
    if isinstance(content, bytes):
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


def forward(served: Served, seconds: float) -> None:
    """Moves the clock, and writes it down where exchanges are."""
    if served.recording is not None:
        served.recording.append({"forward_seconds": seconds})
    served.clock.forward(seconds=seconds)
