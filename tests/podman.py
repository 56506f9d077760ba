"""A Docker engine of a test's own: Podman's service on a socket, its storage in a folder, and an image
made of what lies on this machine. No network, no registry.

The image has a `/bin/sh` and a `python3` that only stays: whatever a launch says, it runs.
"""

from __future__ import annotations

import atexit
import io
import os
import re
import shutil
import socket
import subprocess
import tarfile
import tempfile
from functools import cache
from pathlib import Path

import pytest

STARTED_WITHIN_SECONDS = 30
IDLE_SECONDS_MAX = 1800
"""Whoever is killed ends nothing; the service then ends by itself."""
TOOLS = ("podman", "runc", "conmon")
CONF = """[containers]
default_ulimits = ["nofile=1024:1024", "nproc=512:512"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
STAYS = """#!/bin/sh
echo user $(id -u)
while read -r name value; do case $name in CapEff:|CapBnd:|NoNewPrivs:) echo $name $value;; esac; done \\
    < /proc/self/status
for file in /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max; do
    test -r $file && echo memory $(cat $file)
done
for folder in / /usr /bin /tmp /var/tmp; do
    (: > $folder/canary) 2>/dev/null && echo writable $folder
done
echo told $LEITSTAND_SPEC_0
echo it stays
exec sleep 1000000
"""


class Podman:
    """The service. `run` is the command over the same storage."""

    def __init__(self, driver: str = "vfs") -> None:
        self.driver = driver
        self.folder = Path(tempfile.mkdtemp(prefix="lsp"))
        self.socket = self.folder / "s"
        conf = self.folder / "containers.conf"
        conf.write_text(CONF)
        self.environment = {
            "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin",
            "HOME": str(self.folder),
            "CONTAINERS_CONF": str(conf),
        }
        self.storage = ["--root", f"{self.folder}/graph", "--runroot", f"{self.folder}/run"]
        self.storage += ["--storage-driver", driver]
        self.log = (self.folder / "log").open("wb")
        address = f"unix://{self.socket}"
        self.process = subprocess.Popen(
            ["podman", *self.storage, "system", "service", f"--time={IDLE_SECONDS_MAX}", address],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
        )
        atexit.register(self.end)
        self._answers()

    def _answers(self) -> None:
        """Until it does; a socket that nobody listens on yet cannot be waited for otherwise."""
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(STARTED_WITHIN_SECONDS)
            while self.process.poll() is None:
                try:
                    line.connect(str(self.socket))
                    return
                except OSError:
                    os.sched_yield()
        raise AssertionError((self.folder / "log").read_text())

    def run(self, *command: str, given: bytes | None = None) -> str:
        ran = subprocess.run(
            ["podman", *self.storage, *command],
            env=self.environment,
            input=given,
            capture_output=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr.decode()
        return ran.stdout.decode().strip()

    def image(self) -> str:
        """The stock image of these tests, by digest."""
        found = self.run("images", "--digests", "--format", "{{.Digest}}", "localhost/stock")
        if not found:
            self.run("import", "-", "localhost/stock:1", given=stock())
            found = self.run("images", "--digests", "--format", "{{.Digest}}", "localhost/stock")
        return f"localhost/stock@{found.splitlines()[0]}"

    def end(self) -> None:
        atexit.unregister(self.end)
        subprocess.run(
            ["podman", *self.storage, "rm", "--all", "--force", "--volumes"],
            env=self.environment,
            capture_output=True,
            check=False,
        )
        self.process.terminate()
        self.process.wait(STARTED_WITHIN_SECONDS)
        self.log.close()
        subprocess.run(
            ["umount", "-q", f"{self.folder}/graph/{self.driver}"], capture_output=True, check=False
        )
        shutil.rmtree(self.folder, ignore_errors=True)


@cache
def podman(driver: str = "vfs") -> Podman:
    """The one of this test process and storage. Skips where Podman is not installed."""
    for tool in TOOLS:
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed: make system-packages")
    if os.geteuid() != 0:
        pytest.skip("Podman with limits needs root")
    return Podman(driver)


def stock() -> bytes:
    """A root folder of four programs and their libraries, as a tar archive."""
    programs = {"/bin/sh": "dash", "/bin/sleep": "sleep", "/bin/cat": "cat", "/bin/id": "id"}
    files = {name: Path(shutil.which(program) or program) for name, program in programs.items()}
    for program in list(files.values()):
        said = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
        files |= {path: Path(path) for path in re.findall(r"(/\S+)", said)}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", dereference=True) as archive:
        for folder in ("tmp", "var/tmp"):
            info = tarfile.TarInfo(folder)
            info.type, info.mode = tarfile.DIRTYPE, 0o1777
            archive.addfile(info)
        for folder in ("proc", "sys", "dev", "run", "etc"):
            info = tarfile.TarInfo(folder)
            info.type, info.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(info)
        for name, source in files.items():
            archive.add(source.resolve(), name.lstrip("/"))
        script = tarfile.TarInfo("bin/python3")
        script.mode, script.size = 0o755, len(STAYS)
        archive.addfile(script, io.BytesIO(STAYS.encode()))
    return packed.getvalue()
