"""The simulated Vast.ai answers official clients as it did when `make test-validators` recorded them."""

import json

import pytest

from tests.wire import records
from tests.wire.vast import KEY
from tests.wire.vast_api import Api

RECORDS = ("sdk", "cli")


@pytest.mark.parametrize("record", RECORDS)
def test_a_recorded_exchange_is_answered_the_same_way_again(record):
    api = Api(paced=True)
    for note in records.read("vast", record)["exchanges"]:
        if "forward_seconds" in note:
            api.forward(seconds=note["forward_seconds"])
            continue
        api.key = KEY if note["client"].startswith("vastai") else None
        body = json.dumps(note["body"]).encode() if "body" in note else b""
        assert api.send(note["method"], note["target"], body) == note["status"], note["target"]
        told = {"text": api.text} if "text" in note else {"answer": api.body}
        assert told == {name: note[name] for name in told}


@pytest.mark.parametrize(
    ("record", "agent"), [("sdk", "vastai-sdk/1.9.1"), ("cli", "vastai-cli/1.9.1")]
)
def test_the_records_are_of_the_named_version_and_hold_no_key(record, agent):
    document = records.read("vast", record)
    exchanges = [note for note in document["exchanges"] if "client" in note]
    assert document["client"] == "vastai 1.9.1"
    assert exchanges and KEY not in json.dumps(document)
    assert {note["client"] for note in exchanges} == {agent, "python-requests/2.34.2"}


def test_the_records_hold_what_clients_are_known_to_send():
    """So that a newer client that sends otherwise is seen when the records are made anew."""
    sent = [n for n in records.read("vast", "sdk")["exchanges"] if n.get("method") == "PUT"]
    create = next(
        note["body"] for note in sent if "/asks/" in note["target"] and "disk" in note["body"]
    )
    assert create["env"] == {"A": "b", "-p 8000:8000": "1"}
    assert create["runtype"] == "ssh_direc ssh_proxy" and create["cancel_unavail"] is False
    assert create["price"] is None and create["template_hash_id"] is None
    bodies = [note.get("body") for note in records.read("vast", "sdk")["exchanges"]]
    search = next(body for body in bodies if body and "gpu_name" in body)
    assert search["num_gpus"] == {"eq": "1"} and search["gpu_name"] == {"eq": "RTX 4090"}
