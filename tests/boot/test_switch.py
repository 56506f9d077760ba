"""The dead-man switch against both simulated accounts, by the key that an instance is given."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
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
        return self.sim.account.container_env(self.pod) | end

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
    return account.environment(served.url) | {program.END_GRACE: "0.01"}


def watched(switch: Switch, **how: float) -> None:
    """The watch in this process, over a pipe whose writer lives."""
    read, write = os.pipe()
    try:
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
    Switch(environment).watch(read, 1e6)
    os.close(read)
    assert account.alive() == [False, True]


@pytest.mark.parametrize("fault", [faults.failed_before, faults.lost_before, faults.lost_after])
def test_it_asks_until_it_is_heard(
    account: Any,
    served: Served,
    environment: dict[str, str],
    fault: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    paused: list[float] = []

    def sleep(seconds: float) -> None:
        if not account.alive()[0]:
            raise Gone
        paused.append(seconds)
        served.forward(5)

    monkeypatch.setattr(program.time, "sleep", sleep)
    served.faults.append(fault("DELETE", times=3))
    with suppress(Gone):
        watched(Switch(environment), seconds=0.0)
    assert account.alive() == [False, True]
    assert paused == sorted(paused)


@pytest.mark.parametrize(
    "lacks",
    [{program.END_URL: ""}, {program.END_KEY: ""}, {program.END_URL: "http://elsewhere/x/y"}],
)
def test_without_a_key_or_a_safe_address_there_is_none(
    environment: dict[str, str], lacks: dict[str, str]
) -> None:
    assert not Switch(environment | lacks).armed


def test_a_boot_that_comes_to_nothing_ends_its_machine(
    account: Any, environment: dict[str, str]
) -> None:
    ran = boot(environment)
    assert ran.returncode == 2
    assert account.alive() == [False, True]
    assert environment[environment[program.END_KEY]] not in ran.stderr


def test_a_machine_whose_worker_ends_is_ended(account: Any, environment: dict[str, str]) -> None:
    """The worker finds nobody at the address of its launch spec, and never hears of the key."""
    spec = {"url": "https://127.0.0.1:1", "ca_sha256": "0", "token": "t", "instance_id": "i"}
    spec |= {"end_by": "2026-01-01T00:00:00+00:00"}
    boot(environment | {program.SPEC: json.dumps(spec)})
    assert account.alive() == [False, True]


def boot(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """A prebuilt machine from its start until all of its processes have ended."""
    return subprocess.run(
        [sys.executable, "-I", program.__file__, "--installed"],
        env={"PATH": os.defpath, **environment},
        capture_output=True,
        text=True,
        timeout=240,
    )
