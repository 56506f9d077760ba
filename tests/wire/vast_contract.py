"""One contract of the simulated Vast.ai: its true state, what it costs, and how it is shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.wire.vast_world import HOURS_PER_MONTH, OCI, Conduct, Fate, Machine

HOUR = Decimal(3600)
UP = ("running", "rebooting", "restarting", "recycling")


@dataclass(slots=True)
class Contract:
    """A rented slice. `stage` is the true `actual_status`; answers may show an older one."""

    id: int
    machine: Machine
    gpus: range
    body: dict[str, Any]
    created_at: datetime
    ends_at: datetime
    dph: Decimal
    """USD per hour for the slice: the offer's price, or the bid."""
    is_bid: bool
    disk_gb: Decimal
    storage: Decimal
    up_cost: Decimal
    down_cost: Decimal
    key: str
    fate: Fate
    label: str | None = None
    wants: str = "running"
    """What it will do when it can: a queued start wants `running`."""
    intended: str = "running"
    granted: bool = False
    """Holds its GPUs."""
    stage: str | None = None
    message: str = ""
    run: int = 0
    """Counts starts, so that what was planned for an earlier one is void."""
    runs: int = 0
    """How often the container came up."""
    running_since: datetime | None = None
    stale: tuple[str | None, datetime] | None = None
    visible_at: datetime | None = None
    destroyed_at: datetime | None = None
    ended: bool = False
    prepaid: Decimal = Decimal(0)
    discount: Decimal = Decimal(0)
    discounted: Decimal = Decimal(0)
    """Spent at a discount so far."""
    ledger: dict[tuple[date, str], Decimal] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    @property
    def live(self) -> bool:
        return self.destroyed_at is None

    # --- money -----------------------------------------------------------------------------------

    def rates(self, conduct: Conduct) -> dict[str, Decimal]:
        """USD per second by item, now."""
        if not self.live or not self.machine.online:
            return {}
        disk = self.storage * self.disk_gb / HOURS_PER_MONTH / HOUR
        if not self.granted:
            disk *= self.machine.stopped_storage_factor
        found = {"disk": disk}
        active = self.stage in UP or (conduct.gpu_while_loading and self.stage == "loading")
        if self.granted and active:
            found["gpu"] = self.dph * (1 - self.discount) / HOUR
        return found

    def charge(self, day: date, item: str, amount: Decimal) -> Decimal:
        """Books an amount; returns what of it the credit pays."""
        self.ledger[day, item] = self.ledger.get((day, item), Decimal(0)) + amount
        if item != "gpu" or not self.prepaid:
            return amount
        ahead = min(amount, self.prepaid)
        self.prepaid -= ahead
        self.discounted += ahead
        if not self.prepaid:
            self.discount = Decimal(0)
        return amount - ahead

    def cost(self) -> Decimal:
        return sum(self.ledger.values(), Decimal(0))

    # --- what is shown ---------------------------------------------------------------------------

    def shown_status(self, now: datetime) -> str | None:
        if self.fate.status is not None:
            return self.fate.status
        if not self.machine.online:
            return "offline"
        if self.stale and now < self.stale[1]:
            return self.stale[0]
        return self.stage

    def ports(self, now: datetime, conduct: Conduct) -> dict[str, Any] | None:
        """External ports are random, and others after each start."""
        up = self.running_since
        if self.stage != "running" or up is None or not self.machine.online:
            return None
        if not self.fate.ports or now < up + conduct.ports_after:
            return None
        if not self.machine.direct_ports:
            return {}
        found = {}
        for index, name in enumerate(self.requested_ports()):
            number = 40000 + (self.id * 131 + self.runs * 977 + index * 7) % 20000
            found[name] = [
                {"HostIp": "0.0.0.0", "HostPort": str(number)},
                {"HostIp": "::", "HostPort": str(number)},
            ]
        return found

    def requested_ports(self) -> list[str]:
        env = self.body.get("env")
        keys = env if isinstance(env, dict) else {}
        found = []
        for key in keys:
            if key.startswith("-p "):
                inner = key.removeprefix("-p ").split(":")[-1]
                found.append(inner if "/" in inner else f"{inner}/tcp")
        if "ssh" in (self.body.get("runtype") or "ssh"):
            found.append("22/tcp")
        return found

    def row(self, now: datetime, conduct: Conduct, credit: Decimal) -> dict[str, Any]:
        """As every answer shows it."""
        machine, body, fate = self.machine, self.body, self.fate
        count = len(self.gpus)
        share = count / machine.gpus
        hourly = self.storage * self.disk_gb / HOURS_PER_MONTH
        given = body.get("env")
        env: dict[str, str] = given if isinstance(given, dict) else {}
        row: dict[str, Any] = {
            "id": self.id,
            "label": self.label,
            "machine_id": machine.id,
            "host_id": machine.host_id,
            "actual_status": self.shown_status(now),
            "cur_state": "running" if self.granted else "stopped",
            "next_state": "running" if self.granted else "stopped",
            "intended_status": self.intended,
            "status_msg": f"{self.message}\n" if self.message else None,
            "is_bid": self.is_bid,
            "min_bid": float(machine.bid_floor * count),
            "dph_base": float(self.dph),
            "dph_total": float(self.dph + hourly),
            "storage_cost": float(self.storage),
            "storage_total_cost": float(hourly),
            "inet_up_cost": float(self.up_cost),
            "inet_down_cost": float(self.down_cost),
            "num_gpus": fate.gpus if fate.gpus is not None else count,
            "gpu_name": fate.gpu or machine.gpu,
            "gpu_ram": machine.gpu_ram,
            "gpu_totalram": machine.gpu_ram * count,
            "gpu_frac": share,
            "gpu_util": 0.0 if self.stage == "running" else None,
            "gpu_temp": 41.0 if self.stage == "running" else None,
            "cpu_cores": machine.cores,
            "cpu_cores_effective": machine.cores_effective * share,
            "cpu_ram": machine.ram_mb,
            "cpu_util": 0.0,
            "mem_usage": None,
            "mem_limit": machine.ram_mb * share / 1024,
            "vmem_usage": None,
            "disk_space": float(self.disk_gb),
            "disk_usage": 0.0 if self.runs else -1.0,
            "disk_util": -1.0,
            "image_uuid": body.get("image"),
            "image_args": body.get("args") or [],
            "image_runtype": body.get("runtype") or "ssh",
            "extra_env": [[name, value] for name, value in sorted(env.items())],
            "onstart": body.get("onstart"),
            "template_id": None,
            "template_hash_id": body.get("template_hash_id"),
            "template_name": None,
            "public_ipaddr": f"{machine.ip}\n" if self.runs else None,
            "local_ipaddrs": f"10.0.0.{machine.id % 200} 172.17.0.1 \n" if self.runs else None,
            "ssh_host": f"ssh{machine.id % 9 + 1}.vast.ai" if machine.proxy else None,
            "ssh_port": 10000 + self.id % 50000 if machine.proxy else None,
            "ssh_idx": str(machine.id % 9 + 1),
            "machine_dir_ssh_port": 22000 if machine.direct_ports else None,
            "direct_port_start": -1,
            "direct_port_end": -1,
            "direct_port_count": machine.direct_ports,
            "ports": self.ports(now, conduct),
            "static_ip": machine.static_ip,
            "geolocation": fate.geolocation or machine.geolocation,
            "country_code": machine.geolocation[-2:],
            "verification": machine.verification,
            "reliability2": machine.reliability,
            "cuda_max_good": machine.cuda,
            "driver_version": machine.driver,
            "start_date": self.created_at.timestamp(),
            "end_date": self.ends_at.timestamp(),
            "duration": (self.ends_at - now).total_seconds(),
            "uptime_mins": self._up(now).total_seconds() / 60 if self.runs else None,
            "time_remaining": "",
            "time_remaining_isbid": "",
            "client_run_time": 1.1,
            "host_run_time": (self.ends_at - self.created_at).total_seconds(),
            "credit_balance": float(self.prepaid) if self.prepaid else None,
            "credit_discount": float(self.discount) if self.discount else None,
            "jupyter_token": "",
            "volume_info": body.get("volume_info"),
            "search": {"totalHour": float(self.dph + hourly), "gpuCostPerHour": float(self.dph)},
            "instance": {"totalHour": float(self.dph + hourly), "diskHour": float(hourly)},
        }
        if conduct.extra_fields:
            row["field_of_a_later_version"] = {"of": ["any", "shape"]}
        row |= dict.fromkeys(fate.nulls)
        return {name: value for name, value in row.items() if name not in fate.drop}

    def _up(self, now: datetime) -> timedelta:
        return now - self.running_since if self.running_since else timedelta(0)

    def fail_oci(self) -> None:
        self.stage, self.message = "created", OCI
