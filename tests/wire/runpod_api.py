"""A client of the simulated RunPod for tests: calls it in this process and moves its clock."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.wire.runpod import RunPod

GPU = "NVIDIA GeForce RTX 4090"
START = datetime(2026, 11, 2, 8, tzinfo=UTC)


class Hands:
    """A clock that the test moves."""

    def __init__(self, at: datetime = START) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at


class Api:
    """Calls the simulator as a client would, and moves its clock."""

    def __init__(self, **simulator: Any) -> None:
        self.clock = Hands()
        self.sim = RunPod(self.clock, **simulator)
        self.key = self.sim.key
        self.headers: dict[str, str] = {}
        self.body: Any = None
        self.stream: Any = None

    @property
    def account(self) -> Any:
        return self.sim.account

    def send(self, method: str, target: str, body: bytes = b"", **headers: str) -> int:
        """Status; headers and body are kept."""
        sent = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        status, self.headers, content = self.sim.answer(method, target, sent, body)
        self.stream = content if not isinstance(content, bytes) else None
        self.body = json.loads(content) if isinstance(content, bytes) and content else None
        return status

    def __call__(self, method: str, target: str, **body: Any) -> int:
        return self.send(method, target, json.dumps(body).encode() if body else b"")

    def forward(self, **time: float) -> None:
        self.clock.at += timedelta(**time)
        self.sim.settle()

    def create(self, **changes: Any) -> int:
        body = {
            "name": "ls1-test",
            "image": "registry.example/worker@sha256:0",
            "disk": 100,
            "gpu": {"id": GPU, "count": 1},
            "ports": ["8000/http", "22/tcp"],
        } | changes
        return self("POST", "/v2/pods", **{k: v for k, v in body.items() if v is not None})

    def pod(self, boot: bool = True, **changes: Any) -> str:
        """A pod that is up (or just visible), and its id."""
        assert self.create(**changes) == 201, self.body
        id: str = self.body["id"]
        self.forward(seconds=200 if boot else 5)
        return id

    def volume(self, **changes: Any) -> str:
        body = {"name": "cache", "size": 50, "dataCenter": "EU-RO-1"} | changes
        assert self("POST", "/v2/network-volumes", **body) == 201, self.body
        return str(self.body["id"])

    def registry(self) -> str:
        login = {"name": "ghcr", "username": "u", "password": "p"}
        assert self("POST", "/v2/registries", **login) == 201
        return str(self.body["id"])
