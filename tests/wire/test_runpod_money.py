"""What the simulated RunPod charges, and what happens when the money is gone."""

import json
from decimal import Decimal

import pytest

from tests.wire.runpod_api import GPU, Api

CENT = Decimal("0.01")
MONTH_HOURS = 730


@pytest.fixture
def api():
    return Api()


def myself(api, fields):
    body = json.dumps({"query": f"query {{ myself {{ {fields} }} }}"}).encode()
    assert api.send("POST", "/graphql", body) == 200
    return api.body["data"]["myself"]


def test_seconds_are_charged_with_disks_at_their_rates(api):
    api.create(disk=73, mounts={"persistent": {"size": 146, "path": "/keep"}})
    id = api.body["id"]
    api.forward(hours=2, seconds=1)
    ran = 2 + Decimal(1) / 3600
    running = ran * (Decimal("0.69") + Decimal("0.01") + Decimal("0.02"))
    assert api.account.invoice()[id] == pytest.approx(running)
    api("POST", f"/v2/pods/{id}/action", action="stop")
    api.forward(hours=10)
    stopped = 10 * Decimal("0.04")
    assert api.account.invoice()[id] == pytest.approx(running + stopped)
    api("DELETE", f"/v2/pods/{id}")
    api.forward(hours=10)
    assert api.account.invoice()[id] == pytest.approx(running + stopped)


def test_a_pod_that_never_runs_is_charged_too_unless_it_is_not(api):
    api.create()
    api.forward(seconds=60)
    assert sum(api.account.invoice().values()) > CENT
    other = Api()
    other.account.conduct.billed_before_running = False
    other.create()
    other.forward(seconds=75)
    assert sum(other.account.invoice().values()) < CENT
    other.forward(hours=1)
    assert sum(other.account.invoice().values()) == pytest.approx(Decimal("0.704"), abs=CENT)


def test_network_volumes_are_charged_by_the_hour_and_cheaper_beyond_a_terabyte(api):
    id = api.volume(size=1730)
    api.forward(minutes=59)
    assert api.account.invoice()[id] == 0
    api.forward(minutes=61)
    rate = (1000 * Decimal("0.07") + 730 * Decimal("0.05")) / MONTH_HOURS
    assert api.account.invoice()[id] == pytest.approx(2 * rate)
    api("GET", f"/v2/billing/network-volumes?networkVolumeId={id}&bucketSize=hour&lastN=3")
    assert [row["standardAmount"] for row in api.body["records"]] == [
        pytest.approx(float(rate))
    ] * 2


@pytest.mark.parametrize("size", ["hour", "day", "week", "month", "year"])
def test_the_billing_pages_add_up_to_the_invoice_to_the_cent(api, size):
    kept = api.pod()
    ended = api.pod(gpu={"id": GPU, "count": 2})
    api.forward(hours=5, minutes=17)
    api("DELETE", f"/v2/pods/{ended}")
    api.forward(days=2, seconds=3)
    invoice = api.account.invoice()
    for id in (kept, ended):
        api("GET", f"/v2/billing/pods?podId={id}&bucketSize={size}")
        assert {row["podId"] for row in api.body["records"]} == {id}
        total = sum(Decimal(str(row["totalAmount"])) for row in api.body["records"])
        assert round(total, 2) == round(invoice[id], 2)
        assert api.body["metadata"]["totalAmount"] == pytest.approx(float(total), abs=1e-6)
    api("GET", f"/v2/billing?bucketSize={size}")
    assert api.body["metadata"]["totalAmount"] == pytest.approx(float(sum(invoice.values())))


def test_billing_windows_snap_to_buckets_and_end_before_their_end(api):
    api.pod()
    api.forward(hours=4)
    api(
        "GET",
        "/v2/billing/pods?bucketSize=hour&startTime=2026-11-02T09:30:00Z"
        "&endTime=2026-11-02T11:00:00Z",
    )
    assert [row["startTime"][11:16] for row in api.body["records"]] == ["09:00", "10:00"]
    api("GET", "/v2/billing/pods?bucketSize=hour&lastN=2")
    assert [row["startTime"][11:16] for row in api.body["records"]] == ["11:00", "12:00"]


def test_the_balance_is_read_by_graphql_and_falls_as_pods_burn(api):
    api.pod(disk=73)
    api.forward(seconds=3400)
    read = myself(api, "id clientBalance currentSpendPerHr spendLimit")
    assert read["clientBalance"] == pytest.approx(99.3)
    assert read["currentSpendPerHr"] == pytest.approx(0.7)
    assert read["spendLimit"] == 80


def test_pods_stop_before_the_money_is_gone_and_are_destroyed_with_it(api):
    volume = api.volume()
    plain = api.pod(mounts={"persistent": {"size": 100, "path": "/keep"}})
    safe = api.pod(mounts={"network": [{"volumeId": volume, "path": "/data"}]})
    api.account.credit = api.account.spent + Decimal("1.5")
    api.forward(minutes=59)
    assert api.account.pod(plain).holds_gpus()
    api.forward(minutes=5)
    for id in (plain, safe):
        api("GET", f"/v2/pods/{id}")
        assert api.body["status"] == "EXITED"
    assert 0 < api.account.balance() < CENT
    api.forward(hours=2)
    assert api("GET", f"/v2/pods/{plain}") == 404
    assert api("GET", f"/v2/pods/{safe}") == 200
    assert api.create() == 402


def test_graphql_errors_come_as_success_and_only_the_catalogue_is_public(api):
    def ask(query):
        return api.send("POST", "/graphql", json.dumps({"query": query}).encode())

    assert ask("query { myself { shoeSize } }") == 200
    assert api.body["data"] is None and "shoeSize" in api.body["errors"][0]["message"]
    assert ask('mutation { podTerminate(input: {podId: "x"}) }') == 200 and api.body["errors"]
    assert ask('query { myself { id "') == 200
    assert api.body["errors"][0]["extensions"]["code"] == "GRAPHQL_PARSE_FAILED"
    assert ask('query { pod(input: {podId: "gone"}) { id } }') == 200
    assert api.body == {"data": {"pod": None}}
    api.key = ""
    assert ask("query { myself { id } }") == 401
    assert ask("query { gpuTypes { id } }") == 200
