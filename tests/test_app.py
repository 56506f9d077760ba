"""When an embedded control plane ends by itself: never while something is left to do."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from leitstand import app
from leitstand.app import Stores
from leitstand.config import Settings
from leitstand.control.cases import OpenCase
from leitstand.control.jobs import CancelJob, HoldJob
from leitstand.control.plan import Wish
from leitstand.core import limits
from leitstand.core.problem import Problem
from leitstand.folders import Folders
from leitstand.store.engine import Database
from tests.control.rig import OPERATOR, Rig, serve, to_the_end

IDLE = limits.EMBEDDED_IDLE.total_seconds()


class Nobody:
    """No client for so many seconds."""

    def __init__(self, seconds: float = IDLE) -> None:
        self.seconds = seconds

    def idle_seconds(self) -> float:
        return self.seconds


@pytest.fixture
def rig(sqlite_url: str, tmp_path: Path) -> Iterator[Rig]:
    with Database.open(sqlite_url, relaxed=True) as database:
        yield Rig(database, tmp_path)


@pytest.fixture
def plane(rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An embedded control plane over the rig, which runs no step of its own."""
    monkeypatch.setenv("LEITSTAND_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(limits, "EMBEDDED_LOOK_SECONDS", 0)
    folders = Folders.find()
    folders.create()
    stores = Stores(rig.database, rig.door, rig.authority, rig.signer, "test1234")
    made: Any = app._Plane(Settings.load(folders), folders, stores, True, lambda *given: None)
    made._clock, made._clients = rig, Nobody()
    return made


def test_nobody_needs_a_control_plane_that_has_nothing_to_do(plane: Any) -> None:
    asyncio.run(plane._until_idle(asyncio.Event()))


def test_a_client_that_was_there_a_moment_ago_may_come_back(plane: Any) -> None:
    plane._clients = Nobody(IDLE - 1)
    assert not plane._unneeded()


def test_a_plan_that_may_be_started_is_no_reason_to_stay(plane: Any, rig: Rig) -> None:
    case = rig.run(OpenCase("K-1")).id
    rig.planner.decide(Wish(case, (rig.medium(case),), "people", "en"), OPERATOR, rig.time)
    assert plane._unneeded()


def test_a_job_and_its_instance_are_seen_through_to_the_last_erasure(plane: Any, rig: Rig) -> None:
    rig.job()
    assert not plane._unneeded()
    worker = serve(rig)
    assert not plane._unneeded()
    to_the_end(rig, worker)
    assert plane._unneeded()


def test_a_held_job_waits_for_a_person_without_a_control_plane(plane: Any, rig: Rig) -> None:
    job = rig.job()
    rig.run(HoldJob(job.id))
    rig.step(6)
    assert plane._unneeded()


def test_an_instance_that_was_not_seen_absent_keeps_it(plane: Any, rig: Rig) -> None:
    job = rig.job()
    serve(rig)
    rig.rented.stubborn = True
    rig.run(CancelJob(job.id))
    rig.step(6)
    assert not plane._unneeded()
    rig.rented.running.clear()
    rig.step(6)
    assert plane._unneeded()


def test_it_stays_until_what_fell_due_is_erased(plane: Any, rig: Rig) -> None:
    rig.medium(rig.run(OpenCase("K-1")).id)
    assert plane._unneeded()
    rig.later(days=30)
    assert not plane._unneeded()
    rig.step(6)
    assert plane._unneeded()


def test_a_read_that_fails_ends_nothing(
    plane: Any, rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, failed = rig.database.read, []

    def fails_once(work: Any) -> Any:
        if not failed:
            failed.append(work)
            raise Problem("store-unavailable", where="postgresql:///x", reason="connection")
        return read(work)

    monkeypatch.setattr(rig.database, "read", fails_once)
    asyncio.run(plane._until_idle(asyncio.Event()))
    assert failed
