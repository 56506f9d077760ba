"""What a provider does when nobody expects it: instances that end, multiply, or never come."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import update

from leitstand.control.cases import OpenCase
from leitstand.control.decision import document
from leitstand.control.jobs import CancelJob, HoldJob
from leitstand.control.leases import Claim
from leitstand.control.plan import Wish
from leitstand.ports import NoCapacity, Seen, Status, Unavailable
from leitstand.store import attempts, effects, instances, jobs, tables
from tests.control.rig import (
    OPERATOR,
    START,
    TENANT,
    Rig,
    Worker,
    job_of,
    serve,
    to_the_end,
)

TRUST = "LABCD"
"""From the own machine down."""


@pytest.mark.parametrize("tier", TRUST)
@pytest.mark.parametrize("lowest", TRUST)
def test_an_instance_is_wanted_for_the_work_that_its_tier_may_do(
    rig: Rig, tier: str, lowest: str
) -> None:
    job = rig.job()
    rig.reconciler.step(rig.time)
    (instance,) = rig.read(lambda c: instances.of_job(c, TENANT, job.id))
    rig.database.write(lambda c: c.execute(update(tables.instances).values(tier=tier)))
    rig.database.write(lambda c: c.execute(update(tables.tasks).values(tier_min=lowest)))
    may = TRUST.index(tier) <= TRUST.index(lowest)
    assert rig.read(instances.wanted) == ({instance.id} if may else set())


# --- terms and instances -------------------------------------------------------------------------


def test_a_job_that_outlives_its_instance_goes_on_with_another(rig: Rig) -> None:
    job = rig.job(segments=8, max_cost_eur=Decimal(2))
    worker = serve(rig)
    lease = worker.claim()[0]
    worker.result(lease, 0)
    rig.later(minutes=58, seconds=5)
    assert worker.beat(lease, 1) == "go"
    rig.step(3)
    first = rig.read(lambda c: instances.of_job(c, TENANT, job.id))[0]
    assert first.state == "draining"
    assert first.reason == {"code": "end-by", "params": {}}
    worker.finish(lease, "failed", blame="host")
    rig.step(3)
    assert rig.instance_states()[0] == "terminated"
    ended = rig.read(lambda c: instances.find(c, TENANT, first.id))
    assert ended.ended_at <= first.end_by
    to_the_end(rig, Worker.newest(rig).ready())
    assert rig.job_state(job) == "done"


def test_an_instance_that_its_host_stopped_is_ended_and_its_work_is_free_at_once(rig: Rig) -> None:
    rig.job()
    worker = serve(rig)
    lease = worker.claim()[0]
    (provider_id,) = rig.rented.running
    seen = rig.rented.running[provider_id]
    rig.rented.running[provider_id] = Seen(provider_id, seen.label, Status.STOPPED)
    rig.reconciler.step(rig.time)
    assert rig.read(attempts.live_by_instance) == {}
    assert worker.beat(lease, 1) == "fenced"
    rig.step(6)
    assert rig.instance_states()[0] == "terminated"
    assert provider_id not in rig.rented.running


def test_f14_the_second_of_two_instances_of_one_launch_is_ended(rig: Rig) -> None:
    job = rig.job()
    rig.step(2)
    (provider_id,) = rig.rented.running
    twin = rig.rented.running[provider_id]
    rig.rented.running["p0"] = Seen("p0", twin.label, Status.RUNNING)
    rig.rented.running["p9"] = Seen("p9", twin.label, Status.RUNNING)
    rig.step(3)
    assert set(rig.rented.running) == {provider_id}
    to_the_end(rig, Worker.newest(rig).ready())
    assert rig.job_state(job) == "done"


def test_what_a_provider_gives_otherwise_than_offered_is_ended(rig: Rig) -> None:
    rig.job()
    rig.step(2)
    (provider_id,) = rig.rented.running
    seen = rig.rented.running[provider_id]
    rig.rented.running[provider_id] = Seen(
        provider_id, seen.label, Status.RUNNING, price_eur_per_hour="0.37"
    )
    rig.step(1)
    found = rig.read(lambda c: instances.page(c, TENANT, None, 9))[-1]
    assert found.reason == {"code": "mismatch", "params": {"said": "price"}}


def test_an_instance_launched_while_the_provider_was_listing_is_no_orphan(rig: Rig) -> None:
    rig.job()
    listed = rig.rented.list

    def slow() -> Any:
        rig.effects.step(rig.time)
        return listed()

    rig.rented.list = slow  # type: ignore[method-assign]
    rig.reconciler.step(rig.time)
    rig.rented.list = listed  # type: ignore[method-assign]
    rig.step(2)
    assert rig.rented.ends == []
    assert rig.rented.launches == 1
    assert rig.instance_states() == ["booting"]


# --- refusals ------------------------------------------------------------------------------------


def test_f23_a_provider_that_is_away_for_hours_makes_a_job_wait_not_fail(rig: Rig) -> None:
    job = rig.job()
    rig.rented.fails = [Unavailable("down")] * 1_000
    for _ in range(120):
        rig.step()
        rig.later(seconds=59)
    assert rig.job_state(job) == "waiting"
    assert job_of(rig, job.id).reason["code"] == "provider-unavailable"
    assert rig.rented.launches < 40
    rig.rented.fails = []
    rig.later(minutes=5)
    to_the_end(rig, serve(rig))
    assert rig.job_state(job) == "done"
    assert job_of(rig, job.id).reason is None


def test_a_job_whose_only_offer_is_gone_says_so_and_takes_the_next_one(rig: Rig) -> None:
    job = rig.job()
    rig.rented.fails = [NoCapacity("gone")]
    rig.step()
    offers = rig.rented.offers
    rig.rented.offers = lambda want: []  # type: ignore[method-assign]
    rig.step(3)
    assert job_of(rig, job.id).reason == {
        "code": "no-offer",
        "params": {"rejected": 0, "why": "none"},
    }
    told = rig.read(lambda c: c.execute(tables.events.select()).all())
    assert {"state": "waiting", "reason": job_of(rig, job.id).reason} in [e.facts for e in told]
    rig.rented.offers = offers  # type: ignore[method-assign]
    rig.step(2)
    assert job_of(rig, job.id).reason is None
    assert rig.rented.launches == 2


def test_a_price_cap_holds_for_every_launch_not_only_the_first(rig: Rig) -> None:
    job = rig.job()
    rig.rented.fails = [NoCapacity("gone")]
    rig.step()
    rules: Any = rig.planner.rules
    rules.price_max["rented"] = Decimal("0.30")
    rig.step(4)
    assert rig.rented.launches == 1
    assert job_of(rig, job.id).reason == {
        "code": "no-offer",
        "params": {"rejected": 1, "why": "price"},
    }


def test_a_providers_regions_hold_for_the_plan_and_for_every_launch(rig: Rig) -> None:
    rig.rented.tier = "B"
    rules: Any = rig.planner.rules
    rules.regions["rented"] = ("us-east",)
    case = rig.run(OpenCase("inbox"))
    wish = Wish(case.id, (rig.medium(case.id),), "people", "en")
    decision = rig.planner.decide(wish, OPERATOR, rig.time)
    assert decision.verdict["chosen"] is None
    (fallen,) = decision.reasons["rejected"]
    assert (fallen["rule"], fallen["has"], fallen["needs"]) == ("region", "eu", "us-east")
    rules.regions["rented"] = ("eu", "us-east")
    job = rig.job()
    rig.rented.fails = [NoCapacity("gone")]
    rig.step()
    rules.regions["rented"] = ("us-east",)
    rig.step(4)
    assert rig.rented.launches == 1
    assert job_of(rig, job.id).reason == {
        "code": "no-offer",
        "params": {"rejected": 1, "why": "region"},
    }


def test_a_job_with_persons_waits_until_regions_are_named_and_says_so(rig: Rig) -> None:
    rig.rented.tier = "B"
    rules: Any = rig.planner.rules
    del rules.regions["rented"]
    case = rig.run(OpenCase("inbox"))
    wish = Wish(case.id, (rig.medium(case.id),), "people", "en")
    decision = rig.planner.decide(wish, OPERATOR, rig.time)
    assert decision.verdict["chosen"] is None
    (fallen,) = decision.reasons["rejected"]
    assert (fallen["rule"], fallen["needs"]) == ("regions-unset", "providers.rented.regions")
    rules.regions["rented"] = ("eu",)
    again = rig.planner.decide(wish, OPERATOR, rig.time)
    assert again.verdict["chosen"]["offer"]["tier"] == "B"


def test_an_old_image_is_told_and_then_sees_no_persons(rig: Rig) -> None:
    rig.rented.tier = "B"
    rules: Any = rig.planner
    rules.rules = replace(
        rig.planner.rules,
        images={"rented": "an/image"},
        image_dates={"rented": START.date()},
        image_age_warn=timedelta(days=60),
        image_age_max=timedelta(days=180),
    )
    case = rig.run(OpenCase("K-1"))

    def planned() -> tuple[bool, list[str], dict[str, Any]]:
        wish = Wish(case.id, (rig.medium(case.id),), "people", "en")
        made = document(rig.planner.decide(wish, OPERATOR, rig.time))
        rules = [row["rule"] for row in made["rejected"]]
        return made["chosen"] is not None, rules, made["old_images"]

    rig.later(days=60)
    assert planned() == (True, [], {})
    rig.later(days=1)
    assert planned() == (True, [], {"rented": 61})
    rig.later(days=120)
    assert planned() == (False, ["image-age"], {"rented": 181})
    rules.rules = replace(rig.planner.rules, image_dates={"rented": None})
    assert planned() == (False, ["image-age"], {"rented": None})


def test_a_provider_that_is_no_longer_configured_stops_nothing_else(rig: Rig) -> None:
    rig.job()
    serve(rig)
    providers: Any = rig.reconciler._providers
    kept = dict(providers)
    providers.clear()
    rig.run(HoldJob(rig.read(lambda c: jobs.page(c, TENANT, None, 1))[0].id))
    rig.step(6)
    assert rig.instance_states() == ["terminating"]
    providers.update(kept)
    rig.later(minutes=5)
    rig.step(4)
    assert rig.instance_states() == ["terminated"]


def test_an_end_that_failed_for_days_is_still_asked_for(rig: Rig) -> None:
    job = rig.job()
    serve(rig)
    rig.run(CancelJob(job.id))
    ended = rig.rented.terminate

    def broken(provider_id: str) -> None:
        raise ValueError(provider_id)

    rig.rented.terminate = broken  # type: ignore[method-assign]
    for _ in range(80):
        rig.step()
        rig.later(minutes=5)
    instance = rig.read(instances.alive)[0]
    effect = rig.read(lambda c: effects.of_kind(c, "terminate", [instance.id]))[instance.id]
    assert effect.attempts > 60
    rig.rented.terminate = ended  # type: ignore[method-assign]
    rig.later(minutes=5)
    rig.step(4)
    assert rig.instance_states() == ["terminated"]


def test_a_task_that_fits_nowhere_beside_others_is_done_alone(rig: Rig) -> None:
    rig.job(media=2)
    worker = serve(rig)
    small = Claim(worker.id, 2, 0.1, 0.0)
    (lease,) = rig.run(small, worker.actor)
    assert rig.run(replace(small, holding=(lease["attempt"],)), worker.actor) == []


def test_a_rented_machine_gets_no_work_before_a_listing_shows_it_as_offered(rig: Rig) -> None:
    rig.rented.tier, rig.rented.other_image = "B", None
    rig.job()
    worker = serve(rig)
    assert worker.claim() == []
    (provider_id,) = rig.rented.running
    stated = replace(rig.rented.running[provider_id], other_image=False)
    rig.rented.running[provider_id] = replace(stated, region=None)
    rig.step(2)
    assert worker.claim() == []
    rig.rented.running[provider_id] = stated
    rig.step(2)
    assert worker.claim() != []


def test_a_machine_of_no_known_place_gets_work_where_no_place_is_asked_for(rig: Rig) -> None:
    rig.rented.tier, rig.rented.region = "C", None
    rig.planner.rules.regions["rented"] = ()  # type: ignore[index]
    rig.run(OpenCase("plain", 1))
    rig.job(case="plain")
    worker = serve(rig)
    rig.step(2)
    assert worker.claim() != []


def test_a_ready_machine_that_is_never_shown_as_offered_is_ended(rig: Rig) -> None:
    rig.rented.tier, rig.rented.other_image = "B", None
    rig.job()
    serve(rig)
    rig.step(2)
    rig.rented.silent = True
    rig.later(minutes=5)
    rig.step(2)
    assert rig.instance_states() == ["ready"], "nobody says anything"
    rig.rented.silent = False
    rig.step(3)
    assert rig.instance_states()[0] == "terminated"
    found = rig.read(lambda c: instances.page(c, TENANT, None, 9))[-1]
    assert found.reason == {"code": "never-shown", "params": {}}
