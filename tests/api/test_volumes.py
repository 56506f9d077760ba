"""Volumes over the operator API, and what workers say of theirs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from leitstand.control.volumes import KeepVolumes
from leitstand.core.access import SYSTEM
from leitstand.core.offer import Offer, Requirements
from leitstand.core.rented import Volume
from leitstand.core.volume import Intend
from leitstand.store import volumes
from leitstand.store.engine import Database
from tests.api.served import operators, problem, workers
from tests.control.rig import Rented, Rig, Worker

NAME = "ls1-test1234-models-x"


class Stored(Rented):
    """A provider whose one machine gets the one volume."""

    def offers(self, want: Requirements) -> Iterator[Offer]:
        for found in super().offers(want):
            yield replace(found, place="x", volume="vol1")


@pytest.fixture
def rig(sqlite_url: str, tmp_path: Path) -> Iterator[Rig]:
    with Database.open(sqlite_url, relaxed=True) as database:
        rig = Rig(database, tmp_path)
        providers: Any = rig.reconciler._providers
        providers["rented"] = rig.rented = Stored()
        for number in range(3):
            found = Volume(f"vol{number}", f"{NAME}{number}", 30, "RO", "x")
            command = KeepVolumes("rented", (Intend("x", 30, found),), "test1234", {30: Decimal(1)})
            rig.door.run(command, SYSTEM, rig.time)
        yield rig


@pytest.fixture
def client(rig: Rig) -> Iterator[httpx.Client]:
    with operators(rig) as found:
        yield found


def test_volumes_are_listed_page_by_page(client: httpx.Client) -> None:
    first = client.get("/volumes?limit=2").json()
    second = client.get(f"/volumes?limit=2&after={first['next']}").json()
    shown = [item["name"] for item in (*first["items"], *second["items"])]
    assert shown == [f"{NAME}2", f"{NAME}1", f"{NAME}0"]
    assert second["next"] is None
    assert first["items"][0]["price_eur_per_day"] == "24.000000"


def test_one_is_deleted_unless_an_instance_has_it(rig: Rig, client: httpx.Client) -> None:
    rig.job()
    rig.step()
    ids = {item["name"]: item["id"] for item in client.get("/volumes").json()["items"]}
    refused = client.delete(f"/volumes/{ids[NAME + '1']}")
    problem(refused, "volume-in-use", 403)
    gone = client.delete(f"/volumes/{ids[NAME + '0']}").json()
    assert (gone["state"], gone["reason"]["code"]) == ("deleting", "volume-asked")
    problem(client.delete("/volumes/volume_gone"), "unknown-volume", 404)


def test_a_claim_says_what_lies_on_the_volume(rig: Rig, tmp_path: Path) -> None:
    rig.job()
    rig.step(2)
    worker = Worker.newest(rig)
    digests = ["b" * 64, "a" * 64]
    with workers(rig, tmp_path) as plane:
        worker.enrol()
        certified = plane.client(worker.id)
        body = {"slots_free": 0, "cached": [*digests, "../../etc/passwd"]}
        assert certified.post("/w/1/claim", json=body).status_code == 200
    held = {shelf.provider_id: shelf.holds for shelf in rig.read(volumes.kept)}
    assert held == {"vol0": [], "vol1": sorted(digests), "vol2": []}
