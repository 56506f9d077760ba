"""The simulated RunPod over HTTP: what scripted faults do to a call, and streams that stay open."""

from datetime import timedelta

import httpx
import pytest

from tests.wire import faults
from tests.wire.clock import Clock
from tests.wire.runpod_faults import refused
from tests.wire.runpod_server import ServedRunPod

BODY = {
    "name": "ls1-test",
    "image": "registry.example/worker:1",
    "disk": 50,
    "gpu": {"id": "NVIDIA L4", "count": 1},
}


@pytest.fixture
def served():
    with ServedRunPod(Clock()) as made:
        yield made


@pytest.fixture
def client(served):
    headers = {"Authorization": f"Bearer {served.sim.key}"}
    with httpx.Client(base_url=served.url, headers=headers, timeout=30) as made:
        yield made


def create(client):
    return client.post("/v2/pods", json=BODY)


def pods(served):
    return [pod.name for pod in served.sim.account.live()]


def test_without_a_fault_calls_go_through(client, served):
    answer = create(client)
    assert answer.status_code == 201 and answer.headers["RateLimit"]
    served.clock.forward(seconds=10)
    path = f"/v2/pods/{answer.json()['id']}"
    assert client.get(path).json()["status"] == "PROVISIONING"
    answer = client.delete(path)
    assert answer.status_code == 204 and answer.content == b""
    assert client.get("/v2/catalog/gpus/NVIDIA%20L4").json()["id"] == "NVIDIA L4"


@pytest.mark.parametrize(
    ("fault", "left"), [(faults.lost_before, []), (faults.lost_after, ["ls1-test"])]
)
def test_a_lost_reply_says_nothing_about_the_effect(client, served, fault, left):
    served.faults.append(fault("POST", "/v2/pods"))
    with pytest.raises(httpx.RemoteProtocolError):
        create(client)
    assert pods(served) == left
    assert create(client).status_code == 201


@pytest.mark.parametrize(
    ("fault", "status", "left"),
    [
        (faults.failed_before("POST"), 503, 0),
        (faults.failed_after("POST"), 500, 1),
        (faults.limited("POST"), 429, 0),
        (refused("POST"), 400, 0),
        (refused("POST", status=410, detail="gone"), 410, 0),
        (faults.html("POST"), 200, 1),
        (faults.html("POST", status=502, effect=False), 502, 0),
        (faults.shape("POST", payload=[]), 200, 1),
    ],
)
def test_a_replaced_answer(client, served, fault, status, left):
    served.faults.append(fault)
    assert create(client).status_code == status
    assert len(pods(served)) == left


def test_a_limit_may_come_with_a_hint(client, served):
    served.faults.append(faults.limited(retry_after=7))
    assert client.get("/v2/pods").headers["Retry-After"] == "7"
    assert "Retry-After" not in client.get("/v2/pods").headers


def test_a_truncated_answer_is_no_json(client, served):
    served.faults.append(faults.truncated("GET", "/v2/pods"))
    answer = client.get("/v2/pods")
    assert answer.status_code == 200
    with pytest.raises(ValueError):
        answer.json()


def test_a_list_may_lack_rows(client, served):
    create(client)
    create(client)
    served.clock.forward(seconds=10)
    served.faults.append(
        faults.rewritten("GET", "/v2/pods", lambda page: page | {"pods": page["pods"][:1]})
    )
    assert [len(client.get("/v2/pods").json()["pods"]) for _ in range(2)] == [1, 2]


def test_the_date_of_an_answer_is_the_providers(client, served):
    assert client.get("/v2/pods").headers["Date"] == "Mon, 02 Nov 2026 08:00:00 GMT"


def test_an_outage_lasts_until_its_time(client, served):
    served.faults.append(faults.outage(served.clock.now() + timedelta(minutes=30)))
    assert [client.get("/v2/pods").status_code for _ in range(3)] == [503, 503, 503]
    served.clock.forward(minutes=30)
    assert client.get("/v2/pods").status_code == 200


def test_an_outage_may_break_connections(client, served):
    served.faults.append(faults.outage(served.clock.now() + timedelta(minutes=30), status=0))
    with pytest.raises(httpx.RemoteProtocolError):
        client.get("/v2/pods")


def test_faults_skip_and_repeat(client, served):
    served.faults.append(faults.failed_before("GET", "/v2/pods", skip=1, times=2))
    assert [client.get("/v2/pods").status_code for _ in range(4)] == [200, 503, 503, 200]
    assert client.get("/v2/network-volumes").status_code == 200


def test_a_call_may_hang_after_its_effect(client, served):
    served.faults.append(faults.hang("POST"))
    with pytest.raises(httpx.ReadTimeout):
        client.post("/v2/pods", json=BODY, timeout=httpx.Timeout(30, read=0.2))
    assert served.held.acquire(timeout=60)
    assert pods(served) == ["ls1-test"]


def test_a_log_stream_stays_open_and_grows_with_the_clock(client, served):
    id = create(client).json()["id"]
    served.clock.forward(seconds=20)
    with client.stream("GET", f"/v2/pods/{id}/logs") as stream:
        lines = stream.iter_lines()
        assert "create container" in next(line for line in lines if line.startswith("data:"))
        served.clock.forward(seconds=60)
        assert "image pull complete" in next(line for line in lines if line.startswith("data:"))
