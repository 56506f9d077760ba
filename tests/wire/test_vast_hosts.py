"""Hosts that drop out, contracts that end, credit that runs out, and keys, in the simulated Vast.ai."""

from datetime import timedelta
from decimal import Decimal

import pytest

from tests.wire.vast_account import Increase
from tests.wire.vast_api import ASK, Api


@pytest.fixture
def api():
    return Api()


def machine(api):
    return api.account.machines[0]


def test_a_host_that_is_offline_charges_nothing_and_comes_back(api):
    contract = api.rent()
    api.account.offline(machine(api))
    before = contract.cost()
    api.forward(hours=5)
    assert api.shown(contract)["actual_status"] == "offline"
    assert contract.cost() == before
    assert api.search(machine_id={"eq": 1000}) == []
    api.account.online(machine(api))
    assert api.shown(contract)["actual_status"] == "running"


def test_a_host_that_drops_out_during_a_boot_begins_anew(api):
    contract = api.rent(up=False)
    api.account.offline(machine(api))
    api.forward(hours=1)
    api.account.online(machine(api))
    api.forward(minutes=2)
    assert api.shown(contract)["actual_status"] == "running"


def test_a_contract_ends_and_is_deleted_two_days_later(api):
    machine(api).ends = api.account.at + timedelta(hours=10)
    contract = api.rent()
    assert api.shown(contract)["end_date"] == machine(api).ends.timestamp()
    api.forward(hours=10)
    assert api.shown(contract)["actual_status"] == "exited"
    assert api.state(contract, "running") == 400 and api.body["error"] == "contract_expired"
    assert api.search(machine_id={"eq": 1000}) == []
    api.forward(hours=49)
    assert api.shown(contract) is None


def test_a_host_may_ask_for_more_after_the_end(api):
    end = machine(api).ends = api.account.at + timedelta(hours=10)
    contract = api.rent()
    one = Increase(5, contract, Decimal("0.50"), end + timedelta(days=5), api.account.at)
    api.account.increases.append(one)
    assert api("GET", "instances/pending-price-increases/") == 200
    assert [row["contract_id"] for row in api.body["pending_price_increases"]] == [contract.id]
    assert api("PUT", "instances/accept-price-increase/", pending_price_increase_id=5) == 200
    api.forward(hours=9)
    assert api.shown(contract)["dph_base"] == 0.34
    api.forward(hours=2)
    row = api.shown(contract)
    assert (row["actual_status"], row["dph_base"]) == ("running", 0.5)


def test_without_credit_everything_stops_and_disks_go_on_billing(api):
    contract = api.rent()
    api.account.credit = Decimal("0.34")
    api.forward(hours=2)
    row = api.shown(contract)
    assert row["actual_status"] == "exited" and row["intended_status"] == "stopped"
    assert Decimal("-0.01") < api.account.credit < 0
    assert api.state(contract, "running") == 400
    assert api.create(ASK + 1) == 400 and api.body["error"] == "insufficient_credit"
    api.account.pay(Decimal(10))
    assert api.state(contract, "running") == 200


def test_without_credit_and_payment_method_everything_is_deleted(api):
    api.account.conduct.deletes_without_credit_after = timedelta(days=2)
    contract = api.rent()
    api.account.credit = Decimal("0.01")
    api.forward(days=3)
    assert api.shown(contract) is None


# --- keys ----------------------------------------------------------------------------------------


def test_the_key_of_a_container_stops_starts_and_ends_its_own_instance_only(api):
    contract = api.rent()
    api.key = contract.key
    assert api.state(contract, "stopped") == 200
    assert api.state(contract, "running") == 200
    assert api("GET", f"instances/{contract.id}/") == 403
    assert api.list() == 403
    assert api.create(ASK + 1) == 403
    assert api.destroy(contract) == 200
    assert api.destroy(contract) == 401


def test_a_key_can_be_made_with_fewer_permissions(api):
    permissions = {"api": {"misc": {}, "instance_read": {}}}
    assert api("POST", "auth/apikeys/", name="n", permissions=permissions) == 200
    api.key = api.body["key"]
    assert api.list() == 200 and api.search(limit=1)
    assert api.create() == 403
    assert api("GET", "users/current") == 403


def test_a_key_in_the_url_counts_for_nothing(api):
    key, api.key = api.key, None
    assert api("GET", f"users/current/?api_key={key}") == 401


def test_logs_are_asked_for_and_then_lie_at_an_address_for_a_while_empty(api):
    contract = api.rent()
    contract.lines += ["one", "two"]
    assert api("PUT", f"instances/request_logs/{contract.id}/", tail="1") == 200
    target = api.body["result_url"].removeprefix(api.sim.origin)
    api.key = None
    assert [api("GET", target) for _ in range(4)] == [404, 404, 404, 200]
    assert api.text == "two\n"
