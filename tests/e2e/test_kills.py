"""SIGKILL at random moments: the same findings, nothing twice, nothing left (P7, I4, I9, I14)."""

from __future__ import annotations

import contextlib
import random
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from leitstand.core.problem import Problem
from tests.e2e.clips import excerpt
from tests.e2e.conftest import Install
from tests.e2e.installation import Installation, Ran
from tests.same import same_findings

# httpcore leaves the socket of a refused connection to the collector; here planes are down often.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

SETTINGS = {
    "LEITSTAND_PLACEMENT__SEGMENTS_PER_TASK": "1",
    "LEITSTAND_MEDIA__SEGMENT_SECONDS": "2",
}
MOMENTS_MAX = 40
"""Events after which a kill may come; a run of the clip sends about that many."""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short piece of the real pedestrians: several segments, seconds to analyse."""
    return excerpt(tmp_path_factory.mktemp("clip") / "fußgänger.mp4", frames=60)


def events(here: Installation, process: subprocess.Popen[str]) -> Iterator[str]:
    """Kinds of events of whatever job runs, from its beginning, over restarts of the plane; ends
    when the job is done."""
    last = "0"
    while process.poll() is None:
        try:
            with here.client() as client:
                for event in client.follow(None, after=last):
                    last = event.id or last
                    yield event.kind
                    if event.kind == "job" and event.data["state"] == "done":
                        return
        except Problem:
            continue  # not up yet, or just killed: the command starts it (again)


def kill_at(here: Installation, process: subprocess.Popen[str], victim: str, moment: int) -> bool:
    """SIGKILL the worker or the plane after so many events; False when it had ended before."""
    for number, _ in enumerate(events(here, process)):
        found = here.worker() if victim == "worker" else here.plane()
        if number >= moment and found is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                found.send_signal(signal.SIGKILL)
                return True
    return False


def assert_whole(here: Installation, ran: Ran, unbroken: dict[str, Any]) -> None:
    assert ran.code == 0, ran.err
    report = ran.report()
    assert same_findings(report, unbroken)
    with here.client() as client:
        job = client.get(f"/jobs/{client.get('/jobs')['items'][0]['id']}")
        assert {i["state"] for i in job["instances"]} == {"terminated"}
        assert job["reserved_eur"] == "0.000000"
        assert client.get("/ledger/verify")["verified"] is True
    assert len(report["steps"]) >= len([a for a in job["attempts"] if a["pipeline"] != "fuse"])
    assert here.worker() is None


def run_with_kills(install: Install, clip: Path, victim: str, count: int, seed: int) -> None:
    plain = install(SETTINGS)
    unbroken = plain.run("analyze", clip).report()
    moments = random.Random(seed)
    for _ in range(count):
        here = install(SETTINGS)
        process = here.start("analyze", clip)
        kill_at(here, process, victim, moments.randrange(MOMENTS_MAX))
        assert_whole(here, here.finish(process), unbroken)


@pytest.mark.parametrize("victim", ["worker", "plane"])
def test_i4_kills_change_no_finding_and_leave_nothing(
    install: Install, clip: Path, victim: str
) -> None:
    run_with_kills(install, clip, victim, 3, seed=11)


@pytest.mark.full
@pytest.mark.parametrize("victim", ["worker", "plane"])
def test_i4_twenty_kills_change_no_finding_and_leave_nothing(
    install: Install, clip: Path, victim: str
) -> None:
    run_with_kills(install, clip, victim, 20, seed=12)
