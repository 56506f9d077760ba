"""One simulated pod: its state by the clock, and how the API shows it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.wire.runpod_world import (
    CONTAINER_DISK,
    PERSISTENT_RUNNING,
    PERSISTENT_STOPPED,
    Conduct,
    Fate,
    Place,
)

ACTIONS = {
    "PROVISIONING": ("stop", "terminate"),
    "STARTING": ("stop", "terminate"),
    "RUNNING": ("stop", "restart", "terminate"),
    "EXITED": ("start", "terminate"),
    "ERROR": ("start", "terminate"),
    "TERMINATED": (),
}


def stamp(moment: datetime) -> str:
    """RFC 3339 in UTC, as every answer writes times."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


@dataclass(slots=True)
class Charge:
    """USD per hour of one pod over a stretch of time, in whole seconds since the epoch."""

    start: int
    end: int
    gpu: Decimal
    cpu: Decimal
    disk: Decimal

    def total(self) -> Decimal:
        """USD over the whole stretch."""
        gpu, cpu, disk = self.amounts(self.start, self.end)
        return gpu + cpu + disk

    def amounts(self, start: int, end: int) -> tuple[Decimal, Decimal, Decimal]:
        """GPU, CPU and disk money inside [start, end)."""
        seconds = max(0, min(end, self.end) - max(start, self.start))
        hours = Decimal(seconds) / 3600
        return self.gpu * hours, self.cpu * hours, self.disk * hours


@dataclass(slots=True)
class Pod:
    """A rented pod, or a foreign one in the same account."""

    number: int
    id: str
    key: str
    """RUNPOD_API_KEY of its container."""
    name: str
    image: str
    disk: int
    created_at: datetime
    place: Place | None
    cloud: str = "SECURE"
    ports: list[str] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    args: str = ""
    cmd: list[str] = field(default_factory=list)
    entrypoint: list[str] = field(default_factory=list)
    registry: str | None = None
    persistent: dict[str, Any] | None = None
    network: dict[str, Any] | None = None
    gpu: str | None = None
    gpus: int = 0
    gpus_wanted: int = 0
    cpu: str | None = None
    vcpus: int = 0
    ram_gb: int = 0
    rate_gpu: Decimal = Decimal(0)
    """Per GPU."""
    rate_cpu: Decimal = Decimal(0)
    """Of the whole CPU pod."""
    locked: bool = False
    global_network: bool = False
    cluster: str | None = None
    fate: Fate = field(default_factory=Fate)
    stopped: bool = False
    broken: str | None = None
    boot_at: datetime | None = None
    """When it was last asked to run; None while stopped."""
    boots: int = 1
    reset_at: datetime | None = None
    ended_at: datetime | None = None
    ended_by: str | None = None
    charges: list[Charge] = field(default_factory=list)
    said: list[tuple[datetime, str, str]] = field(default_factory=list)

    def status(self, now: datetime, conduct: Conduct) -> str:
        """The true one; `shown` may differ."""
        if self.ended_at is not None:
            return "TERMINATED"
        if self.broken == "ERROR":
            return "ERROR"
        if self.stopped or self.boot_at is None:
            return "EXITED"
        since = now - self.boot_at
        if since < conduct.provisioning or self.fate.stuck == "PROVISIONING":
            return "PROVISIONING"
        if since < conduct.provisioning + conduct.starting or self.fate.stuck == "STARTING":
            return "STARTING"
        return "RUNNING"

    def holds_gpus(self) -> bool:
        """Until it is stopped or ended; one in ERROR too, and it is billed."""
        return self.ended_at is None and not self.stopped

    def rates(self, now: datetime, conduct: Conduct) -> tuple[Decimal, Decimal, Decimal]:
        """USD per hour for GPU, CPU and disk."""
        status = self.status(now, conduct)
        size = self.persistent["size"] if self.persistent else 0
        if status == "TERMINATED" or self.broken == "STALE":
            return Decimal(0), Decimal(0), Decimal(0)
        if status == "EXITED":
            return Decimal(0), Decimal(0), size * PERSISTENT_STOPPED
        disk = self.disk * CONTAINER_DISK + size * PERSISTENT_RUNNING
        if status in ("PROVISIONING", "STARTING") and not conduct.billed_before_running:
            return Decimal(0), Decimal(0), disk
        return self.rate_gpu * self.gpus, self.rate_cpu, disk

    def cost(self) -> Decimal:
        """What the API calls `cost`: the price of the compute; 0 once stopped."""
        return self.rate_gpu * self.gpus + self.rate_cpu if self.holds_gpus() else Decimal(0)

    def running_since(self, conduct: Conduct) -> datetime | None:
        if self.boot_at is None:
            return None
        started = self.boot_at + conduct.provisioning + conduct.starting
        return max(started, self.reset_at) if self.reset_at else started

    # --- how it is shown ---------------------------------------------------------------------------

    def shown(self, now: datetime, conduct: Conduct) -> dict[str, Any]:
        """The `Pod` of the API."""
        status = self.status(now, conduct)
        known_host = self.place is not None and status != "PROVISIONING"
        row: dict[str, Any] = {
            "id": self.id,
            "name": self.name,
            "image": self.fate.image or self.image,
            "args": self.args,
            "cmd": self.cmd,
            "entrypoint": self.entrypoint,
            "disk": self.disk,
            "ports": list(self.ports),
            "env": None if self.fate.env_null else dict(self.env),
            "registry": self.registry,
            "status": self.fate.status or status,
            "actions": list(ACTIONS[status]),
            "mounts": self._mounts(),
            "cloud": self.cloud,
            "dataCenterId": (
                self.fate.data_center or (self.place.data_center if self.place else None)
            ),
            "cudaVersion": self.place.cuda if self.place and known_host and self.gpu else None,
            "ssh": self._ssh(now, conduct),
            "template": None,
            "cost": float(self.cost()),
            "locked": self.locked,
            "globalNetworking": self._global(),
            "runtime": self._runtime(now, conduct, status),
            "createdAt": stamp(self.created_at),
            "startedAt": stamp(self.boot_at) if self.boot_at else None,
        }
        if self.gpu:
            row["gpu"] = {
                "id": self.fate.gpu or self.gpu,
                "count": self.gpus,
                "vcpuCount": self.vcpus,
                "memory": self.ram_gb,
            }
        else:
            row["cpu"] = {"id": self.cpu, "vcpuCount": self.vcpus, "memory": self.ram_gb}
        if self.cluster:
            row["cluster"] = {"id": self.cluster}
        if conduct.extra_fields:
            row["machineTags"] = {"generation": 3}
        for name in self.fate.nulls:
            row[name] = None
        for name in self.fate.drop:
            row.pop(name, None)
        return row

    def _mounts(self) -> dict[str, Any]:
        if self.network:
            return {"network": [dict(self.network)]}
        return {"persistent": dict(self.persistent)} if self.persistent else {}

    def _global(self) -> dict[str, Any]:
        if not self.global_network:
            return {"enabled": False}
        return {"enabled": True, "ip": "10.1.0.9", "internalDns": f"{self.id}.runpod.internal"}

    def address(self, boots: int | None = None) -> str:
        """Stable in the secure cloud; a community host may change it with every start."""
        boot = 1 if self.cloud == "SECURE" else boots or self.boots
        digest = hashlib.sha256(f"{self.id}/{boot}".encode()).digest()
        return f"203.0.113.{digest[0] % 250 + 1}"

    def public_port(self, number: int, boots: int | None = None) -> int:
        digest = hashlib.sha256(f"{self.id}/{number}/{boots or self.boots}".encode()).digest()
        return 10_000 + int.from_bytes(digest[:2], "big") % 30_000

    def _mapped(self, now: datetime, conduct: Conduct) -> list[dict[str, Any]]:
        began = self.running_since(conduct)
        if began is None or not self.fate.ports:
            return []
        boots = self.boots
        if boots > 1 and now < began + conduct.stale_ports:
            boots -= 1
        elif now < began + conduct.ports_after:
            return []
        rows = []
        for entry in self.ports:
            number, _, kind = entry.partition("/")
            tcp = kind == "tcp"
            rows.append(
                {
                    "private": int(number),
                    "public": self.public_port(int(number), boots),
                    "type": kind,
                    "ip": self.address(boots) if tcp else "100.65.0.7",
                }
            )
        return rows

    def _runtime(self, now: datetime, conduct: Conduct, status: str) -> dict[str, Any] | None:
        began = self.running_since(conduct)
        if status != "RUNNING" or began is None or now < began + conduct.runtime_after:
            return None
        return {
            "uptime": max(0, int((now - began).total_seconds())),
            "gpus": [{"util": 0, "memoryUtil": 0} for _ in range(self.gpus)],
            "cpu": {"util": 1},
            "memory": {"util": 2},
            "ports": self._mapped(now, conduct),
        }

    def _ssh(self, now: datetime, conduct: Conduct) -> dict[str, Any]:
        began = self.running_since(conduct)
        up = began is not None and self.status(now, conduct) == "RUNNING"
        if not up or began is None or now < began + conduct.ssh_after:
            return {"proxy": None, "direct": None}
        user = f"{self.id}-64411111"
        proxy = {"host": "ssh.runpod.io", "port": 22, "username": user}
        proxy["command"] = f"ssh {user}@ssh.runpod.io"
        direct = None
        if "22/tcp" in self.ports and self.fate.ports:
            host, port = self.address(), self.public_port(22)
            direct = {"host": host, "port": port, "username": "root"}
            direct["command"] = f"ssh root@{host} -p {port}"
        return {"proxy": proxy, "direct": direct}

    def lines(self, conduct: Conduct) -> list[tuple[datetime, str, str]]:
        """All that its logs will ever hold, by time; the reader cuts at now."""
        rows = list(self.said)
        start = self.created_at if self.boot_at is None else self.boot_at
        if self.boot_at is not None:
            pulled = start + conduct.provisioning
            rows.append((pulled, "system", f"create container {self.image}"))
            if self.fate.stuck is None:
                began = pulled + conduct.starting
                rows.append((began - timedelta(seconds=1), "system", "image pull complete"))
                rows.append((began, "system", "start container"))
        rows += [(self.created_at + after, source, text) for after, source, text in self.fate.lines]
        return sorted(rows, key=lambda row: row[0])
