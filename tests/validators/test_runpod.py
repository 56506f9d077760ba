"""RunPod's official clients against the simulator: they work, and send what the records say.

`WIRE_RECORD=1` writes the records anew.
"""

import json
import os
import subprocess

import pytest

from tests.validators.mcp import SERVER, Mcp
from tests.validators.refusals import RunPodMcp, check_refusals
from tests.validators.runpod_story import by_mcp, by_sdk
from tests.wire import faults
from tests.wire.clock import Clock
from tests.wire.runpod_records import RECORDS, prune, read, write
from tests.wire.runpod_server import ServedRunPod

TOOLS = {
    "create-pod": "create-pod",
    "update-pod": "update-pod",
    "pod-action": "pod-action",
    "create-network-volume": "create-volume",
    "update-network-volume": "update-volume",
    "create-registry": "create-registry",
    "update-ssh-keys": "ssh-keys",
    "list-pods": "list-pods",
    "list-gpu-types": "list-gpus",
    "list-cpu-types": "list-cpus",
    "list-data-centers": "list-data-centers",
    "list-pod-billing": "billing",
}
"""Tool to the body or query it describes."""


@pytest.fixture
def served():
    with ServedRunPod(Clock()) as made:
        made.recording = []
        yield made


@pytest.fixture
def mcp(served, installed):
    with Mcp(installed / "npm", served.url, served.sim.key) as made:
        yield made


def check(name, document):
    """Equal to the record, or written as the record."""
    if os.environ.get("WIRE_RECORD"):
        write(name, document)
    assert read(name) == json.loads(json.dumps(document))


def made_by(installed):
    package = json.loads((installed / "npm" / SERVER.parent.parent / "package.json").read_text())
    return f"{package['name']} {package['version']}"


def test_the_mcp_server_works_against_the_simulator(served, mcp, installed):
    told = by_mcp(mcp, served)
    refused = [(tool, result["status"]) for tool, ok, result in told if not ok]
    assert refused == [
        ("list-gpu-types", 400),
        ("get-gpu-type", 404),
        ("create-pod", 422),
        ("create-pod", 400),
        ("get-pod", 404),
        ("pod-action", 409),
        ("delete-network-volume", 400),
        ("delete-registry", 400),
        ("get-pod", 404),
    ]
    logs = next(result for tool, _, result in told if tool == "stream-pod-logs")
    assert [item["line"] for item in logs["items"]][-1] == "start container"
    check("mcp-server", {"client": made_by(installed), "exchanges": served.recording})


def test_the_mcp_server_is_refused_whatever_the_simulator_refuses(served, installed):
    check_refusals("runpod", served, made_by(installed), RunPodMcp(installed / "npm"))


def test_the_mcp_server_describes_the_shapes_that_the_simulator_demands(mcp):
    tools = {tool["name"]: tool["inputSchema"] for tool in mcp.ask("tools/list")["tools"]}
    check("schemas", {shape: prune(tools[tool]) for tool, shape in TOOLS.items()})


def test_the_mcp_server_repeats_a_read_after_the_hint_of_a_429(served, mcp):
    served.faults.append(faults.limited("GET", "/v2/pods", retry_after=1))
    assert mcp.call("list-pods")[0]
    statuses = [note["status"] for note in served.recording]
    assert statuses == [429, 200]


def test_the_python_sdk_reads_the_balance(served, installed):
    python = installed / "venv/bin/python"
    told = json.loads(by_sdk(python, served))
    assert told["balance"]["data"]["myself"]["clientBalance"] == 100
    assert told["user"]["id"] and told["gpus"] and told["pods"] == [] and told["gone"] is None
    assert "shoeSize" in told["refused"] and "check your API key" in told["unauthorized"]
    asked = ["-c", "from importlib.metadata import version; print(version('runpod'))"]
    version = subprocess.run([python, *asked], capture_output=True, text=True, check=True).stdout
    served.recording.pop()  # the one with the wrong key: records hold no keys
    check("sdk", {"client": f"runpod {version.strip()}", "exchanges": served.recording})


def test_every_record_says_who_made_it():
    for path in RECORDS.glob("*.json"):
        assert path.stem == "schemas" or read(path.stem)["client"]
