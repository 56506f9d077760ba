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
from leitstand.core.instance import drain_at
from leitstand.core.placement import (
    TIERS,
    Offer,
    Refusal,
    Requirements,
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
    ("tier", {"tier": "C"}),
    ("region", {"region": "us"}),
    ("accelerator", {"accelerator": "cpu"}),
    ("vram", {"vram_gib": 16.0}),
    ("cuda", {"cuda": "11.7"}),
    ("compute-capability", {"compute_capability": "5.2"}),
    ("memory", {"ram_gib": 31.0}),
    ("disk", {"disk_gib": 49.0}),
    ("bandwidth", {"down_mbit_per_s": 99.0}),
    ("price", {"price_eur_per_hour": Decimal("0.51")}),
]
CUDA = replace(WANT, accelerator="cuda")


def test_an_offer_that_meets_every_rule_is_taken() -> None:
    assert first_fault(offer(), CUDA) is None


@pytest.mark.parametrize("place_of_rule", range(len(FAULTS)))
def test_the_first_rule_that_fails_is_the_one_named(place_of_rule: int) -> None:
    rule = FAULTS[place_of_rule][0]
    broken: dict[str, Any] = {}
    for _, change in FAULTS[place_of_rule:]:
        broken |= change
    if rule in ("vram", "cuda", "compute-capability", "memory", "disk", "bandwidth", "price"):
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
    one = place(offers, WANT, NOW, lambda o: 600.0)
    two = place(mixed, WANT, NOW, lambda o: 600.0)
    assert one.ranked == two.ranked
    assert len(one.ranked) + len(one.rejected) == len(offers)
    assert all(first_fault(ranked.offer, WANT) is None for ranked in one.ranked)
    costs = [ranked.expected_eur for ranked in one.ranked]
    assert costs == sorted(costs)


def test_a_dearer_offer_that_is_faster_may_cost_less() -> None:
    slow, fast = offer(offer_id="slow"), offer(offer_id="fast", price_eur_per_hour=Decimal("0.50"))
    found = place([slow, fast], WANT, NOW, lambda o: 900.0 if o is fast else 3_600.0)
    assert found.chosen is not None
    assert found.chosen.offer is fast


def test_what_would_be_late_falls_with_how_late() -> None:
    due = NOW + timedelta(minutes=10)
    found = place([offer()], WANT, NOW, lambda _: 660.0, due)
    assert [rejection.rule for _, rejection in found.rejected] == ["deadline"]
    assert found.rejected[0][1].short_by == "60 s"


def test_the_worst_case_is_the_whole_term_whatever_the_deadline() -> None:
    due = NOW + timedelta(minutes=30)
    found = place([offer()], WANT, NOW, lambda _: 60.0, due)
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
    found = place([one], want, NOW, lambda _: float(seconds), None, left, shares)
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
    found = place([cheap, dear], WANT, NOW, lambda _: 3600.0)
    assert [ranked.offer.offer_id for ranked in found.ranked] == ["b", "a"]
    assert [ranked.expected_eur for ranked in found.ranked] == [Decimal("0.40"), Decimal("0.46")]
    over = first_fault(replace(cheap, price_eur_per_hour=Decimal("0.45")), WANT)
    assert over is not None
    assert (over.rule, over.short_by) == ("price", "0.010000")
