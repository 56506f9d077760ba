"""Worker processes and the control plane they talk to."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest
import worker_plane as planes

from leitstand.launch import VARIABLE

ENTRY = Path(__file__).with_name("entry.py")


class Process:
    """A worker process; `wait` gives its exit code, `log` what it wrote."""

    def __init__(self, spec, log, environment):
        self.log_path = log
        with log.open("wb") as file:
            self.popen = subprocess.Popen(
                [sys.executable, ENTRY],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env={
                    **{
                        name: os.environ[name]
                        for name in ("PATH", "PYTHONPATH")
                        if name in os.environ
                    },
                    VARIABLE: spec,
                    **environment,
                },
            )

    @property
    def log(self):
        return self.log_path.read_text()

    def wait(self):
        return self.popen.wait(planes.WAIT_SECONDS)

    def kill(self):
        self.popen.kill()
        self.popen.wait()


class Workers:
    """Starts workers on one plane; `end` leaves none of them, nor a child of one."""

    def __init__(self, plane, folder):
        self.plane = plane
        self.folder = folder
        self.cache = folder / "cache"
        self.started = []

    def __call__(self, environment=None, **changes):
        log = self.folder / f"worker-{len(self.started)}.log"
        process = Process(self.plane.spec(self.cache, **changes), log, environment or {})
        self.started.append(process)
        threading.Thread(target=self._watch, args=(process,), daemon=True).start()
        return process

    def _watch(self, process):
        if process.popen.wait() == 1:
            self.plane.crashed(process.log)

    def end(self):
        for process in self.started:
            children = []
            if process.popen.poll() is None:
                children = psutil.Process(process.popen.pid).children(recursive=True)
                process.kill()
            _, alive = psutil.wait_procs(children, timeout=planes.WAIT_SECONDS)
            assert not alive


@pytest.fixture
def plane(tmp_path):
    """A control plane of this test's own."""
    with planes.running(tmp_path) as running:
        yield running


@pytest.fixture
def worker(plane, tmp_path):
    """Starts workers on `plane`."""
    workers = Workers(plane, tmp_path)
    yield workers
    workers.end()


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A plane and one worker that the tests of a module use one after another."""
    folder = tmp_path_factory.mktemp("shared")
    with planes.running(folder) as plane:
        workers = Workers(plane, folder)
        workers()
        yield workers
        workers.end()


@pytest.fixture
def working(shared):
    """The shared plane with one worker on it, as if nothing had happened before."""
    shared.plane.reset()
    yield shared.plane
    shared.plane.reset()
