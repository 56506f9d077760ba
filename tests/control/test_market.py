"""Offers of several providers at once: the slow and the silent hold up nobody."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitstand.control.market import KEPT_PER_PROVIDER, Market
from leitstand.core import limits
from leitstand.core.placement import Offer, Requirements
from leitstand.core.problem import Problem
from leitstand.ports import NoFunds, Rejected, Retired, Unauthorized, Unavailable
from tests.core.rows import NOW, offer

WANT = Requirements()


class Answers:
    """A provider that answers, fails, or waits until it is let go."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.calls = 0
        self.fails: Exception | None = None
        self.gate: threading.Event | None = None

    def offers(self, want: Requirements) -> Iterator[Offer]:
        self.calls += 1
        number = self.calls
        if self.gate is not None:
            assert self.gate.wait(60)
        if self.fails is not None:
            raise self.fails
        yield offer(provider=self.name, offer_id=f"{self.name}-{number}")


class Two:
    def __init__(self) -> None:
        self.one, self.two = Answers("one"), Answers("two")
        self.providers: dict[str, Any] = {"one": self.one, "two": self.two}
        self.market = Market(self.providers)

    def ids(self, minutes: float = 0, only: str | None = None) -> list[str]:
        answer = self.market.offers(WANT, only, NOW + timedelta(minutes=minutes))
        return sorted(found.offer_id for found in answer.found)


@pytest.fixture
def two() -> Two:
    return Two()


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody with a last answer is waited for."""
    monkeypatch.setattr(limits, "OFFERS_WAIT_WARM", timedelta(0))


def test_all_are_asked_and_one_alone_where_one_is_named(two: Two) -> None:
    assert two.ids() == ["one-1", "two-1"]
    assert two.ids(only="two") == ["two-2"]
    with pytest.raises(Problem, match="unknown-provider"):
        two.ids(only="three")


def test_providers_are_asked_at_the_same_time(two: Two) -> None:
    """Each waits for the other: one after the other, none would answer."""
    both = threading.Barrier(2, timeout=60)
    for one in (two.one, two.two):
        asks = one.offers
        one.offers = lambda want, asks=asks: (both.wait(), asks(want))[1]  # type: ignore[method-assign]
    assert two.ids() == ["one-1", "two-1"]


def test_the_last_good_answer_stands_in_for_a_slow_one_with_its_age(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    two.ids()
    monkeypatch.setattr(limits, "OFFERS_WAIT_WARM", timedelta(milliseconds=1))
    two.one.gate = threading.Event()
    try:
        answer = two.market.offers(WANT, "one", NOW + timedelta(minutes=2))
        assert [found.offer_id for found in answer.found] == ["one-1"]
        assert answer.aged == {"one": 120.0}
        assert answer.silent == {}
        two.market.offers(WANT, "one", NOW + timedelta(minutes=3))
        assert two.one.calls == 2, "a question under way is not asked again"
    finally:
        two.one.gate.set()


def test_what_came_late_is_taken_the_next_time(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    two.ids()
    monkeypatch.setattr(limits, "OFFERS_WAIT_WARM", timedelta(milliseconds=1))
    gate = two.one.gate = threading.Event()
    assert two.ids(2, "one") == ["one-1"]
    monkeypatch.setattr(limits, "OFFERS_WAIT_WARM", timedelta(seconds=60))
    letting_go = threading.Timer(0.01, gate.set)
    letting_go.start()
    answer = two.market.offers(WANT, "one", NOW + timedelta(minutes=3))
    letting_go.join()
    assert [found.offer_id for found in answer.found] == ["one-2"]
    assert answer.aged == {}


def test_an_answer_is_as_old_as_its_question(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    two.ids()
    monkeypatch.setattr(limits, "OFFERS_WAIT_WARM", timedelta(milliseconds=1))
    gate = two.one.gate = threading.Event()
    two.ids(2, "one")
    gate.set()
    two.one.gate = None
    monkeypatch.setattr(limits, "OFFERS_WAIT_WARM", timedelta(seconds=60))
    two.ids(4, "one")
    two.one.fails = Unavailable("down")
    answer = two.market.offers(WANT, "one", NOW + timedelta(minutes=6))
    assert answer.aged["one"] in (120.0, 240.0)


def test_a_failing_provider_is_stood_in_for_until_its_answer_is_too_old(two: Two) -> None:
    two.ids()
    two.one.fails = Unavailable("down")
    oldest = limits.OFFERS_AGE_MAX.total_seconds() / 60
    assert two.ids(oldest, "one") == ["one-1"]
    answer = two.market.offers(WANT, "one", NOW + timedelta(minutes=oldest, seconds=1))
    assert (answer.found, answer.silent) == ([], {"one": "Unavailable"})


@pytest.mark.parametrize("error", [NoFunds, Unauthorized, Retired, Rejected])
def test_an_old_answer_never_hides_that_nothing_can_be_rented_there(
    two: Two, error: type[Exception]
) -> None:
    two.ids()
    two.one.fails = error("no")
    answer = two.market.offers(WANT, None, NOW)
    assert [found.provider for found in answer.found] == ["two"]
    assert answer.silent == {"one": error.__name__}


def test_a_provider_that_never_answered_is_silent_and_the_others_are_taken(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "OFFERS_WAIT", timedelta(milliseconds=50))
    gate = two.one.gate = threading.Event()
    try:
        answer = two.market.offers(WANT, None, NOW)
        assert [found.provider for found in answer.found if found.provider == "one"] == []
        assert answer.silent["one"] == "TimeoutError"
    finally:
        gate.set()


def test_an_answer_to_another_need_is_no_answer_to_this_one(two: Two) -> None:
    two.ids()
    two.one.fails = Unavailable("down")
    other = two.market.offers(Requirements(vram_gib=80.0), "one", NOW)
    assert (other.found, other.silent) == ([], {"one": "Unavailable"})


def test_a_provider_that_was_replaced_answers_for_itself(two: Two) -> None:
    two.ids()
    broken = Answers("one")
    broken.fails = Unavailable("down")
    two.providers["one"] = broken
    assert two.ids(only="one") == []


def test_needs_are_forgotten_the_oldest_first(two: Two) -> None:
    for size in range(KEPT_PER_PROVIDER + 1):
        two.market.offers(Requirements(disk_gib=float(size)), "one", NOW)
    two.one.fails = Unavailable("down")
    for size, known in ((0, False), (KEPT_PER_PROVIDER, True)):
        answer = two.market.offers(Requirements(disk_gib=float(size)), "one", NOW)
        assert bool(answer.found) is known


MINUTES = st.floats(0, 2 * limits.OFFERS_AGE_MAX.total_seconds() / 60)
OUTCOMES = st.sampled_from((None, Unavailable, NoFunds))


@given(st.lists(st.tuples(MINUTES, OUTCOMES), max_size=8))
def test_an_answer_is_the_provider_s_own_or_its_last_good_one_while_that_is_young(
    asks: list[tuple[float, type[Exception] | None]],
) -> None:
    two, now = Two(), NOW
    good: tuple[int, datetime] | None = None
    for number, (minutes, error) in enumerate(asks, start=1):
        now += timedelta(minutes=minutes)
        two.one.fails = None if error is None else error("no")
        answer = two.market.offers(WANT, "one", now)
        if error is None:
            good = number, now
        young = good is not None and now - good[1] <= limits.OFFERS_AGE_MAX
        if error is NoFunds or (error is not None and not young):
            assert (answer.found, answer.silent) == ([], {"one": error.__name__})
        else:
            assert good is not None
            assert [found.offer_id for found in answer.found] == [f"one-{good[0]}"]
            age = (now - good[1]).total_seconds()
            assert answer.aged == ({} if error is None else {"one": pytest.approx(age)})
