"""The net that needs no database: over each account, it ends what is ours and overdue, and no other."""

import itertools
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from tests.contracts.worlds import WORLDS, RunPodWorld, candidates, launch, patient, spec
from tests.wire import faults

from leitstand.core.instance import label
from leitstand.ports import NoCapacity
from leitstand.reap import Reaper

OURS, OTHERS = "abcd1234", "zzzz9999"


def made(world, provider, installation, minutes, number):
    """An instance under a label, with so many minutes left."""
    end_by = world.clock.now() + timedelta(minutes=minutes)
    name = label(installation, f"instance_{number:026d}", end_by)
    for offer in candidates(provider):
        try:
            return patient(
                world, lambda offer=offer: provider.launch(offer, spec(), name)
            ).provider_id
        except NoCapacity:
            continue
    raise AssertionError("nothing could be rented")


@pytest.fixture
def fleet(world, provider):
    """By what they are: overdue, young, of another installation, of somebody else."""
    found = {
        "overdue": made(world, provider, OURS, 5, 1),
        "young": made(world, provider, OURS, 600, 2),
        "other": made(world, provider, OTHERS, 5, 3),
        "foreign": world.plant("ls1-abcd1234-and-what-not"),
    }
    world.forward(minutes=30)
    return found


@pytest.fixture
def reaper(world):
    """A process that knows the key, the name of the installation, and nothing else."""
    return Reaper({"it": world.connect()}, OURS, world.clock.now, world.sleep)


def test_only_what_is_ours_and_overdue_is_ended(world, fleet, reaper):
    look = reaper.look()
    assert {one.seen.provider_id for one in look.ours} == {fleet["overdue"], fleet["young"]}
    assert fleet["other"] in {seen.provider_id for _, seen in look.strangers}
    assert not look.silent
    assert reaper.end(look.overdue(world.clock.now())) == ()
    assert world.alive() == set(fleet.values()) - {fleet["overdue"]}


def test_a_provider_that_fails_in_its_own_way_keeps_nobody_elses_machines(world, fleet):
    class Broken:
        listing_lag = timedelta()

        def list(self):
            raise ArithmeticError

        def terminate(self, provider_id):
            raise ArithmeticError

    reaper = Reaper({"it": world.connect()}, OURS, world.clock.now, world.sleep)
    wanted = reaper.look().overdue(world.clock.now())
    lost = [replace(one, provider="broken") for one in wanted]
    both = {"broken": Broken(), "it": world.connect()}
    left = Reaper(both, OURS, world.clock.now, world.sleep).end([*lost, *wanted])
    assert left == tuple(lost)
    assert fleet["overdue"] not in world.alive()


def test_what_is_only_called_as_ours_are_is_named_and_left_alone(tmp_path):
    """A provider with names and environments; the other has labels alone."""
    world = RunPodWorld(tmp_path)
    provider = world.connect()
    named = label(OURS, f"instance_{4:026d}", world.clock.now())
    planted = world.plant(named)
    world.forward(minutes=30)
    look = Reaper({"it": provider}, OURS, world.clock.now, world.sleep).look()
    assert [one.seen.provider_id for one in look.doubtful] == [planted]
    assert look.ours == ()
    assert planted in world.alive()


@pytest.mark.parametrize("end", ["9999999999", "٩٩"])
def test_a_label_whose_end_is_no_moment_is_somebody_elses(world, fleet, reaper, end):
    world.plant(f"ls1-{OTHERS}-{9:026d}-{end}")
    world.plant(f"ls1-{OURS}-{9:026d}-{end}")
    look = reaper.look()
    assert {one.seen.provider_id for one in look.ours} == {fleet["overdue"], fleet["young"]}
    assert not look.silent


def test_all_that_is_ours_is_ended_when_that_is_wanted(world, fleet, reaper):
    assert reaper.end(reaper.look().ours) == ()
    assert world.alive() == {fleet["other"], fleet["foreign"]}


def test_what_was_not_seen_gone_is_named(world, fleet, reaper):
    found = reaper.look().overdue(world.clock.now())
    world.faults.append(faults.failed_before(*world.END, times=10**6))
    assert reaper.end(found) == found
    assert fleet["overdue"] in world.alive()


def test_a_provider_that_does_not_answer_is_named_and_nothing_is_believed_of_it(
    world, fleet, reaper
):
    world.faults.append(faults.html(*world.LIST))
    look = reaper.look()
    assert (look.ours, look.strangers) == ((), ())
    assert set(look.silent) == {"it"}


def test_an_instance_is_ended_although_the_volumes_cannot_be_listed(tmp_path):
    world = RunPodWorld(tmp_path)
    reaper = Reaper({"it": world.connect()}, OURS, world.clock.now, world.sleep)
    overdue = made(world, world.connect(), OURS, 5, 1)
    world.forward(minutes=30)
    world.faults.append(faults.failed_before("GET", "/v2/network-volumes", times=10**6))
    look = reaper.look()
    assert (look.silent, set(look.unlisted)) == ({}, {"it"})
    assert reaper.end(look.overdue(world.clock.now())) == ()
    assert overdue not in world.alive()


def test_an_end_is_believed_only_after_two_lists_a_lag_apart(world, fleet, reaper):
    world.account.conduct.delete_lag = timedelta(seconds=25)
    found = reaper.look().overdue(world.clock.now())
    world.faults += [faults.lost_after(*world.END), faults.failed_before(*world.LIST, times=2)]
    began = world.clock.now()
    assert reaper.end(found) == ()
    assert world.clock.now() - began > timedelta(seconds=30)
    assert fleet["overdue"] not in world.alive()


@pytest.mark.parametrize("name", ["simulated", "local", "docker"])
@pytest.mark.parametrize("everything", [False, True], ids=["overdue", "all"])
def test_the_same_holds_where_the_machines_are_ones_own(tmp_path, name, everything):
    ours, others = os.urandom(4).hex(), os.urandom(4).hex()
    world, now = WORLDS[name](tmp_path), datetime.now(UTC)
    provider = world.connect()
    try:
        rented = {}
        for number, (what, installation, minutes) in enumerate(
            (("overdue", ours, -5), ("young", ours, 600), ("other", others, -5))
        ):
            end_by = now + timedelta(minutes=minutes)
            called = label(installation, f"instance_{number:026d}", end_by)
            if name == "docker" and what == "young" and not everything:
                continue  # its host has two places
            if name == "docker" and what == "other" and everything:
                continue
            rented[what] = launch(world, provider, called)
        seconds = itertools.count()
        found = []
        reaper = Reaper(
            {"it": world.connect()},
            ours,
            lambda: now + timedelta(seconds=next(seconds)),
            lambda pause: [world.wait_gone(one.seen) for one in found],
        )
        look = reaper.look()
        found[:] = look.ours if everything else look.overdue(now)
        wanted = {"overdue", "young"} & rented.keys() if everything else {"overdue"}
        assert {one.seen.provider_id for one in found} == {rented[w].provider_id for w in wanted}
        assert reaper.end(found) == ()
        left = {one.label for one in provider.list()} & {one.label for one in rented.values()}
        assert left == {rented[what].label for what in rented.keys() - wanted}
    finally:
        for prefix in (ours, others):
            world.clean(f"ls1-{prefix}")
