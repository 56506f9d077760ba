"""A machine that nobody vouches for gets no work on persons: the job waits, says why, and no setting
changes that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from leitstand.config import Folders, Settings
from leitstand.control.cases import OpenCase
from leitstand.control.decision import document, replayed
from leitstand.control.jobs import StartJob
from leitstand.control.plan import Wish
from leitstand.core.placement import Offer, Requirements
from leitstand.core.problem import Problem
from leitstand.rules import plan_rules
from leitstand.store import instances, jobs
from tests.control.rig import OPERATOR, TENANT, Rented, Rig, job_of
from tests.test_docs import fields

OWN: dict[str, list[Any]] = {
    "placement.disk_gib_min": [0],
    "placement.own_disk_gib_min": [0, 10_000],
    "placement.instances_max": [64],
    "placement.segments_per_task": [1, 1000],
    "placement.vram_gib.video": [0],
    "placement.vram_gib.image": [0],
    "placement.vram_gib.audio": [0],
    "placement.cuda_min": ["1.0"],
    "placement.image_age_warn": ["1 d"],
    "placement.image_age_max": ["10000 d"],
    "placement.own_first": [0, 4],
    "placement.burst": ["full", "late"],
    "placement.tiers": [{"2": tier} for tier in "LABCD"],
    "providers.rented.key_file": ["/key"],
    "providers.rented.base_url": ["https://api.example"],
    "providers.rented.image": [f"an/image@sha256:{'0' * 64}"],
    "providers.rented.image_date": ["2026-06-24"],
    "providers.rented.agreement_file": ["/agreement"],
    "providers.rented.bids": [True],
    "providers.rented.reserve": [True],
    "providers.rented.regions": [[], ["eu"], ["eu", "us", "DE"]],
    "providers.rented.max_price_eur_per_hour": ["0", "1000"],
    "providers.rented.price_eur_per_hour": ["1"],
    "providers.rented.end_by_hours_max": [0.1, 1000],
    "providers.rented.hosts": [{"here": {}}],
    "providers.rented.network": ["host"],
    "budgets.total_eur": ["100000"],
    "budgets.month_eur": ["100000"],
    "budgets.job_eur": ["100000"],
    "money.usd_eur": ["0.01"],
    "money.usd_eur_date": ["2026-11-24"],
    "worker.slots": [8],
    "worker.advertise_url": ["https://leitstand.example:8443"],
}
"""Every setting that planning, launching or a provider reads, at its ends."""


def nested(name: str, value: Any) -> dict[str, Any]:
    for part in reversed(name.split(".")):
        value = {part: value}
    return dict(value)


def merged(one: dict[str, Any], two: dict[str, Any]) -> dict[str, Any]:
    found = dict(one)
    for key, value in two.items():
        both = isinstance(value, dict) and isinstance(found.get(key), dict)
        found[key] = merged(found[key], value) if both else value
    return found


def all_settings() -> Iterator[Settings]:
    """Each value alone, and all that open most and all that close most together."""
    for name, values in OWN.items():
        for value in values:
            yield Settings(**nested(name, value))
    for end in (0, -1):
        together: dict[str, Any] = {}
        for name, values in OWN.items():
            together = merged(together, nested(name, values[end]))
        yield Settings(**together)


class Marketplace(Rented):
    """Cheap, fast, and of tier C, which an agreement would not change."""

    best = "C"

    def offers(self, want: Requirements) -> Iterable[Offer]:
        for found in super().offers(want):
            for number in range(3):
                yield replace(
                    found,
                    offer_id=str(number),
                    host=f"h{number}",
                    tier=self.best,
                    bid=number == 2,
                )


@pytest.fixture
def market(rig: Rig) -> Rig:
    providers: Any = rig.reconciler._providers
    providers["rented"] = rig.rented = Marketplace()
    return rig


def planned(rig: Rig) -> jobs.Decision:
    case = rig.run(OpenCase("inbox"))
    wish = Wish(case.id, (rig.medium(case.id),), "people", "en")
    return rig.planner.decide(wish, OPERATOR, rig.time)


def waiting(rig: Rig) -> Any:
    """A job that was planned while something better was there, which then went."""
    market: Any = rig.rented
    market.best = "B"
    rig.rented.fails = []
    job = rig.job()
    market.best = "C"
    rig.step(1)
    rig.rented.running.clear()
    rig.step(6)
    return job


def assert_waits(rig: Rig, job: Any, launches: int) -> None:
    found = job_of(rig, job.id)
    assert found.state in ("waiting", "running")
    assert found.reason == {"code": "no-offer", "params": {"rejected": 3, "why": "tier"}}
    assert rig.rented.launches == launches
    fleet = rig.read(lambda c: instances.of_job(c, TENANT, job.id))
    assert {one.tier for one in fleet} == {"B"}


def test_the_plan_and_its_replay_say_why_and_nothing_starts(market: Rig) -> None:
    decision = planned(market)
    shown = document(decision)
    assert shown["chosen"] is None and shown["ranked"] == []
    (row,) = shown["rejected"]
    assert (row["rule"], row["count"], row["has"], row["needs"]) == ("tier", 3, "C", "B")
    assert shown["would_change"] == []
    assert replayed(decision) is True
    with pytest.raises(Problem) as refused:
        market.run(StartJob(decision.id, "test1234", 4))
    assert refused.value.params == {"rejected": 3, "why": "tier"}
    market.step(4)
    assert market.rented.launches == 0


def test_a_job_waits_and_says_why_and_goes_on_once_a_better_machine_is_there(market: Rig) -> None:
    job = waiting(market)
    assert_waits(market, job, launches=1)
    better: Any = market.rented
    better.best = "B"
    market.later(seconds=30)
    market.step(2)
    assert market.rented.launches == 2


def test_no_setting_makes_it_run_there(
    market: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEITSTAND_HOME", str(tmp_path))
    folders = Folders.find()
    job = waiting(market)
    rules: Any = market.planner
    for settings in all_settings():
        rules.rules = plan_rules(settings, folders)
        decision = planned(market)
        assert decision.verdict["chosen"] is None, settings
        assert {row["rule"] for row in decision.reasons["rejected"]} == {"tier"}, settings
        market.later(seconds=30)
        market.step(2)
        assert_waits(market, job, launches=1)


def test_every_setting_of_planning_and_of_providers_was_tried() -> None:
    sections = ("placement.", "providers.", "budgets.", "money.")
    known = {name for name in fields(Settings) if name.startswith(sections)}
    tried = {name.replace(".rented.", ".<name>.") for name in OWN}
    of_others = {"providers.<name>.volumes"}  # where models lie, and only at RunPod
    assert {name for name in known if ".hosts." not in name} - of_others <= tried
