"""What every provider of rented machines promises when its answers go wrong, over each account."""

import json
import re
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal

import pytest
from tests.contracts.worlds import LABEL, TOKEN, candidates, end, launch, offer, ours, patient, spec
from tests.wire import faults
from tests.wire.faults import Fault

from leitstand.core.placement import Requirements
from leitstand.core.template import ENVIRONMENT
from leitstand.ports import (
    Capability,
    NoCapacity,
    NoFunds,
    ProviderError,
    RateLimited,
    Status,
    UnknownOutcome,
    Unwanted,
)

LOST_IN_TRANSIT = {
    "lost": faults.lost_after,
    "never": faults.hang,
    "500": faults.failed_after,
    "502 page": lambda *call: faults.html(*call, status=502),
    "truncated": faults.truncated,
    "page": faults.html,
    "empty object": lambda *call: faults.shape(*call, payload={}),
    "list": lambda *call: faults.shape(*call, payload=[]),
}


# --- a create whose outcome is not known -----------------------------------------------------------


@pytest.mark.parametrize("how", LOST_IN_TRANSIT)
def test_a_create_whose_answer_is_lost_is_sent_once_and_found_by_its_label(world, provider, how):
    wanted = offer(provider)
    world.faults.append(LOST_IN_TRANSIT[how](*world.CREATE))
    with pytest.raises(UnknownOutcome):
        provider.launch(wanted, spec(), LABEL)
    assert world.creates() == 1
    assert [seen.label for seen in ours(world, world.connect(), LABEL)] == [LABEL]


@pytest.mark.parametrize("fault", [faults.lost_before, faults.failed_before])
def test_a_create_that_failed_without_effect_is_as_unknown_and_not_found(world, provider, fault):
    wanted = offer(provider)
    world.faults.append(fault(*world.CREATE))
    with pytest.raises(UnknownOutcome):
        provider.launch(wanted, spec(), LABEL)
    assert world.creates() == 1
    assert ours(world, provider, LABEL) == []


def test_what_was_made_before_a_crash_is_found_by_the_next_process(world, provider):
    made = launch(world, provider, LABEL)
    found = ours(world, world.connect(), LABEL)
    assert [seen.provider_id for seen in found] == [made.provider_id]
    assert world.creates() == 1


# --- a create that is refused ----------------------------------------------------------------------


def test_capacity_is_refused_by_offer_and_the_next_one_is_taken(world, provider):
    offers = candidates(provider)
    first = [one for one in offers if (one.gpu, one.host) == (offers[0].gpu, offers[0].host)]
    world.sell_out(first[0])
    for gone in first[:2]:
        with pytest.raises(NoCapacity):
            patient(world, lambda gone=gone: provider.launch(gone, spec(), LABEL))
    other = next(one for one in offers if one not in first)
    patient(world, lambda: provider.launch(other, spec(), LABEL))
    assert len(ours(world, provider, LABEL)) == 1


def test_what_vanished_is_not_offered_again(world, provider):
    gone = offer(provider)
    world.sell_out(gone)
    with pytest.raises(NoCapacity):
        provider.launch(gone, spec(), LABEL)
    world.forward(minutes=2)
    assert gone.offer_id not in {one.offer_id for one in candidates(provider)}


def test_without_credit_nothing_is_rented(world, provider):
    wanted = offer(provider)
    world.spend_all()
    with pytest.raises(NoFunds):
        provider.launch(wanted, spec(), LABEL)
    assert world.alive() == set()


def test_a_price_that_rose_since_the_search_is_not_paid(world, provider):
    wanted = offer(provider)
    world.befall(price=Decimal(9))
    with suppress(Unwanted):
        provider.launch(wanted, spec(), LABEL)
    if world.alive():  # it could not be read or ended yet: the listing says the price
        [made] = ours(world, provider, LABEL)
        assert Decimal(made.price_eur_per_hour) > wanted.rate_eur_per_hour
        world.forward(minutes=1)
        end(world, provider, made.provider_id)
    world.forward(minutes=1)
    assert world.alive() == set()


def test_what_is_had_as_offered_never_looks_dearer(world):
    provider = world.connect(usd_eur="0.92137")
    world.account.conduct.read_lag = timedelta(0)
    offers = candidates(provider, Requirements(disk_gib=101))
    by_gpu = {one.gpu: one for one in offers}
    for number, one in enumerate(by_gpu.values()):
        world.forward(minutes=1)
        provider.launch(one, spec(), f"ls1-abcdefgh-{number}-1")
    listed = {seen.label: seen for seen in provider.list()}
    for number, one in enumerate(by_gpu.values()):
        seen = listed[f"ls1-abcdefgh-{number}-1"]
        assert Decimal(seen.price_eur_per_hour) <= one.rate_eur_per_hour
        assert (seen.gpu, seen.region) == (one.gpu, one.region or seen.region)


def test_what_differs_from_its_offer_is_never_left_unsaid(world, provider):
    """It is named in the error, and ended at once where it can be."""
    for number in range(world.befall_otherwise()):
        made = f"ls1-abcdefgh-{number}-1"
        world.forward(minutes=1)
        before = world.alive()
        with pytest.raises(Unwanted) as raised:
            provider.launch(offer(provider), spec(), made)
        assert world.alive() - before <= {raised.value.seen.provider_id}


# --- from boot to end ------------------------------------------------------------------------------


def test_what_never_gets_ready_is_ended_and_what_it_cost_is_known(world, provider):
    began = world.clock.now()
    world.befall(stuck=world.STARTING)
    made = launch(world, provider, LABEL)
    world.forward(minutes=20)
    [seen] = provider.list()
    assert seen.status is Status.STARTING
    end(world, provider, made.provider_id)
    world.wait_gone(made)
    assert ours(world, provider, LABEL) == []
    world.forward(hours=1)
    booked = sum(row.amount_eur for row in provider.account.billed(began, world.clock.now()))
    assert abs(booked - world.cost_eur()) < Decimal("0.00001")
    assert booked > 0


def test_the_last_lines_can_be_read_once_they_are_there(world, provider):
    made = launch(world, provider, LABEL)
    world.forward(minutes=10)
    said = patient(world, lambda: list(provider.logs(made.provider_id, 50)))
    assert 0 < len(said) <= 50
    assert all(line.text and line.source for line in said)


def test_the_balance_is_what_is_left(world, provider):
    launch(world, provider, LABEL)
    world.forward(hours=2)
    assert abs(provider.account.balance() - world.left_eur()) < Decimal("0.00001")


def test_running_without_ports_is_running_because_nobody_dials_in(world, provider):
    world.befall(ports=False)
    made = launch(world, provider, LABEL)
    world.forward(minutes=10)
    [seen] = provider.list()
    assert seen.status is Status.RUNNING
    end(world, provider, made.provider_id)
    world.wait_gone(made)


def test_what_is_interrupted_is_seen_stopped_and_another_can_be_had(world):
    provider = world.connect(bids="yes")
    assert (Capability.SPOT in provider.capabilities) == world.SPOT
    made = launch(world, provider, LABEL, bid=world.SPOT)
    world.forward(minutes=10)
    world.interrupt(made.provider_id)
    world.forward(minutes=1)
    [seen] = provider.list()
    assert seen.status is Status.STOPPED
    other = launch(world, provider, "ls1-abcdefgh-B-1")
    end(world, provider, made.provider_id)
    world.forward(minutes=1)
    assert world.alive() == {other.provider_id}


def test_a_start_without_a_free_gpu_is_no_capacity_and_never_happens_later(world, provider):
    made = launch(world, provider, LABEL)
    world.forward(minutes=10)
    provider.pause(made.provider_id)
    world.forward(minutes=1)
    world.take_gpus(made.provider_id)
    with pytest.raises(NoCapacity):
        provider.resume(made.provider_id)
    world.forward(hours=12)
    assert not world.running(made.provider_id)
    assert [seen.status for seen in provider.list()] == [Status.STOPPED]


def test_pause_and_resume_go_there_and_back(world, provider):
    made = launch(world, provider, LABEL)
    world.forward(minutes=10)
    provider.pause(made.provider_id)
    world.forward(minutes=1)
    assert [seen.status for seen in provider.list()] == [Status.STOPPED]
    patient(world, lambda: provider.resume(made.provider_id))
    world.forward(minutes=10)
    assert [seen.status for seen in provider.list()] == [Status.RUNNING]


# --- what is not ours, and many --------------------------------------------------------------------


def test_what_is_not_ours_is_never_listed_nor_touched(world, provider):
    foreign = {world.plant("somebody-elses"), world.plant("")}
    made = launch(world, provider, LABEL)
    assert [seen.provider_id for seen in ours(world, provider, "")] == [made.provider_id]
    end(world, provider, made.provider_id)
    world.wait_gone(made)
    assert world.alive() == foreign


def test_two_hundred_are_rented_listed_and_ended_within_the_limits(world, provider):
    count = 200
    world.make_room(count)
    names = [f"ls1-abcdefgh-{number}-1" for number in range(count)]
    for name in names:
        launch(world, provider, name)
    world.forward(minutes=1)
    seen = patient(world, provider.list)
    assert sorted(one.label for one in seen) == sorted(names)
    for one in seen:
        end(world, provider, one.provider_id)
    world.forward(minutes=1)
    assert patient(world, provider.list) == []
    assert world.alive() == set()
    assert [call for call in world.sim.calls if call[2] == 429] == []


def test_ends_find_room_where_searches_have_used_up_theirs(world, provider):
    made = launch(world, provider, LABEL)
    world.forward(minutes=1)
    for number in range(100):
        with suppress(RateLimited):
            provider.offers(Requirements(disk_gib=100 + number))
            provider.list()
    provider.terminate(made.provider_id)
    world.wait_gone(made)


# --- secrets ---------------------------------------------------------------------------------------


def test_a_refusal_does_not_repeat_what_a_launch_told_its_machine(world, provider):
    wanted = offer(provider)
    told = {"error": "invalid_args", "detail": f"env {TOKEN} is not valid", "msg": TOKEN}
    world.faults.append(Fault(*world.CREATE, False, "replaced", 422, {}, json.dumps(told).encode()))
    with pytest.raises(ProviderError) as raised:
        provider.launch(wanted, spec(), LABEL)
    assert TOKEN not in repr(raised.value)


OF_THE_PROVIDER = ("RUNPOD_", "CONTAINER_", "VAST_", "PUBLIC_IPADDR", "SSH_", "-")


def test_a_machine_is_told_what_a_launch_spec_names_and_nothing_else(world, provider):
    launch(world, provider, LABEL)
    [told] = world.told()
    names = {re.sub(r"\d+$", "*", name) for name in told if not name.startswith(OF_THE_PROVIDER)}
    assert names <= set(ENVIRONMENT)
    of_runpod, of_vast = {"LEITSTAND_INSTANCE_ID", "LEITSTAND_LABEL"}, {"LEITSTAND_END_BODY"}
    assert set(ENVIRONMENT) - names in (of_runpod, of_vast)
