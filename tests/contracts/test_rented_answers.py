"""What every provider of rented machines promises when lists, limits and whole services fail."""

from datetime import timedelta

import pytest
from tests.contracts.worlds import KEY, LABEL, RENTED, end, launch, offer, ours, spec
from tests.wire import faults

from leitstand.core.placement import Requirements
from leitstand.ports import (
    RateLimited,
    Retired,
    Status,
    Unauthorized,
    Unavailable,
    UnknownOutcome,
)

# --- a list that is not what it seems --------------------------------------------------------------

BROKEN_LISTS = {
    "error": lambda *call: faults.shape(*call, payload={"error": "deprecated"}),
    "nothing": lambda *call: faults.shape(*call, payload={}),
    "null": lambda *call: faults.shape(*call, payload=None),
    "array": lambda *call: faults.shape(*call, payload=[]),
    "null rows": lambda *call: faults.rewritten(*call, rewrite=lambda told: _null_lists(told)),
    "rows without id": lambda *call: faults.rewritten(*call, rewrite=lambda told: _no_ids(told)),
    "page": faults.html,
    "truncated": faults.truncated,
}


def _null_lists(told):
    return {name: None if isinstance(value, list) else value for name, value in told.items()}


def _no_ids(told):
    for rows in told.values():
        for row in rows if isinstance(rows, list) else []:
            del row["id"]
    return told


@pytest.mark.parametrize("how", BROKEN_LISTS)
def test_a_list_of_another_shape_is_an_error_and_never_empty(world, provider, how):
    launch(world, provider, LABEL)
    world.forward(minutes=1)
    world.faults.append(BROKEN_LISTS[how](*world.LIST))
    with pytest.raises(Unavailable):
        provider.list()


def test_a_list_is_read_to_its_last_page(world, provider):
    world.small_pages()
    names = [f"ls1-abcdefgh-{number}-1" for number in range(5)]
    for name in names:
        launch(world, provider, name)
    for _ in range(30):
        world.plant("somebody-elses")
    world.forward(minutes=1)
    assert sorted(seen.label for seen in provider.list()) == names


def test_what_was_just_made_or_ended_may_show_late(world, provider):
    made = launch(world, provider, LABEL)
    with pytest.raises(Unavailable):
        provider.terminate(made.provider_id)  # absent so soon proves nothing
    assert world.alive() == {made.provider_id}
    world.account.conduct.delete_lag = timedelta(seconds=20)
    world.forward(seconds=10)
    end(world, provider, made.provider_id)
    assert [seen.provider_id for seen in provider.list()] == [made.provider_id]
    world.forward(seconds=20)
    assert list(provider.list()) == []
    end(world, provider, made.provider_id)


def test_unknown_words_nulls_and_new_fields_are_survived(world, provider):
    made = launch(world, provider, LABEL)
    world.befall(status="PONDERING", nulls=world.NULLS)
    launch(world, provider, "ls1-abcdefgh-B-1")
    world.forward(minutes=10)
    assert world.account.conduct.extra_fields
    seen = {one.label: one for one in provider.list()}
    assert seen[LABEL].provider_id == made.provider_id
    odd = seen["ls1-abcdefgh-B-1"]
    assert (odd.status, odd.price_eur_per_hour) == (Status.UNKNOWN, None)
    assert "PONDERING" in odd.raw


# --- limits, outages, ends of an API ---------------------------------------------------------------


def _asks(world, provider):
    return {
        "list": (world.LIST, provider.list),
        "end": (world.END, lambda: provider.terminate("1")),
        "offers": (world.OFFERS, lambda: provider.offers(Requirements())),
        "create": (world.CREATE, lambda: provider.launch(world.wanted, spec(), LABEL)),
    }


@pytest.mark.parametrize("after", [None, 7])
@pytest.mark.parametrize("ask", ["list", "end", "offers", "create"])
def test_too_many_calls_are_told_when_to_come_again(world, ask, after):
    provider = world.connect()
    world.wanted = offer(provider)
    world.forward(minutes=2)
    call, made = _asks(world, provider)[ask]
    world.faults.append(faults.limited(*call, retry_after=after, times=100))
    with pytest.raises(RateLimited) as limited:
        made()
    assert limited.value.retry_after == (after and timedelta(seconds=after))
    sent = len(world.asked)
    if after:
        with pytest.raises(RateLimited):
            made()
        assert len(world.asked) <= sent + (ask == "end")  # one end a minute is tried all the same
    assert world.alive() == set()


def test_a_quota_of_the_day_is_asked_again_the_next_day(world, provider):
    world.use_up_the_day()
    with pytest.raises(RateLimited) as limited:
        provider.offers(Requirements())
    assert limited.value.retry_after > timedelta(minutes=30)


@pytest.mark.parametrize("ask", ["list", "end", "offers", "create"])
def test_a_generation_of_the_api_that_is_no_more_is_said_so(world, provider, ask):
    world.wanted = offer(provider)
    world.forward(minutes=2)
    call, made = _asks(world, provider)[ask]
    gone = {"success": False, "error": "deprecated_endpoint", "title": "Gone"}
    world.faults.append(faults.replaced(*call, 410, gone, effect=False))
    with pytest.raises(Retired):
        made()


@pytest.mark.parametrize("ask", ["list", "end", "offers", "create"])
def test_a_key_that_is_not_taken_stops_everything_there(world, provider, ask):
    world.wanted = offer(provider)
    world.forward(minutes=2)
    del world.sim.keys[KEY]
    with pytest.raises(Unauthorized):
        _asks(world, provider)[ask][1]()


@pytest.mark.parametrize("status", [503, 0])
def test_an_outage_of_half_an_hour_makes_nothing_ends_nothing_and_hides_nothing(
    world, provider, status
):
    made = launch(world, provider, LABEL)
    wanted = offer(provider)
    world.forward(minutes=10)
    until = world.clock.now() + timedelta(minutes=30)
    world.faults.append(faults.outage(until, status))
    while world.clock.now() < until:
        for ask in (provider.list, lambda: provider.terminate(made.provider_id)):
            with pytest.raises((Unavailable, RateLimited)):
                ask()
        with pytest.raises((UnknownOutcome, RateLimited)):
            provider.launch(wanted, spec(), "ls1-abcdefgh-B-1")
        world.forward(minutes=3)
    assert world.alive() == {made.provider_id}
    assert [seen.provider_id for seen in ours(world, provider, "ls1-")] == [made.provider_id]


def _its_clock_is_off(world, hours):
    world.account.conduct.skew = timedelta(hours=hours)
    if hours < 0:
        world.forward(hours=-hours)
    return world.connect()


def _our_clock_is_off(world, hours):
    return world.ADAPTER(
        world.settings,
        world.transport,
        world.clock.monotonic,
        world.sleep,
        lambda: world.clock.now() + timedelta(hours=hours),
    )


@pytest.mark.parametrize("hours", [-2, 2])
@pytest.mark.parametrize(
    ("name", "off"), [("runpod", _its_clock_is_off), ("vast", _our_clock_is_off)]
)
def test_a_clock_that_is_off_changes_nothing(tmp_path, hours, name, off):
    world = RENTED[name](tmp_path)
    provider = off(world, hours)
    made = launch(world, provider, LABEL)
    world.forward(minutes=5)
    assert [seen.status for seen in provider.list()] == [Status.RUNNING]
    end(world, provider, made.provider_id)
    world.wait_gone(made)
    world.use_up_the_day()
    with pytest.raises(RateLimited) as limited:
        provider.offers(Requirements())
    assert timedelta(0) < limited.value.retry_after <= timedelta(days=1)
