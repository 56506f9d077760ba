"""The simulated Vast.ai over HTTP and in this process: what scripted faults do to a call."""

from datetime import timedelta

import httpx
import pytest

from tests.wire import faults
from tests.wire.clock import Clock
from tests.wire.server import Line, Wire
from tests.wire.vast import Vast
from tests.wire.vast_api import ASK
from tests.wire.vast_faults import limited, quota, refused, silent_success
from tests.wire.vast_server import ServedVast

CREATE = f"/api/v0/asks/{ASK}/"
LIST = "/api/v1/instances/"
BODY = {"image": "i", "disk": 20, "label": "ls1-test", "cancel_unavail": True}
CREATES = ("PUT", "/api/v0/asks/.*")


@pytest.fixture(params=["sockets", "process"])
def reached(request):
    """The line to the simulator, and a client with its key."""
    clock = Clock()
    if request.param == "process":
        line = Line(clock, Vast(clock))
        with httpx.Client(transport=Wire(line), base_url=line.sim.origin) as client:
            client.headers["Authorization"] = f"Bearer {line.sim.key}"
            yield line, client
        return
    with ServedVast(clock) as line, httpx.Client(base_url=line.url, timeout=30) as client:
        client.headers["Authorization"] = f"Bearer {line.sim.key}"
        yield line, client


@pytest.fixture
def line(reached):
    return reached[0]


@pytest.fixture
def client(reached):
    return reached[1]


def create(client):
    return client.put(CREATE, json=BODY)


def rented(line):
    return len(line.sim.account.live())


def test_without_a_fault_calls_go_through(client, line):
    contract = create(client).json()["new_contract"]
    line.clock.forward(seconds=60)
    answer = client.get(LIST, params={"limit": "25", "select_filters": "{}"}).json()
    assert [row["id"] for row in answer["instances"]] == [contract]
    assert client.request("DELETE", f"/api/v0/instances/{contract}/", json={}).json()["success"]
    assert rented(line) == 0


def test_a_redirect_keeps_method_and_body(client, line):
    answer = client.put(CREATE.rstrip("/"), json=BODY, follow_redirects=True)
    assert answer.json()["success"] and rented(line) == 1


@pytest.mark.parametrize(("fault", "left"), [(faults.lost_before, 0), (faults.lost_after, 1)])
def test_a_lost_reply_says_nothing_about_the_effect(client, line, fault, left):
    line.faults.append(fault(*CREATES))
    with pytest.raises(httpx.RemoteProtocolError):
        create(client)
    assert rented(line) == left


@pytest.mark.parametrize(
    ("fault", "status", "left"),
    [
        (lambda: faults.failed_before(*CREATES), 503, 0),
        (lambda: faults.failed_after(*CREATES, status=502), 502, 1),
        (lambda: limited(*CREATES), 429, 0),
        (lambda: refused(*CREATES, status=410), 410, 0),
        (lambda: refused(*CREATES, error="insufficient_credit"), 400, 0),
        (lambda: silent_success(*CREATES), 200, 1),
        (lambda: faults.html(*CREATES), 200, 1),
        (lambda: faults.truncated(*CREATES), 200, 1),
        (lambda: faults.shape(*CREATES, payload=[]), 200, 1),
    ],
)
def test_a_spoilt_answer(client, line, fault, status, left):
    line.faults.append(fault())
    answer = create(client)
    assert answer.status_code == status
    assert rented(line) == left
    assert "new_contract" not in answer.text or "}" not in answer.text


def test_a_limit_is_plain_text_with_or_without_a_hint(client, line):
    line.faults += [limited(retry_after=7), limited()]
    first, second = client.get(LIST), client.get(LIST)
    assert first.headers["Retry-After"] == "7" and "Retry-After" not in second.headers
    assert "endpoint threshold" in first.text
    assert client.get(LIST).status_code == 200


def test_the_quota_of_the_day_may_be_used_up(client, line):
    line.faults.append(quota())
    answer = client.post("/api/v0/bundles/", json={})
    assert answer.status_code == 429 and answer.json()["error"] == "search_quota_exceeded"


def test_a_list_may_lack_rows(client, line):
    create(client)
    line.clock.forward(seconds=60)
    line.faults.append(faults.rewritten("GET", LIST, lambda page: page | {"instances": []}))
    first = client.get(LIST).json()
    assert first["instances"] == [] and first["total_instances"] == 1


def test_an_outage_lasts_until_its_time(client, line):
    line.faults.append(faults.outage(line.clock.now() + timedelta(minutes=30)))
    assert [client.get(LIST).status_code for _ in range(3)] == [503] * 3
    line.clock.forward(minutes=30)
    assert client.get(LIST).status_code == 200


def test_a_call_may_hang_after_its_effect(client, line):
    line.faults.append(faults.hang(*CREATES))
    with pytest.raises(httpx.ReadTimeout):
        client.put(CREATE, json=BODY, timeout=httpx.Timeout(30, read=0.2))
    if isinstance(line, ServedVast):
        assert line.held.acquire(timeout=60)
    assert rented(line) == 1


def test_time_may_pass_with_every_call(client, line):
    line.tick = 1.0
    assert [client.get(LIST).status_code for _ in range(3)] == [200] * 3
    line.tick = 0.0
    assert [client.get(LIST).status_code for _ in range(2)] == [429] * 2


def test_exchanges_are_written_down(client, line):
    line.recording = []
    line.forward(5)
    client.get(LIST)
    client.get(LIST)
    notes = [(note.get("status"), note.get("forward_seconds")) for note in line.recording]
    assert notes == [(None, 5), (200, None), (429, None)]
    assert line.recording[2]["text"].startswith("API requests")
    assert line.sim.key not in str(line.recording)
