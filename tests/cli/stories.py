"""Stories that the cardboard control plane tells: how a job goes and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.cli.plane import INSTANCE, Act, Plane, decision

MEDIUM = "medium_01KAR3W6V9Q4T8ZC5N0EXB0001"


def instance(state: str, **more: Any) -> Act:
    data = {"id": INSTANCE, "state": state, "reason": None, "provider": "local", **more}
    return ("instance", data)


def segment(medium: str, number: int, pipeline: str = "video") -> Act:
    return ("segment", {
        "medium": medium, "pipeline": pipeline, "stream": f"{pipeline}:0", "number": number,
        "done": number + 1, "total": 3, "units": 750,
    })  # fmt: skip


def ended(state: str, **over: Any) -> Callable[[Plane], None]:
    """The job's document after its end: all segments done, media erased, the instance gone."""

    def act(plane: Plane) -> None:
        job = plane.job()
        job["state"] = state
        job["instances"] = [{"id": INSTANCE, "state": "terminated"}]
        for number, medium in enumerate(job["media"], 3):
            medium |= {"state": "done", "medium_state": "erased", "receipt": number, "name": None}
            medium["segments"]["done"] = medium["segments"]["total"]
        total = sum(medium["segments"]["total"] for medium in job["media"])
        job["segments"] |= {"done": total, "total": total}
        job["receipts"] = [medium["receipt"] for medium in job["media"]]
        job |= over
        plane.report = {"gaps": [], "media": [
            {"id": medium["id"], "state": medium["state"], "headline": {
                "objects": {"person": 2, "bus": 1}, "faces": 0, "face_tracks": 0, "tracks": None,
                "persons_mean": None, "persons_most": None, "place": None, "light": None, "words": None,
                "voiced_s": 0.0, "language": None,
            }} for medium in job["media"]
        ]}  # fmt: skip

    return act


def good_story(count: int = 1) -> list[Act]:
    return [
        ("job", {"state": "waiting", "reason": None}),
        instance("ready", seconds=1.94),
        ("job", {"state": "running", "reason": None}),
        *(segment(MEDIUM, number) for number in range(count)),
        ended("done"),
        ("job", {"state": "done", "reason": None}),
    ]


def paid() -> dict[str, Any]:
    found = decision(reservation_eur="1.71", budget_left_eur="31.09")
    offer = {**found["chosen"]["offer"], "gpu": "RTX 4090", "tier": "B", "provider": "runpod"}
    found["chosen"] = {
        "offer": offer, "price_eur_per_hour": "0.59", "expected_eur": "1.24",
        "worst_eur": "1.71", "finish_at": "2026-11-24T10:18:00Z",
    }  # fmt: skip
    found["ranked"] = [found["chosen"]]
    found["rejected"] = [{
        "rule": "tier", "count": 121, "example": {"provider": "vast", "gpu": "RTX 4090"},
        "price_eur_per_hour": "0.29", "has": "C", "needs": "B", "short_by": None,
    }]  # fmt: skip
    return found
