"""What a key must be allowed at each provider: as docs/renting.md tells people to make it, and no more."""

import json
from pathlib import Path

import pytest
from tests.contracts.worlds import (
    KEY,
    LABEL,
    RunPodWorld,
    VastWorld,
    end,
    launch,
    offer,
    ours,
    spec,
)

from leitstand.ports import Unauthorized

VAST_RIGHTS = {"misc", "instance_read", "instance_write", "billing_read"}


def test_the_permissions_of_a_vast_key_are_enough(tmp_path):
    world = VastWorld(tmp_path)
    world.sim.keys[KEY] = frozenset(VAST_RIGHTS)
    provider = world.connect()
    made = launch(world, provider, LABEL)
    assert [seen.provider_id for seen in ours(world, provider, LABEL)] == [made.provider_id]
    provider.pause(made.provider_id)
    world.forward(minutes=1)
    provider.resume(made.provider_id)
    world.forward(minutes=1)
    end(world, provider, made.provider_id)
    world.wait_gone(made)
    bill = list(provider.account.billed(world.clock.now(), world.clock.now()))
    assert {row.provider_id for row in bill} == {made.provider_id}


def test_the_permissions_are_those_that_people_are_told_to_give():
    text = (Path(__file__).parents[2] / "docs" / "renting.md").read_text("utf-8")
    [told] = [line for line in text.splitlines() if line.startswith('with `{"api"')]
    assert set(json.loads(told.split("`")[1])["api"]) == VAST_RIGHTS


@pytest.mark.parametrize("missing", sorted(VAST_RIGHTS))
def test_none_of_them_can_be_left_out(tmp_path, missing):
    world = VastWorld(tmp_path)
    world.sim.keys[KEY] = frozenset(VAST_RIGHTS - {missing})
    provider = world.connect()
    with pytest.raises(Unauthorized):
        made = launch(world, provider, LABEL)
        ours(world, provider, LABEL)
        end(world, provider, made.provider_id)
        list(provider.account.billed(world.clock.now(), world.clock.now()))


def test_a_runpod_key_that_only_reads_shows_offers_and_rents_nothing(tmp_path):
    world = RunPodWorld(tmp_path)
    world.sim.keys[KEY] = "read"
    provider = world.connect()
    found = offer(provider)
    with pytest.raises(Unauthorized):
        provider.launch(found, spec(), LABEL)
    assert world.alive() == set()
