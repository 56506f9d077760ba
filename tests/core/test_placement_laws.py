"""Laws of the choice, over generated markets: what must hold whatever is offered."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from leitstand.core.change import break_even, would_change
from leitstand.core.filters import RULES, first_fault
from leitstand.core.offer import TIERS, Offer
from leitstand.core.outlook import Outlook
from leitstand.core.placement import Placement, Terms, order, parts_of, place
from tests.core.markets import LOAD, MARKET, TERMS, WANT, an_offer, look, odds_of, prices
from tests.core.rows import NOW

AFTER_RULES = ("quarantine", "deadline", "criticality", "budget")


def chosen(placement: Placement) -> Offer | None:
    return None if placement.chosen is None else placement.chosen.offer


@given(MARKET, TERMS, st.randoms(use_true_random=False))
def test_who_answers_first_changes_nothing(
    market: list[Offer], terms: Terms, shuffle: random.Random
) -> None:
    mixed = list(market)
    shuffle.shuffle(mixed)
    one, two = place(market, WANT, terms, look), place(mixed, WANT, terms, look)
    assert one.ranked == two.ranked
    assert one.near == two.near
    assert sorted(one.rejected, key=repr) == sorted(two.rejected, key=repr)
    assert would_change(one, WANT, terms) == would_change(two, WANT, terms)


@given(MARKET, an_offer(), TERMS)
def test_a_worse_offer_more_never_changes_the_choice(
    market: list[Offer], worse: Offer, terms: Terms
) -> None:
    before = place(market, WANT, terms, look)
    both = place([*market, worse], WANT, terms, look)
    assume(before.chosen is not None)
    assert before.chosen is not None
    mine = [r for r in both.ranked if r.offer is worse]
    if not mine or order(mine[0]) > order(before.chosen):
        assert both.chosen == before.chosen
    else:
        assert chosen(both) is worse


@given(MARKET, TERMS, st.data())
def test_an_offer_taken_away_matters_only_if_it_was_chosen(
    market: list[Offer], terms: Terms, data: Any
) -> None:
    found = place(market, WANT, terms, look)
    assume(market)
    gone = data.draw(st.sampled_from(market))
    left = place([o for o in market if o is not gone], WANT, terms, look)
    if gone is not chosen(found):
        assert chosen(left) is chosen(found)
    else:
        runner_up = found.ranked[1].offer if len(found.ranked) > 1 else None
        assert chosen(left) is runner_up


@given(MARKET, TERMS, prices(), st.data())
def test_the_chosen_offer_made_cheaper_stays_chosen(
    market: list[Offer], terms: Terms, price: Decimal, data: Any
) -> None:
    best = chosen(place(market, WANT, terms, look))
    assume(best is not None)
    assert best is not None
    cheaper = replace(best, price_eur_per_hour=min(price, best.price_eur_per_hour))
    again = place([cheaper if o is best else o for o in market], WANT, terms, look)
    assert chosen(again) is cheaper


@given(MARKET, TERMS, prices(), st.data())
def test_an_offer_made_dearer_is_never_chosen_for_it(
    market: list[Offer], terms: Terms, more: Decimal, data: Any
) -> None:
    before = place(market, WANT, terms, look)
    others = [o for o in market if o is not chosen(before)]
    assume(others)
    one = data.draw(st.sampled_from(others))
    dearer = replace(one, price_eur_per_hour=one.price_eur_per_hour + more)
    again = place([dearer if o is one else o for o in market], WANT, terms, look)
    assert chosen(again) is chosen(before)


@given(MARKET, TERMS)
def test_every_offer_is_ranked_or_names_the_first_rule_it_fails(
    market: list[Offer], terms: Terms
) -> None:
    found = place(market, WANT, terms, look)
    assert len(found.ranked) + len(found.rejected) == len(market)
    for one, why in found.rejected:
        assert why.rule in (*RULES, *AFTER_RULES)
        assert why.has and why.needs
        hard = first_fault(one, WANT)
        if hard is not None:
            assert why == hard
        else:
            assert why.rule in AFTER_RULES


@given(MARKET, TERMS)
def test_no_offer_that_may_not_see_the_media_is_ever_near(
    market: list[Offer], terms: Terms
) -> None:
    found = place(market, WANT, terms, look)
    lowest = TIERS.index(WANT.tier_min)
    shown = [r.offer for r in found.ranked] + [r.offer for r, _ in found.near.values()]
    shown += [change.offer for change in would_change(found, WANT, terms)]
    assert all(TIERS.index(one.tier) <= lowest for one in shown)
    assert all(one.tier == "L" or one.region == "eu" for one in shown)


@given(MARKET, TERMS)
def test_the_cost_is_that_of_an_exhaustive_search(market: list[Offer], terms: Terms) -> None:
    """Every offer weighed by a second reading of the rules, in floating point."""
    found = place(market, WANT, terms, look)
    may = [one for one in market if _may(one, terms)]
    assert {r.offer.offer_id for r in found.ranked} == {one.offer_id for one in may}
    if found.chosen is not None:
        best = min(_cost(one) for one in may)
        assert float(found.chosen.expected_eur) <= best * 1.001 + 1e-5


def _may(one: Offer, terms: Terms) -> bool:
    seen, rate = look(one), float(one.rate_eur_per_hour)
    until = odds_of(one).quarantine_until
    if first_fault(one, WANT) is not None or (until is not None and until > NOW):
        return False
    busy = seen.boot_seconds + seen.transfer_seconds + seen.work_seconds
    seconds = busy + seen.losses_per_hour * seen.work_seconds / 3600 * seen.loss_seconds
    if terms.due_at is not None:
        time = (terms.due_at - NOW).total_seconds()
        if round(seconds, 6) > time or (one.bid and round(busy + seen.loss_seconds, 6) > time):
            return False
    if terms.left_eur is None:
        return True
    term = seconds * 1.5 + min(120.0, seconds * 0.5) + 60
    worst = max(rate * term / 3600, float(one.minimum_eur))
    worst += 1.2 * (_down(one) * seen.down_gib + _up(one) * seen.up_gib)
    assume(abs(worst - float(terms.left_eur)) > 1e-4)
    return worst <= float(terms.left_eur)


def _cost(one: Offer) -> float:
    seen = look(one)
    hours = (seen.seconds + seen.release_seconds) / 3600
    odds = odds_of(one)
    losses = odds.losses_per_hour * seen.work_seconds / 3600
    boots, fetches = 1 / odds.starts + losses, 1 + losses
    moved = _down(one) * (boots * odds.boot_gib + fetches * LOAD.download_gib)
    moved = 0.0 if one.tier == "L" else moved + _up(one) * LOAD.download_gib * 0.05
    return max(float(one.rate_eur_per_hour) * hours + moved, float(one.minimum_eur))


def _down(one: Offer) -> float:
    return float(one.down_eur_per_gb) * 2**30 / 10**9


def _up(one: Offer) -> float:
    return float(one.up_eur_per_gb) * 2**30 / 10**9


@given(an_offer())
def test_the_parts_are_the_cost_and_the_range_holds_it(one: Offer) -> None:
    want = replace(WANT, regions=None, tier_min="D", vram_gib=0.0, disk_gib=0.0)
    want = replace(want, down_mbit_per_s=0.0, reliability_min=0.0, price_max_eur_per_hour=None)
    for ranked in place([one], want, Terms(NOW), look).ranked:
        assert sum(ranked.parts_eur.values()) == ranked.expected_eur
        assert ranked.parts_eur == parts_of(one, look(one))
        assert ranked.low_eur <= ranked.expected_eur <= ranked.high_eur


CENT = Decimal("0.0001")


@given(MARKET, TERMS)
def test_the_change_that_is_named_alters_the_choice(market: list[Offer], terms: Terms) -> None:
    found = place(market, WANT, terms, look)
    changes = would_change(found, WANT, terms)
    assert [c.by for c in changes] == sorted(c.by for c in changes)
    for change in changes:
        other, mine = change.offer, chosen(found)
        want, eased, offers, seen = WANT, terms, list(market), look
        match change.kind:
            case "price":
                price = Decimal(change.to) - CENT
                if price < 0:
                    continue
                offers = [replace(o, price_eur_per_hour=price) if o is other else o for o in market]
            case "own-price":
                assert mine is not None
                dear = replace(mine, price_eur_per_hour=Decimal(change.to) + CENT)
                offers = [dear if o is mine else o for o in market]
            case "losses":
                luck = max(0.0, float(change.to) * 0.99 - 0.001)

                def seen(o: Offer, luck: float = luck, other: Offer = other) -> Outlook:
                    here = look(o)
                    return replace(here, losses_per_hour=luck) if o is other else here

            case "deadline":
                assert terms.due_at is not None
                eased = replace(terms, due_at=datetime.fromisoformat(change.to))
            case "budget":
                eased = replace(terms, left_eur=Decimal(change.to))
            case "price-max":
                want = replace(WANT, price_max_eur_per_hour=Decimal(change.to))
            case "vram":
                want = replace(WANT, vram_gib=other.vram_gib)
            case "disk":
                want = replace(WANT, disk_gib=other.disk_gib)
            case "bandwidth":
                want = replace(WANT, down_mbit_per_s=other.down_mbit_per_s or 0.0)
            case "reliability":
                want = replace(WANT, reliability_min=other.reliability or 0.0)
            case kind:
                raise AssertionError(kind)
        again = place(offers, want, eased, seen)
        if change.kind in ("vram", "disk", "bandwidth", "reliability"):
            assert first_fault(other, want) is None
        else:
            altered = chosen(again)
            assert altered is not None
            assert (altered.provider, altered.offer_id) != (
                None if mine is None else (mine.provider, mine.offer_id)
            ), change


@given(an_offer(), an_offer())
def test_at_the_break_even_a_bid_costs_what_the_firm_offer_does(one: Offer, two: Offer) -> None:
    good = {"tier": "B", "region": "eu", "vram_gib": 24.0, "disk_gib": 100.0, "reliability": None}
    good |= {"down_mbit_per_s": None, "minimum_eur": Decimal(0)}
    market = [replace(one, offer_id="bid", bid=True, **good)]
    market += [replace(two, offer_id="firm", bid=False, **good)]
    even = break_even(place(market, WANT, Terms(NOW), look))
    if even is None or even.even_losses_per_hour <= 0:
        return
    seen = replace(look(even.bid), losses_per_hour=even.even_losses_per_hour)
    bid = sum(parts_of(even.bid, seen).values())
    firm = sum(parts_of(even.firm, look(even.firm)).values())
    assert abs(bid - firm) < Decimal("0.0001")
