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


@pytest.fixture
def plane(tmp_path):
    with planes.running(tmp_path) as running:
        yield running


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
                env={"PATH": os.environ["PATH"], VARIABLE: spec, **environment},
            )

    @property
    def log(self):
        return self.log_path.read_text()

    def wait(self):
        return self.popen.wait(planes.WAIT_SECONDS)

    def kill(self):
        self.popen.kill()
        self.popen.wait()


@pytest.fixture
def worker(plane, tmp_path):
    """Starts workers on the plane of this test; none outlives it, nor does a child of one."""
    started = []

    def watch(process):
        if process.popen.wait() == 1:
            plane.crashed(process.log)

    def start(environment=None, **changes):
        log = tmp_path / f"worker-{len(started)}.log"
        spec = plane.spec(tmp_path / "cache", **changes)
        process = Process(spec, log, environment or {})
        started.append(process)
        threading.Thread(target=watch, args=(process,), daemon=True).start()
        return process

    yield start
    for process in started:
        children = []
        if process.popen.poll() is None:
            children = psutil.Process(process.popen.pid).children(recursive=True)
            process.kill()
        _, alive = psutil.wait_procs(children, timeout=planes.WAIT_SECONDS)
        assert not alive
