"""Sums of an offer against its weighing, and the least of a block against each offer in it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitstand.core.offer import OWN_TIER, Offer
from leitstand.core.outlook import Load, outlook
from leitstand.core.placement import Terms, parts_of
from leitstand.core.sums import Asked, blocks_of, missing, sums_of, totals
from tests.core.markets import TERMS, an_offer, odds_of
from tests.core.rows import NOW

LOADS = st.builds(Load, st.floats(0, 300_000), st.floats(0, 200))


@given(an_offer(), LOADS, st.sampled_from((0.0, 0.0, 3.5)))
def test_sums_come_to_what_the_offer_is_weighed_at(one: Offer, load: Load, cached: float) -> None:
    if one.tier != OWN_TIER:
        one = replace(one, cached_gib=cached)
        load = replace(load, download_gib=load.download_gib + cached)
    sums, asked = sums_of(one, odds_of(one)), Asked.of(load, Terms(NOW))
    seen = outlook(one, load, odds_of(one))
    cost, seconds, after_loss = totals((sums.cost, sums.done, sums.lost), asked)
    parts = parts_of(one, seen)
    assert cost == pytest.approx(float(sum(parts.values()) - parts["minimum"]), abs=1e-5)
    assert seconds == pytest.approx(seen.seconds)
    if one.bid:
        assert after_loss == pytest.approx(seen.busy_seconds + seen.loss_seconds)


@given(st.lists(an_offer(), min_size=1, max_size=70), LOADS, TERMS)
def test_no_offer_of_a_block_comes_to_less_than_its_least(
    market: list[Offer], load: Load, terms: Terms
) -> None:
    every, asked = [sums_of(one, odds_of(one)) for one in market], Asked.of(load, terms)
    blocks = blocks_of(range(len(every)), every)
    assert sorted(n for block in blocks for n in block.places) == list(range(len(every)))
    for block in blocks:
        least = totals([block.least.cost], asked)[0]
        assert all(cost >= least for cost in totals(block.costs, asked))
        assert all(missing(every[n], asked) >= missing(block.least, asked) for n in block.places)
