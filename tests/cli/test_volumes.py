"""`leitstand volumes` as people and programs read it, and the question before one is deleted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cli.conftest import Command
from tests.cli.plane import Plane

VOLUME = "volume_01KAR3W6V9Q4T8ZC5N0EXB1877"
NAME = "ls1-abcd1234-models-EU-RO-1"
USER = "instance_01KAR3W6V9Q4T8ZC5N0EXB60AA"


def volume(state: str = "ready", **more: Any) -> dict[str, Any]:
    return {
        "id": VOLUME, "name": NAME, "provider": "runpod", "place": "EU-RO-1", "region": "RO",
        "size_gb": 30, "state": state, "reason": None, "models": 7,
        "price_eur_per_day": "0.059400", "cost_eur": "0.831600", "used_by": [],
        "booked_until": "2026-11-24T08:00:00Z", "used_at": "2126-11-23T17:00:00Z",
        "created_at": "2026-11-10T08:00:00Z", **more,
    }  # fmt: skip


@pytest.fixture
def kept(plane: Plane) -> Plane:
    plane.lists["volumes"] = [volume()]
    return plane


def test_volumes_on_a_terminal_say_cost_and_last_use(run: Command, kept: Plane) -> None:
    idle = {"code": "volume-idle", "params": {}}
    kept.lists["volumes"] += [
        volume("deleting", id=VOLUME[:-4] + "1878", reason=idle, models=0),
        volume(id=VOLUME[:-4] + "1879", used_by=[USER]),
    ]
    head, one, two, three = run("volumes", terminal=True).lines()
    assert [word for word in ("VOLUME", "LAST USE", "€/DAY", "SO FAR") if word in head] == [
        "VOLUME", "LAST USE", "€/DAY", "SO FAR"
    ]  # fmt: skip
    assert "0.06" in one
    assert "0.83" in one
    assert "23 Nov" in one
    assert "is being deleted: no instance had it" in two
    assert "kept: i-60aa" in three


def test_volumes_of_other_installations_are_named_and_left(run: Command, plane: Plane) -> None:
    plane.lists["others"] = [
        {"name": "ls1-other123-models-x", "provider": "runpod", "place": "x", "size_gb": 12}
    ]
    done = run("volumes", terminal=True)
    assert "No volume is kept" in done.out
    assert "runpod bills 12 GB for ls1-other123-models-x" in done.err


def test_volumes_for_programs_and_pipes(run: Command, kept: Plane) -> None:
    (line,) = run("volumes", "--json").lines()
    found = json.loads(line)
    assert found["schema"] == "leitstand.volumes/1"
    assert found["items"] == [volume()]
    assert found["others"] == []
    (raw,) = run("volumes").lines()
    assert raw.split("\t")[:3] == [VOLUME, NAME, "runpod/EU-RO-1"]


@pytest.mark.parametrize("given", [NAME, VOLUME, "v-1877"])
def test_one_is_deleted_after_a_yes_that_saw_what_it_costs(
    run: Command, kept: Plane, given: str
) -> None:
    done = run("volumes", "delete", given, typed="y\n", terminal=True)
    assert done.exit == 0
    assert f"Delete {NAME}? 30 GB, 0.06" in done.err
    assert kept.deleted == [VOLUME]


def test_without_a_yes_it_is_left(run: Command, kept: Plane) -> None:
    assert run("volumes", "delete", NAME, typed="\n", terminal=True).exit == 2
    assert run("volumes", "delete", NAME).exit == 2
    assert kept.deleted == []
    assert run("volumes", "delete", NAME, "--yes", "--json").exit == 0
    assert kept.deleted == [VOLUME]


def test_one_that_is_not_there(run: Command, kept: Plane) -> None:
    done = run("volumes", "delete", "ls1-gone", "--yes")
    assert done.exit == 2
    assert "there is no volume ls1-gone" in done.err
