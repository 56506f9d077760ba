"""A request as the simulator's operations see it, and what they give back."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeVar

from tests.wire.runpod_account import Account
from tests.wire.runpod_bodies import BODIES, QUERIES
from tests.wire.runpod_pod import Pod
from tests.wire.runpod_rules import Refusals, Refused, parameter
from tests.wire.shapes import Fault, faults


@dataclass(frozen=True, slots=True)
class Answer:
    """What an operation answers: JSON, nothing, or a stream of text."""

    status: int = 200
    payload: Any = None
    stream: Callable[[], Iterator[str]] | None = None


@dataclass
class Call:
    """One authenticated request."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    account: Account
    rules: Refusals
    now: datetime
    repeated: frozenset[str] = frozenset()
    """Query parameters that came more than once."""
    caller: Pod | None = None
    """The pod whose own key this is."""
    waiting: Callable[[], bool] = field(default=lambda: False)
    """For streams: blocks until the clock has moved; False when the simulator closes."""

    def json(self, name: str) -> dict[str, Any]:
        """The body, of the shape `name`."""
        try:
            value = json.loads(self.body)
        except ValueError:
            self.rules.refuse("not-json")
            value = {}
        self.rules.check(faults(BODIES[name], value, name))
        return value if isinstance(value, dict) else {}

    def parameters(self, operation: str) -> dict[str, Any]:
        """The query parameters that the operation knows; any other is ignored."""
        found: list[Fault] = []
        values = {}
        for name, schema in QUERIES[operation].items():
            if name in self.query:
                if schema["type"] == "list" and name in self.repeated:
                    self.rules.refuse("repeated", parameter=name)
                value, wrong = parameter(schema, self.query[name], f"{operation}?{name}")
                found += wrong
                if value is not None:
                    values[name] = value
        self.rules.check(found)
        return values


class Numbered(Protocol):
    """What lists are made of: the higher the number, the newer."""

    number: int


Row = TypeVar("Row", bound=Numbered)


def page(call: Call, operation: str, rows: Sequence[Row]) -> tuple[list[Row], dict[str, Any]]:
    """A page, newest first, and the `pagination` of the answer (absent in the older API)."""
    conduct = call.account.conduct
    given = call.parameters(operation)
    newest = sorted(rows, key=lambda row: -row.number)
    if not conduct.pagination:
        return newest, {}
    if "cursor" in given:
        below = _below(call, operation, given["cursor"])
        newest = [row for row in newest if row.number < below]
    size = max(1, given.get("limit", conduct.page_default))
    size = min(size, conduct.page_rows_max or size)
    held, rest = newest[:size], newest[size:]
    cursor = _cursor(operation, held[-1].number) if rest else None
    return held, {"pagination": {"hasNextPage": bool(rest), "nextCursor": cursor}}


def _cursor(operation: str, number: int) -> str:
    return base64.urlsafe_b64encode(f"{operation}:{number}".encode()).decode()


def _below(call: Call, operation: str, cursor: str) -> float:
    try:
        owner, _, number = base64.urlsafe_b64decode(cursor.encode()).decode().partition(":")
        if owner == operation:
            return int(number)
    except (binascii.Error, ValueError):
        pass
    call.rules.refuse("cursor")
    return float("inf")


def problem(refused: Refused, form: str) -> tuple[str, Any]:
    """Content type and body of a refusal. Bare forms were seen with 400, 404 and 500 only."""
    if form != "problem" and refused.status in (400, 404, 500):
        body = {"error": refused.detail} if form == "bare" else {}
        return "application/json", body
    titles = {
        400: "Bad Request",
        401: "Unauthorized",
        402: "Payment Required",
        403: "Forbidden",
        404: "Not Found",
        405: "Method Not Allowed",
        409: "Conflict",
        410: "Gone",
        413: "Content Too Large",
        422: "Unprocessable Entity",
        429: "Too Many Requests",
    }
    document: dict[str, Any] = {
        "title": titles[refused.status],
        "status": refused.status,
        "detail": refused.detail,
    }
    if refused.errors:
        document["errors"] = list(refused.errors)
    return "application/problem+json", document
