"""A refusal of a simulator as an exchange: what was asked last, and what was told.

Official clients were made to ask for each (`make test-validators`); the records are in
`recorded/<provider>/refusals.json`, one exchange for every rule.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.wire import records
from tests.wire.runpod_api import Api as RunPodApi
from tests.wire.runpod_refusals import PROVOCATIONS as RUNPOD
from tests.wire.vast_api import Api as VastApi
from tests.wire.vast_refusals import PROVOCATIONS as VAST

PROVOCATIONS: dict[str, dict[str, Callable[[Any], Any]]] = {"runpod": RUNPOD, "vast": VAST}
APIS: dict[str, Callable[..., Any]] = {"runpod": RunPodApi, "vast": VastApi}
BODY_MAX = 600
Exchange = dict[str, Any]
Send = Callable[..., int]


def exchange(method: str, target: str, body: bytes, status: int, told: Any) -> Exchange:
    """As it is compared and kept: a query by its values, a long body by its hash."""
    parts = urlsplit(target)
    note: Exchange = {"method": method, "path": parts.path, "status": status, "told": told}
    if parts.query:
        pairs = parse_qsl(parts.query, keep_blank_values=True)
        note["query"] = sorted([name, value] for name, value in pairs)
    try:
        sent = json.loads(body or b"{}")
    except ValueError:
        sent = body.decode()
    if sent != {}:
        text = json.dumps(sent, sort_keys=True)
        short = len(text) <= BODY_MAX
        note["body"] = sent if short else f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    return note


class Ear:
    """Hears what an `Api` sends; the last exchange of a provocation is the refusal."""

    def __init__(self, api: Any) -> None:
        self.api, self.count, self.last = api, 0, Exchange()
        self._send: Send = api.send
        api.send = self.send

    def send(self, method: str, target: str, body: bytes = b"", **headers: str) -> int:
        self.count += 1
        status = self._send(method, target, body, **headers)
        told = getattr(self.api, "text", "") if self.api.body is None else self.api.body
        self.last = exchange(method, target, body, status, told)
        return status


def provoked(provider: str, rule: str, lifted: bool = False) -> Ear:
    """The provocation of a rule in this process; where it is lifted, what comes of it."""
    ear = Ear(APIS[provider](lifted=frozenset({rule} if lifted else ())))
    PROVOCATIONS[provider][rule](ear.api)
    return ear


def noticed(provider: str, rule: str) -> bool:
    """Whether the record of an official client shows that the rule is gone."""
    try:
        return provoked(provider, rule, lifted=True).last != recorded(provider)[rule]
    except Exception:
        return True  # the provocation itself did not get that far


def recorded(provider: str) -> dict[str, Exchange]:
    """What official clients were refused, by rule."""
    refusals: dict[str, Exchange] = records.read(provider, "refusals")["refusals"]
    return refusals
