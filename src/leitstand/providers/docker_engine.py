"""One Docker engine over its API, version 1.41 (Docker 20.10 and newer, Podman 3 and newer).

What an engine refuses, Docker says by status and Podman often by 500 and words alone. So what a
refusal means is not read from it but from what the engine shows afterwards.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import httpx
from pydantic import Field

from leitstand.core.rented import LogLine
from leitstand.ports import (
    NoCapacity,
    ProviderError,
    Rejected,
    Status,
    Unavailable,
    UnknownOutcome,
)
from leitstand.providers.docker_hosts import Host
from leitstand.wire.call import Reply, Wire, refusal
from leitstand.wire.pace import Pace, Rank
from leitstand.wire.shape import Shape, parsed

LABEL = "leitstand.label"
"""The container label that holds ours."""
WORKER_LABEL = "leitstand-worker"
"""An image with this label is one of `deploy/Containerfile`: its entry point is the worker."""
API = "/v1.41"
LOG_BYTES_MAX = 1 << 20
LOG_SILENCE_SECONDS = 10.0
_STATES = {
    "created": Status.STARTING,
    "configured": Status.STARTING,
    "initialized": Status.STARTING,
    "running": Status.RUNNING,
    "restarting": Status.RUNNING,
    "paused": Status.STOPPED,
    "exited": Status.STOPPED,
    "stopped": Status.STOPPED,
    "dead": Status.STOPPED,
    "removing": Status.ENDING,
    "stopping": Status.ENDING,
}
_ID = re.compile(r"[0-9a-f]{64}")


class Info(Shape):
    """`GET /info`, in part."""

    cores: int = Field(alias="NCPU", ge=1)
    memory: int = Field(alias="MemTotal", ge=1)
    folder: str = Field(alias="DockerRootDir")


class Container(Shape):
    """A row of `GET /containers/json`."""

    id: str = Field(alias="Id", pattern=_ID)
    names: list[str] = Field(alias="Names")
    labels: dict[str, str] = Field(alias="Labels")
    state: str = Field(alias="State")

    @property
    def status(self) -> Status:
        """A frozen one is stopped: its process stands still."""
        return _STATES.get(self.state, Status.UNKNOWN)


class _Listed(Shape):
    rows: list[Container]


class _State(Shape):
    status: str = Field(alias="Status")


class _Config(Shape):
    labels: dict[str, str] | None = Field(None, alias="Labels")


class Inspected(Shape):
    """`GET /containers/{id}/json`, in part."""

    id: str = Field(alias="Id", pattern=_ID)
    state: _State = Field(alias="State")
    config: _Config = Field(alias="Config")
    host: dict[str, Any] = Field(alias="HostConfig")

    @property
    def label(self) -> str | None:
        return (self.config.labels or {}).get(LABEL)


class _Image(Shape):
    config: _Config = Field(alias="Config")


class _Made(Shape):
    id: str = Field(alias="Id", pattern=_ID)


class Engine:
    """The engine of one host. Safe to use from several threads."""

    def __init__(self, host: Host, transport: httpx.BaseTransport | None = None) -> None:
        self.host = host
        self._wire = Wire(host.address(), None, Pace({}), transport or host.transport())

    def info(self) -> Info:
        """What the machine has."""
        return parsed(Info, self._good(self._send(Rank.SEARCH, "GET", "/info")).body)

    def has_worker(self, image: str) -> bool:
        """Whether an image starts a worker by itself. Raises Rejected where it is not there."""
        reply = self._send(Rank.CREATE, "GET", f"/images/{quote(image, safe='@:/')}/json")
        if reply.status == 404:
            raise Rejected(f"the image is not on {self.host.name}; pull it there")
        labels = parsed(_Image, self._good(reply).body).config.labels or {}
        return WORKER_LABEL in labels

    def containers(self) -> list[Container]:
        """Every container with a label of ours, whatever its state."""
        query = {"all": "1", "filters": json.dumps({"label": [LABEL]})}
        reply = self._good(self._send(Rank.LOOK, "GET", "/containers/json", query=query))
        return parsed(_Listed, {"rows": reply.body}).rows

    def inspect(self, name: str) -> Inspected | None:
        """One container, by id or name; None where there is none."""
        reply = self._send(Rank.LOOK, "GET", f"/containers/{name}/json")
        return None if reply.status == 404 else parsed(Inspected, self._good(reply).body)

    def create(self, name: str, body: Mapping[str, Any], secrets: Sequence[str]) -> str:
        """The id of a new container under a name that nothing else has.

        Raises NoCapacity where something has it, Rejected where the engine refuses otherwise,
        UnknownOutcome where no answer came.
        """
        for secret in secrets:
            self._wire.keep_out(secret)
        reply = self._wire.call(
            Rank.CREATE,
            "create",
            "POST",
            f"{API}/containers/create",
            query={"name": name},
            body=body,
            creating=True,
            secrets=secrets,
        )
        if reply.good:
            try:
                return parsed(_Made, reply.body).id
            except Unavailable as error:
                raise UnknownOutcome(str(error)) from None
        try:
            taken = self.inspect(name) is not None
        except ProviderError:
            raise UnknownOutcome(f"HTTP {reply.status}: {reply.detail}") from None
        if taken:
            raise NoCapacity(f"{name} is taken on {self.host.name}")
        raise Rejected(f"HTTP {reply.status}: {reply.detail}")

    def start(self, container: str) -> None:
        """Raises NoCapacity where it cannot run, Unavailable where no answer came."""
        reply = self._send(Rank.CREATE, "POST", f"/containers/{container}/start")
        if not (reply.good or reply.status == 304):
            raise NoCapacity(f"HTTP {reply.status}: {reply.detail}")

    def freeze(self, container: str) -> None:
        """Stop its processes where they are. Frozen already is success."""
        self._turn(container, "pause", "paused")

    def thaw(self, container: str) -> None:
        """Let them go on. Running already is success."""
        self._turn(container, "unpause", "running")

    def _turn(self, container: str, verb: str, state: str) -> None:
        rank = Rank.STOP if verb == "pause" else Rank.CREATE
        reply = self._send(rank, "POST", f"/containers/{container}/{verb}")
        if reply.good:
            return
        found = self.inspect(container)
        if found is None:
            raise Rejected("there is no such container")
        if found.state.status == state:
            return
        if found.state.status in ("running", "paused"):
            raise Unavailable(f"HTTP {reply.status}: {reply.detail}")
        raise NoCapacity(f"it is {found.state.status}")

    def remove(self, container: str) -> None:
        """Kill and remove it with the volumes that nothing else uses. Absent, or on its way, is
        success."""
        query = {"force": "true", "v": "true"}
        reply = self._send(Rank.END, "DELETE", f"/containers/{container}", query=query)
        if reply.status not in (404, 409):
            self._good(reply)

    def logs(self, container: str, lines: int) -> list[LogLine]:
        """Its last lines."""
        query = {"stdout": "1", "stderr": "1", "timestamps": "1", "tail": str(lines)}
        path = f"{API}/containers/{container}/logs"
        found = bytearray()
        with self._wire.streamed(
            Rank.SEARCH, "logs", path, query=query, idle_seconds=LOG_SILENCE_SECONDS
        ) as reply:
            for chunk in reply.iter_bytes():
                found += chunk
                if len(found) > LOG_BYTES_MAX:
                    break
        return [
            LogLine(_moment(at), source, self._wire.redact(text))
            for source, line in _demultiplexed(bytes(found))
            for at, _, text in [line.partition(" ")]
        ][-lines:]

    def _send(
        self, rank: Rank, method: str, path: str, *, query: Mapping[str, str] | None = None
    ) -> Reply:
        endpoint = f"{self.host.name}: {method}"
        return self._wire.call(rank, endpoint, method, API + path, query=query)

    def _good(self, reply: Reply) -> Reply:
        if not reply.good:
            raise refusal(reply)
        return reply


def _demultiplexed(content: bytes) -> list[tuple[str, str]]:
    """Lines of a log stream without terminal: frames of `[1 or 2, 0, 0, 0, size]` and bytes. One that
    is cut off ends it."""
    texts = {"stdout": "", "stderr": ""}
    found = []
    at = 0
    while at + 8 <= len(content):
        source = "stderr" if content[at] == 2 else "stdout"
        size = int.from_bytes(content[at + 4 : at + 8], "big")
        texts[source] += content[at + 8 : at + 8 + size].decode("utf-8", "replace")
        at += 8 + size
        *whole, texts[source] = texts[source].split("\n")
        found += [(source, line) for line in whole]
    return found + [(source, rest) for source, rest in texts.items() if rest]


def _moment(text: str) -> datetime | None:
    """RFC 3339 with nanoseconds."""
    match = re.match(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)", text)
    if match is None:
        return None
    return datetime.fromisoformat(match[1] + match[2].replace("Z", "+00:00")).astimezone(UTC)
