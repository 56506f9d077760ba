"""Vast.ai's official clients against the simulator: they work, and send what the records say.

`WIRE_RECORD=1` writes the records anew.
"""

import json
import os
import subprocess

import pytest

from tests.validators.refusals import VastSdk, check_refusals
from tests.validators.vast_story import TICK, by_cli, by_sdk
from tests.wire import faults, records
from tests.wire.clock import Clock
from tests.wire.vast_faults import limited, quota
from tests.wire.vast_server import ServedVast

CONSOLE = "https://console.vast.ai"


@pytest.fixture
def served():
    with ServedVast(Clock()) as made:
        made.recording = []
        made.tick = TICK
        yield made


@pytest.fixture
def python(installed):
    return installed / "venv-vast/bin/python"


@pytest.fixture
def version(python):
    asked = ["-c", "from importlib.metadata import version; print(version('vastai'))"]
    told = subprocess.run([python, *asked], capture_output=True, text=True, check=True).stdout
    return f"vastai {told.strip()}"


def check(name, served, client):
    """Equal to the record, or written as the record, as if the simulator were where Vast.ai is."""
    text = json.dumps({"client": client, "exchanges": served.recording})
    document = json.loads(text.replace(served.url, CONSOLE))
    if os.environ.get("WIRE_RECORD"):
        records.write("vast", name, document)
    assert records.read("vast", name) == document


def test_the_sdk_works_against_the_simulator(served, python, version, tmp_path):
    told = json.loads(by_sdk(python, served, tmp_path))
    refused = {
        name: result["refused"]
        for name, result in told.items()
        if isinstance(result, dict) and "refused" in result
    }
    assert refused == {
        "create taken": 404,
        "create cancelled": 410,
        "computed": 400,
        "bid of none": 400,
        "forbidden": 400,
        "no keys": 404,
        "destroy again": 404,
    }
    assert {row["gpu_name"] for row in told["search"]} == {"RTX 4090"}
    assert all(row["geolocation"].endswith("SE") for row in told["search bids"])
    assert told["create cheap"]["success"] is False and told["create cheap"]["new_contract"]
    assert told["one"]["actual_status"] == told["two"]["actual_status"] == "running"
    assert told["one"]["extra_env"] == {"A": "b", "-p 8000:8000": "1"}
    assert [row["label"] for row in told["all"]] == ["ls1-one", "ls1-two", None]
    assert told["logs"].count("container started") == 2
    assert told["destroyed"] is None and told["none left"] == []
    spent = sum(row["amount"] for row in told["charges"]["results"])
    assert told["user"]["credit"] == pytest.approx(100 - spent, abs=1e-6)
    check("sdk", served, version)


def test_the_command_line_works_against_the_simulator(served, installed, version, tmp_path):
    command = installed / "venv-vast/bin/vastai"

    def do(*words):
        code, said = by_cli(command, served, tmp_path, *words)
        assert code == 0, said
        return said

    found = do("search", "offers", "gpu_name=RTX_4090 num_gpus=1", "--limit", "2", "--raw")
    ask = str(json.loads(found)[0]["id"])
    assert "RTX_4090" in do(
        "search", "offers", "gpu_name=RTX_4090 verified=any", "-o", "dph", "--limit", "2"
    )
    wanted = ["--image", "registry.example/worker:1", "--disk", "20", "--label", "ls1-cli"]
    wanted += ["--env", "-e A=b -p 8000:8000", "--cancel-unavail", "--raw", "--args", "-c", "x"]
    id = str(json.loads(do("create", "instance", ask, *wanted))["new_contract"])
    assert json.loads(do("show", "instance", id, "--raw"))["label"] == "ls1-cli"
    assert [row["id"] for row in json.loads(do("show", "instances", "--raw"))] == [int(id)]
    assert "1 instances" in do("show", "instances")
    assert "container started" in do("logs", id, "--tail", "5")
    assert "stopping instance" in do("stop", "instance", id)
    assert "starting instance" in do("start", "instance", id)
    assert "set to ls1-x" in do("label", "instance", id, "ls1-x")
    assert json.loads(do("show", "user", "--raw"))["credit"] < 100
    period = ["--start-date", "2026-11-01", "--end-date", "2026-11-03"]
    spent = json.loads(do("show", "invoices-v1", "--charges", *period, "--raw"))
    assert spent["results"][0]["source"] == f"instance-{id}"
    assert "destroying instance" in do("destroy", "instance", id, "-y")
    assert "not found" in do("destroy", "instance", id, "-y", "--raw")
    check("cli", served, version)


def test_the_sdk_is_refused_whatever_the_simulator_refuses(served, python, version):
    check_refusals("vast", served, version, VastSdk(python))


CREATE = """
import json, sys
import requests
from vastai import VastAI
vast = VastAI(api_key=sys.argv[2], server_url=sys.argv[1])
try:
    print(json.dumps(vast.create_instance(id=1000020, image="i")))
except requests.HTTPError as refused:
    print(json.dumps(refused.response.status_code))
"""
SEARCH = CREATE.replace('create_instance(id=1000020, image="i")', "search_offers()")


@pytest.mark.parametrize(
    ("script", "fault", "calls"),
    [
        (CREATE, faults.failed_before("PUT", status=502, times=9), 3),
        (CREATE, limited("PUT", times=9), 3),
        (SEARCH, quota(times=9), 1),
    ],
    ids=["502", "429", "quota"],
)
def test_the_sdk_repeats_even_a_create(served, python, tmp_path, script, fault, calls):
    """Why nothing of ours goes through it."""
    served.faults.append(fault)
    assert json.loads(by_sdk(python, served, tmp_path, script)) == fault.status
    assert len([note for note in served.recording if "client" in note]) == calls


def test_a_create_whose_answer_was_a_502_is_asked_for_again(served, python, tmp_path):
    served.faults.append(faults.failed_after("PUT", status=502))
    assert json.loads(by_sdk(python, served, tmp_path, CREATE)) == 404
    assert len(served.sim.account.live()) == 1
