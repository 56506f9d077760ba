"""The board's choice against that of an exhaustive search over every offer."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitstand.core.board import Board
from leitstand.core.filters import Rejection
from leitstand.core.offer import Offer
from leitstand.core.outlook import Load, Outlook, outlook
from leitstand.core.placement import Placement, Terms, parts_of, place
from leitstand.core.reach import LOOPBACK
from tests.core.markets import MARKET, TERMS, WANT, odds_of
from tests.core.rows import NOW, offer

WANTS = dict.fromkeys(("runpod", "vast"), WANT)
ROUNDING = Decimal("0.00001")
"""Each part of a cost is rounded up to a millionth."""
LOADS = st.builds(Load, st.floats(0, 300_000), st.floats(0, 200))
OUTSIDE = Rejection(LOOPBACK, "https://127.0.0.1", "a public https address")


def board(market: list[Offer], outside: Rejection | None = None) -> Board:
    return Board(market, WANTS, odds_of, NOW, Terms(NOW, outside=outside).barred)


def exhaustive(market: list[Offer], load: Load, terms: Terms) -> Placement:
    def look(one: Offer) -> Outlook:
        return outlook(one, load, odds_of(one))

    return place(market, WANTS, terms, look)


def assert_same(found: Placement, best: Placement) -> None:
    """As cheap as the cheapest, and the runner-up as the second."""
    assert len(found.ranked[:2]) == len(best.ranked[:2])
    for mine, other in zip(found.ranked[:2], best.ranked[:2], strict=True):
        assert mine.expected_eur <= other.expected_eur + ROUNDING


@given(MARKET, LOADS, TERMS)
def test_no_offer_costs_less_than_the_one_chosen(
    market: list[Offer], load: Load, terms: Terms
) -> None:
    found, best = board(market).place(load, terms), exhaustive(market, load, terms)
    assert_same(found, best)
    if best.chosen is None:
        assert_nearest(found, best, load)


def assert_nearest(found: Placement, best: Placement, load: Load) -> None:
    """The one that misses least says why nothing was chosen."""
    limits = ("deadline", "criticality", "budget")
    beyond = [(one, why) for one, why in best.rejected if why.rule in limits]
    dear = [Decimal(why.needs) for _, why in beyond if why.rule == "budget"]
    assert len(found.rejected) == min(1, len(beyond))
    for one, why in found.rejected:
        if dear:
            assert why.rule == "budget"
            assert Decimal(why.needs) <= min(dear) + ROUNDING
        else:
            assert safe(one, load) <= min(safe(other, load) for other, _ in beyond) + 1e-6


def safe(one: Offer, load: Load) -> float:
    """The shortest deadline that an offer keeps, once lost if it is a bid."""
    seen = outlook(one, load, odds_of(one))
    return max(seen.seconds, seen.busy_seconds + seen.loss_seconds if one.bid else 0.0)


@given(MARKET, st.sampled_from((None, OUTSIDE)))
def test_every_offer_is_admitted_or_counted_by_the_rule_it_falls_on(
    market: list[Offer], outside: Rejection | None
) -> None:
    prepared = board(market, outside)
    best = exhaustive(market, Load(1.0), Terms(NOW, outside=outside))
    rules = [why.rule for _, why in best.rejected]
    assert prepared.fell == {rule: rules.count(rule) for rule in rules}
    assert {id(one) for one in prepared.admitted} == {id(r.offer) for r in best.ranked}


@given(MARKET, LOADS, TERMS, st.sampled_from(("full", "late")))
def test_own_machines_come_first_on_the_board_too(
    market: list[Offer], load: Load, terms: Terms, burst: str
) -> None:
    terms = replace(terms, own_first=True, burst=burst)
    found, best = board(market).place(load, terms), exhaustive(market, load, terms)
    assert_same(found, best)
    assert [r.offer.tier for r in found.ranked[:2]] == [r.offer.tier for r in best.ranked[:2]]


@given(MARKET, LOADS, TERMS)
def test_firm_leaves_the_bids_out(market: list[Offer], load: Load, terms: Terms) -> None:
    found = board(market).place(load, terms, firm=True)
    assert_same(found, exhaustive([one for one in market if not one.bid], load, terms))
    assert not any(one.bid for one in [r.offer for r in found.ranked])
    assert not any(one.bid for one, _ in found.rejected)


def test_of_equal_offers_the_choice_is_the_one_of_the_exhaustive_search() -> None:
    market = [offer(provider="vast", offer_id=f"o{n}", host="h") for n in (5, 3, 9, 4)]
    for load in (Load(1.0), Load(90_000.0, 40.0)):
        found, best = board(market).place(load, Terms(NOW)), exhaustive(market, load, Terms(NOW))
        assert found.ranked == best.ranked[:2]


def compare(offers: int, jobs: int) -> None:
    """Offers that cost nearly the same for half an hour's work, so that the least error in a sum would
    choose another one; and jobs of every size and limit."""
    dice = random.Random(offers)
    market = []
    for number in range(offers):
        one = offer(
            provider=dice.choice(("runpod", "vast")),
            offer_id=f"o{number}",
            host=f"h{number}",
            minimum_eur=Decimal(dice.choice(("0", "0", "0.20"))),
            vram_gib=dice.choice((12.0, 24.0, 24.0, 48.0)),
            tier=dice.choice("LABBC"),
            region=dice.choice(("eu", "eu", "us")),
            down_mbit_per_s=dice.choice((110.0, 200.0, 900.0, None)),
            bid=dice.random() < 0.5,
        )
        hours = outlook(one, Load(2_000.0, 4.0), odds_of(one)).seconds / 3600
        price = Decimal(f"{0.20 * dice.uniform(0.99, 1.01) / hours:.6f}")
        storage = Decimal(dice.choice(("0", "0.015")))
        prices = {"price_eur_per_hour": price, "storage_eur_per_hour": storage}
        market.append(replace(one, **prices))
    prepared, none = board(market), 0
    for _ in range(jobs):
        load = Load(dice.lognormvariate(7.5, 1), dice.lognormvariate(1.4, 1))
        due = left = None
        if dice.random() < 0.4:
            due = NOW + timedelta(seconds=dice.uniform(0.3, 2.0) * (900 + load.seconds / 9))
        if dice.random() < 0.4:
            seen = outlook(market[0], load, odds_of(market[0]))
            cost = sum(parts_of(market[0], seen).values())
            left = cost * Decimal(f"{dice.uniform(1.3, 1.8):.6f}")
        terms = Terms(NOW, due, left, dice.choice((1, 3)))
        found, best = prepared.place(load, terms), exhaustive(market, load, terms)
        assert_same(found, best)
        assert len(found.ranked) <= 2, "the sums already leave out what keeps no limit"
        if best.chosen is None:
            assert_nearest(found, best, load)
        none += best.chosen is None
    assert 0 < none < jobs / 2, "the sample holds both kinds of jobs"


def test_a_sample_of_jobs_costs_what_an_exhaustive_search_costs() -> None:
    compare(offers=300, jobs=150)


@pytest.mark.full
def test_many_jobs_cost_what_an_exhaustive_search_costs() -> None:
    compare(offers=1_500, jobs=600)
