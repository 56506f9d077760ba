"""P2: a key goes out only when every predicate holds; each of them is falsified, alone and in pairs."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from leitstand.core import limits
from leitstand.core.release import (
    PREDICATES,
    Request,
    first_refusal,
    predicates_sha256,
    release_info,
)
from tests.core.rows import NOW, attempt, case, instance, job, medium

NAMES = [name for name, _ in PREDICATES]


def request() -> Request:
    """A request that everything speaks for: a class 2 case on a tier B instance."""
    return Request(
        now=NOW,
        case=case(),
        job=job(),
        medium=medium(),
        attempt=attempt(),
        fence=3,
        task_fence=3,
        instance=instance(),
        certificate_instance="instance_1",
        capabilities=frozenset({"object-detection"}),
        clock_skew_seconds=0.0,
        clock_jumped_back=False,
        tier_min="B",
        swap_gib=0.0,
        host_quarantined=False,
        budget_left=True,
    )


def on(part: str, **values: Any) -> Callable[[Request], Request]:
    return lambda r: replace(r, **{part: replace(getattr(r, part), **values)})


def whole(**values: Any) -> Callable[[Request], Request]:
    return lambda r: replace(r, **values)


def medium_or_none(**values: Any) -> Callable[[Request], Request]:
    """Changes the medium where there still is one."""
    return lambda r: r if r.medium is None else replace(r, medium=replace(r.medium, **values))


FALSIFIED: dict[str, list[Callable[[Request], Request]]] = {
    "attempt-live": [
        on("attempt", state="lost"),
        on("attempt", state="fenced"),
        on("attempt", expires_at=NOW),
    ],
    "fence-current": [whole(fence=2), whole(task_fence=4), on("attempt", fence=4)],
    "certificate-of-instance": [whole(certificate_instance="instance_2")],
    "attempt-of-instance": [on("attempt", instance_id="instance_2")],
    "instance-admitted": [
        on("instance", state=state)
        for state in ("booting", "admitting", "paused", "terminating", "terminated")
    ],
    "instance-not-overdue": [on("instance", end_by=NOW)],
    "instance-seen": [on("instance", absent_since=NOW)],
    "host-not-quarantined": [whole(host_quarantined=True)],
    "instance-as-offered": [on("instance", shown_at=None)],
    "hpke-key-known": [on("instance", hpke_public=None)],
    "tier-allows-class": [on("instance", tier="C"), on("case", data_class=3)],
    "fuse-on-own-machine": [whole(medium=None)],
    "medium-present": [
        medium_or_none(state=state) for state in ("receiving", "failed", "erasing", "erased")
    ],
    "medium-not-expired": [medium_or_none(erase_after=NOW)],
    "tier-allows-task": [whole(tier_min="A"), whole(tier_min="L")],
    "no-swap": [whole(swap_gib=0.5)],
    "budget-left": [whole(budget_left=False)],
    "job-active": [on("job", state=state) for state in ("planned", "done", "failed", "cancelled")],
    "capabilities-permitted": [whole(capabilities=frozenset({"face-identification"}))],
    "worker-clock-near": [
        whole(clock_skew_seconds=limits.CLOCK_SKEW_MAX.total_seconds() + 1),
        whole(clock_skew_seconds=-3_600.0),
    ],
    "own-clock-steady": [whole(clock_jumped_back=True)],
}


def test_everything_speaking_for_it_the_key_is_released() -> None:
    assert first_refusal(request()) is None


def test_every_predicate_has_a_case_that_falsifies_it() -> None:
    assert set(FALSIFIED) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_one_false_predicate_is_no_release_and_is_named(name: str) -> None:
    for change in FALSIFIED[name]:
        refused = first_refusal(change(request()))
        assert refused is not None
        holds = dict(PREDICATES)[name]
        assert not holds(change(request()))
        assert NAMES.index(refused) <= NAMES.index(name)


def test_two_false_predicates_are_no_release() -> None:
    tried = 0
    for one, two in itertools.combinations(NAMES, 2):
        for first, second in itertools.product(FALSIFIED[one], FALSIFIED[two]):
            for order in ((first, second), (second, first)):
                changed = order[1](order[0](request()))
                assert first_refusal(changed) is not None
                tried += 1
    assert tried > len(NAMES) * (len(NAMES) - 1)


@pytest.mark.parametrize(
    ("data_class", "tiers"), [(0, "LABCD"), (1, "LABC"), (2, "LAB"), (3, "LA")]
)
def test_a_class_is_seen_by_its_tiers_alone(data_class: int, tiers: str) -> None:
    for tier in "LABCD":
        changed = on("instance", tier=tier)(on("case", data_class=data_class)(request()))
        refused = first_refusal(replace(changed, tier_min="D"))
        assert (refused is None) is (tier in tiers)
        assert refused in (None, "tier-allows-class")


def test_an_own_machine_may_have_swap() -> None:
    own = on("instance", tier="L")(request())
    assert first_refusal(replace(own, swap_gib=8.0)) is None


def test_an_own_machine_need_not_be_listed_as_offered() -> None:
    assert first_refusal(on("instance", tier="L", shown_at=None)(request())) is None


def test_a_released_key_is_bound_to_its_attempt_fence_medium_end_and_policy() -> None:
    info = release_info("attempt_1", 3, "medium_1", NOW + timedelta(hours=1))
    assert json.loads(info) == {
        "attempt": "attempt_1",
        "fence": 3,
        "medium": "medium_1",
        "expires_at": "2026-11-24T09:00:00.000000+00:00",
        "predicates_sha256": predicates_sha256(),
    }
    others = [
        release_info("attempt_2", 3, "medium_1", NOW + timedelta(hours=1)),
        release_info("attempt_1", 4, "medium_1", NOW + timedelta(hours=1)),
        release_info("attempt_1", 3, "medium_2", NOW + timedelta(hours=1)),
        release_info("attempt_1", 3, "medium_1", NOW + timedelta(hours=2)),
    ]
    assert len({info, *others}) == 5
