"""What an offer comes to: examples a reader can check by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from leitstand.core.change import break_even
from leitstand.core.offer import Requirements
from leitstand.core.outlook import Load, Odds, Outlook, outlook, unknown
from leitstand.core.placement import Terms, place
from tests.core.rows import NOW, offer

WANT = Requirements(end_by=NOW + timedelta(hours=24))


def test_a_rented_machine_boots_fetches_works_and_is_released() -> None:
    seen = outlook(
        offer(down_mbit_per_s=8589.934592 / 10), Load(7_200, 6.0), Odds(1.0, 240.0, 0.0, 2.0)
    )
    assert (seen.boot_seconds, seen.work_seconds) == (240.0, 3_600.0)
    assert round(seen.transfer_seconds, 6) == 60.0
    assert (seen.redo_seconds, seen.release_seconds) == (0.0, 60.0)


def test_failed_starts_are_paid_until_their_deadline() -> None:
    seen = outlook(offer(), Load(0.0), Odds(starts=0.5, ready_seconds=300.0))
    assert seen.boot_seconds == 300.0 + 1_200.0


def test_a_loss_costs_another_start_the_same_downloads_and_half_a_segment() -> None:
    odds = Odds(1.0, 300.0, losses_per_hour=0.5, speed=2.0)
    seen = outlook(offer(down_mbit_per_s=8589.934592 / 10), Load(14_400, 6.0), odds)
    assert round(seen.loss_seconds, 6) == 300 + 60 + 15
    assert round(seen.redo_seconds, 6) == 0.5 * 2 * 375


def test_the_own_machine_starts_at_once_has_everything_and_is_not_lost() -> None:
    own = offer(tier="L", accelerator="cpu", gpu=None)
    seen = outlook(own, Load(100.0, 50.0), unknown(own))
    assert (seen.seconds, seen.release_seconds) == (106.0, 0.0)


def test_another_own_machine_installs_and_fetches_first() -> None:
    own = offer(tier="L", networked=True, down_mbit_per_s=8589.934592 / 10)
    seen = outlook(own, Load(0.0, 6.0), unknown(own))
    assert (seen.boot_seconds, seen.release_seconds) == (60.0, 0.0)
    assert round(seen.transfer_seconds, 6) == 60.0


BID = offer(offer_id="bid", bid=True, price_eur_per_hour=Decimal("0.20"))
FIRM = offer(offer_id="firm", price_eur_per_hour=Decimal("0.40"))
HOUR = Outlook(0.0, 0.0, 3_600.0, loss_seconds=1_800.0)


def test_work_without_a_deadline_takes_a_bid_while_its_losses_cost_less() -> None:
    """A loss costs half an hour, so a bid at half the price is even at two losses an hour."""
    for losses, taken in ((1.9, "bid"), (2.1, "firm")):
        found = place(
            [BID, FIRM],
            WANT,
            Terms(NOW),
            lambda o, n=losses: replace(HOUR, losses_per_hour=n if o.bid else 0.0),  # type: ignore[misc]
        )
        assert found.chosen is not None
        assert found.chosen.offer.offer_id == taken
        even = break_even(found)
        assert even is not None
        assert round(even.even_losses_per_hour, 3) == 2.0
        assert even.allowed


def test_work_that_one_loss_would_make_late_is_critical_and_takes_no_bid() -> None:
    for minutes, taken in ((89, "firm"), (90, "bid")):
        due = NOW + timedelta(minutes=minutes)
        found = place([BID, FIRM], WANT, Terms(NOW, due), lambda _: HOUR)
        assert found.chosen is not None
        assert found.chosen.offer.offer_id == taken
    critical = place([BID, FIRM], WANT, Terms(NOW, NOW + timedelta(minutes=89)), lambda _: HOUR)
    assert [(why.rule, why.short_by) for _, why in critical.rejected] == [("criticality", "60 s")]
    even = break_even(critical)
    assert even is not None
    assert not even.allowed


def test_a_machine_in_quarantine_falls_until_it_is_over() -> None:
    until = NOW + timedelta(hours=2)
    there = replace(HOUR, quarantine_until=until)
    assert [why.rule for _, why in place([FIRM], WANT, Terms(NOW), lambda _: there).rejected] == [
        "quarantine"
    ]
    assert place([FIRM], WANT, Terms(until), lambda _: there).chosen is not None
