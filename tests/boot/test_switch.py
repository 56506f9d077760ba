"""The dead-man switch against both simulated accounts, by the key that an instance is given."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from leitstand.boot import program, render
from leitstand.boot.program import Switch
from tests.wire import faults
from tests.wire.clock import Clock
from tests.wire.runpod import RunPod
from tests.wire.server import Served
from tests.wire.vast import Vast


class Gone(BaseException):
    """A machine that is gone runs nothing."""


class Pods:
    """A pod that runs, and another of the same account."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.sim: Any = RunPod(self.clock)
        self.pod, self.other = (self.sim.account.plant(name) for name in ("ls1-x", "other"))

    def environment(self, url: str) -> dict[str, str]:
        end = render._end(url + "/v2/pods/{RUNPOD_POD_ID}", "RUNPOD")
        own: dict[str, str] = self.sim.account.container_env(self.pod)
        return own | end

    def alive(self) -> list[bool]:
        return [pod.ended_at is None for pod in (self.pod, self.other)]


class Contracts:
    """A contract that runs, and another of the same account."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.sim: Any = Vast(self.clock)
        rent = self.sim.account.rent
        self.contract = rent(1039020, {"label": "ls1-x", "image": "i"})
        self.other = rent(1031020, {"label": "other", "image": "i"})
        self.clock.forward(minutes=1)

    def environment(self, url: str) -> dict[str, str]:
        end = render._end(url + "/api/v0/instances/{CONTAINER_ID}/", "CONTAINER")
        own = {"CONTAINER_ID": str(self.contract.id), "CONTAINER_API_KEY": self.contract.key}
        return end | own | {program.END_BODY: "{}"}

    def alive(self) -> list[bool]:
        return [one.live for one in (self.contract, self.other)]


@pytest.fixture(params=[Pods, Contracts])
def account(request: pytest.FixtureRequest) -> Any:
    return request.param()


@pytest.fixture
def served(account: Any) -> Iterator[Served]:
    with Served(account.clock, account.sim) as line:
        yield line


@pytest.fixture
def environment(account: Any, served: Served) -> dict[str, str]:
    told: dict[str, str] = account.environment(served.url)
    return told | {program.END_GRACE: "0.01"}


@pytest.fixture(autouse=True)
def paused(account: Any, served: Served, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses of a watch in this process, which goes on until its machine is gone, or for ever."""
    lasted: list[float] = []

    def sleep(seconds: float) -> None:
        if not account.alive()[0] or len(lasted) > 20:
            raise Gone
        lasted.append(seconds)
        served.forward(5)

    monkeypatch.setattr(program, "time", SimpleNamespace(sleep=sleep, monotonic=time.monotonic))
    return lasted


def watched(switch: Switch, **how: float) -> None:
    """The watch in this process, over a pipe whose writer lives."""
    read, write = os.pipe()
    try:
        with pytest.raises(Gone):
            switch.watch(read, **how)
    finally:
        os.close(read)
        os.close(write)


@pytest.mark.parametrize("how", [{"seconds": 0.0}, {"seconds": 1e6, "silence": 0.0}])
def test_it_ends_its_own_machine_when_time_is_over_or_nothing_is_heard(
    account: Any, environment: dict[str, str], how: dict[str, float]
) -> None:
    watched(Switch(environment), **how)
    assert account.alive() == [False, True]


def test_it_ends_its_machine_when_what_ran_there_has_ended(
    account: Any, environment: dict[str, str]
) -> None:
    read, write = os.pipe()
    os.close(write)
    with pytest.raises(Gone):
        Switch(environment).watch(read, 1e6)
    os.close(read)
    assert account.alive() == [False, True]


@pytest.mark.parametrize("fault", [faults.failed_before, faults.lost_before, faults.lost_after])
def test_it_asks_until_it_is_heard(
    account: Any,
    served: Served,
    environment: dict[str, str],
    fault: Callable[..., Any],
    paused: list[float],
) -> None:
    served.faults.append(fault("DELETE", times=3))
    watched(Switch(environment), seconds=0.0)
    assert account.alive() == [False, True]
    assert paused == sorted(paused)


@pytest.mark.parametrize("other", [{}, {"RUNPOD_POD_ID": "x", "CONTAINER_ID": "999"}])
def test_it_asks_for_ever_where_an_answer_does_not_end_it(
    account: Any,
    environment: dict[str, str],
    paused: list[float],
    other: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither success nor 404 proves anything to a machine that runs on."""
    monkeypatch.setattr(account, "alive", lambda: [True, True])
    watched(Switch(environment | other), seconds=0.0)
    assert len(paused) > 20
    assert max(paused) == 60.0


@pytest.mark.parametrize(
    "lacks",
    [
        {program.END_URL: ""},
        {program.END_KEY: ""},
        {program.END_URL: "http://elsewhere/x/y"},
        {"RUNPOD_POD_ID": "", "CONTAINER_ID": ""},
    ],
)
def test_without_a_key_or_a_whole_safe_address_there_is_none(
    environment: dict[str, str], lacks: dict[str, str]
) -> None:
    assert Switch(environment).armed
    assert not Switch(environment | lacks).armed


def test_a_boot_that_comes_to_nothing_ends_its_machine(
    account: Any, environment: dict[str, str]
) -> None:
    with booted(environment) as machine:
        assert gone(account)
        assert machine.poll() is None
    assert environment[environment[program.END_KEY]] not in machine.said


def test_a_machine_whose_worker_ends_is_ended(account: Any, environment: dict[str, str]) -> None:
    """The worker finds nobody at the address of its launch spec, and never hears of the key."""
    with booted(environment | spec("2026-01-01T00:00:00+00:00")):
        assert gone(account)


WORKER = """#!/bin/sh
cat /proc/$PPID/environ > "$0.read" 2>&1
echo $PPID > "$0.parent"
trap 'echo told > "$0.told"; exit 0' TERM
mv "$0.parent" "$0.ready"
while :; do sleep 0.05; done
"""
AS_WORKER = """
import os, sys
from leitstand.boot import program
sys.executable = sys.argv[1]
sys.exit(program.main(dict(os.environ), True))
"""


@pytest.fixture
def worker(tmp_path: Path) -> Path:
    """What runs in place of a worker, and leaves notes beside itself."""
    path = tmp_path / "worker"
    path.write_text(WORKER)
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("before", [[], ["unshare", "--pid", "--fork", "--kill-child"]])
def test_the_switch_outlives_its_worker_which_reads_no_key(
    account: Any, environment: dict[str, str], worker: Path, before: list[str]
) -> None:
    """As the first process of a container, too, with whose end everything in it would end."""
    if os.getuid() == 0:  # whom its abilities let read all, which no container has
        before = [*before, "setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    elif before:
        before = ["unshare", "--user", *before[1:]]
    if subprocess.run([*before, "true"], check=False, capture_output=True).returncode:
        pytest.skip("no process namespace can be had here")
    command = [*before, sys.executable, "-c", AS_WORKER, str(worker)]
    with booted(environment | spec("2099-01-01T00:00:00+00:00"), command) as machine:
        ready = worker.with_suffix(".ready")
        assert until(ready.exists)
        if "unshare" in before:
            assert ready.read_text() == "1\n"
        else:
            assert int(ready.read_text()) == machine.pid
        read = worker.with_suffix(".read").read_text()
        assert environment[environment[program.END_KEY]] not in read
        assert "denied" in read
        assert account.alive() == [True, True]
        os.kill(watcher(machine.pid), signal.SIGTERM)
        assert until(worker.with_suffix(".told").exists)
        assert gone(account)
        assert machine.poll() is None


def watcher(pid: int) -> int:
    """The process itself, or the first of the namespace that it made."""
    if Path(f"/proc/{pid}/comm").read_text() != "unshare\n":
        return pid
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def spec(end_by: str) -> dict[str, str]:
    told = {"url": "https://127.0.0.1:1", "ca_sha256": "0", "token": "t", "instance_id": "i"}
    return {program.SPEC: json.dumps(told | {"end_by": end_by})}


def until(true: Callable[[], bool]) -> bool:
    """Whether it comes true within a while that a loaded machine needs."""
    over = time.monotonic() + 120
    while not true() and time.monotonic() < over:
        time.sleep(0.05)
    return true()


def gone(account: Any) -> bool:
    return until(lambda: account.alive() == [False, True])


class Booted(subprocess.Popen[str]):
    said = ""


@contextmanager
def booted(environment: dict[str, str], command: list[str] | None = None) -> Iterator[Booted]:
    """A prebuilt machine from its start until its provider takes it away."""
    command = command or [sys.executable, "-I", program.__file__, "--installed"]
    kept = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)}
    with Booted(
        command, env=kept | environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as machine:
        try:
            yield machine
        finally:
            os.killpg(machine.pid, signal.SIGKILL)
            machine.said = machine.communicate()[1]
