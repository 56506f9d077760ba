"""A request as the simulator's operations see it, and what they give back."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from tests.wire.shapes import faults
from tests.wire.vast_account import Account
from tests.wire.vast_bodies import BODIES
from tests.wire.vast_contract import Contract
from tests.wire.vast_rules import Refusals


@dataclass(frozen=True, slots=True)
class Answer:
    """What an operation answers: JSON, or text."""

    payload: Any = None
    status: int = 200
    text: str | None = None


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
    origin: str
    results: dict[str, Result]
    keys: dict[str, frozenset[str]]
    caller: Contract | None = None
    """The contract whose own key this is."""
    now: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.now = self.account.at

    def json(self, name: str, apart: Iterable[str] = ()) -> dict[str, Any]:
        """The body, of the shape `name`; fields `apart` have rules of their own."""
        try:
            value = json.loads(self.body or b"{}")
        except ValueError:
            self.rules.refuse("not-json")
            value = {}
        shaped = value
        if isinstance(value, dict):
            shaped = {field: inner for field, inner in value.items() if field not in set(apart)}
        self.rules.check(faults(BODIES[name], shaped, name))
        return value if isinstance(value, dict) else {}

    def parameter(self, name: str, rule: str, kind: type, default: Any) -> Any:
        """A query parameter that is JSON of a type."""
        text = self.query.get(name)
        if text is None:
            return default
        try:
            value = json.loads(text)
        except ValueError:
            value = None
        if not isinstance(value, kind):
            self.rules.refuse(rule)
            return default
        return value

    def number(self, name: str, rule: str, default: int, most: int) -> int:
        """A query parameter that counts, from 1."""
        text = self.query.get(name, str(default))
        if text.isascii() and text.isdigit() and 1 <= int(text) <= most:
            return int(text)
        self.rules.refuse(rule)
        return int(text) if text.isascii() and text.isdigit() else default


@dataclass(slots=True)
class Result:
    """What lies at the address of a result, after it was asked for a few times in vain."""

    text: str
    polls: int


def token(owner: str, place: int) -> str:
    """Where a list goes on."""
    return base64.b64encode(json.dumps({"of": owner, "from": place}).encode()).decode()


def place(call: Call, owner: str, rule: str) -> int:
    """Where this page of a list begins."""
    text = call.query.get("after_token")
    if text is None:
        return 0
    try:
        told = json.loads(base64.b64decode(text.encode(), validate=True))
        if told["of"] == owner:
            return int(told["from"])
    except (binascii.Error, ValueError, KeyError, TypeError):
        pass
    call.rules.refuse(rule)
    return 0


def usd(amount: Decimal) -> float:
    """As JSON carries it."""
    return float(round(amount, 10))
