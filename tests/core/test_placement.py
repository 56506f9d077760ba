"""Which offer is taken: rules in order, a total ranking, tiers by class, and pauses after refusals."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitstand.core import limits
from leitstand.core.accelerator import EXECUTION, STAFFED
from leitstand.core.filters import RULES
from leitstand.core.images import age_days
from leitstand.core.instance import drain_at
from leitstand.core.outlook import Outlook
from leitstand.core.placement import (
    TIERS,
    Offer,
    Refusal,
    Rejection,
    Requirements,
    Terms,
    combined,
    first_fault,
    needed_term,
    place,
    resting,
    tier_min,
)
from tests.core.rows import NOW, instance, offer

WANT = Requirements(
    vram_gib=20.0,
    disk_gib=50.0,
    ram_gib=32.0,
    down_mbit_per_s=100.0,
    tier_min="B",
    regions=("eu",),
    end_by=NOW + timedelta(hours=2),
    price_max_eur_per_hour=Decimal("0.50"),
)
FAULTS: list[tuple[str, dict[str, Any]]] = [
    ("tier", {"tier": "C", "tier_if_agreed": None}),
    ("agreement", {"tier": "C", "tier_if_agreed": "B"}),
    ("region", {"region": "us"}),
    ("accelerator", {"accelerator": "cpu"}),
    ("vram", {"vram_gib": 16.0}),
    ("cuda", {"cuda": "11.7"}),
    ("driver", {"driver": "449.0"}),
    ("compute-capability", {"compute_capability": "5.2"}),
    ("memory", {"ram_gib": 31.0}),
    ("disk", {"disk_gib": 49.0}),
    ("bandwidth", {"down_mbit_per_s": 99.0}),
    ("reliability", {"reliability": 0.89}),
    ("price", {"price_eur_per_hour": Decimal("0.51")}),
]
CUDA = replace(WANT, accelerator="nvidia", reliability_min=0.9)


def work(seconds: float) -> Outlook:
    """Nothing but work."""
    return Outlook(0.0, 0.0, float(seconds))


def test_an_offer_that_meets_every_rule_is_taken() -> None:
    assert first_fault(offer(), CUDA) is None
    of_needs = ("regions-unset", "image-age")
    assert tuple(rule for rule, _ in FAULTS) == tuple(r for r in RULES if r not in of_needs)


@pytest.mark.parametrize("place_of_rule", range(len(FAULTS)))
def test_the_first_rule_that_fails_is_the_one_named(place_of_rule: int) -> None:
    rule = FAULTS[place_of_rule][0]
    broken: dict[str, Any] = {}
    for _, change in FAULTS[place_of_rule:]:
        broken |= change
    if rule == "tier":
        broken.pop("tier_if_agreed")
    if place_of_rule > RULES.index("accelerator"):
        broken.pop("accelerator", None)
    found = first_fault(offer(**broken), CUDA)
    assert found is not None
    assert found.rule == rule


def test_unknown_facts_of_a_gpu_fail_and_an_unknown_speed_does_not() -> None:
    for fact, rule in (("cuda", "cuda"), ("compute_capability", "compute-capability")):
        found = first_fault(offer(**{fact: None}), CUDA)
        assert found is not None
        assert found.rule == rule
    assert first_fault(offer(down_mbit_per_s=None), CUDA) is None
    unknown = first_fault(offer(region=None), CUDA)
    assert unknown is not None
    assert unknown.has == "unknown"


@pytest.mark.parametrize("data_class", range(4))
@pytest.mark.parametrize("tier", ["A", "B"])
def test_until_regions_are_named_nothing_is_rented_for_persons(data_class: int, tier: str) -> None:
    want = replace(WANT, tier_min=tier_min(data_class), regions=None)
    fault = first_fault(offer(tier=tier), want)
    if data_class < 2:
        assert fault is None
    elif (data_class, tier) == (3, "B"):
        assert fault is not None and fault.rule == "tier"
    else:
        assert fault is not None
        assert (fault.rule, fault.has) == ("regions-unset", "eu")
        assert fault.needs == "providers.rented.regions"
    assert first_fault(offer(tier="L", region=None), want) is None


@pytest.mark.parametrize("data_class", range(4))
@pytest.mark.parametrize(("age", "fails"), [(0, False), (180, False), (181, True), (None, True)])
def test_what_is_started_from_something_old_sees_no_persons(
    data_class: int, age: int | None, fails: bool
) -> None:
    want = replace(WANT, tier_min=tier_min(data_class), image_days=age, image_days_max=180)
    fault = first_fault(offer(tier="A"), want)
    assert (fault is not None) is (fails and data_class >= 2)
    if fault is not None:
        assert (fault.rule, fault.needs) == ("image-age", "180 d")
        assert fault.short_by == (None if age is None else "1 d")
    assert first_fault(offer(tier="L"), want) is None


@pytest.mark.parametrize(
    ("image", "bundle", "days"),
    [
        (None, None, None),
        (5, None, 5),
        (None, 0, None),
        (5, 7, 7),
        (9, 7, 9),
        (5, -3, 5),
        (0, None, 0),
        (-1, None, 0),
        (-3, 0, None),
        (-3, None, None),
    ],
)
def test_the_older_of_image_and_bundle_counts_if_the_image_is_of_a_known_day(
    image: int | None, bundle: int | None, days: int | None
) -> None:
    made = None if image is None else (NOW - timedelta(days=image)).date()
    built = None if bundle is None else NOW - timedelta(days=bundle)
    assert age_days(made, built, NOW) == days


def test_a_data_centre_nobody_can_place_fails_on_its_place_and_not_on_its_tier() -> None:
    unplaced = offer(tier="C", tier_if_agreed="C", tier_if_placed="B", region=None)
    fault = first_fault(unplaced, WANT)
    assert fault is not None
    assert (fault.rule, fault.has, fault.needs) == ("region", "unknown", "eu")
    for regions in (("eu",), None):
        lied = first_fault(replace(unplaced, tier="B"), replace(WANT, regions=regions))
        assert lied is not None and lied.rule in ("region", "regions-unset")
    community = first_fault(replace(unplaced, tier_if_placed="C"), WANT)
    assert community is not None and community.rule == "tier"


@pytest.mark.parametrize("accelerator", ["amd", "rocm", "unknown", "tpu"])
def test_what_there_is_no_worker_for_is_not_taken_and_said(accelerator: str) -> None:
    fault = first_fault(offer(accelerator=accelerator, cuda=None), WANT)
    assert fault is not None
    assert (fault.rule, fault.needs) == ("accelerator", "nvidia, cpu")
    assert first_fault(offer(accelerator="cuda"), CUDA) is None
    for own in STAFFED:
        assert EXECUTION[own] in ("CUDAExecutionProvider", "CPUExecutionProvider")


def test_without_a_gpu_vram_and_cuda_do_not_count() -> None:
    cpu = offer(accelerator="cpu", gpu=None, vram_gib=0.0, cuda=None, compute_capability=None)
    assert first_fault(cpu, WANT) is None


def test_versions_are_compared_as_numbers() -> None:
    assert first_fault(offer(cuda="12.10"), replace(CUDA, cuda_min="12.9")) is None
    assert first_fault(offer(cuda="12.9"), replace(CUDA, cuda_min="12.10")) is not None


ALLOWED = {0: "LABCD", 1: "LABC", 2: "LAB", 3: "LA"}


@pytest.mark.parametrize("data_class", range(4))
@pytest.mark.parametrize("tier", TIERS)
def test_a_tier_sees_exactly_the_classes_it_may(data_class: int, tier: str) -> None:
    want = replace(WANT, tier_min=tier_min(data_class))
    fault = first_fault(offer(tier=tier), want)
    assert (fault is None) is (tier in ALLOWED[data_class])


@pytest.mark.parametrize("data_class", range(4))
@pytest.mark.parametrize("setting", TIERS)
def test_a_setting_can_only_raise_the_tier_of_a_class(data_class: int, setting: str) -> None:
    chosen = TIERS.index(tier_min(data_class, setting))
    assert chosen <= TIERS.index(tier_min(data_class))
    assert chosen <= TIERS.index(setting)


OFFERS = st.lists(
    st.builds(
        lambda price, tier, vram, number: offer(
            price_eur_per_hour=price, tier=tier, vram_gib=vram, offer_id=f"o{number}"
        ),
        st.sampled_from([Decimal("0.1"), Decimal("0.2"), Decimal("0.6")]),
        st.sampled_from(TIERS),
        st.sampled_from([8.0, 24.0]),
        st.integers(0, 1_000_000),
    ),
    max_size=12,
    unique_by=lambda o: o.offer_id,
)


@given(OFFERS, st.randoms(use_true_random=False))
def test_the_order_is_total_and_does_not_depend_on_who_answered_first(
    offers: list[Offer], shuffle: random.Random
) -> None:
    mixed = list(offers)
    shuffle.shuffle(mixed)
    one = place(offers, WANT, Terms(NOW), lambda _: work(600))
    two = place(mixed, WANT, Terms(NOW), lambda _: work(600))
    assert one.ranked == two.ranked
    assert len(one.ranked) + len(one.rejected) == len(offers)
    assert all(first_fault(ranked.offer, WANT) is None for ranked in one.ranked)
    costs = [ranked.expected_eur for ranked in one.ranked]
    assert costs == sorted(costs)


def test_a_dearer_offer_that_is_faster_may_cost_less() -> None:
    slow, fast = offer(offer_id="slow"), offer(offer_id="fast", price_eur_per_hour=Decimal("0.50"))
    found = place([slow, fast], WANT, Terms(NOW), lambda o: work(900 if o is fast else 3600))
    assert found.chosen is not None
    assert found.chosen.offer is fast


def test_what_would_be_late_falls_with_how_late() -> None:
    due = NOW + timedelta(minutes=10)
    found = place([offer()], WANT, Terms(NOW, due), lambda _: work(660))
    assert [rejection.rule for _, rejection in found.rejected] == ["deadline"]
    assert found.rejected[0][1].short_by == "60 s"


def test_the_worst_case_is_the_whole_term_whatever_the_deadline() -> None:
    due = NOW + timedelta(minutes=30)
    found = place([offer()], WANT, Terms(NOW, due), lambda _: work(60))
    assert found.chosen is not None
    assert found.chosen.worst_eur == Decimal("0.80")


def test_an_instance_for_several_tasks_needs_the_most_of_each() -> None:
    found = combined([WANT, replace(WANT, vram_gib=8.0, ram_gib=64.0, tier_min="A", regions=None)])
    assert (found.vram_gib, found.ram_gib, found.tier_min) == (20.0, 64.0, "A")
    assert found.regions == ("eu",)


def test_needs_that_no_region_meets_are_met_nowhere() -> None:
    found = combined([WANT, replace(WANT, regions=("us",))])
    for region in ("eu", "us", None):
        fault = first_fault(offer(region=region), found)
        assert fault is not None
        assert (fault.rule, fault.needs) == ("region", "none")


def refused(code: str, seconds_ago: float, offer_id: str = "one") -> Refusal:
    return Refusal("rented", offer_id, code, NOW - timedelta(seconds=seconds_ago))


def test_an_offer_that_is_gone_rests_and_the_next_one_is_taken() -> None:
    other = offer(offer_id="two")
    awake, code = resting([offer(), other], [refused("no-capacity", 0.5)], NOW)
    assert awake == [other]
    assert code == "no-capacity"


def test_a_provider_that_refuses_rests_with_all_its_offers() -> None:
    elsewhere = offer(provider="other")
    offers = [offer(), offer(offer_id="two"), elsewhere]
    awake, code = resting(offers, [refused("no-funds", 0.5)], NOW)
    assert awake == [elsewhere]
    assert code == "no-funds"


@pytest.mark.parametrize("times", [1, 2, 3, 9, 10, 50])
def test_pauses_double_and_end(times: int) -> None:
    pause = min(2.0 ** (times - 1), limits.PAUSE_MAX.total_seconds())
    just_before = [refused("provider-unavailable", pause - 0.001)] * times
    assert resting([offer()], just_before, NOW) == ([], "provider-unavailable")
    over = [refused("provider-unavailable", pause)] * times
    assert resting([offer()], over, NOW) == ([offer()], None)


@given(
    st.decimals(0, 3, places=6),
    st.decimals(0, 1, places=6),
    st.decimals(0, 20, places=6),
    st.integers(1, 40_000),
    st.integers(1, 4),
)
def test_the_worst_case_never_exceeds_what_is_left_and_leaves_room_for_the_work(
    price: Decimal, storage: Decimal, left: Decimal, seconds: int, shares: int
) -> None:
    one = offer(price_eur_per_hour=price, storage_eur_per_hour=storage)
    want = replace(WANT, price_max_eur_per_hour=None, end_by=NOW + timedelta(hours=12))
    found = place([one], want, Terms(NOW, None, left, shares), lambda _: work(seconds))
    if found.chosen is None:
        assert [rejection.rule for _, rejection in found.rejected] == ["budget"]
    else:
        needed = min(needed_term(timedelta(seconds=seconds)), timedelta(hours=12))
        assert found.chosen.worst_eur <= left
        assert found.chosen.end_by >= NOW + needed - timedelta(seconds=1)


def test_work_that_takes_longer_than_forecast_still_ends_before_the_instance_drains() -> None:
    for seconds in (6, 60, 300, 400, 3_600, 80_000):
        work = timedelta(seconds=seconds)
        term = needed_term(work)
        fresh = instance(created_at=NOW, end_by=NOW + term)
        assert drain_at(fresh) - NOW >= work * limits.FORECAST_MARGIN - timedelta(seconds=1)


def test_storage_counts_wherever_the_price_does() -> None:
    cheap, dear = offer(offer_id="a", storage_eur_per_hour=Decimal("0.06")), offer(offer_id="b")
    found = place([cheap, dear], WANT, Terms(NOW), lambda _: work(3600))
    assert [ranked.offer.offer_id for ranked in found.ranked] == ["b", "a"]
    assert [ranked.expected_eur for ranked in found.ranked] == [Decimal("0.40"), Decimal("0.46")]
    over = first_fault(replace(cheap, price_eur_per_hour=Decimal("0.45")), WANT)
    assert over is not None
    assert (over.rule, over.short_by) == ("price", "0.010000")


# --- own machines and rented ones --------------------------------------------------------------------

OWN = offer(offer_id="own", tier="L", price_eur_per_hour=Decimal("0.45"))
NEXT = offer(offer_id="next", tier="L", price_eur_per_hour=Decimal("0.48"), networked=True)
LENT = offer(offer_id="lent", tier="B", price_eur_per_hour=Decimal("0.30"))
FIRST = Terms(NOW, own_first=True)


def taken(terms: Terms, *market: Offer, seconds: float = 600) -> tuple[str | None, set[str]]:
    """The choice, and the rules that others fell on."""
    found = place(market, WANT, terms, lambda _: work(seconds))
    chosen = found.chosen
    return None if chosen is None else chosen.offer.offer_id, {w.rule for _, w in found.rejected}


def test_where_own_machines_do_not_come_first_the_cheapest_is_taken() -> None:
    assert taken(Terms(NOW), OWN, LENT) == ("lent", set())


def test_where_they_do_an_own_machine_is_taken_whatever_it_costs() -> None:
    assert taken(FIRST, LENT, NEXT, OWN) == ("own", {"own-first"})


def test_without_a_free_own_machine_it_is_rented_at_once_or_only_for_a_deadline() -> None:
    late = replace(FIRST, burst="late")
    assert taken(FIRST, LENT) == ("lent", set())
    assert taken(late, LENT) == (None, {"burst"})
    assert taken(replace(late, due_at=NOW + timedelta(hours=1)), LENT) == ("lent", set())


def test_an_own_machine_that_would_be_late_is_passed_over_for_one_that_is_not() -> None:
    """What is wanted is the result in time; without a deadline there is no late."""
    slow = {"own": work(7200), "lent": work(600)}
    due = replace(FIRST, burst="late", due_at=NOW + timedelta(hours=1))
    found = place([OWN, LENT], WANT, due, lambda o: slow[o.offer_id])
    assert found.chosen is not None and found.chosen.offer.offer_id == "lent"


def test_what_keeps_other_own_machines_out_leaves_this_computer_and_rented_ones() -> None:
    nearby = Rejection("address-loopback", "https://127.0.0.1", "an https address of this network")
    assert taken(Terms(NOW, nearby=nearby), NEXT) == (None, {"address-loopback"})
    assert taken(Terms(NOW, nearby=nearby), OWN, NEXT, LENT) == ("lent", {"address-loopback"})
    assert taken(replace(FIRST, nearby=nearby), NEXT, LENT) == ("lent", {"address-loopback"})


def test_no_limit_is_said_to_keep_out_what_would_not_be_taken_beside_an_own_machine() -> None:
    dear = replace(LENT, price_eur_per_hour=Decimal("0.40"), minimum_eur=Decimal(50))
    terms = replace(FIRST, left_eur=Decimal(10))
    found = place([OWN, dear], WANT, terms, lambda _: work(600))
    assert found.chosen is not None and dict(found.near) == {}
