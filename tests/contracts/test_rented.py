"""What every provider of rented machines promises when its answers go wrong, over each account.

A world says how its account is set up and disturbed; a scenario is written once, for all worlds.
"""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from tests.providers.vast_account import Account, refused

from leitstand.core.placement import Requirements
from leitstand.launch import MANIFEST_VARIABLE
from leitstand.ports import (
    LaunchSpec,
    NoCapacity,
    NoFunds,
    RateLimited,
    Retired,
    Status,
    Unauthorized,
    Unavailable,
    UnknownOutcome,
)
from leitstand.providers.vast import Vast

LABEL = "ls1-abcdefgh-A-1"


class RentedVast:
    """Each method disturbs the next call of its name, or looks at what the account holds."""

    CREATE, LIST, END = ("PUT", "/api/v0/asks/"), ("GET", "/api/v1/"), ("DELETE", "/api/v0/")

    def __init__(self, folder):
        self.account = Account(folder)

    def connect(self):
        return Vast(self.account.settings, httpx.MockTransport(self.account))

    def next_answer(self, call, answer):
        self.account.script[call] = [answer]

    def lose_the_answer_of_a_create(self, answer):
        """The create takes effect; what is answered does not say so."""
        usual = self.account.create

        def create(ask, body):
            usual(ask, body)
            self.account.create = usual
            raise answer

        self.account.create = create

    def creates(self):
        return len(self.account.bodies(*self.CREATE))

    def add(self, label, status):
        number = len(self.account.instances) + 1
        self.account.instances[number] = {"id": number, "label": label, "actual_status": status}
        return str(number)

    def labels(self):
        return sorted(row["label"] for row in self.account.instances.values())

    no_capacity = refused(404, "no_such_ask", "not available")
    no_credit = refused(400, "insufficient_credit")
    retired = refused(410, "deprecated_endpoint")


WORLDS = {"vast": RentedVast}


@pytest.fixture(params=WORLDS)
def world(request, tmp_path):
    return WORLDS[request.param](tmp_path)


@pytest.fixture
def provider(world):
    return world.connect()


def launch(provider):
    spec = LaunchSpec(
        url="https://127.0.0.1:1",
        ca_sha256="00" * 32,
        instance_id="inst_01J00000000000000000000000",
        token="one-time-token-of-a-test",
        end_by=datetime.now(UTC) + timedelta(minutes=5),
        slots=1,
        environment={MANIFEST_VARIABLE: "0" * 64},
    )
    return provider.launch(next(iter(provider.offers(Requirements()))), spec, LABEL)


@pytest.mark.parametrize("lost", [httpx.ReadTimeout("slow"), httpx.RemoteProtocolError("cut")])
def test_a_create_whose_answer_is_lost_is_found_by_its_label(world, provider, lost):
    world.lose_the_answer_of_a_create(lost)
    with pytest.raises(UnknownOutcome):
        launch(provider)
    assert world.creates() == 1
    assert [seen.label for seen in world.connect().list()] == [LABEL]


def test_a_create_that_failed_without_effect_is_as_unknown_and_not_found(world, provider):
    world.next_answer(world.CREATE, httpx.Response(500, text="<html>"))
    with pytest.raises(UnknownOutcome):
        launch(provider)
    assert world.creates() == 1
    assert list(world.connect().list()) == []


def test_what_vanished_or_is_not_paid_for_is_a_definite_refusal(world, provider):
    for answer, error in ((world.no_capacity, NoCapacity), (world.no_credit, NoFunds)):
        world.next_answer(world.CREATE, answer)
        with pytest.raises(error):
            launch(provider)
    assert list(provider.list()) == []


@pytest.mark.parametrize("call", ["LIST", "END"])
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.Response(429, headers={"Retry-After": "7"}), RateLimited),
        (httpx.Response(503), Unavailable),
        (httpx.Response(401), Unauthorized),
        (httpx.ReadTimeout("slow"), Unavailable),
        (httpx.ConnectError("no route"), Unavailable),
    ],
)
def test_an_outage_ends_nothing_and_hides_nothing(world, provider, call, answer, error):
    known = world.add(LABEL, "running")
    world.next_answer(getattr(world, call), answer)
    with pytest.raises(error) as raised:
        provider.list() if call == "LIST" else provider.terminate(known)
    if error is RateLimited:
        assert raised.value.retry_after == timedelta(seconds=7)
    assert world.labels() == [LABEL]


@pytest.mark.parametrize("text", ["", "<html>", "[]", "null", '{"instances": [', "{}"])
def test_a_list_of_another_shape_is_an_error_and_never_empty(world, provider, text):
    world.next_answer(world.LIST, httpx.Response(200, text=text))
    with pytest.raises(Unavailable):
        provider.list()


def test_a_generation_of_the_api_that_is_no_more_is_said_so(world, provider):
    world.next_answer(world.LIST, world.retired)
    with pytest.raises(Retired):
        provider.list()


def test_an_unknown_status_is_seen_as_unknown_with_its_own_word(world, provider):
    world.add(LABEL, "pondering")
    [seen] = provider.list()
    assert seen.status is Status.UNKNOWN
    assert "pondering" in seen.raw


def test_what_is_not_ours_is_never_listed(world, provider):
    world.add("somebody-elses", "running")
    assert list(provider.list()) == []
    assert world.labels() == ["somebody-elses"]
