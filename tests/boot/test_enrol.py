"""From an empty folder to an admitted worker: the real wheel, the real listener, a real control plane
behind it, and nothing else that this checkout has."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import subprocess
import sysconfig
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from leitstand.boot import bundle, render
from leitstand.boot.files import BootFolder
from leitstand.control.effects import WorkerAddress
from leitstand.models.fetch import pip_command
from leitstand.ports import BootFiles
from leitstand.store import instances
from leitstand.store.engine import Database
from tests.api.served import workers
from tests.boot import stock
from tests.control.rig import TENANT, Rig

WAIT_SECONDS = 120


@contextlib.contextmanager
def started(process: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(WAIT_SECONDS)
        finally:
            process.kill()


def admitted(sqlite_url: str, folder: Path, files: BootFiles) -> str:
    """Rent an instance, start it as a fresh machine, and say in which state it comes to be."""
    moved = threading.Condition()
    with Database.open(sqlite_url, relaxed=True) as database:
        rig = Rig(database, folder)
        rig.time = datetime.now(UTC)
        with workers(rig, folder, boot=files) as plane:
            told = WorkerAddress(
                f"https://127.0.0.1:{plane.port}", plane.authority.sha256, 1, {}, files
            )
            rig.effects._address = told
            rig.job(segments=1)
            rig.step(3)
            (rented,) = rig.rented.specs.values()
            spec = dataclasses.replace(rented, end_by=datetime.now(UTC) + timedelta(minutes=10))
            machine = stock.Machine(folder / "machine")
            fields = render.vast(spec, str(folder / "models"))
            log = (folder / "log").open("wb")
            options = machine.command(fields["args"], fields["env"], patience="30")
            state = ""

            def changed() -> None:
                with moved:
                    moved.notify_all()

            def settled() -> bool:
                nonlocal state
                found = database.read(lambda conn: instances.find(conn, TENANT, spec.instance_id))
                state = "" if found is None else found.state
                return state not in {"launching", "booting", "admitting"}

            database.after_commit(changed)
            with log, started(subprocess.Popen(**options, stdout=log, stderr=log)) as _, moved:
                moved.wait_for(settled, WAIT_SECONDS)
            return state


def borrowed(folder: Path) -> Path:
    """A wheel that stands for all others: it points at the libraries of this environment."""
    site = sysconfig.get_path("purelib")
    return stock.wheel(folder, "borrowed", {"borrowed.pth": site + os.linesep})


def test_a_fresh_machine_enrols_and_is_admitted(sqlite_url: str, tmp_path: Path) -> None:
    own = bundle.own_wheel(tmp_path / "own")
    files = stock.handed_out(tmp_path / "boot", own, borrowed(tmp_path))
    assert admitted(sqlite_url, tmp_path, files) == "ready", (tmp_path / "log").read_text()


@pytest.mark.full
def test_the_bundle_alone_makes_a_worker(sqlite_url: str, tmp_path: Path) -> None:
    folder = BootFolder(tmp_path / "boot")
    kept = bundle.build(folder, pip_command(), stock.HERE, "cpu")
    assert {wheel.name.partition("-")[0] for wheel in kept} >= {"leitstand", "pip", "onnxruntime"}
    assert admitted(sqlite_url, tmp_path, folder) == "ready", (tmp_path / "log").read_text()
