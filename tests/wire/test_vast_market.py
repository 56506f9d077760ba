"""Searches and lists of the simulated Vast.ai, and how often they may be asked."""

import json
from datetime import timedelta

import pytest

from tests.wire.vast_api import ASK, Api
from tests.wire.vast_world import Drift


@pytest.fixture
def api():
    return Api()


@pytest.fixture
def paced():
    return Api(paced=True)


def ids(rows):
    return {row["id"] for row in rows}


def test_a_search_ends_at_64_rows_and_goes_on_by_price(api):
    query = {"order": [["dph_total", "asc"]], "rentable": {"eq": True}, "limit": 1000}
    known, last = {}, 0.0
    for _ in range(20):
        rows = api.search(**query, dph_total={"gte": last})
        assert len(rows) <= 64
        fresh = [row for row in rows if row["id"] not in known]
        if not fresh:
            break
        known |= {row["id"]: row for row in fresh}
        last = max(row["dph_total"] for row in rows)
    assert len(known) == sum(len(machine.asks()) for machine in api.account.machines) > 128


@pytest.mark.parametrize("one", [1, "1", 1.0, "1.0"])
def test_numbers_may_come_as_text(api, one):
    rows = api.search(num_gpus={"eq": one}, gpu_name={"eq": "RTX 4090"}, reliability={"gt": "0.9"})
    assert rows and {row["num_gpus"] for row in rows} == {1}


@pytest.mark.parametrize("yes", [True, "true"])
def test_flags_may_come_as_text(api, yes):
    shown = {row["verification"] for row in api.search(verified={"eq": yes})}
    assert shown == {"verified"}
    assert all(row["hosting_type"] for row in api.search(datacenter={"eq": yes}))


def test_countries_and_drivers_are_compared_in_another_form(api):
    assert {row["geolocation"] for row in api.search(geolocation={"in": ["US"]})} == {
        "Texas, US",
        ", US",
    }
    assert api.search(driver_version={"gte": 570086010})
    assert not api.search(driver_version={"gt": 570086010})


def test_the_newer_form_answers_the_same(api):
    query = {"num_gpus": {"eq": 1}, "order": [["dph_total", "asc"]]}
    rows = api.search(**query)
    assert api("PUT", "search/asks/", select_cols=["*"], q=query) == 200
    assert api.body["offers"] == rows


def test_slices_of_one_machine_overlap(api):
    """Renting one GPU takes its pair and its four away, and no other single one."""
    on = {"machine_id": {"eq": 1000}, "rentable": {"eq": True}}
    before = ids(api.search(**on))
    api.rent(ASK)
    gone = before - ids(api.search(**on))
    assert gone == {ASK, ASK + 20, ASK + 60}
    assert ids(api.search(machine_id={"eq": 1000}, rented={"eq": True})) == gone
    assert api.create(ASK + 20) == 410


def test_prices_are_of_the_slice_and_hold_the_disk_asked_for(api):
    [four] = api.search(ask_contract_id={"eq": ASK + 60}, allocated_storage=100)
    assert four["num_gpus"] == 4 and four["dph_base"] == pytest.approx(4 * 0.34)
    assert four["dph_total"] == pytest.approx(4 * 0.34 + 100 * 0.144 / 720)


def test_prices_drift_and_contracts_keep_theirs(api):
    contract = api.rent()
    api.account.drift(Drift(seed=1))
    before = api.search(ask_contract_id={"eq": ASK + 1})[0]["dph_base"]
    api.forward(hours=2)
    assert api.search(ask_contract_id={"eq": ASK + 1})[0]["dph_base"] != before
    assert api.shown(contract)["dph_base"] == 0.34


def test_a_drift_is_the_same_for_the_same_seed():
    def after(seed):
        api = Api()
        api.account.drift(Drift(seed))
        api.forward(hours=2)
        return [machine.dph for machine in api.account.machines]

    assert after(1) == after(1) != after(2)


def test_offers_end_with_their_machine(api):
    api.account.machines[0].ends = api.account.at + timedelta(hours=1)
    [row] = api.search(ask_contract_id={"eq": ASK})
    assert row["duration"] == 3600
    api.forward(hours=1)
    assert api.search(ask_contract_id={"eq": ASK}) == []
    assert api.create() == 410


def test_a_search_is_ten_a_minute(paced):
    assert [paced("POST", "bundles/") for _ in range(11)] == [200] * 10 + [429]
    assert paced.text == "API requests too frequent" and "Retry-After" not in paced.headers
    paced.forward(seconds=60)
    assert paced("POST", "bundles/") == 200


def test_the_daily_quota_comes_back_at_midnight_utc(api):
    api.account.conduct.search_quota = 2
    assert [api("POST", "bundles/") for _ in range(3)] == [200, 200, 429]
    assert api.body["error"] == "search_quota_exceeded"
    api.forward(hours=15)
    assert api("POST", "bundles/") == 429
    api.forward(hours=1)
    assert api("POST", "bundles/") == 200


def test_each_endpoint_has_an_interval_of_its_own(paced):
    assert [paced.list(), paced("GET", "users/current"), paced("GET", "users/current")] == [200] * 3
    assert paced.list() == 429 and paced.text.endswith("endpoint threshold=1.0")
    paced.forward(seconds=1)
    assert paced.list() == 200
    assert [paced("GET", "instances/5/") for _ in range(2)] == [200, 429]
    assert [paced("DELETE", "instances/5/") for _ in range(2)] == [404, 429]


def test_a_create_that_comes_too_soon_bars_the_next_for_longer(paced):
    assert paced.create(ASK) == 200
    paced.forward(seconds=4)
    assert paced.create(ASK + 1) == 429
    paced.forward(seconds=11)
    assert paced.create(ASK + 1) == 429
    paced.forward(seconds=1)
    assert paced.create(ASK + 1) == 200
    assert len(paced.account.contracts) == 2


def test_a_limit_may_come_with_a_hint(paced):
    paced.account.conduct.retry_after = True
    paced.list()
    assert paced.list() == 429 and paced.headers["Retry-After"] == "2"


def test_keys_do_not_share_an_interval(paced):
    paced.sim.keys["b" * 64] = paced.sim.keys[paced.key]
    assert paced.list() == 200
    paced.key = "b" * 64
    assert paced.list() == 200


# --- the list ------------------------------------------------------------------------------------


@pytest.fixture
def sixty(api):
    for machine in api.account.machines[:15]:
        for ask, _ in machine.asks()[:2]:
            assert api.create(ask, label=f"ls1-{ask % 2}") == 200
    for machine in api.account.machines[15:30]:
        for ask, _ in machine.asks()[:2]:
            assert api.create(ask, label="somebody-elses") == 200
    api.forward(seconds=10)
    return api


def pages(api, **query):
    found, token = [], None
    while True:
        more = {"after_token": token} if token else {}
        assert api.list(limit="25", **query, **more) == 200, api.text
        found.append(api.body)
        token = api.body["next_token"]
        if token is None:
            return found


def test_a_list_comes_in_pages_of_25_with_counts_of_the_account(sixty):
    found = pages(sixty)
    assert [len(page["instances"]) for page in found] == [25, 25, 10]
    rows = [row["id"] for page in found for row in page["instances"]]
    assert rows == sorted(set(rows)) and len(rows) == 60
    assert {page["total_instances"] for page in found} == {60}
    assert found[0]["label_counts"]["somebody-elses"] == 30
    assert "success" in found[0]


def test_a_list_is_filtered_by_what_is_stored(sixty):
    filters = {"label": {"eq": "somebody-elses"}}
    found = pages(sixty, select_filters=filters)
    assert [len(page["instances"]) for page in found] == [25, 5]
    assert {page["instances_found"] for page in found} == {30}
    assert pages(sixty, select_filters={"label": {"in": ["nobody"]}})[0]["instances"] == []


def test_columns_can_be_chosen_and_unknown_ones_are_null(sixty):
    assert sixty.list(select_cols=["id", "shoe_size"]) == 200
    assert sixty.body["instances"][0].keys() == {"id", "shoe_size"}
    assert sixty.body["instances"][0]["shoe_size"] is None


def test_the_old_list_says_what_to_use_instead(api):
    assert api("GET", "instances/") == 410
    assert api.body["error"] == "deprecated_endpoint" and "/api/v1/" in api.body["msg"]


def test_a_path_without_its_slash_is_sent_on(api):
    assert api("GET", "/api/v1/instances?limit=5") == 308
    assert api.headers["Location"] == f"{api.sim.origin}/api/v1/instances/?limit=5"
    assert api("GET", "users/current") == 200


def test_several_are_stopped_and_ended_at_once(sixty):
    ids = [contract.id for contract in sixty.account.contracts[:3]]
    assert sixty("PUT", "instances/", state="stopped", ids=ids) == 200
    assert sixty("DELETE", "instances/", instance_ids=ids) == 200
    assert len(sixty.account.live()) == 57


def test_answers_carry_fields_that_nobody_knows(api):
    row = api.search(limit=1)[0]
    assert "field_of_a_later_version" in row
    assert "field_of_a_later_version" in json.dumps(api.shown(api.rent()))
