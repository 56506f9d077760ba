"""What every provider promises (`ports.Provider`), proved against each implementation.

Providers are found by their file; one that is not under test here fails the first test.
"""

import importlib
import os
import pkgutil
import signal
import subprocess
import sys
import threading
from datetime import timedelta

import psutil
import pytest
from tests.contracts.worlds import WORLDS, end, launch, ours

import leitstand.providers
from leitstand.core.placement import TIERS, Requirements
from leitstand.ports import Capability, Rejected, Status
from leitstand.providers import local

LOCAL = pytest.mark.parametrize("world", ["local"], indirect=True)


@pytest.fixture
def prefix():
    """A label prefix of this test's own, as an installation has one."""
    return f"ls1-{os.urandom(4).hex()}"


@pytest.fixture(params=WORLDS)
def world(request, tmp_path, prefix):
    made = WORLDS[request.param](tmp_path)
    yield made
    made.clean(prefix)


@pytest.fixture
def provider(world):
    return world.connect()


def test_every_provider_is_under_test():
    """A module without `connect` belongs to a provider and is none."""
    found = [module.name for module in pkgutil.iter_modules(leitstand.providers.__path__)]
    providers = {
        name
        for name in found
        if hasattr(importlib.import_module(f"leitstand.providers.{name}"), "connect")
    }
    assert providers | {"simulated"} == set(WORLDS)


def test_offers_carry_the_facts_that_placement_reads(provider):
    offers = list(provider.offers(Requirements()))
    assert offers
    for offer in offers:
        assert offer.tier in TIERS
        assert offer.region or offer.tier in "CD"
        assert offer.accelerator in {"cpu", "nvidia", "amd"}
        assert offer.cores >= 1
        assert offer.ram_gib > 0
        assert offer.disk_gib > 0
        assert offer.price_eur_per_hour >= 0
        assert (offer.gpu is None) == (offer.accelerator == "cpu")


def test_what_is_launched_is_listed_under_its_label(world, provider, prefix):
    launched = launch(world, provider, f"{prefix}-A-1")
    assert launched.label == f"{prefix}-A-1"
    assert launched.status in {Status.STARTING, Status.RUNNING}
    assert [seen.provider_id for seen in ours(world, provider, prefix)] == [launched.provider_id]


def test_the_listing_is_complete_without_anything_remembered(world, provider, prefix):
    launched = {launch(world, provider, f"{prefix}-{name}-1").provider_id for name in "AB"}
    assert {seen.provider_id for seen in ours(world, world.connect(), prefix)} == launched


def test_a_terminated_instance_becomes_absent(world, provider, prefix):
    launched = launch(world, provider, f"{prefix}-A-1")
    end(world, provider, launched.provider_id)
    world.wait_gone(launched)
    assert ours(world, provider, prefix) == []


def test_an_instance_can_be_ended_by_another_process_than_the_one_that_launched_it(
    world, provider, prefix
):
    launched = launch(world, provider, f"{prefix}-A-1")
    end(world, world.connect(), launched.provider_id)
    world.wait_gone(launched)
    assert ours(world, provider, prefix) == []


def test_ending_only_one_leaves_the_other(world, provider, prefix):
    first, second = (launch(world, provider, f"{prefix}-{name}-1") for name in "AB")
    end(world, provider, first.provider_id)
    world.wait_gone(first)
    assert [seen.provider_id for seen in ours(world, provider, prefix)] == [second.provider_id]


def test_ending_what_is_absent_succeeds(world, provider, prefix):
    launched = launch(world, provider, f"{prefix}-A-1")
    end(world, provider, launched.provider_id)
    world.wait_gone(launched)
    end(world, provider, launched.provider_id)


def test_a_label_without_our_prefix_is_refused_before_anything_runs(world, provider):
    with pytest.raises(Rejected):
        launch(world, provider, "somebody-elses")


def test_what_is_not_offered_as_a_capability_is_refused(world, provider, prefix):
    launched = launch(world, provider, f"{prefix}-A-1")
    if Capability.PAUSE not in provider.capabilities:
        with pytest.raises(Rejected):
            provider.pause(launched.provider_id)
        with pytest.raises(Rejected):
            provider.resume(launched.provider_id)


# --- this machine --------------------------------------------------------------------------------


@pytest.fixture
def stranger():
    """A process of this user that is not a worker."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


@LOCAL
def test_a_recycled_pid_is_never_ended(provider, stranger):
    provider.terminate(f"{stranger.pid}:1")
    start = local._start_ticks(stranger.pid)
    provider.terminate(f"{stranger.pid}:{start}")
    assert stranger.poll() is None


@LOCAL
def test_a_pid_recycled_by_another_worker_of_ours_is_never_ended(
    world, provider, prefix, monkeypatch
):
    launched = launch(world, provider, f"{prefix}-A-1")
    pid, _, start = launched.provider_id.partition(":")
    sent = []
    monkeypatch.setattr(signal, "pidfd_send_signal", lambda _, number: sent.append(number))
    provider.terminate(f"{pid}:{int(start) - 1}")
    assert sent == []
    provider.terminate(launched.provider_id)
    assert sent == [signal.SIGTERM]


@LOCAL
def test_the_price_is_a_setting(world):
    offer = next(iter(world.connect(price_eur_per_hour="0.12").offers(Requirements())))
    assert str(offer.price_eur_per_hour) == "0.12"
    with pytest.raises(Rejected):
        world.connect(price_eur_per_hour="cheap")


@LOCAL
def test_the_token_is_in_no_command_line_and_the_log_is_private(world, provider, prefix):
    launched = launch(world, provider, f"{prefix}-A-1")
    pid = int(launched.provider_id.split(":")[0])
    assert not any("token" in part for part in psutil.Process(pid).cmdline())
    log = world.folder / "logs" / f"{prefix}-A-1.log"
    assert log.stat().st_mode & 0o777 == 0o600
    assert log.parent.stat().st_mode & 0o777 == 0o700


@LOCAL
def test_a_worker_does_not_inherit_what_the_control_plane_knows(
    world, provider, prefix, monkeypatch
):
    monkeypatch.setenv("LEITSTAND_TEST_SECRET", "s3cret")
    launched = launch(world, provider, f"{prefix}-A-1")
    pid = int(launched.provider_id.split(":")[0])
    assert "LEITSTAND_TEST_SECRET" not in psutil.Process(pid).environ()


@LOCAL
def test_a_worker_that_does_not_end_when_asked_is_killed_when_asked_again(
    world, provider, prefix, monkeypatch
):
    launched = launch(world, provider, f"{prefix}-A-1")
    pid = int(launched.provider_id.split(":")[0])
    os.kill(pid, signal.SIGSTOP)
    os.waitpid(pid, os.WUNTRACED)
    end(world, provider, launched.provider_id)
    assert [seen.provider_id for seen in ours(world, provider, prefix)] == [launched.provider_id]
    monkeypatch.setattr(local, "GRACE", timedelta(0))
    end(world, provider, launched.provider_id)
    world.wait_gone(launched)
    assert ours(world, provider, prefix) == []


@LOCAL
def test_a_second_process_of_one_label_is_seen_and_a_child_of_a_worker_is_not(
    world, provider, prefix
):
    label = f"{prefix}-A-1"
    twice = {launch(world, provider, label).provider_id for _ in range(2)}
    assert {seen.provider_id for seen in ours(world, provider, prefix)} == twice
    code = "import os; pid = os.fork(); print(pid, flush=True) if pid else None; input()"
    command = [sys.executable, "-c", code, "leitstand", "worker", "--label", f"{prefix}-B-1"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as parent:
        assert parent.stdout.readline()
        listed = [seen for seen in ours(world, provider, prefix) if seen.label == f"{prefix}-B-1"]
        parent.stdin.close()
    assert [int(seen.provider_id.split(":")[0]) for seen in listed] == [parent.pid]


@LOCAL
def test_several_threads_may_list_while_others_launch(world, provider, prefix):
    launched = []
    threads = [
        threading.Thread(target=lambda name=name: launched.append(launch(world, provider, name)))
        for name in (f"{prefix}-A-1", f"{prefix}-B-1")
    ]
    for thread in threads:
        thread.start()
    ours(world, provider, prefix)
    for thread in threads:
        thread.join()
    assert {seen.provider_id for seen in ours(world, provider, prefix)} == {
        seen.provider_id for seen in launched
    }
