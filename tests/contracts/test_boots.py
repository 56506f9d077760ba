"""A machine whose host says that it will never start is ended long before its deadline."""

from datetime import timedelta

import pytest
from tests.contracts.plane import Plane
from tests.contracts.worlds import RENTED
from tests.wire.runpod_world import FATAL_BOOT_TEXTS

from leitstand.control.boots import Boots
from leitstand.store.engine import Database

SAID = {"runpod": FATAL_BOOT_TEXTS[0], "vast": "OCI runtime create failed"}
FATAL = {
    "runpod": {
        "stuck": "STARTING",
        "lines": ((timedelta(seconds=40), "system", FATAL_BOOT_TEXTS[0]),),
    },
    "vast": {"oci": True},
}


@pytest.mark.parametrize("name", RENTED)
def test_a_fatal_word_of_the_host_ends_a_boot_at_once(name, sqlite_url, tmp_path):
    with Database.open(sqlite_url, relaxed=True) as database:
        plane = Plane(database, tmp_path, name)
        boots = Boots(plane.door, {name: plane.provider})
        plane.world.befall(**FATAL[name])
        plane.job(provider=name)
        began = plane.time

        def ended():
            boots.step(plane.time)
            return "terminated" in plane.states()

        plane.until(ended)
        [first] = [one for one in plane.there() if one.state == "terminated"]
        assert first.reason["code"] == "boot-failed"
        assert SAID[name].lower()[:60] in first.reason["params"]["said"].lower()
        assert plane.time - began < timedelta(minutes=6)
        assert first.provider_id not in plane.world.alive()


AFTER = timedelta(seconds=50)
EXITED = {"runpod": {"fails_after": AFTER}, "vast": {"exits_after": AFTER}}


@pytest.mark.parametrize("name", RENTED)
def test_a_container_that_exits_while_it_boots_is_replaced_by_the_next_candidate(
    name, sqlite_url, tmp_path
):
    with Database.open(sqlite_url, relaxed=True) as database:
        plane = Plane(database, tmp_path, name)
        plane.world.befall(**EXITED[name])
        plane.job(provider=name)
        began = plane.time
        plane.until(lambda: len(plane.states()) == 2)
        second, first = plane.there()
        assert first.reason["code"] == "boot-failed"
        assert "exited" in first.reason["params"]["said"].lower()
        assert plane.time - began < timedelta(minutes=6)
        assert second.offer["offer_id"] != first.offer["offer_id"]
        assert second.offer["host"] is None or second.offer["host"] != first.offer["host"]
