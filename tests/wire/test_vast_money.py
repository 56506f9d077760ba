"""What the simulated Vast.ai charges: to the cent, by item, day and contract."""

import json
from datetime import timedelta
from decimal import Decimal

import pytest

from tests.wire.vast_api import ASK, Api
from tests.wire.vast_billing import invoice
from tests.wire.vast_world import Fate

DISK = Decimal("0.144") * 20 / 720
"""USD an hour for the 20 GB of a test's contract."""


@pytest.fixture
def api():
    api = Api()
    api.account.conduct.read_lag = timedelta(0)
    return api


def items(contract):
    found = {}
    for (_, item), amount in contract.ledger.items():
        found[item] = found.get(item, Decimal(0)) + amount
    return found


def nearly(text):
    return pytest.approx(Decimal(text), abs=Decimal("1e-12"))


def test_gpus_cost_while_they_run_and_disks_while_they_exist(api):
    contract = api.rent()
    boot = contract.running_since - contract.created_at
    api.forward(seconds=3600 - 120)
    api.state(contract, "stopped")
    gpu = (3600 - Decimal(str(boot.total_seconds()))) * Decimal("0.34") / 3600
    assert items(contract) == {"gpu": nearly(gpu), "disk": nearly(DISK)}
    api.forward(hours=10)
    assert items(contract) == {"gpu": nearly(gpu), "disk": nearly(DISK * 11)}
    api.destroy(contract)
    before = contract.cost()
    api.forward(hours=10)
    assert contract.cost() == before


def test_partial_hours_are_charged_by_the_second(api):
    contract = api.rent()
    before = items(contract)["gpu"]
    api.forward(seconds=1)
    assert items(contract)["gpu"] - before == nearly(Decimal("0.34") / 3600)


def test_a_boot_that_fails_costs_its_disk_and_maybe_more(api):
    api.account.fates += [Fate(stuck="loading"), Fate(stuck="loading")]
    cheap = api.rent()
    api.forward(hours=1)
    assert "gpu" not in items(cheap) and items(cheap)["disk"] > 0
    api.account.conduct.gpu_while_loading = True
    dear = api.rent(ASK + 1)
    api.forward(hours=1)
    assert items(dear)["gpu"] > 0


def test_a_stopped_disk_may_cost_more(api):
    api.account.machines[0].stopped_storage_factor = Decimal(2)
    contract = api.rent()
    api.state(contract, "stopped")
    before = items(contract)["disk"]
    api.forward(hours=1)
    assert items(contract)["disk"] - before == nearly(DISK * 2)


def test_traffic_costs_in_both_directions(api):
    contract = api.rent()
    api.account.traffic(contract, up_gb="2.5", down_gb="10")
    assert items(contract)["bwu"] == Decimal("0.0125")
    assert items(contract)["bwd"] == Decimal("0.030")


def test_a_pulled_image_may_be_traffic(api):
    api.account.conduct.pull_is_traffic = True
    assert items(api.rent())["bwd"] == Decimal("0.012")


def test_a_bid_costs_what_was_bid(api):
    contract = api.rent(price=0.25)
    before = items(contract)["gpu"]
    api.forward(hours=1)
    assert items(contract)["gpu"] - before == nearly("0.25")


def test_a_contract_may_be_dearer_than_its_offer(api):
    api.account.fates.append(Fate(dph=Decimal("0.50")))
    contract = api.rent()
    assert api.shown(contract)["dph_base"] == 0.5


def test_every_cent_of_the_credit_is_in_the_invoice(api):
    first = api.rent()
    api.rent(ASK + 1, price=0.2)
    api.forward(hours=30)
    api.account.traffic(first, up_gb="3")
    api.account.offline(api.account.machines[0])
    api.forward(hours=2)
    api.account.online(api.account.machines[0])
    api.destroy(first)
    api.forward(hours=2)
    spent = Decimal(100) - api.account.credit
    assert sum(invoice(api.account).values()) == nearly(spent)
    assert api("GET", "users/current") == 200
    assert api.body["credit"] == pytest.approx(float(api.account.credit), abs=1e-9)


def charges(api, limit=500, **filters):
    """All pages, by `source`."""
    found, token = [], ""
    while True:
        text = json.dumps(filters).replace(" ", "").replace('"', "%22")
        target = f"charges/?select_filters={text}&limit={limit}{token}"
        assert api("GET", target) == 200, api.text
        found += api.body["results"]
        assert len(api.body["results"]) <= limit
        if api.body["next_token"] is None:
            return found
        token = f"&after_token={api.body['next_token']}"


def test_charges_tell_each_contract_by_day_item_and_label(api):
    contract = api.rent()
    api.forward(hours=40)
    api.destroy(contract)
    now = api.account.at.timestamp()
    rows = charges(api, day={"gte": now - 10 * 86400, "lte": now}, type={"in": ["instance"]})
    assert len(rows) == 3
    assert {row["source"] for row in rows} == {f"instance-{contract.id}"}
    assert {row["metadata"]["label"] for row in rows} == {"ls1-test"}
    assert sum(row["amount"] for row in rows) == pytest.approx(float(contract.cost()), abs=1e-9)
    for row in rows:
        assert sum(item["amount"] for item in row["items"]) == pytest.approx(row["amount"])
        assert {item["type"] for item in row["items"]} == {"gpu", "disk"}
    assert rows[0]["end"] == rows[1]["start"] and rows[2]["end"] == now


def test_charges_come_in_pages_and_periods(api):
    for number in range(3):
        api.rent(ASK + number)
    api.forward(hours=40)
    now = api.account.at.timestamp()
    everything = {"gte": now - 10 * 86400, "lte": now}
    assert len(charges(api, limit=2, day=everything)) == 9
    midnight = now - now % 86400
    assert len(charges(api, day={"gte": midnight, "lte": midnight})) == 3
    assert charges(api, day={"gte": midnight + 1, "lte": now}) == []
    assert charges(api, day=everything, type={"in": ["volume"]}) == []
    api.account.conduct.charges_lag = timedelta(days=1)
    assert len(charges(api, day=everything)) == 6


def test_prepayment_is_cheaper_and_partly_lost_when_ended_early(api):
    contract = api.rent()
    month = Decimal("0.34") * 720
    api.account.pay(Decimal(1000))
    credit = api.account.credit
    assert api("PUT", f"instances/prepay/{contract.id}/", amount=float(month)) == 200
    assert api.body == {"success": True, "timescale": 1.0, "discount_rate": 0.2}
    assert api.account.credit == credit - month
    before = items(contract)["gpu"]
    api.forward(hours=10)
    spent = items(contract)["gpu"] - before
    assert spent == nearly(Decimal("0.34") * 10 * Decimal("0.8"))
    api.destroy(contract)
    left = month - spent
    fee = left * Decimal("0.05") + Decimal("0.34") * 10 * Decimal("0.2")
    assert items(contract)["fee"] == nearly(fee)
    assert sum(invoice(api.account).values()) == nearly(Decimal(1100) - api.account.credit)


def test_a_prepayment_runs_out_and_the_full_price_returns(api):
    contract = api.rent()
    assert api("PUT", f"instances/prepay/{contract.id}/", amount=1) == 200
    api.forward(hours=20)
    assert contract.prepaid == 0 and contract.discount == 0
    before = items(contract)["gpu"]
    api.forward(hours=1)
    assert items(contract)["gpu"] - before == nearly("0.34")


def test_payments_are_invoices(api):
    api.account.pay(Decimal(25))
    assert api("GET", "/api/v1/invoices/") == 200
    assert [row["amount"] for row in api.body["results"]] == [100, 25]
