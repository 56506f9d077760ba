"""Paying ahead at Vast.ai: once, within the budgets, and booked as it is billed in the end."""

from dataclasses import replace
from decimal import Decimal

import pytest
from tests.contracts.plane import Plane
from tests.contracts.worlds import EUR_PER_USD, RunPodWorld, VastWorld
from tests.control.rig import OPERATOR, TENANT
from tests.wire import faults

from leitstand.control.bills import Bills
from leitstand.control.prepay import Prepay
from leitstand.core.placement import Requirements
from leitstand.core.problem import Problem
from leitstand.ports import Rejected
from leitstand.store import ledger, money
from leitstand.store.engine import Database

EUR = Decimal(10)
PATH = ("PUT", "/api/v0/instances/prepay/.*")


@pytest.fixture
def plane(sqlite_url, tmp_path):
    with Database.open(sqlite_url, relaxed=True) as database:
        yield rented(database, tmp_path, VastWorld(tmp_path))


def rented(database, folder, world, name="vast", reserve="yes"):
    """A control plane with one machine that is ready."""
    world.settings |= {"reserve": reserve}
    made = Plane(database, folder, name, world=world)
    found = made.provider.offers(Requirements())
    regions = tuple(sorted({one.region for one in found if one.region}))
    made.planner.rules = replace(made.planner.rules, regions={name: regions})
    made.job(provider=name)
    made.worker = made.boot()
    made.until(lambda: made.states()[:1] == ["ready"] and made.there()[0].shown_at)
    return made


def contract(plane):
    [found] = [
        one for one in plane.world.account.contracts if one.id == int(plane.there()[0].provider_id)
    ]
    return found


def held(plane):
    return plane.read(lambda conn: money.held(conn, TENANT))


def refusal(plane, amount=EUR):
    with pytest.raises(Problem) as refused:
        plane.prepay.pay(plane.there()[0].id, amount, OPERATOR)
    return refused.value.code


def test_a_quote_says_what_is_covered_and_what_would_be_lost(plane):
    instance, quoted = plane.prepay.quoted(plane.there()[0].id, EUR)
    assert quoted.covers_seconds == pytest.approx(float(EUR / instance.price) * 3600)
    assert quoted.term_seconds == (instance.end_by - plane.time).total_seconds()
    used = instance.price * Decimal(quoted.term_seconds) / 3600
    assert quoted.unused_eur == pytest.approx(EUR - used)
    assert quoted.lost_then_eur == pytest.approx(quoted.unused_eur * Decimal("0.05"))
    assert quoted.lost_at_most_eur == Decimal("0.5")
    assert contract(plane).prepaid == 0


def test_it_is_paid_once_and_what_can_be_lost_is_reserved(plane):
    instance, before = plane.there()[0], held(plane)
    paid = plane.prepay.pay(instance.id, EUR, OPERATOR)
    assert contract(plane).prepaid == EUR / EUR_PER_USD
    assert paid.discount == pytest.approx(float(contract(plane).discount))
    assert held(plane) - before == Decimal("0.5")
    assert refusal(plane) == "prepaid-already"
    assert contract(plane).prepaid == EUR / EUR_PER_USD
    kinds = plane.read(lambda conn: ledger.last_at(conn, instance.id, "instance.prepay"))
    assert kinds is not None


@pytest.mark.parametrize("fault", [faults.lost_after, faults.failed_after, faults.truncated])
def test_a_payment_whose_answer_is_lost_is_never_sent_again(plane, fault):
    plane.world.faults.append(fault(*PATH))
    assert refusal(plane) == "prepay-open"
    assert refusal(plane) == "prepay-open"
    plane.step(3)
    assert float(contract(plane).prepaid) == pytest.approx(20, abs=0.01)
    assert sum("/prepay/" in request.url.path for request in plane.world.asked) == 1


@pytest.mark.parametrize(("status", "body"), [(408, b'{"error": "timeout"}'), (404, b"<html>")])
def test_a_payment_of_which_somebody_else_speaks_may_have_gone_through(plane, status, body):
    """A proxy on the way, say: what it answers is no word of the provider."""
    plane.world.faults.append(faults.Fault(*PATH, reply="replaced", status=status, body=body))
    assert refusal(plane) == "prepay-open"
    assert refusal(plane) == "prepay-open"
    assert sum("/prepay/" in request.url.path for request in plane.world.asked) == 1


def test_a_payment_that_is_refused_holds_nothing_and_may_be_tried_again(plane):
    before = held(plane)
    plane.world.account.credit, credit = Decimal(1), plane.world.account.credit
    assert refusal(plane) == "prepay-refused"
    assert held(plane) == before
    plane.world.account.credit = credit
    assert plane.prepay.pay(plane.there()[0].id, EUR, OPERATOR).discount is not None


def test_what_budgets_do_not_cover_is_not_sent(plane):
    budgets = {"job": None, "month": "9", "total": None}
    plane.prepay = Prepay(plane.door, {"vast": plane.provider}, lambda: budgets, plane)
    assert refusal(plane) == "over-budget"
    assert not any("/prepay/" in request.url.path for request in plane.world.asked)


def test_less_than_a_cent_of_a_dollar_is_not_sent(plane):
    before = held(plane)
    for amount in ("0.001", "0.004999"):
        assert refusal(plane, Decimal(amount)) == "prepay-too-little"
        with pytest.raises(Rejected):
            plane.provider.prepay(plane.there()[0].provider_id, Decimal(amount))
    assert held(plane) == before
    assert not any("/prepay/" in request.url.path for request in plane.world.asked)
    assert plane.prepay.pay(plane.there()[0].id, EUR, OPERATOR).discount is not None


def test_nothing_is_paid_for_what_ends(plane):
    plane.worker.work_all()
    plane.until(lambda: plane.states()[:1] != ["ready"])
    assert refusal(plane) == "prepay-not-now"


def test_where_it_is_switched_off_or_unknown_nothing_is_paid(sqlite_url, tmp_path):
    with Database.open(sqlite_url, relaxed=True) as database:
        plane = rented(database, tmp_path, RunPodWorld(tmp_path), "runpod")
        assert refusal(plane) == "prepay-off"


def test_what_an_early_end_loses_is_booked_with_the_bill(plane):
    plane.prepay.pay(plane.there()[0].id, EUR, OPERATOR)
    plane.worker.work_all()
    plane.until(lambda: plane.states()[:1] == ["terminated"])
    instance = plane.there()[0]
    Bills(plane.door, {"vast": plane.provider}).step(plane.time)
    booked = plane.read(lambda conn: money.spent_on(conn, TENANT, instance.id))
    billed = plane.world.costs_eur()[instance.provider_id]
    assert billed > Decimal("0.49")
    assert booked >= billed - Decimal("0.000001")
