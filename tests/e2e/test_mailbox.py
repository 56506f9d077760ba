"""With presigned addresses as the only open route, a running task delivers and its instance ends."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from leitstand.core.problem import Problem
from tests import s3, weights
from tests.e2e.conftest import Install
from tests.e2e.installation import Installation

# httpcore leaves the socket of a refused connection to the collector; the plane is not up at once.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

PIECE = 65_536
ENDS_SECONDS_MAX = 400


class Relay:
    """The way from workers to the control plane; `cut` closes every connection and takes no new."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._cut = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                threading.Thread(target=self._join, args=(near,), daemon=True).start()

    def _join(self, near: socket.socket) -> None:
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            stack.enter_context(near)
            far = stack.enter_context(socket.create_connection(("127.0.0.1", self._to)))
            with self._lock:
                if self._cut:
                    return
                self._open |= {near, far}
            back = threading.Thread(target=_pour, args=(far, near), daemon=True)
            back.start()
            _pour(near, far)
            back.join()
            with self._lock:
                self._open -= {near, far}

    def cut(self) -> None:
        with self._lock:
            self._cut = True
            for one in self._open:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        with self._lock:
            self._cut = False

    def close(self) -> None:
        self.cut()
        self._listener.close()


def _pour(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(PIECE):
            target.sendall(piece)
    for one in (source, target):
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


class Fault:
    """Strikes when the first result reaches the store by way of the control plane: that is not
    stored, the letter is. `strike` may be replaced before."""

    def __init__(self, strike: Callable[[], None]) -> None:
        self.strike = strike
        self._fetched = False
        self.letters: list[str] = []
        self.delivered = threading.Event()

    def __call__(self, method: str, path: str) -> int | None:
        name = path.partition("?")[0]
        if "/object_" in name and method == "GET":
            self._fetched = True
        if "/mailbox/attempt_" in name and method == "PUT":
            self.letters.append(name)
            self.delivered.set()
        if "/object_" in name and method == "PUT" and self._fetched and not self.letters:
            self.strike()
            return 403
        return None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until_done(here: Installation, pipeline: str, alive: Callable[[], bool]) -> str:
    """The one job, when its task of this pipeline is done, by whatever route its result came."""
    while alive():
        with contextlib.suppress(Problem), here.client() as client:
            for event in client.follow(None, after="0"):
                if event.kind == "task" and event.data["pipeline"] == pipeline:
                    assert event.data["state"] != "failed"
                    if event.data["state"] == "done":
                        return str(client.get("/jobs")["items"][0]["id"])
    raise AssertionError(f"nobody is left to do {pipeline}")


@contextlib.contextmanager
def far_away(install: Install, folder: Path) -> Iterator[tuple[Installation, Relay, Fault]]:
    """An installation with blobs in S3, whose workers dial it through a relay."""
    port = free_port()
    relay = Relay(port)
    fault = Fault(relay.cut)
    with s3.served(folder, fault) as endpoint:
        here = install(
            {
                "LEITSTAND_WORKER__LISTEN": f"127.0.0.1:{port}",
                "LEITSTAND_WORKER__ADVERTISE_URL": f"https://127.0.0.1:{relay.port}",
                "LEITSTAND_BLOBS__URL": f"s3://{s3.BUCKET}/ours",
                "AWS_ACCESS_KEY_ID": s3.ACCESS,
                "AWS_SECRET_ACCESS_KEY": s3.SECRET,
                "AWS_ENDPOINT_URL": endpoint,
                "AWS_REGION": "us-east-1",
            }
        )
        try:
            yield here, relay, fault
        finally:
            here.close()
            relay.close()


def whole(here: Installation, job: str) -> dict[str, Any]:
    with here.client() as client:
        found: dict[str, Any] = client.get(f"/jobs/{job}")
        return found


def log_of_worker(here: Installation) -> str:
    return "".join(path.read_text("utf-8") for path in here.folders.state.rglob("*.log"))


@pytest.mark.parametrize("ends", [False, pytest.param(True, marks=pytest.mark.full)])
def test_a_running_task_delivers_by_presigned_addresses_alone(
    install: Install, tmp_path: Path, ends: bool
) -> None:
    """`ends`: the line stays cut until the worker has left by itself."""
    with far_away(install, tmp_path) as (here, relay, fault):
        process = here.start("analyze", weights.picture_path("bus.jpg"))
        job = until_done(here, "image", lambda: process.poll() is None)
        (letter,) = set(fault.letters)
        worker = here.worker()
        if ends and worker is not None:
            environ = Path(f"/proc/{worker.pid}/environ").read_bytes()
            assert s3.SECRET.encode() not in environ
            psutil.wait_procs([worker], timeout=ENDS_SECONDS_MAX)
            assert not worker.is_running()
        relay.mend()
        ran = here.finish(process)
        assert ran.code == 0, ran.err
        labels = [f["label"] for f in ran.report()["findings"] if f["kind"] == "object"]
        assert "bus" in labels
        assert labels.count("person") >= 2
        found = whole(here, job)
        tried = [a for a in found["attempts"] if a["pipeline"] == "image"]
        assert [(a["state"], letter.split("/")[-2]) for a in tried] == [("done", tried[0]["id"])]
        assert {i["state"] for i in found["instances"]} == {"terminated"}
        assert len(found["instances"]) == (2 if ends else 1)
        with here.client() as client:
            assert client.get("/ledger/verify")["verified"] is True
        assert list((tmp_path / s3.BUCKET).rglob("*/mailbox/*/*")) == []
        assert "X-Amz-" not in log_of_worker(here)


@pytest.mark.full
def test_a_control_plane_that_vanished_takes_what_was_left_meanwhile(
    install: Install, tmp_path: Path
) -> None:
    """It, the command and, after its delivery, the worker are killed; nothing is analysed again."""
    with far_away(install, tmp_path) as (here, _, fault):
        process = here.start("analyze", weights.picture_path("bus.jpg"))

        def vanish() -> None:
            process.kill()
            plane = here.plane()
            if plane is not None:
                plane.kill()
                plane.wait(ENDS_SECONDS_MAX)

        fault.strike = vanish
        assert fault.delivered.wait(ENDS_SECONDS_MAX)
        here.finish(process)
        worker = here.worker()
        if worker is not None:
            worker.kill()
        assert here.run("jobs").code == 0  # begins another control plane
        job = until_done(here, "fuse", lambda: here.plane() is not None)
        found = whole(here, job)
        tried = [a for a in found["attempts"] if a["pipeline"] == "image"]
        assert [a["state"] for a in tried] == ["done"]
        assert len(found["instances"]) == 2
        assert list((tmp_path / s3.BUCKET).rglob("*/mailbox/*/*")) == []
