"""What attempts say of machines: posteriors that decay, quarantine and parole, odds for the ranking."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitstand.core import beta
from leitstand.core.history import (
    HALF_LIFE,
    HOLDS_PRIOR,
    QUARANTINE,
    QUARANTINE_MAX,
    Event,
    Held,
    History,
    Key,
    Lost,
    NeverReady,
    Probed,
    Record,
    Started,
    Worked,
    after,
    class_of,
    contended,
    decayed,
    exit_of,
    holds,
    host_of,
    place_of,
    probed_against,
    standing,
)
from leitstand.core.outlook import BOOT_SECONDS_RENTED, SPEED_OF_A_GPU, Load, outlook
from leitstand.core.placement import Requirements, Terms, place
from tests.core.rows import NOW, offer

PLACE = place_of("rented", "eu", "RTX 4090", False)
HOST = host_of(PLACE, "h")
EVENTS = st.one_of(
    st.builds(Started, st.floats(1, 1200)),
    st.builds(Held, st.floats(0, 24)),
    st.builds(NeverReady, st.booleans()),
    st.builds(Lost, st.floats(0, 24)),
    st.builds(Worked, st.floats(1, 10_000), st.floats(1, 10_000)),
    st.builds(Probed, st.floats(0.001, 1000)),
)


def told(key: Key, *events: Event) -> Record:
    record = Record(key, NOW)
    for event in events:
        record = after(record, event, NOW)
    return record


# --- speed that was measured


CLASS = class_of("RTX 4090")


@pytest.mark.parametrize(
    ("usual", "tflops", "needs"),
    [
        ((), 1.0, None),
        ((40.0, 40.0), 1.0, None),
        ((40.0, 40.0, 40.0), 20.0, None),
        ((40.0, 40.0, 40.0), 19.9, pytest.approx(20.0)),
        ((40.0, 40.0, 40.0, 100_000.0), 24.0, pytest.approx(26.66, abs=0.01)),
    ],
)
def test_a_machine_far_below_its_class_is_told_what_it_needs(
    usual: tuple[float, ...], tflops: float, needs: float | None
) -> None:
    """One that claims the impossible hardly moves what is usual."""
    assert contended(tflops, told(CLASS, *map(Probed, usual)), NOW) == needs
    assert contended(tflops, None, NOW) is None


def test_what_was_measured_long_ago_refuses_nobody() -> None:
    of_class = told(CLASS, *[Probed(40.0)] * 4)
    assert contended(1.0, of_class, NOW) == pytest.approx(20.0)
    assert contended(1.0, of_class, NOW + HALF_LIFE) is None


def test_what_a_machine_measured_counts_until_it_has_worked() -> None:
    slow, fast = replace(HOST, host="slow"), replace(HOST, host="fast")
    of_class = told(CLASS, *map(Probed, (20.0, 40.0, 60.0)))
    history = History([of_class, told(slow, Probed(20.0)), told(fast, Probed(60.0))])
    gpu = {"gpu": "RTX 4090", "provider": "rented", "region": "eu", "tier": "B"}
    speeds = [
        history.odds(offer(host=host, **gpu), NOW).speed for host in ("slow", "unknown", "fast")
    ]
    assert speeds == sorted(speeds)
    assert len(set(speeds)) == 3
    assert probed_against(told(slow, Probed(20.0)), of_class) == pytest.approx(0.6111, abs=1e-4)


# --- the distribution


@pytest.mark.parametrize(
    ("x", "a", "b", "value"),
    [(0.3, 1, 1, 0.3), (0.5, 7, 7, 0.5), (0.3, 2, 1, 0.09), (0.3, 1, 3, 1 - 0.7**3)],
)
def test_the_distribution_at_points_known_in_closed_form(
    x: float, a: float, b: float, value: float
) -> None:
    assert beta.cdf(x, a, b) == pytest.approx(value, rel=1e-12)


@given(st.floats(0.001, 0.999), st.integers(1, 60), st.integers(1, 60))
def test_the_distribution_is_the_tail_of_a_binomial(x: float, a: int, b: int) -> None:
    """DLMF 8.17.5: I_x(a, b) is the chance of at least a heads in a + b - 1 throws."""
    n = a + b - 1
    tail = math.fsum(math.comb(n, k) * x**k * (1 - x) ** (n - k) for k in range(a, n + 1))
    assert beta.cdf(x, a, b) == pytest.approx(tail, abs=1e-10)


@given(st.floats(0.05, 500), st.floats(0.05, 500), st.floats(0.01, 0.99))
def test_a_quantile_is_the_inverse(a: float, b: float, p: float) -> None:
    x = beta.quantile(p, a, b)
    assert 0 <= x <= 1
    if 1e-9 < x < 1 - 1e-9:
        assert beta.cdf(x, a, b) == pytest.approx(p, abs=1e-6)


# --- the record


@given(st.lists(EVENTS, max_size=12), st.floats(0, 400))
def test_a_posterior_is_a_share_inside_its_interval(events: list[Event], days: float) -> None:
    mean, low, high = holds(told(HOST, *events), None, NOW + timedelta(days=days))
    assert 0 <= low <= mean <= high <= 1


@given(st.lists(EVENTS, max_size=8))
def test_one_more_rental_that_holds_never_lowers_it_and_a_loss_never_raises_it(
    events: list[Event],
) -> None:
    before = told(HOST, *events)
    mean = holds(before, None, NOW)[0]
    assert holds(after(before, Held(1.0), NOW), None, NOW)[0] >= mean
    for bad in (Lost(1.0), NeverReady()):
        assert holds(after(before, bad, NOW), None, NOW)[0] <= mean


@given(st.lists(EVENTS, min_size=1, max_size=8), st.floats(1, 200), st.floats(1, 200))
def test_decay_does_not_depend_on_how_often_one_looks(
    events: list[Event], one: float, two: float
) -> None:
    record = told(HOST, *events)
    first, last = NOW + timedelta(days=one), NOW + timedelta(days=one + two)
    twice, once = decayed(decayed(record, first), last), decayed(record, last)
    for name in ("held", "losses", "hours", "ready_seconds", "work_seconds"):
        assert getattr(twice, name) == pytest.approx(getattr(once, name))


def test_after_a_half_life_news_counts_half_and_in_the_end_nothing() -> None:
    record = told(HOST, *[Lost(1.0)] * 8)
    assert decayed(record, NOW + HALF_LIFE).losses == pytest.approx(4.0)
    assert holds(record, None, NOW)[0] < 0.35
    assert holds(record, None, NOW + 30 * HALF_LIFE)[0] == pytest.approx(HOLDS_PRIOR, abs=1e-6)


def test_a_clock_set_back_neither_revives_nor_forgets() -> None:
    record = told(HOST, Held(1.0))
    assert decayed(record, NOW - timedelta(days=3)) == record


def test_a_new_machine_is_believed_to_be_like_its_place() -> None:
    bad_place = told(PLACE, *[NeverReady()] * 20)
    fresh = Record(HOST, NOW)
    assert holds(fresh, bad_place, NOW)[0] == pytest.approx(holds(bad_place, None, NOW)[0])
    assert holds(fresh, None, NOW)[0] == pytest.approx(HOLDS_PRIOR)


# --- standing


def test_the_second_failure_in_a_row_is_quarantine_then_parole_and_one_good_rental_ends_it() -> (
    None
):
    one = told(HOST, *[Held(1.0)] * 5, Lost(1.0))
    assert standing(one, None, NOW).state == "watched"
    two = after(one, Lost(1.0), NOW)
    stands = standing(two, None, NOW)
    assert (stands.state, stands.until) == ("quarantine", NOW + QUARANTINE)
    over = NOW + QUARANTINE
    assert standing(two, None, over).state == "parole"
    assert standing(after(two, Held(1.0), over), None, over).state == "trusted"
    again = standing(after(two, NeverReady(), over), None, over)
    assert (again.state, again.until) == ("quarantine", over + 2 * QUARANTINE)


def test_a_quarantine_has_an_end_and_a_longest_term() -> None:
    record = told(HOST, *[Lost(1.0)] * 40)
    assert standing(record, None, NOW).until == NOW + QUARANTINE_MAX


def test_what_is_not_what_was_offered_is_quarantined_at_once() -> None:
    assert standing(told(HOST, NeverReady(deceived=True)), None, NOW).state == "quarantine"


def test_being_outbid_is_no_strike_against_a_host() -> None:
    bid = host_of(place_of("rented", "eu", "RTX 4090", True), "h")
    assert standing(told(bid, *[Lost(1.0)] * 9), None, NOW).state == "trusted"


def test_new_trusted_and_slow_machines() -> None:
    assert standing(told(HOST, Held(1.0)), None, NOW).state == "new"
    fast = told(HOST, *[Held(1.0)] * 3, Worked(900.0, 100.0))
    assert standing(fast, 9.5, NOW).state == "trusted"
    assert standing(fast, 10.5, NOW).state == "watched"


@pytest.mark.parametrize(
    ("state", "event", "code", "says"),
    [
        ("booting", "end", "never-ready", NeverReady()),
        ("booting", "end", "mismatch", NeverReady(deceived=True)),
        ("admitting", "end", "admission", NeverReady()),
        ("booting", "absent", "gone-by-itself", NeverReady()),
        ("booting", "end", "unwanted", None),
        ("booting", "end", "asked", None),
        ("ready", "drain", "idle", Held(2.0)),
        ("ready", "drain", "end-by", Held(2.0)),
        ("ready", "stopped", "stopped-by-host", Lost(2.0)),
        ("ready", "absent", "gone-by-itself", Lost(2.0)),
        ("ready", "end", "mismatch", Lost(2.0)),
        ("draining", "end", None, None),
        ("draining", "stopped", None, None),
        ("paused", "end", None, None),
        ("terminating", "absent", None, None),
        ("launching", "refused", "no-capacity", None),
    ],
)
def test_the_end_of_an_instance_says_one_thing_or_nothing(
    state: str, event: str, code: str | None, says: Event | None
) -> None:
    assert exit_of(state, event, code, 2.0) == says


# --- odds


def test_without_a_record_a_rented_machine_is_believed_to_be_average() -> None:
    odds = History().odds(offer(), NOW)
    assert (odds.starts, odds.ready_seconds) == (HOLDS_PRIOR, BOOT_SECONDS_RENTED)
    assert odds.speed == pytest.approx(SPEED_OF_A_GPU)
    assert odds.quarantine_until is None


@given(st.lists(EVENTS, max_size=10), st.lists(EVENTS, max_size=10), st.booleans())
def test_odds_are_odds_whatever_happened(there: list[Event], here: list[Event], bid: bool) -> None:
    place = replace(PLACE, bid=bid)
    history = History([told(place, *there), told(host_of(place, "h"), *here)])
    odds = history.odds(offer(bid=bid), NOW)
    assert 0 < odds.starts <= 1
    assert odds.ready_seconds > 0
    assert odds.losses_per_hour >= 0
    assert odds.speed > 0


@given(st.lists(EVENTS, max_size=8))
def test_bad_news_never_makes_odds_better(events: list[Event]) -> None:
    before = told(HOST, *events)
    odds = History([before]).odds(offer(), NOW)
    failed = History([after(before, NeverReady(), NOW)]).odds(offer(), NOW)
    lost = History([after(before, Lost(0.0), NOW)]).odds(offer(), NOW)
    slow = History([after(before, Started(odds.ready_seconds + 60), NOW)]).odds(offer(), NOW)
    assert failed.starts < odds.starts
    assert lost.losses_per_hour > odds.losses_per_hour
    assert slow.ready_seconds > odds.ready_seconds


@given(st.lists(EVENTS, max_size=8))
def test_in_the_end_a_record_is_forgotten(events: list[Event]) -> None:
    """But for its strikes: only a rental that holds ends a parole."""
    later = NOW + 60 * HALF_LIFE
    odds = History([told(HOST, *events)]).odds(offer(), later)
    fresh = History().odds(offer(), later)
    assert odds.starts == pytest.approx(fresh.starts, abs=1e-6)
    assert odds.losses_per_hour == pytest.approx(fresh.losses_per_hour, abs=1e-6)
    assert odds.ready_seconds == pytest.approx(fresh.ready_seconds, abs=1e-3)
    assert odds.speed == pytest.approx(fresh.speed, abs=1e-3)
    assert odds.quarantine_until is None


def test_this_computer_keeps_no_record_and_its_odds_never_change() -> None:
    own = offer(tier="L", host=None, accelerator="cpu", gpu=None, region="own")
    records = [told(place_of("rented", "own", "cpu", False), *[Lost(0.1)] * 9)]
    assert History(records).odds(own, NOW) == History().odds(own, NOW)


def test_a_machine_s_own_record_outweighs_its_place_as_it_grows() -> None:
    records = [told(PLACE, *[Started(600.0)] * 50), told(HOST, *[Started(60.0)] * 50)]
    known, stranger = History(records), offer(host="other")
    assert known.odds(offer(), NOW).ready_seconds < 90
    assert known.odds(stranger, NOW).ready_seconds > 500


def test_bids_and_firm_rentals_are_lost_at_rates_of_their_own() -> None:
    outbid = place_of("rented", "eu", "RTX 4090", True)
    history = History([told(outbid, *[Lost(1.0)] * 30)])
    assert history.odds(offer(bid=True), NOW).losses_per_hour > 0.7
    assert history.odds(offer(), NOW).losses_per_hour == pytest.approx(0.01)


def test_speed_is_that_of_the_class_until_the_machine_s_own_is_known() -> None:
    quick = told(class_of("RTX 4090"), Worked(1_200_000.0, 100_000.0))
    slow = told(HOST, Worked(300_000.0, 100_000.0))
    history = History([quick, slow])
    assert history.odds(offer(host="other"), NOW).speed == pytest.approx(12.0, rel=0.01)
    assert history.odds(offer(), NOW).speed == pytest.approx(3.0, rel=0.02)


def test_a_failed_host_is_left_alone_bid_for_or_not_but_never_an_own_one() -> None:
    history = History([told(HOST, NeverReady(deceived=True))])
    assert history.odds(offer(), NOW).quarantine_until == NOW + QUARANTINE
    assert history.odds(offer(bid=True), NOW).quarantine_until == NOW + QUARANTINE
    assert history.odds(offer(tier="L"), NOW).quarantine_until is None
    assert history.odds(offer(host="other"), NOW).quarantine_until is None


def test_the_record_decides_between_two_machines_of_one_price() -> None:
    held, lost = offer(offer_id="b", host="good"), offer(offer_id="a", host="bad")
    records = [
        told(host_of(PLACE, "good"), *[Held(5.0)] * 9),
        told(host_of(PLACE, "bad"), *[Held(1.0), Lost(1.0)] * 5, Held(1.0)),
    ]
    history, want = History(records), Requirements(end_by=NOW + timedelta(hours=24))
    found = place(
        [lost, held],
        want,
        Terms(NOW),
        lambda o: outlook(o, Load(50_000.0, 10.0), history.odds(o, NOW)),
    )
    assert found.chosen is not None
    assert found.chosen.offer is held
    assert found.ranked[1].parts_eur["redo"] > found.ranked[0].parts_eur["redo"] > Decimal(0)


def test_names_that_providers_give_are_cut_the_same_way_everywhere() -> None:
    long = "x" * 200
    record = told(host_of(place_of("rented", long, long, False), long), NeverReady(True))
    odd = replace(offer(), region=long, gpu=long, host=long)
    assert History([record]).odds(odd, NOW).quarantine_until is not None
