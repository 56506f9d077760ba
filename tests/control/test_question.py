"""A question that was kept as JSON is the same question, and has the same answer."""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from leitstand.control.decision import fallen, verdict
from leitstand.control.question import Question, market_of, question_of
from leitstand.core.filters import Rejection
from leitstand.core.offer import Offer
from leitstand.core.placement import Terms
from leitstand.core.reach import PRIVATE
from tests.core.markets import MARKET, TERMS, WANT, look
from tests.core.rows import NOW

OUTSIDE = st.sampled_from((None, Rejection(PRIVATE, "https://10.0.0.1", "a public address")))


def asked(market: list[Offer], terms: Terms) -> Question:
    wants = {
        "runpod": WANT,
        "vast": replace(WANT, regions=None, end_by=None, price_max_eur_per_hour=None),
    }
    return Question(tuple(market), wants, terms, tuple(look(one) for one in market))


@given(MARKET, TERMS, OUTSIDE, OUTSIDE, st.booleans(), st.sampled_from(("full", "late")))
def test_a_kept_question_is_the_question(
    market: list[Offer],
    terms: Terms,
    outside: Rejection | None,
    nearby: Rejection | None,
    own_first: bool,
    burst: str,
) -> None:
    terms = replace(terms, outside=outside, nearby=nearby, own_first=own_first, burst=burst)
    question = asked(market, terms)
    again = question_of(json.loads(json.dumps(market_of(question))))
    assert again == question
    one, two = question.answer(), again.answer()
    assert verdict(one, question) == verdict(two, again)
    assert fallen(one) == fallen(two)


@given(MARKET, TERMS)
def test_every_offer_is_in_the_verdict_or_counted_with_a_reason(
    market: list[Offer], terms: Terms
) -> None:
    question = asked(market, terms)
    placement = question.answer()
    found = verdict(placement, question)
    rows = fallen(placement)
    assert found["offers_seen"] == len(market)
    assert len(found["ranked"]) + sum(row["count"] for row in rows) == len(market)
    assert [row["count"] for row in rows] == sorted((r["count"] for r in rows), reverse=True)
    assert found["chosen"] == (found["ranked"][0] if found["ranked"] else None)


def test_a_question_that_was_kept_before_addresses_were_judged_is_read_too() -> None:
    question = asked([], Terms(NOW))
    kept = json.loads(json.dumps(market_of(question)))
    for name in ("outside", "nearby", "own_first", "burst"):
        del kept["terms"][name]
    assert question_of(kept) == question
