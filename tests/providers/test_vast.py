"""What is Vast.ai's own in its adapter: its answers, its traps, its money."""

import logging
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import httpx
import pytest

from leitstand.boot.program import told
from leitstand.core.placement import Requirements, first_fault
from leitstand.core.problem import Problem
from leitstand.core.rented import Prepaid
from leitstand.launch import MANIFEST_VARIABLE, decode
from leitstand.ports import (
    Capability,
    LaunchSpec,
    NoCapacity,
    NoFunds,
    ProviderError,
    RateLimited,
    Rejected,
    Retired,
    Status,
    Unauthorized,
    Unavailable,
    UnknownOutcome,
    Unwanted,
)
from leitstand.providers.vast import Vast
from tests.contracts.worlds import VastWorld
from tests.providers.vast_account import ASK, KEY, Account, ok, refused
from tests.wire.vast_world import Machine

LABEL = "ls1-abcdefgh-A-1"
NOW = datetime(2026, 11, 24, 23, 0, tzinfo=UTC)
CREATE, DELETE, LIST = ("PUT", "/api/v0/asks/"), ("DELETE", "/api/v0/"), ("GET", "/api/v1/")


class Ticks:
    now = 0.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


@pytest.fixture
def account(tmp_path):
    return Account(tmp_path)


@pytest.fixture
def ticks():
    return Ticks()


@pytest.fixture
def connect(account, ticks):
    def made(**settings):
        transport = httpx.MockTransport(account)
        return Vast(account.settings | settings, transport, ticks, ticks.sleep, lambda: NOW)

    return made


@pytest.fixture
def vast(connect):
    return connect()


def spec():
    return LaunchSpec(
        url="https://127.0.0.1:1",
        ca_sha256="00" * 32,
        instance_id="inst_01J00000000000000000000000",
        token="token-of-a-test",
        end_by=NOW + timedelta(hours=1),
        slots=1,
        environment={MANIFEST_VARIABLE: "0" * 64},
    )


def launch(provider, pick=0):
    offer = list(provider.offers(Requirements(disk_gib=100)))[pick]
    return provider.launch(offer, spec(), LABEL)


def test_an_offer_says_what_the_slice_has_and_what_the_wanted_disk_costs(account, connect):
    offer = next(iter(connect(agreement_file=account.agreement).offers(Requirements(disk_gib=100))))
    assert (offer.offer_id, offer.host, offer.tier, offer.region) == ("100", "7", "B", "SE")
    assert (offer.vram_gib, offer.ram_gib, offer.cores) == (24.0, 64.0, 16)
    assert (offer.cuda, offer.compute_capability) == ("12.8", "8.9")
    assert offer.price_eur_per_hour == Decimal("0.2")
    assert offer.storage_eur_per_hour == Decimal("0.0108")
    assert offer.disk_gib >= 100


@pytest.mark.parametrize(
    ("facts", "agreed", "tier"),
    [
        ({}, False, "C"),
        ({"hosting_type": 0}, True, "C"),
        ({"hosting_type": None}, True, "C"),
        ({"verification": "deverified"}, True, "D"),
        ({"verification": None}, True, "D"),
        ({"geolocation": None}, True, "C"),
        ({"geolocation": ""}, True, "C"),
        ({"geolocation": "somewhere"}, True, "C"),
    ],
)
def test_unknown_facts_give_the_lower_tier(account, connect, facts, agreed, tier):
    account.asks = [ASK | facts]
    agreement = account.agreement if agreed else ""
    offers = connect(agreement_file=agreement).offers(Requirements())
    assert [offer.tier for offer in offers] == [tier]


@pytest.mark.parametrize(
    ("facts", "tier"), [({}, "B"), ({"hosting_type": 0}, "C"), ({"verification": None}, "D")]
)
def test_an_offer_says_what_a_processing_agreement_would_make_of_it(account, connect, facts, tier):
    account.asks = [ASK | facts]
    (offer,) = connect().offers(Requirements())
    assert (offer.tier, offer.tier_if_agreed) == ("D" if tier == "D" else "C", tier)


@pytest.mark.parametrize("agreed", [False, True])
def test_a_data_centre_in_no_known_country_may_see_no_persons(account, connect, agreed):
    account.asks = [ASK | {"geolocation": "Planet Earth"}]
    (offer,) = connect(agreement_file=account.agreement if agreed else "").offers(Requirements())
    for regions in (("SE",), None):
        fault = first_fault(offer, Requirements(tier_min="B", regions=regions))
        assert (fault.rule, fault.has) == ("region", "unknown")


@pytest.mark.parametrize("name", ["reliability", "reliability2"])
def test_a_reliability_is_read_under_either_name(account, connect, name):
    plain = {key: value for key, value in ASK.items() if not key.startswith("reliability")}
    account.asks = [plain | {name: 0.97}]
    (offer,) = connect().offers(Requirements())
    assert (offer.reliability, offer.bid) == (0.97, False)


def test_a_search_pages_by_price_and_is_kept_for_a_minute(account, vast, ticks):
    account.asks = [ASK | {"id": n, "dph_total": 1 + n // 2 / 100} for n in range(100)]
    assert len({offer.offer_id for offer in vast.offers(Requirements())}) == 100
    assert len(account.seen) == 2
    vast.offers(Requirements())
    assert len(account.seen) == 2
    ticks.now = 61
    vast.offers(Requirements())
    assert len(account.seen) == 4


def test_few_that_will_do_are_found_among_many_that_are_cheaper(tmp_path):
    world = VastWorld(tmp_path)
    big = [machine for machine in world.account.machines if machine.gpu.startswith("H100")]
    facts = {"gpus": 1, "slices": (1,), "dph": Decimal("0.05"), "ends": big[0].ends}
    small = [Machine(5000 + number, 1, **facts) for number in range(400)]
    world.account.machines[:] = [*small, *big]
    found = world.connect().offers(Requirements(vram_gib=80, disk_gib=100, tier_min="C"))
    kinds = {offer.gpu for offer in found}
    assert kinds == {"H100 SXM", "RTX 4090"}


def test_a_launch_names_all_that_makes_it_cancel_and_found_again(account, vast):
    launch(vast)
    body = account.bodies(*CREATE)[0]
    assert body["cancel_unavail"] is True
    assert body["label"] == LABEL
    assert body["disk"] == 108
    assert decode(told(body["env"])).instance_id == spec().instance_id
    assert body["runtype"] == "args"
    assert "price" not in body


def test_only_a_bid_has_a_price(account, connect):
    provider = connect(bids="yes")
    assert Capability.SPOT in provider.capabilities
    launch(provider, pick=1)
    assert account.bodies(*CREATE)[0]["price"] == 0.2


@pytest.mark.parametrize("status", [200, 400])
def test_a_refusal_that_made_a_contract_is_ended(account, vast, status):
    account.instances[9] = {"id": 9, "label": LABEL}
    account.script[CREATE] = [refused(status, "x", new_contract=9)]
    with pytest.raises(NoCapacity):
        launch(vast)
    assert account.instances == {}


@pytest.mark.parametrize("ends", [httpx.Response(502), refused(404, "no_such_instance")])
def test_a_contract_not_seen_to_end_is_not_forgotten(account, vast, ends):
    account.script[CREATE] = [refused(200, "x", new_contract=9)]
    account.script[DELETE] = [ends]
    with pytest.raises(Unwanted) as unknown:
        launch(vast)
    assert unknown.value.seen.provider_id == "9"


@pytest.mark.parametrize(
    "back", [{"is_bid": True}, {"dph_total": 0.6}, {"num_gpus": 0}], ids=lambda b: next(iter(b))
)
def test_what_differs_from_its_offer_is_ended(account, vast, back):
    create = account.create

    def other(ask, body):
        number = create(ask, body)
        account.instances[number] |= back
        return number

    account.create = other
    with pytest.raises(NoCapacity):
        launch(vast)
    assert account.instances == {}


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (refused(400, "invalid_args", "error 404/3603: no_such_ask"), NoCapacity),
        (refused(404, "invalid_args", "Instance type by id 1 is not available."), NoCapacity),
        (refused(410, "no_such_ask", "no longer available"), NoCapacity),
        (refused(400, "invalid_args"), Rejected),
        (refused(400, "insufficient_credit"), NoFunds),
        (refused(403, "forbidden"), Unauthorized),
        (refused(404, "auth_error"), Unauthorized),
        (httpx.Response(429, text="API requests too frequent"), RateLimited),
        (httpx.Response(502, text="<html>"), UnknownOutcome),
        (httpx.Response(200, text="<html>"), UnknownOutcome),
        (ok(success=True), UnknownOutcome),
        (httpx.ReadTimeout("slow"), UnknownOutcome),
        (httpx.ConnectError("no route"), Unavailable),
    ],
)
def test_a_create_is_sent_once_and_its_answer_says_what_is_next(account, vast, answer, error):
    account.script[CREATE] = [answer]
    with pytest.raises(error) as raised:
        launch(vast)
    assert type(raised.value) is error
    assert len(account.bodies(*CREATE)) == 1


def test_a_spent_search_quota_is_asked_again_the_next_day(account, vast):
    account.script["POST", "/"] = [refused(429, "search_quota_exceeded")]
    with pytest.raises(RateLimited) as limited:
        list(vast.offers(Requirements()))
    assert limited.value.retry_after == timedelta(hours=1)


def test_the_listing_pages_to_the_end_and_shows_only_ours(account, vast):
    for number in range(1, 61):
        label = LABEL if number % 2 else "somebody-elses"
        account.instances[number] = {"id": number, "label": label, "actual_status": "running"}
    assert len(list(vast.list())) == 30


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, text="<html>"),
        httpx.Response(200, text='{"instances": ['),
        ok(success=True, instances=None, total_instances=0, next_token=None),
        ok(success=True, instances=[], next_token=None),
        ok(success=True, instances=[], total_instances=1, next_token=None),
        ok(success=True, instances=[{"label": LABEL}], total_instances=1, next_token=None),
        ok(instances=[]),
        ok(),
        httpx.Response(200, json=[]),
    ],
)
def test_a_listing_of_another_shape_is_never_empty(account, vast, answer):
    account.script[LIST] = [answer]
    with pytest.raises(Unavailable):
        vast.list()


def test_a_retired_listing_is_said_so(account, vast):
    account.script[LIST] = [refused(410, "deprecated_endpoint")]
    with pytest.raises(Retired):
        vast.list()


@pytest.mark.parametrize(
    ("row", "status"),
    [
        ({"actual_status": None}, Status.STARTING),
        ({"actual_status": "loading"}, Status.STARTING),
        ({"actual_status": "running "}, Status.RUNNING),
        ({"actual_status": "exited"}, Status.STOPPED),
        ({"actual_status": "offline"}, Status.UNKNOWN),
        ({"actual_status": "pondering"}, Status.UNKNOWN),
        (dict.fromkeys(("intended_status", "cur_state", "next_state"), "stopped"), Status.STOPPED),
    ],
)
def test_a_status_is_what_the_fields_say_together(account, vast, row, status):
    account.instances[1] = {"id": 1, "label": LABEL} | row
    seen = next(iter(vast.list()))
    assert seen.status is status
    assert seen.raw.startswith(str(row.get("actual_status")))


def test_a_queued_start_is_taken_back_at_once(account, vast):
    account.instances[1] = {"id": 1, "label": LABEL, "actual_status": "stopped"}
    path = "/api/v0/instances/1/"
    account.script["PUT", path] = [refused(200, "resources_unavailable", "state change queued.")]
    with pytest.raises(NoCapacity):
        vast.resume("1")
    assert account.bodies("PUT", path) == [{"state": "running"}, {"state": "stopped"}]


def test_absence_soon_after_the_create_proves_nothing(account, vast, ticks):
    seen = launch(vast)
    account.instances.clear()
    with pytest.raises(Unavailable):
        vast.terminate(seen.provider_id)
    ticks.now = vast.listing_lag.total_seconds()
    vast.terminate(seen.provider_id)


def test_logs_are_read_without_the_key(account, vast):
    account.script["PUT", "/api/v0/instances/request_logs/"] = [
        ok(success=True, result_url="https://logs.example/1")
    ]
    account.script["GET", "/1"] = [httpx.Response(404), httpx.Response(200, text="booted")]
    with pytest.raises(Unavailable):
        vast.logs("1")
    assert [line.text for line in vast.logs("1")] == ["booted"]
    assert len(account.bodies("PUT", "/api/v0/instances/request_logs/")) == 1
    assert "Authorization" not in account.seen[-1].headers


def test_balance_and_charges_are_euros(account, vast):
    account.script["GET", "/api/v0/users/current"] = [ok(credit=12.5)]
    row = {"source": "instance-9", "amount": 0.3, "start": 1.5, "end": 60.0, "items": []}
    account.script["GET", "/api/v0/charges/"] = [ok(results=[row])]
    assert vast.account.balance() == Decimal("6.25")
    [billed] = vast.account.billed(NOW, NOW)
    assert (billed.provider_id, billed.amount_eur) == ("9", Decimal("0.15"))


def test_paying_ahead_needs_its_own_yes(account, connect):
    with pytest.raises(Rejected):
        connect().prepay("1", Decimal(5))
    provider = connect(reserve="yes")
    assert Capability.RESERVE in provider.capabilities
    path = ("PUT", "/api/v0/instances/prepay/")
    account.script[path] = [ok(success=True), ok(success=True, timescale=1.0, discount_rate=0.2)]
    assert provider.prepay("1", Decimal(5)) == Prepaid(None, None)
    assert provider.prepay("1", Decimal("4.999")) == Prepaid(1.0, 0.2)
    assert account.bodies(*path) == [{"amount": 10.0}, {"amount": 9.99}]


def test_the_key_is_in_no_address_and_no_error(account, vast, caplog):
    caplog.set_level(logging.DEBUG)
    echo = refused(400, "invalid_args", f"Bearer {KEY}")
    for answer in (echo, refused(401, KEY), httpx.ReadError(KEY), httpx.ConnectError(KEY)):
        account.script[LIST] = [answer]
        with pytest.raises(ProviderError) as raised:
            vast.list()
        assert KEY not in repr(raised.value)
        assert raised.value.__cause__ is None
    assert not any(KEY in str(request.url) for request in account.seen)
    assert KEY not in repr(vars(vast)) + caplog.text


def test_a_key_file_that_others_may_read_is_refused(account, connect):
    account.key_file.chmod(0o644)
    with pytest.raises(Problem) as refused:
        connect()
    assert refused.value.code == "key-file-readable"


@pytest.mark.parametrize("rate", ["", "0", "-1", "NaN", "much"])
def test_without_a_rate_there_is_no_price(connect, rate):
    with pytest.raises(Rejected):
        connect(usd_eur=rate)


def test_an_offer_says_what_its_host_charges_for_traffic(tmp_path):
    world = VastWorld(tmp_path)
    for machine in world.account.machines:
        machine.up_cost = Decimal("0.02")
    found = world.connect().offers(Requirements())
    assert {one.up_eur_per_gb for one in found} == {Decimal("0.01")}
    assert {one.down_eur_per_gb for one in found} == {Decimal("0.0015")}
