"""RunPod's old GraphQL API as far as REST v2 lacks it: the balance, and what official clients read
on the way there. Errors come as HTTP 200; mutations are not here."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from tests.wire.runpod_account import Account
from tests.wire.runpod_pod import Pod

Selection = dict[str, tuple[dict[str, Any], "Selection"]]
"""Field to its arguments and what is selected below it."""

TOKEN = re.compile(
    r'\s*(?:([A-Za-z_]\w*)|("(?:[^"\\\n]|\\.)*")|(-?\d+(?:\.\d+)?)|([{}():,\[\]$!=]))'
)
PUBLIC = {"gpuTypes", "dataCenters"}
"""Fields that need no key."""


class Invalid(Exception):
    """A query that cannot be read or asks for what is not there."""

    def __init__(self, message: str, code: str = "GRAPHQL_VALIDATION_FAILED") -> None:
        super().__init__(message)
        self.code = code


class _Reader:
    """The subset of GraphQL that clients send: one operation, fields, literal arguments."""

    def __init__(self, text: str) -> None:
        self.tokens: list[str] = []
        at = 0
        text = text.rstrip()
        while at < len(text):
            match = TOKEN.match(text, at)
            if not match:
                raise Invalid(f"Syntax Error: Unexpected {text[at]!r}.", "GRAPHQL_PARSE_FAILED")
            if (token := match.group().strip()) != ",":
                self.tokens.append(token)
            at = match.end()
        self.at = 0

    def next(self) -> str:
        if self.at >= len(self.tokens):
            raise Invalid("Syntax Error: Unexpected <EOF>.", "GRAPHQL_PARSE_FAILED")
        self.at += 1
        return self.tokens[self.at - 1]

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, wanted: str) -> None:
        if (found := self.next()) != wanted:
            message = f"Syntax Error: Expected {wanted!r}, found {found!r}."
            raise Invalid(message, "GRAPHQL_PARSE_FAILED")

    def operation(self) -> tuple[str, Selection]:
        kind = "query"
        if self.peek() in ("query", "mutation"):
            kind = self.next()
            if self.peek() not in ("{", "("):
                self.next()
            if self.peek() == "(":
                while self.next() != ")":
                    pass
        selected = self.selection()
        if self.peek():
            raise Invalid(f"Syntax Error: Unexpected {self.peek()!r}.", "GRAPHQL_PARSE_FAILED")
        return kind, selected

    def selection(self) -> Selection:
        self.take("{")
        fields: Selection = {}
        while self.peek() != "}":
            name = self.next()
            if not re.fullmatch(r"[A-Za-z_]\w*", name):
                message = f"Syntax Error: Expected Name, found {name!r}."
                raise Invalid(message, "GRAPHQL_PARSE_FAILED")
            arguments = self.arguments(")") if self.peek() == "(" else {}
            fields[name] = (arguments, self.selection() if self.peek() == "{" else {})
        self.take("}")
        return fields

    def arguments(self, end: str) -> dict[str, Any]:
        self.next()
        values = {}
        while self.peek() != end:
            name = self.next()
            self.take(":")
            values[name] = self.value()
        self.take(end)
        return values

    def value(self) -> Any:
        if self.peek() == "{":
            return self.arguments("}")
        token = self.next()
        if token == "$":
            return {"$": self.next()}
        if token == "[":
            items = []
            while self.peek() != "]":
                items.append(self.value())
            self.take("]")
            return items
        try:
            return json.loads(token)
        except ValueError:
            return token


def _filled(value: Any, variables: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        if set(value) == {"$"}:
            return variables.get(value["$"])
        return {name: _filled(inner, variables) for name, inner in value.items()}
    return value


def answer(account: Account, body: bytes, known: bool, user: str = "user_1") -> tuple[int, Any]:
    """Status and JSON. `known` is whether the key is good."""
    try:
        asked = json.loads(body)
        kind, selected = _Reader(asked["query"]).operation()
        if kind == "mutation":
            name = next(iter(selected), "")
            raise Invalid(f'Cannot query field "{name}" on type "Mutation".')
        if not known and not set(selected) <= PUBLIC:
            return 401, {"errors": [{"message": "Unauthorized"}]}
        data = {}
        for name, (arguments, below) in selected.items():
            if name not in ROOT:
                raise Invalid(f'Cannot query field "{name}" on type "Query".')
            given = _filled(arguments, asked.get("variables") or {}).get("input", {})
            data[name] = _cut(ROOT[name](account, given or {}, user), below, name)
        return 200, {"data": data}
    except Invalid as wrong:
        error = {"message": str(wrong), "extensions": {"code": wrong.code}}
        return 200, {"errors": [error], "data": None}
    except (ValueError, KeyError, TypeError, AttributeError):
        error = {"message": "POST body missing, invalid Content-Type, or JSON object has no keys."}
        return 400, {"errors": [error]}


def _cut(value: Any, selected: Selection, kind: str) -> Any:
    """Only what was selected; a field that the type lacks is an error."""
    if isinstance(value, list):
        return [_cut(item, selected, kind) for item in value]
    if not isinstance(value, dict):
        return value
    if not selected:
        raise Invalid(f'Field "{kind}" must have a selection of subfields.')
    for name in selected:
        if name not in value:
            raise Invalid(f'Cannot query field "{name}" on type "{kind.capitalize()}".')
    return {name: _cut(value[name], below, name) for name, (_, below) in selected.items()}


def _myself(account: Account, _: dict[str, Any], user: str) -> dict[str, Any]:
    return {
        "id": user,
        "email": "operator@example.org",
        "pubKey": "\n".join(account.ssh_keys) or None,
        "clientBalance": float(round(account.balance(), 9)),
        "currentSpendPerHr": float(round(account.burn(), 9)),
        "spendLimit": float(account.conduct.spend_limit),
        "pods": [_pod(account, pod) for pod in account.live() if account.visible(pod)],
        "networkVolumes": [
            {"id": v.id, "name": v.name, "size": v.size, "dataCenterId": v.data_center}
            for v in account.volumes
            if v.deleted_at is None
        ],
        "containerRegistryCreds": [registry.shown() for registry in account.registries],
        "endpoints": [],
    }


def _pod(account: Account, pod: Pod) -> dict[str, Any]:
    row = pod.shown(account.at, account.conduct)
    running = row["runtime"]
    runtime = None
    if running:
        runtime = {
            "uptimeInSeconds": running["uptime"],
            "ports": [
                {
                    "ip": port["ip"],
                    "isIpPublic": port["type"] == "tcp",
                    "privatePort": port["private"],
                    "publicPort": port["public"],
                    "type": port["type"],
                }
                for port in running["ports"]
            ],
        }
    return {
        "id": pod.id,
        "name": pod.name,
        "imageName": pod.image,
        "dockerArgs": pod.args,
        "dockerId": None,
        "env": [f"{name}={value}" for name, value in pod.env.items()],
        "port": None,
        "ports": ",".join(pod.ports),
        "gpuCount": pod.gpus,
        "vcpuCount": pod.vcpus,
        "memoryInGb": pod.ram_gb,
        "containerDiskInGb": pod.disk,
        "volumeInGb": pod.persistent["size"] if pod.persistent else 0,
        "volumeMountPath": pod.persistent["path"] if pod.persistent else None,
        "costPerHr": float(pod.cost()),
        "desiredStatus": "EXITED" if pod.stopped else "RUNNING",
        "lastStatusChange": f"Rented by User: {pod.created_at:%a %b %d %Y %H:%M:%S} GMT",
        "podType": "RESERVED",
        "machineId": f"m{pod.id[:8]}",
        "uptimeSeconds": running["uptime"] if running else 0,
        "runtime": runtime,
        "machine": {"gpuDisplayName": pod.gpu or "", "podHostId": f"{pod.id}-64411111"},
    }


def _one_pod(account: Account, given: dict[str, Any], _: str) -> dict[str, Any] | None:
    for pod in account.live():
        if pod.id == given.get("podId") and account.visible(pod):
            return _pod(account, pod)
    return None


def _gpu_types(account: Account, given: dict[str, Any], _: str) -> list[dict[str, Any]]:
    return [
        {
            "id": kind.id,
            "displayName": kind.name,
            "manufacturer": kind.maker,
            "memoryInGb": kind.memory,
            "secureCloud": kind.secure is not None,
            "communityCloud": kind.community is not None,
            "securePrice": float(kind.secure or 0),
            "communityPrice": float(kind.community or 0),
            "maxGpuCount": kind.count_max,
        }
        for kind in account.gpu_types
        if given.get("id") in (None, kind.id)
    ]


ROOT: dict[str, Callable[[Account, dict[str, Any], str], Any]] = {
    "myself": _myself,
    "pod": _one_pod,
    "gpuTypes": _gpu_types,
}
