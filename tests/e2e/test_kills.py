"""SIGKILL at twenty moments: the same findings, nothing twice, nothing left (P7, I4, I9, I14)."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from leitstand.core.problem import Problem
from tests.e2e.clips import excerpt
from tests.e2e.conftest import Install, installing
from tests.e2e.installation import Installation, Ran
from tests.same import same_findings

# httpcore leaves the socket of a refused connection to the collector; here planes are down often.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

SETTINGS = {
    "LEITSTAND_PLACEMENT__SEGMENTS_PER_TASK": "1",
    "LEITSTAND_MEDIA__SEGMENT_SECONDS": "2",
}
MOMENTS = [
    moment if moment in (5, 19, 33) else pytest.param(moment, marks=pytest.mark.full)
    for moment in range(1, 41, 2)
]
"""Events after which a kill comes; a run of the clip sends about forty."""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short piece of the real pedestrians: several segments, seconds to analyse."""
    return excerpt(tmp_path_factory.mktemp("clip") / "fußgänger.mp4", frames=60)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory, clip: Path) -> dict[str, Any]:
    """The report of a run that nothing befell."""
    with installing(tmp_path_factory) as install:
        return install(SETTINGS).run("analyze", clip).report()


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


@pytest.mark.parametrize("victim", ["worker", "plane"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_i4_a_kill_changes_no_finding_and_leaves_nothing(
    install: Install, clip: Path, unbroken: dict[str, Any], victim: str, moment: int
) -> None:
    here = install(SETTINGS)
    process = here.start("analyze", clip)
    kill_at(here, process, victim, moment)
    assert_whole(here, here.finish(process), unbroken)
