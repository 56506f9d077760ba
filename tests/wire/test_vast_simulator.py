"""What the simulated Vast.ai does with a contract from create to destroy, on good days and bad."""

from datetime import timedelta
from decimal import Decimal

import pytest

from tests.wire.vast_api import ASK, Api
from tests.wire.vast_world import Fate


@pytest.fixture
def api():
    return Api()


def fate(api, **what):
    api.account.fates.append(Fate(**what))


def machine(api):
    return api.account.machines[0]


def test_a_boot_goes_through_its_stages(api):
    api.account.conduct.read_lag = timedelta(0)
    assert api.create() == 200
    [contract] = api.account.contracts
    seen = []
    for _ in range(60):
        row = api.shown(contract)
        told = (row["actual_status"], row["ports"] is not None)
        if told not in seen:
            seen.append(told)
        api.forward(seconds=1)
    assert seen == [
        (None, False),
        ("created", False),
        ("loading", False),
        ("running", False),
        ("running", True),
    ]


def test_the_answer_to_a_create_names_contract_and_key(api):
    assert api.create() == 200
    assert api.body.keys() == {"success", "new_contract", "instance_api_key"}
    assert api.body["success"] is True


def test_a_new_contract_is_unknown_at_first_and_a_destroyed_one_shown_a_little_longer(api):
    assert api.create() == 200
    [contract] = api.account.contracts
    assert api.shown(contract) is None
    assert api.list() == 200 and api.body["instances"] == []
    assert api.destroy(contract) == 404
    api.forward(seconds=4)
    assert api.shown(contract)["id"] == contract.id
    assert api.destroy(contract) == 200
    assert api.list() == 200 and len(api.body["instances"]) == 1
    assert api.destroy(contract) == 404
    api.forward(seconds=3)
    assert api.list() == 200 and api.body["instances"] == []


def test_an_absent_instance_is_null_or_404(api):
    assert api("GET", "instances/5/") == 200 and api.body == {"instances": None}
    api.account.conduct.absent = "404"
    assert api("GET", "instances/5/") == 404 and api.body["error"] == "no_such_instance"


def test_a_row_says_what_was_rented(api):
    contract = api.rent(disk=100, onstart="true")
    row = api.shown(contract)
    assert row["label"] == "ls1-test" and row["is_bid"] is False and row["num_gpus"] == 1
    assert row["extra_env"] == [["-p 8000:8000", "1"], ["A", "b"]]
    assert row["dph_total"] == pytest.approx(0.34 + 100 * 0.144 / 720)
    assert row["public_ipaddr"].strip() == "203.0.113.1" != row["public_ipaddr"]
    assert row["ports"].keys() == {"8000/tcp"}


def test_docker_flags_in_a_string_are_taken_and_not_applied(api):
    row = api.shown(api.rent(env="-e A=b -p 8000:8000"))
    assert row["extra_env"] == [] and row["ports"] == {}


def test_ports_change_with_each_start(api):
    contract = api.rent()
    before = api.shown(contract)["ports"]
    api.state(contract, "stopped")
    assert api.shown(contract)["ports"] is None
    api.state(contract, "running")
    api.forward(seconds=60)
    after = api.shown(contract)["ports"]
    assert after.keys() == before.keys() and after != before


def test_the_old_status_is_shown_for_a_while_after_a_change(api):
    contract = api.rent()
    api.state(contract, "stopped")
    assert api.shown(contract)["actual_status"] == "running"
    api.forward(seconds=4)
    assert api.shown(contract)["actual_status"] == "exited"


# --- failures of boots ---------------------------------------------------------------------------


@pytest.mark.parametrize(("stuck", "shown"), [("null", None), ("created", "created")])
def test_a_boot_may_never_get_on(api, stuck, shown):
    fate(api, stuck=stuck)
    contract = api.rent()
    api.forward(hours=1)
    assert api.shown(contract)["actual_status"] == shown


def test_a_host_may_never_finish_loading(api):
    fate(api, stuck="loading")
    contract = api.rent()
    api.forward(hours=1)
    row = api.shown(contract)
    assert row["actual_status"] == "loading" and "Pulling" in row["status_msg"]


def test_a_container_may_not_be_creatable(api):
    fate(api, oci=True)
    row = api.shown(api.rent())
    assert row["actual_status"] == "created"
    assert "OCI runtime create failed" in row["status_msg"]


def test_a_container_may_run_without_ports(api):
    fate(api, ports=False)
    contract = api.rent()
    api.forward(hours=1)
    row = api.shown(contract)
    assert row["actual_status"] == "running" and row["ports"] is None


def test_a_machine_may_be_reached_by_its_proxy_only_or_directly_only(api):
    machine(api).direct_ports = 0
    row = api.shown(api.rent())
    assert row["ports"] == {} and row["ssh_host"]
    machine(api).proxy, machine(api).direct_ports = False, 9
    row = api.shown(api.rent(ASK + 1))
    assert row["ports"] and row["ssh_host"] is None


def test_a_contract_may_read_back_otherwise_than_it_was_rented(api):
    fate(api, gpus=2, gpu="RTX 3060", status="pondering", nulls=("geolocation",), drop=("is_bid",))
    row = api.shown(api.rent())
    assert (row["num_gpus"], row["gpu_name"], row["actual_status"]) == (2, "RTX 3060", "pondering")
    assert row["geolocation"] is None and "is_bid" not in row


def test_a_container_may_exit_and_a_contract_vanish(api):
    fate(api, exits_after=timedelta(minutes=5))
    fate(api, vanishes_after=timedelta(minutes=5))
    exits, vanishes = api.rent(), api.rent(ASK + 1)
    api.forward(minutes=6)
    row = api.shown(exits)
    assert (row["actual_status"], row["intended_status"]) == ("exited", "running")
    assert api.shown(vanishes) is None


def test_reboot_and_recycle_come_back(api):
    contract = api.rent()
    for verb, stage in (("reboot", "rebooting"), ("recycle", "recycling")):
        assert api("PUT", f"instances/{verb}/{contract.id}/") == 200
        assert api.shown(contract)["actual_status"] == stage
        api.forward(minutes=2)
        assert api.shown(contract)["actual_status"] == "running"


# --- refusals that leave something behind --------------------------------------------------------


@pytest.mark.parametrize("status", [200, 400])
def test_a_refused_create_may_leave_a_contract(api, status):
    api.account.conduct.refused_status = status
    fate(api, refused=True)
    assert api.create() == status
    assert api.body["success"] is False
    api.forward(hours=1)
    [contract] = api.account.contracts
    assert contract.id == api.body["new_contract"]
    row = api.shown(contract)
    assert row["cur_state"] == row["intended_status"] == row["next_state"] == "stopped"
    assert contract.cost() > 0


def test_a_low_bid_leaves_a_contract_that_may_win_later(api):
    assert api.create(price=0.01, cancel_unavail=False) == 200
    assert api.body["success"] is False
    [contract] = api.account.contracts
    api.account.floor(machine(api), Decimal("0.005"))
    api.forward(minutes=2)
    assert api.shown(contract)["actual_status"] == "running"


def test_a_low_bid_that_may_be_cancelled_leaves_nothing(api):
    assert api.create(price=0.01) == 410
    assert api.account.contracts == []


def test_an_offer_that_is_gone_may_still_be_shown(api):
    api.account.other(ASK, still_shown=True)
    rows = api.search(rentable={"eq": True}, ask_contract_id={"eq": ASK})
    assert [row["id"] for row in rows] == [ASK]
    assert api.create() == 410 and api.body["error"] == "no_such_ask"
    assert api.create(cancel_unavail=False) == 200 and api.body["success"] is False


@pytest.mark.parametrize(
    ("rule", "status", "code"),
    [
        ("no-ask-404", 404, "invalid_args"),
        ("no-ask-400", 400, "invalid_args"),
        ("no-ask-410", 410, "no_such_ask"),
    ],
)
def test_a_vanished_offer_is_refused_in_several_ways(api, rule, status, code):
    api.account.conduct.no_ask = rule
    assert api.create(5) == status
    assert api.body["error"] == code and "available" in api.body["msg"]
    assert "no_such_ask" in api.text


def test_a_start_whose_gpus_are_taken_is_queued_and_comes_as_a_surprise(api):
    contract = api.rent()
    api.state(contract, "stopped")
    other = api.account.other(ASK)
    assert api.state(contract, "running") == 200
    assert api.body["success"] is False and api.body["error"] == "resources_unavailable"
    assert "state change queued" in api.body["msg"]
    api.forward(hours=3)
    row = api.shown(contract)
    assert (row["intended_status"], row["cur_state"]) == ("running", "stopped")
    api.account.leave(other)
    api.forward(minutes=1)
    assert api.shown(contract)["actual_status"] == "running"


def test_a_queued_start_can_be_taken_back(api):
    contract = api.rent()
    api.state(contract, "stopped")
    other = api.account.other(ASK)
    api.state(contract, "running")
    assert api.state(contract, "stopped") == 200 and api.body["success"] is True
    api.account.leave(other)
    api.forward(hours=1)
    assert api.shown(contract)["actual_status"] == "exited"


# --- bids ----------------------------------------------------------------------------------------


def test_the_highest_bid_has_the_gpus_and_who_lost_them_may_win_again(api):
    contract = api.rent(price=0.20)
    rival = api.account.other(ASK, bid=Decimal("0.21"))
    row = api.shown(contract)
    assert (row["actual_status"], row["cur_state"]) == ("exited", "stopped")
    assert row["is_bid"] and row["intended_status"] == "running"
    assert api("PUT", f"instances/bid_price/{contract.id}/", price=0.25) == 200
    api.forward(minutes=1)
    assert api.shown(contract)["actual_status"] == "running"
    api.account.leave(rival)


def test_who_was_outbid_may_be_shown_as_if_stopped_on_purpose(api):
    api.account.conduct.outbid_intended = "stopped"
    contract = api.rent(price=0.20)
    rival = api.account.other(ASK, bid=Decimal("0.21"))
    row = api.shown(contract)
    assert row["cur_state"] == row["intended_status"] == row["next_state"] == "stopped"
    api.account.leave(rival)
    api.forward(minutes=1)
    assert api.shown(contract)["intended_status"] == "running"


def test_on_demand_displaces_bids_and_bids_never_on_demand(api):
    bid = api.rent(price=0.30)
    other = api.account.other(ASK + 20)
    assert api.shown(bid)["actual_status"] == "exited"
    api.account.leave(other)
    api.forward(minutes=1)
    firm = api.rent(ASK + 1)
    api.account.other(ASK + 1, bid=Decimal(100))
    assert api.shown(firm)["actual_status"] == "running"


def test_without_a_price_a_rental_is_on_demand_whatever_was_searched(api):
    assert api.search(type="bid", ask_contract_id={"eq": ASK})[0]["dph_base"] < 0.34
    row = api.shown(api.rent())
    assert row["is_bid"] is False and row["dph_base"] == 0.34


def test_a_bid_may_become_on_demand(api):
    fate(api, on_demand=True)
    row = api.shown(api.rent(price=0.2))
    assert row["is_bid"] is False and row["dph_base"] == 0.34
