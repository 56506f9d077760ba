"""Launch specs: what differs has another digest, what does not has the same."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from leitstand.core.template import ENVIRONMENT, as_now, launch_spec, sealed

NEEDS: dict[str, Any] = {
    "accelerator": "any", "vram_gib": 24.0, "cuda_min": "11.8", "compute_capability_min": "6.0",
    "disk_gib": 100.0, "own_disk_gib": 4.0, "ram_gib": 4.0, "down_mbit_per_s": 100.0,
    "tier_min": "B", "end_by": None,
}  # fmt: skip
IMAGES = {"vast": "a@sha256:" + "1" * 64, "runpod": "b@sha256:" + "2" * 64}


def spec(**changes: Any) -> dict[str, Any]:
    given = {
        "modality": "video", "needs": NEEDS, "models": ["m2", "m1"], "images": IMAGES,
        "software": "3" * 64,
    }  # fmt: skip
    return launch_spec(**{**given, **changes})


def test_the_digest_is_of_the_rest_in_any_order_and_after_any_store() -> None:
    one = spec()
    other = spec(models=["m1", "m2"], images=dict(reversed(IMAGES.items())))
    assert one == other
    assert re.fullmatch("[0-9a-f]{64}", one["digest"])
    assert sealed(json.loads(json.dumps(one))) == one
    assert as_now(json.loads(json.dumps(one)), IMAGES, "3" * 64) == one


@pytest.mark.parametrize(
    "change",
    [
        {"modality": "audio"},
        {"needs": NEEDS | {"vram_gib": 8.0}},
        {"models": ["m1"]},
        {"images": IMAGES | {"vast": "a@sha256:" + "9" * 64}},
        {"software": None},
    ],
)
def test_whatever_a_machine_is_launched_from_changes_the_digest(change: dict[str, Any]) -> None:
    assert spec(**change)["digest"] != spec()["digest"]


def test_the_term_of_one_job_does_not() -> None:
    assert spec(needs=NEEDS | {"end_by": "2026-11-24T12:00:00Z"}) == spec()


def test_names_of_the_environment_are_sorted_and_are_no_values() -> None:
    assert list(ENVIRONMENT) == sorted(ENVIRONMENT)
    assert spec()["environment"] == list(ENVIRONMENT)
