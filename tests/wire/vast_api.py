"""A client of the simulated Vast.ai for tests: calls it in this process and moves its clock."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from tests.wire.clock import Clock
from tests.wire.vast import Vast
from tests.wire.vast_account import Account
from tests.wire.vast_contract import Contract

ASK = 1000020
"""One RTX 4090 of the first machine."""


class Api:
    """Calls the simulator as a client would. Rates are off unless `paced`."""

    def __init__(self, paced: bool = False, **simulator: Any) -> None:
        self.clock = Clock()
        self.sim = Vast(self.clock, **simulator)
        if not paced:
            self.sim.account.conduct.rates = {}
            self.sim.account.conduct.search_minute = 10**6
        self.key: str | None = self.sim.key
        self.headers: dict[str, str] = {}
        self.text = ""
        self.body: Any = None

    @property
    def account(self) -> Account:
        return self.sim.account

    def send(self, method: str, target: str, body: bytes = b"", **headers: str) -> int:
        """Status; headers and body are kept."""
        sent = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        sent |= headers
        status, self.headers, content = self.sim.answer(method, target, sent, body)
        assert isinstance(content, bytes)
        self.text = content.decode()
        json_told = self.headers.get("Content-Type") == "application/json"
        self.body = json.loads(content) if json_told else None
        return status

    def __call__(self, method: str, target: str, **body: Any) -> int:
        if not target.startswith("/"):
            target = f"/api/v0/{target}"
        return self.send(method, target, json.dumps(body).encode() if body else b"")

    def forward(self, **time: float) -> None:
        self.clock.forward(**time)
        self.sim.settle()

    def search(self, **query: Any) -> list[dict[str, Any]]:
        assert self("POST", "bundles/", **query) == 200, self.text
        found: list[dict[str, Any]] = self.body["offers"]
        return found

    def create(self, ask: int = ASK, **changes: Any) -> int:
        body = {
            "client_id": "me",
            "image": "registry.example/worker@sha256:0",
            "disk": 20,
            "label": "ls1-test",
            "env": {"A": "b", "-p 8000:8000": "1"},
            "runtype": "args",
            "cancel_unavail": True,
        } | changes
        kept = {name: value for name, value in body.items() if value is not ...}
        return self("PUT", f"asks/{ask}/", **kept)

    def rent(self, ask: int = ASK, up: bool = True, **changes: Any) -> Contract:
        """A contract that runs, with its ports (or one that is just visible)."""
        assert self.create(ask, **changes) == 200, self.text
        id = self.body["new_contract"]
        self.forward(seconds=120 if up else 5)
        return next(c for c in self.account.contracts if c.id == id)

    def list(self, **query: Any) -> int:
        text = {k: v if isinstance(v, str) else json.dumps(v) for k, v in query.items()}
        return self("GET", f"/api/v1/instances/?{urlencode(text)}")

    def shown(self, contract: Contract) -> Any:
        assert self("GET", f"instances/{contract.id}/") == 200, self.text
        return self.body["instances"]

    def state(self, contract: Contract, state: str) -> int:
        return self("PUT", f"instances/{contract.id}/", state=state)

    def destroy(self, contract: Contract) -> int:
        return self("DELETE", f"instances/{contract.id}/")
