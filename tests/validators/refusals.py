"""Official clients are made to be refused: the last call of each provocation is theirs."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.validators.mcp import Mcp
from tests.wire import records
from tests.wire.clock import Clock
from tests.wire.refused import APIS, PROVOCATIONS, Exchange, exchange, provoked
from tests.wire.server import Served

Client = Callable[[Served, str | None, str, str, bytes], None]
"""Makes one call: key, method, target, body. Raises Unsayable."""


class Unsayable(Exception):
    """This client has no way to ask that."""


def refused(served: Served, provider: str, rule: str, client: Client) -> Exchange:
    """The refusal as the client met it: all calls before it are made in this process."""
    calls = provoked(provider, rule).count
    served.clock.at = Clock().at
    api = APIS[provider]()
    api.clock = served.clock
    served.sim = api.sim = renewed(served, api.account.conduct)
    served.recording = []
    inner, count, last = api.send, 0, Exchange()

    def send(method: str, target: str, body: bytes = b"", **headers: str) -> int:
        nonlocal count, last
        count += 1
        if count < calls:
            return int(inner(method, target, body, **headers))
        client(served, api.key, method, target.removeprefix(served.url), body)
        if not served.recording:
            raise Unsayable
        note = served.recording[0]
        if "frames" in note:
            raise Unsayable  # it mended what it was to say
        told = note["text"] if "text" in note else note["answer"]
        sent = json.dumps(note.get("body", {})).encode()
        last = exchange(note["method"], note["target"], sent, note["status"], told)
        return int(note["status"])

    api.send = send
    PROVOCATIONS[provider][rule](api)
    return last


def renewed(served: Served, conduct: Any) -> Any:
    """A new account behind the same address, of another conduct."""
    sim: Any = type(served.sim)(served.clock)
    sim.account.conduct = conduct
    sim.waiter, sim.origin = served._waiter, served.url
    return sim


def check_refusals(provider: str, served: Served, version: str, client: Any) -> None:
    """Equal to the record, or written as the record. What this client cannot ask is left out."""
    found: dict[str, Exchange] = {}
    served.tick = 0
    with client:
        for rule in PROVOCATIONS[provider]:
            with suppress(Unsayable):
                found[rule] = refused(served, provider, rule, client)
    document = {"client": version, "refusals": found}
    if os.environ.get("WIRE_RECORD"):
        records.write(provider, "refusals", document)
    assert records.read(provider, "refusals") == document


# --- Vast.ai's SDK ---------------------------------------------------------------------------------

SDK = """
import json, sys
from vastai.api.client import VastClient
for line in sys.stdin:
    url, key, method, path, query, body = json.loads(line)
    client = VastClient(api_key=key, server_url=url, retry=1)
    getattr(client, method.lower())(path, dict(query), json_data=body)
    print("done", flush=True)
"""


class VastSdk:
    """`with VastSdk(python) as client:` one process of the SDK for many calls."""

    def __init__(self, python: Path) -> None:
        self._process = subprocess.Popen(
            [str(python), "-c", SDK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> VastSdk:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()

    def __call__(
        self, served: Served, key: str | None, method: str, target: str, body: bytes
    ) -> None:
        parts = urlsplit(target)
        try:
            sent = json.loads(body) if body else None
        except ValueError as error:
            raise Unsayable from error
        if not parts.path.startswith("/api/"):
            raise Unsayable
        call = [served.url, key, method, parts.path, parse_qsl(parts.query), sent]
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(call) + "\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "done\n"


# --- RunPod's MCP server ---------------------------------------------------------------------------

LISTS = {
    "include", "product", "countryCodes", "cudaVersions", "regions", "networkVolumeTypes",
    "compliance",
}  # fmt: skip
TOOLS: dict[tuple[str, str], str] = {
    ("GET", "pods"): "list-pods",
    ("POST", "pods"): "create-pod",
    ("GET", "pods/*"): "get-pod",
    ("PATCH", "pods/*"): "update-pod",
    ("DELETE", "pods/*"): "delete-pod",
    ("POST", "pods/*/action"): "pod-action",
    ("GET", "pods/*/logs"): "stream-pod-logs",
    ("GET", "network-volumes"): "list-network-volumes",
    ("POST", "network-volumes"): "create-network-volume",
    ("GET", "network-volumes/*"): "get-network-volume",
    ("PATCH", "network-volumes/*"): "update-network-volume",
    ("DELETE", "network-volumes/*"): "delete-network-volume",
    ("GET", "registries"): "list-registries",
    ("POST", "registries"): "create-registry",
    ("GET", "registries/*"): "get-registry",
    ("DELETE", "registries/*"): "delete-registry",
    ("GET", "catalog/gpus"): "list-gpu-types",
    ("GET", "catalog/gpus/*"): "get-gpu-type",
    ("GET", "catalog/cpus"): "list-cpu-types",
    ("GET", "catalog/cpus/*"): "get-cpu-type",
    ("GET", "catalog/datacenters"): "list-data-centers",
    ("GET", "catalog/datacenters/*"): "get-data-center",
    ("PUT", "account/ssh-keys"): "update-ssh-keys",
    ("GET", "account/ssh-keys"): "get-ssh-keys",
    ("GET", "billing/pods"): "list-pod-billing",
}


class RunPodMcp:
    """`with RunPodMcp(folder) as client:` a process of the MCP server for each key."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self._by_key: dict[str, Mcp] = {}

    def __enter__(self) -> RunPodMcp:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def __call__(
        self, served: Served, key: str | None, method: str, target: str, body: bytes
    ) -> None:
        parts = urlsplit(target)
        steps = parts.path.split("/")[2:]
        named = len(steps) > 1 and steps[0] not in ("catalog", "account", "billing")
        at = 1 if named else 2
        id = unquote(steps[at]) if len(steps) > at else None
        pattern = "/".join([*steps[:at], *(["*"] if id else []), *steps[at + 1 :]])
        tool = TOOLS.get((method, pattern))
        pairs = parse_qsl(parts.query, keep_blank_values=True)
        if (
            not parts.path.startswith("/v2/")
            or tool is None
            or not key
            or len(dict(pairs)) < len(pairs)
        ):
            raise Unsayable
        given: dict[str, Any] = {
            name: value.split(",") if name in LISTS else value for name, value in pairs
        }
        if id:
            given["podId" if tool == "stream-pod-logs" else "id"] = id
        if method in ("POST", "PUT", "PATCH"):
            try:
                given["body"] = json.loads(body or b"{}")
            except ValueError as error:
                raise Unsayable from error
        if key not in self._by_key:
            self._by_key[key] = self._stack.enter_context(Mcp(self._folder, served.url, key))
        self._by_key[key].call(tool, **given)
