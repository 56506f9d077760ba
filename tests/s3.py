"""A real S3 server that checks signatures: rclone, behind a front that a test can make stumble."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ACCESS, SECRET = "leitstand", "not-a-real-secret"
BUCKET = "bucket"
LINES_MAX = 50
Stumble = Callable[[str, str], int | None]
"""Method and path of a request to the status that is answered in its place, if any."""


@contextlib.contextmanager
def served(folder: Path, stumble: Stumble = lambda method, path: None) -> Iterator[str]:
    """Its endpoint; the bucket is a folder in `folder`."""
    program = shutil.which("rclone", path=str(Path(sys.executable).parent)) or "rclone"
    (folder / BUCKET).mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    process = subprocess.Popen(
        [program, "serve", "s3", "--addr", address, "--auth-key", f"{ACCESS},{SECRET}"]
        + ["--config", os.devnull, "--log-level", "INFO", str(folder)],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        seen = []
        for line in process.stderr:
            seen.append(line)
            if "Starting s3 server" in line or len(seen) == LINES_MAX:
                break
        assert "Starting s3 server" in seen[-1], "".join(seen)
        log = threading.Thread(target=process.stderr.read, daemon=True)
        log.start()
        server = ThreadingHTTPServer(("127.0.0.1", 0), _front_of(address, stumble))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        server.server_close()
        process.terminate()
        log.join(timeout=30)
    finally:
        process.kill()
        process.wait(timeout=30)
        process.stderr.close()


def _front_of(address: str, stumble: Stumble) -> type[BaseHTTPRequestHandler]:
    """Passes requests on as they are, signatures included, and mends one thing in the answers.

    rclone 1.75 answers a range with status 200 where S3 says 206 (johannesboyne/gofakes3#121).
    """

    class Front(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle(self) -> None:
            with contextlib.suppress(ConnectionError):  # whoever asked was killed
                super().handle()

        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65_537)
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            instead = stumble(self.command, self.path)
            if instead is not None:
                self.send_response_only(instead)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            onward = http.client.HTTPConnection(address)
            onward.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, text in self.headers.items():
                onward.putheader(name, text)
            onward.endheaders(body)
            answer = onward.getresponse()
            content = answer.read()
            partial = answer.status == 200 and answer.getheader("Content-Range") is not None
            self.send_response_only(206 if partial else answer.status)
            for name, text in answer.getheaders():
                if name.lower() not in ("transfer-encoding", "connection"):
                    self.send_header(name, text)
            if answer.getheader("Content-Length") is None:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            onward.close()

    return Front
