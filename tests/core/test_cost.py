"""Money: exact, never less than what it costs, and never more than an envelope holds."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitstand.core.cost import Budget, accrued, correction, covering, worst_case
from tests.core.rows import NOW

PRICES = st.decimals(0, 100, places=6)
SECONDS = st.integers(0, 90_000)


@given(PRICES, SECONDS, SECONDS)
def test_a_period_in_parts_costs_at_least_the_whole(price: Decimal, one: int, two: int) -> None:
    middle = NOW + timedelta(seconds=one)
    end = middle + timedelta(seconds=two)
    whole = accrued(price, NOW, end)
    parts = accrued(price, NOW, middle) + accrued(price, middle, end)
    assert whole <= parts <= whole + Decimal("0.000002")


@given(PRICES, SECONDS)
def test_amounts_are_whole_millionths_and_never_below_the_exact_cost(
    price: Decimal, seconds: int
) -> None:
    amount = accrued(price, NOW, NOW + timedelta(seconds=seconds))
    assert amount == amount.quantize(Decimal("0.000001"))
    assert amount * 3600 >= price * seconds


def test_time_that_runs_backwards_costs_nothing() -> None:
    assert accrued(Decimal(5), NOW, NOW - timedelta(hours=1)) == 0


@given(PRICES, st.decimals(0, 10, places=6), SECONDS, SECONDS)
def test_the_worst_case_covers_every_moment_of_the_term(
    price: Decimal, minimum: Decimal, term: int, used: int
) -> None:
    end_by = NOW + timedelta(seconds=term)
    worst = worst_case(price, minimum, NOW, end_by)
    spent = accrued(price, NOW, NOW + timedelta(seconds=min(term, used)))
    assert worst >= max(spent, minimum)


@pytest.mark.parametrize(
    ("limit", "spent", "reserved", "amount", "covered"),
    [
        (None, "9", "9", "1000", True),
        ("10", "4", "5", "1", True),
        ("10", "4", "5", "1.000001", False),
        ("0", "0", "0", "0", True),
        ("0", "0", "0", "0.000001", False),
        ("10", "12", "0", "0", False),
    ],
)
def test_an_envelope_covers_what_is_left_of_it(
    limit: str | None, spent: str, reserved: str, amount: str, *, covered: bool
) -> None:
    budget = Budget(
        "job", None if limit is None else Decimal(limit), Decimal(spent), Decimal(reserved)
    )
    assert (covering([budget], Decimal(amount)) is None) is covered


def test_the_first_envelope_that_is_short_is_named() -> None:
    wide = Budget("total", Decimal(100), Decimal(0), Decimal(0))
    first = Budget("job", Decimal(1), Decimal(0), Decimal(0))
    second = Budget("month", Decimal(1), Decimal(0), Decimal(0))
    assert covering([wide, first, second], Decimal(2)) is first


@pytest.mark.parametrize(
    ("billed", "hours", "booked"),
    [
        (None, 0, "0"),
        (None, 24, "0"),
        (None, 24 * 365, "0"),
        ("1.5", 0, "0.5"),
        ("0.75", 25, "0"),
        ("0.75", 26, "-0.25"),
        ("0", 26, "-1"),
        ("1", 26, "0"),
    ],
)
def test_a_bill_corrects_what_it_names_and_nothing_else(
    billed: str | None, hours: int, booked: str
) -> None:
    """What no bill names yet is not free of charge."""
    amount = None if billed is None else Decimal(billed)
    assert correction(Decimal(1), amount, timedelta(hours=hours)) == Decimal(booked)
