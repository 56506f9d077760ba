"""The simulated RunPod behaves as its fact sheet says: states, lag, stock, keys, logs, money's source."""

import json
from datetime import timedelta
from decimal import Decimal

import pytest

from tests.wire.runpod import LIFTED
from tests.wire.runpod_api import GPU, Api
from tests.wire.runpod_refusals import AVAILABLE
from tests.wire.runpod_rules import CAPACITY_TEXTS
from tests.wire.runpod_world import FATAL_BOOT_TEXTS, Conduct, Fate


@pytest.fixture
def api():
    return Api()


def status(api, id):
    assert api("GET", f"/v2/pods/{id}") == 200
    return api.body["status"]


# --- a pod's life ----------------------------------------------------------------------------------


def test_a_pod_boots_in_stages_and_its_services_lag_behind(api):
    id = api.pod(boot=False)
    seen = []
    for _ in range(40):
        api("GET", f"/v2/pods/{id}")
        pod = api.body
        runtime = pod["runtime"]
        stage = (
            pod["status"],
            runtime is not None,
            bool(runtime and runtime["ports"]),
            pod["ssh"]["direct"] is not None,
        )
        if stage not in seen:
            seen.append(stage)
        api.forward(seconds=4)
    assert seen == [
        ("PROVISIONING", False, False, False),
        ("STARTING", False, False, False),
        ("RUNNING", False, False, False),
        ("RUNNING", True, False, False),
        ("RUNNING", True, True, False),
        ("RUNNING", True, True, True),
    ]


def test_only_tcp_ports_have_an_address_of_their_own(api):
    api("GET", f"/v2/pods/{api.pod()}")
    by_type = {port["type"]: port for port in api.body["runtime"]["ports"]}
    assert by_type["http"]["ip"].startswith("100.65.")
    assert by_type["tcp"]["private"] == 22 and by_type["tcp"]["public"] >= 10_000


def test_a_fresh_pod_is_unknown_for_seconds_and_a_delete_then_proves_nothing(api):
    api.create()
    id = api.body["id"]
    assert api("GET", f"/v2/pods/{id}") == 404
    assert api("DELETE", f"/v2/pods/{id}") == 404
    api("GET", "/v2/pods")
    assert api.body["pods"] == []
    api.forward(seconds=4)
    assert status(api, id) == "PROVISIONING"
    assert api("DELETE", f"/v2/pods/{id}") == 204 and api.body is None
    assert api("GET", f"/v2/pods/{id}") == 404


def test_a_deleted_pod_may_be_listed_for_a_while_or_read_as_terminated(api):
    api.account.conduct.delete_lag = timedelta(seconds=5)
    id = api.pod()
    api("DELETE", f"/v2/pods/{id}")
    assert status(api, id) == "RUNNING"
    api.account.conduct.terminated_shown = timedelta(seconds=9)
    api.forward(seconds=6)
    assert status(api, id) == "TERMINATED"
    api.forward(seconds=4)
    assert api("GET", f"/v2/pods/{id}") == 404


def test_stop_gives_the_gpu_back_and_start_needs_it_again(api):
    place = api.account.places[0]
    api.account.places[:] = [place]
    place.gpu, place.free = GPU, 1
    id = api.pod()
    assert place.free == 0
    assert api("POST", f"/v2/pods/{id}/action", action="stop") == 200
    assert api.body["status"] == "EXITED" and api.body["cost"] == 0
    other = api.pod()
    assert api("POST", f"/v2/pods/{id}/action", action="start") == 400
    assert "not enough free GPUs on the host machine" in api.body["detail"]
    assert status(api, id) == "EXITED"
    api("DELETE", f"/v2/pods/{other}")
    assert api("POST", f"/v2/pods/{id}/action", action="start") == 200


@pytest.mark.parametrize(("cloud", "moves"), [("SECURE", False), ("COMMUNITY", True)])
def test_a_start_brings_new_ports_after_showing_the_old_ones(api, cloud, moves):
    id = api.pod(cloud=cloud)

    def tcp():
        api("GET", f"/v2/pods/{id}")
        ports = (api.body["runtime"] or {}).get("ports", [])
        return next(((p["ip"], p["public"]) for p in ports if p["type"] == "tcp"), None)

    before = tcp()
    api("POST", f"/v2/pods/{id}/action", action="stop")
    api("POST", f"/v2/pods/{id}/action", action="start")
    api.forward(seconds=82)
    assert tcp() == before
    api.forward(seconds=60)
    after = tcp()
    assert after[1] != before[1]
    assert (after[0] != before[0]) is moves


@pytest.mark.parametrize("left", [0, 1])
def test_a_pod_may_come_back_with_fewer_gpus_than_it_had(api, left):
    api.account.fates = [Fate(resumes_with=left)]
    id = api.pod(gpu={"id": GPU, "count": 2})
    api("POST", f"/v2/pods/{id}/action", action="stop")
    assert api("POST", f"/v2/pods/{id}/action", action="start") == 200
    api.forward(seconds=200)
    assert status(api, id) == "RUNNING"
    assert api.body["gpu"]["count"] == left
    assert api.body["cost"] == pytest.approx(0.69 * left)


def test_an_edit_of_a_running_pod_resets_its_container(api):
    id = api.pod()
    api("GET", f"/v2/pods/{id}")
    assert api.body["runtime"]["uptime"] > 100
    assert api("PATCH", f"/v2/pods/{id}", env={"A": "1"}) == 200
    api.forward(seconds=7)
    api("GET", f"/v2/pods/{id}")
    assert api.body["runtime"]["uptime"] == 7 and api.body["env"] == {"A": "1"}


@pytest.mark.parametrize(("fails_as", "shown"), [("EXITED", "EXITED"), ("ERROR", "ERROR")])
def test_a_host_that_fails_takes_its_pod_along(api, fails_as, shown):
    api.account.fates = [Fate(fails_after=timedelta(minutes=10), fails_as=fails_as)]
    id = api.pod()
    assert status(api, id) == "RUNNING"
    api.forward(minutes=10)
    assert status(api, id) == shown


def test_a_dead_host_may_still_be_shown_as_running_and_costs_nothing(api):
    api.account.fates = [Fate(fails_after=timedelta(minutes=10), fails_as="STALE")]
    id = api.pod()
    api.forward(minutes=10)
    spent = api.sim.account.invoice()[id]
    api.forward(hours=1)
    assert status(api, id) == "RUNNING"
    assert api.sim.account.invoice()[id] - spent < Decimal("0.05")


def test_what_befalls_pods_shows_in_their_answers(api):
    api.account.fates = [
        Fate(stuck="STARTING"),
        Fate(ports=False),
        Fate(vanishes_after=timedelta(seconds=60)),
        Fate(price=Decimal("0.99"), gpu="NVIDIA L4", data_center="US-KS-2", image="other:1"),
        Fate(env_null=True, status="MIGRATING", nulls=("mounts",), drop=("ssh",)),
    ]
    ids = [api.pod() for _ in api.account.fates]
    api.forward(hours=1)
    assert status(api, ids[0]) == "STARTING"
    assert status(api, ids[1]) == "RUNNING" and api.body["runtime"]["ports"] == []
    assert api("GET", f"/v2/pods/{ids[2]}") == 404
    api("GET", f"/v2/pods/{ids[3]}")
    assert (api.body["cost"], api.body["gpu"]["id"]) == (0.99, "NVIDIA L4")
    assert (api.body["dataCenterId"], api.body["image"]) == ("US-KS-2", "other:1")
    assert status(api, ids[4]) == "MIGRATING"
    assert api.body["env"] is None and api.body["mounts"] is None and "ssh" not in api.body
    assert api.body["machineTags"], "fields that no specification names"


@pytest.mark.parametrize("text", FATAL_BOOT_TEXTS)
def test_a_boot_that_cannot_succeed_says_so_in_the_system_log(api, text):
    api.account.fates = [Fate(stuck="STARTING", lines=((timedelta(seconds=30), "system", text),))]
    id = api.pod()
    assert status(api, id) == "STARTING"
    api.send("GET", f"/v2/pods/{id}/logs?source=system")
    assert [row["line"] for _, row in lines(api.stream, 2)][-1] == text


def test_the_providers_clock_may_be_off():
    api = Api(conduct=Conduct(skew=timedelta(minutes=-3)))
    api.create()
    assert api.body["createdAt"] == "2026-11-02T07:57:00.000Z"


def test_a_mutation_run_lifts_a_rule_in_every_simulator(monkeypatch):
    monkeypatch.setenv(LIFTED, "no-funds spend-limit")
    api = Api(credit=Decimal(0))
    assert api.create() == 201


# --- lists and catalogue ---------------------------------------------------------------------------


def test_pages_are_newest_first_may_be_short_and_end_with_has_next_page(api):
    ids = [api.pod(boot=False) for _ in range(7)]
    api.account.conduct.page_rows_max = 2
    seen, query, pages = [], "limit=5", 0
    while True:
        assert api("GET", f"/v2/pods?{query}") == 200
        seen += [pod["id"] for pod in api.body["pods"]]
        pages += 1
        if not api.body["pagination"]["hasNextPage"]:
            break
        query = f"limit=5&cursor={api.body['pagination']['nextCursor']}"
    assert seen == ids[::-1] and pages == 4
    assert api.body["pagination"]["nextCursor"] is None


def test_a_cursor_of_another_list_is_refused(api):
    for _ in range(2):
        api.pod(boot=False)
    api("GET", "/v2/pods?limit=1")
    cursor = api.body["pagination"]["nextCursor"]
    assert api("GET", f"/v2/network-volumes?cursor={cursor}") == 422


def test_the_older_api_has_no_pages(api):
    api.account.conduct.pagination = False
    for _ in range(3):
        api.pod(boot=False)
    api("GET", "/v2/pods?limit=1")
    assert len(api.body["pods"]) == 3 and "pagination" not in api.body


def test_unknown_query_parameters_are_ignored(api):
    api.pod()
    api("GET", "/v2/pods?desiredStatus=EXITED&name=other")
    assert len(api.body["pods"]) == 1


def test_foreign_pods_are_listed_too_and_members_of_clusters_on_demand(api):
    mine = api.pod()
    foreign = api.account.plant("somebody-elses").id
    member = api.account.plant("member", cluster="c1").id
    api("GET", "/v2/pods")
    assert {pod["id"] for pod in api.body["pods"]} == {mine, foreign}
    api("GET", "/v2/pods?includeClusterPods=true")
    assert {pod["id"] for pod in api.body["pods"]} == {mine, foreign, member}


def test_the_catalogue_shows_levels_by_data_centre_as_stock_shrinks(api):
    def row():
        assert api("GET", f"/v2/catalog/gpus/{GPU.replace(' ', '%20')}?{AVAILABLE}") == 200
        return api.body

    assert row()["availability"] == "HIGH"
    for place in api.account.places:
        place.free = 3 if place.data_center == "US-KS-2" else 0
    assert row()["availability"] == "LOW"
    assert {c["id"]: c["availability"] for c in row()["dataCenters"]}["US-KS-2"] == "LOW"
    for place in api.account.places:
        place.free = 0
    assert row()["availability"] == "NONE" and "dataCenters" not in row()
    api("GET", "/v2/catalog/gpus")
    assert all("availability" not in gpu for gpu in api.body["gpus"])


def test_countries_and_clouds_narrow_the_catalogue(api):
    api("GET", f"/v2/catalog/gpus?{AVAILABLE}&countryCodes=JP")
    assert api.body["gpus"] == []
    api("GET", f"/v2/catalog/gpus?{AVAILABLE}&cloud=COMMUNITY&minCudaVersion=12.8")
    assert {gpu["availability"] for gpu in api.body["gpus"]} == {"NONE"}


@pytest.mark.parametrize("text", CAPACITY_TEXTS)
def test_no_capacity_is_a_bad_request_that_only_its_text_tells_apart(api, text):
    api.account.conduct.capacity_text = text
    assert api.create(dataCenterIds=["AP-JP-1"]) == 400
    assert api.body == {"title": "Bad Request", "status": 400, "detail": text}


def test_a_network_volume_binds_its_pod_to_its_data_centre(api):
    volume = api.volume(dataCenter="EU-CZ-1")
    id = api.pod(mounts={"network": [{"volumeId": volume, "path": "/data"}]})
    api("GET", f"/v2/pods/{id}")
    assert api.body["dataCenterId"] == "EU-CZ-1"


@pytest.mark.parametrize(("form", "body"), [("bare", {"error": "pod not found"}), ("empty", {})])
def test_some_errors_are_bare(api, form, body):
    api.account.conduct.errors = form
    assert api("GET", "/v2/pods/gone") == 404 and api.body == body
    assert api.headers["Content-Type"] == "application/json"


# --- keys and rates --------------------------------------------------------------------------------


def test_rates_stand_in_every_answer_and_a_window_passes(api):
    api.account.conduct.rates = {"minute": (2, 60)}
    api("GET", "/v2/pods")
    assert api.headers["RateLimit"] == '"minute";r=1;t=60'
    assert api.headers["RateLimit-Policy"] == '"minute";q=2;w=60'
    api.forward(seconds=20)
    assert [api("GET", "/v2/pods") for _ in range(3)] == [200, 429, 429]
    assert api.headers["Retry-After"] == "40" and "minute" in api.body["detail"]
    api.account.conduct.retry_after = False
    assert api("GET", "/v2/pods") == 429 and "Retry-After" not in api.headers
    api.forward(seconds=40)
    assert api("GET", "/v2/pods") == 200


def test_a_pods_own_key_reaches_that_pod_alone(api):
    mine, other = api.pod(), api.pod()
    env = api.account.container_env(api.account.pod(mine))
    assert env["RUNPOD_POD_ID"] == mine
    api.key = env["RUNPOD_API_KEY"]
    assert api("GET", "/v2/pods") == 403
    assert api("DELETE", f"/v2/pods/{other}") == 403
    assert api("GET", f"/v2/pods/{mine}") == 200
    assert api("DELETE", f"/v2/pods/{mine}") == 204
    assert api("GET", f"/v2/pods/{mine}") == 401


def test_secrets_of_a_registry_never_come_back(api):
    api.registry()
    api("GET", "/v2/registries")
    assert [set(row) for row in api.body["registries"]] == [{"id", "name"}]
    assert "'p'" not in repr(api.account.registries)


def test_account_keys_reach_a_pod_only_when_it_asks_and_brings_none(api):
    api("PUT", "/v2/account/ssh-keys", keys=["ssh-ed25519 AAAA me"])
    api.create(startSsh=True)
    assert api.body["env"] == {"PUBLIC_KEY": "ssh-ed25519 AAAA me"}
    api.create(startSsh=True, env={"PUBLIC_KEY": "ssh-ed25519 BBBB"})
    assert api.body["env"] == {"PUBLIC_KEY": "ssh-ed25519 BBBB"}
    api.create()
    assert api.body["env"] == {}


# --- logs ------------------------------------------------------------------------------------------


def lines(frames, count):
    found = []
    while len(found) < count:
        frame = next(frames).decode()
        if frame.startswith("id: "):
            id, data = frame.strip().split("\n")
            found.append((id[4:], json.loads(data[6:])))
    return found


def test_logs_are_a_stream_that_goes_on_with_the_clock_and_can_be_resumed(api):
    late = (timedelta(minutes=20), "container", "epoch 1")
    api.account.fates = [Fate(lines=(late, late))]
    id = api.pod()
    api.sim.waiter = lambda: lambda: api.forward(minutes=10) or True
    assert api.send("GET", f"/v2/pods/{id}/logs?tail=1") == 200
    assert api.headers["Content-Type"] == "text/event-stream"
    read = lines(api.stream, 3)
    assert [row["line"] for _, row in read] == ["start container", "epoch 1", "epoch 1"]
    assert read[2][0] == read[1][0] + "/1"
    assert api.send("GET", f"/v2/pods/{id}/logs", last_event_id=read[1][0]) == 200
    assert lines(api.stream, 1) == [read[2]]
    assert api.send("GET", f"/v2/pods/{id}/logs?source=container&tail=5") == 200
    assert {row["source"] for _, row in lines(api.stream, 2)} == {"container"}
