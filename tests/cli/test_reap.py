"""`leitstand reap` over the accounts of all providers at once, without control plane and database."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from leitstand import connect
from leitstand import reap as net
from leitstand.config import Folders
from leitstand.core.instance import label
from tests.cli.conftest import Command
from tests.contracts.simulated import SimulatedWorld
from tests.contracts.worlds import RENTED, launch
from tests.wire import faults

OURS, OTHERS = "abcd1234", "zzzz9999"
STRANGER = f"ls1-{OURS}-and-what-not"
WORLDS: dict[str, Callable[[Path], Any]] = {"local": SimulatedWorld, **RENTED}


class Accounts:
    """Each with one overdue machine of ours, a young one, another installation's and a stranger's."""

    def __init__(self, folder: Path) -> None:
        self.worlds = {name: world(folder / name) for name, world in WORLDS.items()}
        now, self.made = datetime.now(UTC), dict[str, set[str]]()
        for name, world in self.worlds.items():
            provider = world.connect()
            for number, (what, installation, minutes) in enumerate(
                (("overdue", OURS, -5), ("young", OURS, 600), ("other", OTHERS, -5))
            ):
                end_by = now + timedelta(minutes=minutes)
                called = label(installation, f"instance_{number:026d}", end_by)
                launch(world, provider, called)
                world.forward(minutes=1)
                self.made.setdefault(what, set()).add(f"{name} {called}")
            if name in RENTED:
                world.plant(STRANGER)

    def alive(self) -> set[str]:
        """By provider and label, but for strangers."""
        return {
            f"{name} {seen.label}"
            for name, world in self.worlds.items()
            for seen in world.connect().list()
            if seen.label != STRANGER
        }

    def strangers(self) -> int:
        return sum(
            len(self.worlds[name].alive()) - len(self.worlds[name].told()) for name in RENTED
        )

    def sleep(self, seconds: float) -> None:
        for world in self.worlds.values():
            world.forward(seconds=seconds)


@pytest.fixture
def accounts(home: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Accounts:
    """Behind the settings of this home, in which nothing but keys and a name is left."""
    found = Accounts(tmp_path)
    (home.data / "installation").write_text(f"{OURS}\n")
    home.settings_file.write_text(
        "".join(f'[providers.{name}]\nkey_file = "/nowhere"\n' for name in RENTED)
    )
    monkeypatch.setattr(
        connect, "connect", lambda settings, folders, name: found.worlds[name].connect()
    )
    clock = found.worlds["runpod"].clock
    whole = net.Reaper

    def reaper(providers: Any, installation: str) -> net.Reaper:
        return whole(providers, installation, clock.now, found.sleep)

    monkeypatch.setattr(net, "Reaper", reaper)
    return found


def test_what_is_overdue_is_ended_everywhere_and_nothing_else(
    run: Command, home: Folders, accounts: Accounts
) -> None:
    before = accounts.alive()
    done = run("reap", "--yes")
    assert done.exit == 0
    assert accounts.alive() == before - accounts.made["overdue"]
    assert accounts.strangers() == len(RENTED)
    assert not list(home.data.rglob("*.db"))


def test_all_that_is_ours_is_ended_everywhere_and_nothing_else(
    run: Command, accounts: Accounts
) -> None:
    assert run("reap", "--all", "--yes").exit == 0
    assert accounts.alive() == accounts.made["other"]
    assert accounts.strangers() == len(RENTED)


def test_without_a_yes_nothing_is_ended(run: Command, accounts: Accounts) -> None:
    before = accounts.alive()
    done = run("reap", typed="n\n", terminal=True)
    assert done.exit == 2
    assert accounts.alive() == before


def test_a_provider_that_is_silent_is_named_and_the_others_are_reaped(
    run: Command, accounts: Accounts
) -> None:
    world = accounts.worlds["vast"]
    world.faults.append(faults.html(*world.LIST))
    before = accounts.alive
    done = run("reap", "--yes", "--json")
    events = [json.loads(line) for line in done.out.splitlines()]
    assert done.exit == 1
    assert [one["ended"] for one in events if "ended" in one] == [len(WORLDS) - 1]
    left = {one for one in accounts.made["overdue"] if one.startswith("vast ")}
    assert before() & accounts.made["overdue"] == left


def test_volumes_of_ours_are_named_and_go_with_all(run: Command, accounts: Accounts) -> None:
    storage = accounts.worlds["runpod"].connect().account
    mine = storage.create_volume(f"ls1-{OURS}-models-EU-RO-1", 30, "EU-RO-1")
    storage.create_volume("ls1-zzzz9999-models-EU-RO-1", 30, "EU-RO-1")
    storage.create_volume("somebody's", 30, "EU-RO-1")
    done = run("reap", "--yes")
    assert done.exit == 0
    assert f"keeps 30 GB as {mine.name}" in done.out
    assert "a day until it is deleted: leitstand volumes delete" in done.out
    assert len(storage.volumes()) == 3
    assert run("reap", "--all", typed="y\nn\n", terminal=True).exit == 0
    assert len(storage.volumes()) == 3
    lines = run("reap", "--all", "--yes", "--json").lines()
    assert json.loads(lines[-1])["volumes_deleted"] == 1
    assert mine not in storage.volumes()
    assert len(storage.volumes()) == 2


@pytest.mark.parametrize("kept", [None, b"", b"\xff\xfe", b"abcd"])
@pytest.mark.parametrize("more", [(), ("--all",)])
def test_who_does_not_know_who_it_is_ends_nothing_and_names_what_is_there(
    run: Command, home: Folders, accounts: Accounts, kept: bytes | None, more: tuple[str, ...]
) -> None:
    home.installation.unlink()
    if kept is not None:
        home.installation.write_bytes(kept)
    before = accounts.alive()
    done = run("reap", "--yes", *more)
    assert done.exit == 1
    assert str(home.installation) in done.err and "--installation ID" in done.err
    assert accounts.alive() == before
    assert all(f"is called {one.split()[1]}" in done.out for one in before)
    assert not (home.data / "reaped.jsonl").exists()
    assert run("reap", "--yes", "--installation", OURS).exit == 0
    assert accounts.alive() == before - accounts.made["overdue"]


def test_of_what_another_installation_rented_nothing_is_booked_here(
    run: Command, home: Folders, accounts: Accounts
) -> None:
    before = accounts.alive()
    assert run("reap", "--yes", "--installation", OTHERS).exit == 0
    assert accounts.alive() == before - accounts.made["other"]
    assert not (home.data / "reaped.jsonl").exists()
    assert run("reap", "--yes", "--installation", OURS).exit == 0
    assert (home.data / "reaped.jsonl").exists()


def test_an_installation_that_no_label_can_name_is_refused(
    run: Command, accounts: Accounts
) -> None:
    before = accounts.alive()
    for given in ("", "ABCD1234", f"ls1-{OURS}", f"{OURS}\n"):
        assert run("reap", "--all", "--yes", "--installation", given).exit == 2
    assert accounts.alive() == before


def test_a_key_is_all_it_takes_to_ask_a_provider(run: Command, home: Folders) -> None:
    """No rate, and an agreement that was moved: both are needed to rent, and not to end."""
    (home.data / "installation").write_text(f"{OURS}\n")
    key = home.config / "key"
    key.write_text("0123456789abcdef")
    key.chmod(0o600)
    settings = '\nbase_url = "https://127.0.0.1:1"\nagreement_file = "/moved.pdf"\n'
    home.settings_file.write_text(
        f'[providers.runpod]\nkey_file = "{key}"{settings}'
        f'[providers.vast]\nkey_file = "/nowhere"{settings}'
    )
    done = run("reap")
    assert done.exit == 1
    assert "money.usd_eur is not set" in done.out
    asked, runpod, vast = (
        next(line for line in done.out.splitlines() if line.lstrip("× ").startswith(head))
        for head in ("Asked ", "runpod ", "vast ")
    )
    assert "runpod" in asked and "vast" not in asked
    assert "did not answer" in runpod
    assert "was not asked (unreadable-path)" in vast
