"""What committing every segment costs, and what a kill costs.

Slowdown: the share of an attempt's time that it spends sealing and sending results, from the stage
times that workers report. Repeated work: the worker is killed (SIGKILL) at random moments; a task
continues at its first missing segment, so each kill may cost at most the one segment at work. The
findings must be those of the unbroken run.
"""

# ruff: noqa: E402 - the folder of the repository must be on the module path first

from __future__ import annotations

import contextlib
import json
import random
import sys
import tempfile
import time
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).parent.parent)

import psutil
from bench.measure.rounds import write
from tests import weights
from tests.e2e.clips import excerpt
from tests.e2e.installation import Installation, Ran
from tests.same import same_findings

SECONDS = 60.0
"""After so long no further job is begun; one with a kill takes as long as losing a worker does."""
KILLS = 4
SEGMENTS = 6
WAIT_SECONDS_MAX = 0.5
SHORT = {"LEITSTAND_MEDIA__SEGMENT_SECONDS": "2", "LEITSTAND_PLACEMENT__SEGMENTS_PER_TASK": "8"}
PROFILE = "people"


def analyse(here: Installation, clip: Path) -> Ran:
    """The unbroken job. Raises AssertionError when it fails."""
    ran = here.run("analyze", "--yes", "--profile", PROFILE, clip)
    assert ran.code == 0, ran.err
    return ran


def write_share(report: dict[str, Any]) -> float:
    """Seconds spent on committing as a share of the attempts' time, video tasks only."""
    spent = whole = 0.0
    for step in report["steps"]:
        stages = step.get("stage_seconds") or {}
        if step["name"] == "video" and stages and step["ended_at"]:
            spent += stages.get("write", 0.0)
            began, ended = (datetime.fromisoformat(step[at]) for at in ("started_at", "ended_at"))
            whole += (ended - began).total_seconds()
    if not whole:
        raise AssertionError("no attempt says where its time went")
    return spent / whole


def lost(here: Installation) -> tuple[int, int]:
    """Segments that were committed more than once, and the most attempts of a task beyond its
    first: each of those began a segment that another had not finished."""
    with here.client() as client:
        job = client.get(f"/jobs/{client.get('/jobs')['items'][0]['id']}")
        committed = Counter(
            (event.data["medium"], event.data["pipeline"], event.data["number"])
            for event in client.past(job["id"])
            if event.kind == "segment"
        )
    tries = Counter(attempt["task"] for attempt in job["attempts"])
    return sum(count - 1 for count in committed.values()), max(tries.values()) - 1


def killed(here: Installation, clip: Path, after: int, wait: float) -> tuple[Ran, bool]:
    """The job, its worker killed `wait` seconds after so many segments were committed (0: after it
    was ready); and whether there was a worker to kill."""
    process = here.start("analyze", "--json", "--yes", "--profile", PROFILE, clip)
    assert process.stdout is not None and process.stderr is not None
    seen, struck = 0, False
    for line in process.stdout:
        event = json.loads(line)
        seen += event["event"] == "segment"
        ready = event["event"] == "instance" and event["state"] == "ready"
        if struck or seen < after or not (seen or ready):
            continue
        time.sleep(wait)
        worker = here.worker()
        if worker is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                worker.kill()
                struck = True
    ran = Ran(process.wait(), "", process.stderr.read(), here.work)
    assert ran.code == 0, ran.err
    return ran, struck


def main() -> None:
    """Measure both, print them, write the raw file."""
    end = time.monotonic() + SECONDS
    with tempfile.TemporaryDirectory(prefix="leitstand-bench-") as name:
        folder = Path(name)
        clip = excerpt(folder / "clip.mp4", frames=120)
        shares = {
            "segments of 2 s": _share(
                Installation(folder / "short", weights.models().folder, SHORT), clip
            ),
            "segments as set": _share(
                Installation(folder / "usual", weights.models().folder),
                excerpt(folder / "long.mp4", frames=300),
            ),
        }
        for words, share in shares.items():
            print(f"slowdown by committing, {words:20} {share:.4f}")
        kills = _kills(folder, clip, end)
    struck = [kill for kill in kills if kill["struck"]]
    print(f"kills that struck a worker: {len(struck)} of {len(kills)}")
    print(f"segments committed twice: {max((k['twice'] for k in struck), default=0)}")
    print(
        f"segments begun again per task and kill, at most: {max((k['again'] for k in struck), default=0)}"
    )
    print(f"findings as in the unbroken run: {all(k['same'] for k in kills)}")
    print(write("checkpoint", [], slowdown=shares, kills=kills))


def _share(here: Installation, clip: Path) -> float:
    try:
        return write_share(analyse(here, clip).report())
    finally:
        here.close()


def _kills(folder: Path, clip: Path, end: float) -> list[dict[str, Any]]:
    plain = Installation(folder / "unbroken", weights.models().folder, SHORT)
    unbroken = analyse(plain, clip).report()
    plain.close()
    moments, kills = random.Random(7), []
    for number in range(KILLS):
        if kills and time.monotonic() > end:
            break
        here = Installation(folder / f"kill-{number}", weights.models().folder, SHORT)
        try:
            after, wait = moments.randrange(0, SEGMENTS - 1), moments.uniform(0.0, WAIT_SECONDS_MAX)
            ran, struck = killed(here, clip, after, wait)
            twice, again = lost(here)
            same = same_findings(ran.report(), unbroken)
            kills.append(
                {
                    "after": after,
                    "wait_s": round(wait, 3),
                    "struck": struck,
                    "twice": twice,
                    "again": again,
                    "same": same,
                }
            )
        finally:
            here.close()
    return kills


if __name__ == "__main__":
    main()
