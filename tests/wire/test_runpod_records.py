"""The simulated RunPod answers official clients as it did when `make test-validators` recorded them,
and demands the shapes that RunPod's own specification (in the MCP server) demands."""

import copy
import json
from urllib.parse import urlencode

import jsonschema
import pytest

from tests.wire.runpod import KEY
from tests.wire.runpod_api import Api
from tests.wire.runpod_bodies import BODIES, COMPLIANCE, QUERIES, REGIONS
from tests.wire.runpod_records import read
from tests.wire.runpod_refusals import SENT, breakages
from tests.wire.runpod_rules import faults, parameter

SCHEMAS = read("schemas")
LATER = {"cmd", "entrypoint", "limit", "cursor"}
"""Fields of newer specifications than the one this MCP server was made from."""


@pytest.mark.parametrize("record", ["mcp-server", "sdk"])
def test_a_recorded_exchange_is_answered_the_same_way_again(record):
    api = Api()
    for note in read(record)["exchanges"]:
        if "forward_seconds" in note:
            api.forward(seconds=note["forward_seconds"])
            continue
        body = json.dumps(note["body"]).encode() if "body" in note else b""
        assert api.send(note["method"], note["target"], body) == note["status"], note["target"]
        if "frames" in note:
            assert [frame.decode() for frame in api.stream] == note["frames"]
        else:
            assert api.body == note["answer"]


@pytest.mark.parametrize(
    ("record", "agent"),
    [("mcp-server", "runpod-mcp-server/4.0.0"), ("sdk", "RunPod-Python-SDK/1.12.0")],
)
def test_the_records_are_of_the_named_versions_and_hold_no_key(record, agent):
    exchanges = [note for note in read(record)["exchanges"] if "client" in note]
    assert exchanges and KEY not in json.dumps(exchanges)
    assert {note["client"] for note in exchanges} <= {agent, "node"}


def official(shape):
    schema = SCHEMAS[shape]
    if shape in BODIES:
        schema = {**schema["properties"]["body"], "$defs": schema["$defs"]}
    return jsonschema.Draft202012Validator(schema)


def without(value, names):
    return {name: inner for name, inner in value.items() if name not in names}


@pytest.mark.parametrize("shape", BODIES)
def test_the_official_schema_refuses_the_same_bodies(shape):
    judge = official(shape)
    example = copy.deepcopy(SENT[shape][2])
    assert not [e.message for e in judge.iter_errors(without(example, LATER))]
    for rule, body in breakages(BODIES[shape], example, shape):
        if any(f".{name}" in rule for name in LATER):
            continue
        body = without(body, LATER) if isinstance(body, dict) else body
        assert not judge.is_valid(body), rule
        assert rule in {name for name, _ in faults(BODIES[shape], body, shape)}


@pytest.mark.parametrize("shape", BODIES)
def test_the_official_schema_knows_the_same_fields(shape):
    def fields(schema, defs):
        found = set()
        if "$ref" in schema:
            found |= fields(defs[schema["$ref"].rpartition("/")[2]], defs)
        for part in schema.get("allOf", []):
            found |= fields(part, defs)
        return found | schema.get("properties", {}).keys()

    ours = BODIES[shape]["properties"].keys() - LATER
    schema = SCHEMAS[shape]
    assert fields(schema["properties"]["body"], schema["$defs"]) == ours


def test_the_official_enumerations_are_ours():
    official_enums = SCHEMAS["list-data-centers"]["$defs"]
    assert official_enums["DataCenterRegion"]["enum"] == REGIONS
    assert official_enums["Compliance"]["enum"] == COMPLIANCE


@pytest.mark.parametrize("operation", sorted(SCHEMAS.keys() & QUERIES.keys()))
def test_the_official_schema_knows_the_same_parameters_and_values(operation):
    official_schema = SCHEMAS[operation]
    ours = QUERIES[operation]
    assert official_schema["properties"].keys() - {"podId"} == ours.keys() - LATER
    judge = official(operation)
    probes = {
        "integer": [(0, "0"), (1, "1"), (2, "2"), (-1, "-1")],
        "boolean": [(True, "true")],
        "time": [],
        "string": [(text, text) for text in ("SECURE", "hour", "12", "12.8", "x", "")],
        "list": [
            ([text], text)
            for text in (
                "POD",
                "CLUSTER",
                "AVAILABILITY",
                "STANDARD",
                "FR",
                "fr",
                "12.8",
                "12",
                "EUROPE",
                "GDPR",
                "x",
            )
        ],
    }
    for name, schema in ours.items():
        if name in LATER:
            continue
        for value, text in probes[schema["type"]]:
            _, wrong = parameter(schema, text, name)
            assert judge.is_valid({name: value}) == (not wrong), urlencode({name: text})
