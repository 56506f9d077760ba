"""Jobs of one step are placed on what was offered once; nothing is kept for the next step."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from leitstand.control.cases import OpenCase
from leitstand.control.jobs import StartJob
from leitstand.control.plan import Wish
from leitstand.core.job import Job
from leitstand.core.placement import Offer, Requirements
from leitstand.core.problem import Problem
from leitstand.core.template import sealed
from leitstand.ports import NoCapacity
from leitstand.store import instances, jobs
from tests.control.rig import OPERATOR, TENANT, Rented, Rig


class Counted(Rented):
    """Two offers of one price, and how often they were asked for."""

    asked = 0

    def offers(self, want: Requirements) -> Iterable[Offer]:
        self.asked += 1
        for found in super().offers(want):
            yield replace(found, offer_id="1")
            yield replace(found, offer_id="2")


@pytest.fixture
def counted(rig: Rig) -> Counted:
    providers: Any = rig.reconciler._providers
    found = providers["rented"] = rig.rented = Counted()
    return found


def taken(rig: Rig, job_id: str) -> list[str]:
    found = rig.read(lambda conn: instances.of_job(conn, TENANT, job_id))
    return [str(one.offer["offer_id"]) for one in found]


def turned_away(rig: Rig, jobs: int) -> list[Job]:
    """Jobs whose first launch, which starts with them, was refused."""
    rig.rented.fails = [NoCapacity("gone")] * jobs
    started = [rig.job() for _ in range(jobs)]
    rig.effects.step(rig.time)
    assert [taken(rig, job.id) for job in started] == [["1"]] * jobs
    return started


def test_jobs_of_one_need_share_one_answer_within_a_step(rig: Rig, counted: Counted) -> None:
    jobs = turned_away(rig, 3)
    planned = counted.asked
    rig.reconciler.step(rig.time)
    assert counted.asked == planned + 1
    assert [taken(rig, job.id) for job in jobs] == [["1", "2"]] * 3


def test_the_next_step_asks_again(rig: Rig, counted: Counted) -> None:
    turned_away(rig, 1)
    rig.reconciler.step(rig.time)
    turned_away(rig, 1)
    planned = counted.asked
    rig.reconciler.step(rig.time)
    assert counted.asked == planned + 1


def test_once_the_pause_is_over_the_first_offer_is_taken_again(rig: Rig, counted: Counted) -> None:
    (job,) = turned_away(rig, 1)
    rig.later(seconds=2)
    rig.reconciler.step(rig.time)
    assert taken(rig, job.id) == ["1", "1"]


def test_a_card_without_a_worker_is_planned_and_refused_with_the_reason(rig: Rig) -> None:
    class Amd(Rented):
        def offers(self, want: Requirements) -> Iterable[Offer]:
            for found in super().offers(want):
                yield replace(found, accelerator="amd", gpu="AMD Instinct MI300X OAM", gpus=1)

    providers: Any = rig.reconciler._providers
    providers["rented"] = rig.rented = Amd()
    case = rig.run(OpenCase("inbox"))
    wish = Wish(case.id, (rig.medium(case.id),), "people", "en")
    decision = rig.planner.decide(wish, OPERATOR, rig.time)
    assert decision.verdict["chosen"] is None
    (row,) = decision.reasons["rejected"]
    assert (row["rule"], row["has"], row["needs"]) == ("accelerator", "amd", "nvidia, cpu")
    assert row["example"]["gpu"] == "AMD Instinct MI300X OAM"
    with pytest.raises(Problem) as refused:
        rig.run(StartJob(decision.id, "test1234", 4))
    assert refused.value.params == {"rejected": 1, "why": "accelerator"}


def test_a_decision_keeps_what_a_machine_for_each_modality_is_launched_from(rig: Rig) -> None:
    image = "docker.io/library/python@sha256:" + "1" * 64
    rig.planner.rules = replace(rig.planner.rules, images={"rented": image})
    job = rig.job()
    decision = rig.read(lambda conn: jobs.decision(conn, TENANT, job.decision_id))
    [spec] = decision.inputs["launch_specs"]
    assert (spec["modality"], spec["images"]) == ("video", {"rented": image})
    assert spec["needs"]["vram_gib"] == decision.inputs["requirements"]["video"]["vram_gib"]
    assert sealed(spec) == spec == rig.planner.as_now(spec)
    rig.planner.rules = replace(rig.planner.rules, images={"rented": image[:-1] + "2"})
    assert rig.planner.as_now(spec)["digest"] != spec["digest"]


@pytest.mark.parametrize(
    ("tier", "dialled"), [("L", "https://127.0.0.1:7443"), ("B", "https://plane.example:8443")]
)
def test_the_worker_of_this_computer_dials_it_and_not_what_others_are_told(
    rig: Rig, tier: str, dialled: str
) -> None:
    told = {"url": "https://plane.example:8443", "near": "https://127.0.0.1:7443"}
    rig.effects._address = replace(rig.effects._address, **told)
    rig.rented.tier = tier
    rig.job()
    rig.step(2)
    assert {spec.url for spec in rig.rented.specs.values()} == {dialled}


@pytest.mark.parametrize(("tier", "limit"), [("L", None), ("B", 20.0)])
def test_the_line_is_limited_for_machines_elsewhere_alone(
    rig: Rig, tier: str, limit: float | None
) -> None:
    rig.effects._address = replace(rig.effects._address, mbit_per_s=20.0)
    rig.rented.tier = tier
    rig.job()
    rig.step(2)
    assert {spec.mbit_per_s for spec in rig.rented.specs.values()} == {limit}
