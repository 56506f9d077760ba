"""What the simulated RunPod has to rent, how it behaves, and what befalls single pods."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from tests.wire.runpod_rules import NO_INSTANCES

HOURS_PER_MONTH = Decimal(730)
"""Rates per month are charged per hour by this; the real divisor is not documented."""

CONTAINER_DISK = Decimal("0.10") / HOURS_PER_MONTH
PERSISTENT_RUNNING = Decimal("0.10") / HOURS_PER_MONTH
PERSISTENT_STOPPED = Decimal("0.20") / HOURS_PER_MONTH
VOLUME = Decimal("0.07") / HOURS_PER_MONTH
VOLUME_BEYOND = Decimal("0.05") / HOURS_PER_MONTH
VOLUME_BREAK_GB = 1000
"""USD per GB and hour (docs: Pricing, Storage types)."""


@dataclass(frozen=True, slots=True)
class GpuType:
    """One row of the catalogue; prices in USD per hour and single GPU."""

    id: str
    name: str
    memory: int
    secure: Decimal | None
    community: Decimal | None
    pool: str | None = None
    maker: str = "NVIDIA"
    count_max: int = 8

    def price(self, cloud: str) -> Decimal:
        return (self.secure if cloud == "SECURE" else self.community) or Decimal(0)


@dataclass(frozen=True, slots=True)
class CpuType:
    """A CPU flavour; price in USD per hour and vCPU."""

    id: str
    name: str
    ram_gb_per_vcpu: int
    price: Decimal
    disk_gb_per_vcpu: int = 10
    vcpus_max: int = 32


@dataclass(frozen=True, slots=True)
class DataCenter:
    id: str
    name: str
    country: str
    region: str = "EUROPE"
    volume_types: tuple[str, ...] = ("STANDARD",)
    compliance: tuple[str, ...] = ("GDPR",)
    global_network: bool = True


@dataclass(slots=True)
class Place:
    """Free GPUs of one type in one cloud and data centre. All of a pod's GPUs are on one host of it.
    A host gives `vcpus` and `ram_gb` with each GPU."""

    gpu: str
    cloud: str
    data_center: str
    free: int
    cuda: str = "12.8"
    vcpus: int = 16
    ram_gb: int = 62
    disk_gb: int = 2000

    def level(self, count: int) -> str:
        if self.free < count:
            return "NONE"
        return "LOW" if self.free < 4 * count else "MEDIUM" if self.free < 16 * count else "HIGH"


FATAL_BOOT_TEXTS = (
    "failed to register layer: layer does not exist",
    "failed to pull image: container ID cannot be mapped to a host ID",
    "OCI runtime create failed: runc create failed: unable to start container process",
)
"""System log lines of pods that stay in STARTING and never come up."""


@dataclass(slots=True)
class Conduct:
    """How the API behaves. The defaults are what was seen most; each can be moved in a test."""

    provisioning: timedelta = timedelta(seconds=15)
    starting: timedelta = timedelta(seconds=60)
    runtime_after: timedelta = timedelta(seconds=5)
    ports_after: timedelta = timedelta(seconds=40)
    ssh_after: timedelta = timedelta(seconds=45)
    """Delays of a boot: the first two follow one another, the others count from RUNNING."""
    read_lag: timedelta = timedelta(seconds=4)
    """After create, a pod is missing from GET, LIST and DELETE for so long."""
    delete_lag: timedelta = timedelta(0)
    """After DELETE, a pod is still shown for so long."""
    stale_ports: timedelta = timedelta(seconds=10)
    """After a start, the ports of the last run are shown for so long from RUNNING on."""
    terminated_shown: timedelta = timedelta(0)
    """A terminated pod is readable as TERMINATED for so long."""
    skew: timedelta = timedelta(0)
    """How far the provider's clock is ahead of ours; given when the simulator is made."""
    pagination: bool = True
    page_default: int = 100
    page_rows_max: int | None = None
    """Pages hold no more rows than this, whatever `limit` says."""
    errors: str = "problem"
    """Form of 400, 404 and 500: `problem`, `bare` ({"error": ...}) or `empty` ({})."""
    capacity_text: str = NO_INSTANCES
    billed_before_running: bool = True
    billing_lag: timedelta = timedelta(0)
    """The billing pages know nothing younger than this."""
    rates: dict[str, tuple[int, int]] = field(
        default_factory=lambda: {
            "minute": (60, 60),
            "hour": (3000, 3600),
            "day": (50_000, 86_400),
        }
    )
    """Window name to (calls, seconds)."""
    retry_after: bool = True
    extra_fields: bool = True
    """Answers carry fields that no specification names."""
    spend_limit: Decimal = Decimal(80)


@dataclass(slots=True)
class Fate:
    """What befalls a pod that `meets` the create body; all of it counts from the accepted create."""

    meets: Callable[[dict[str, Any]], bool] = lambda body: True
    times: int = 1
    stuck: str | None = None
    """Never gets beyond this status."""
    ports: bool = True
    """False: RUNNING, but no port is ever mapped."""
    fails_after: timedelta | None = None
    fails_as: str = "EXITED"
    """Host failure seen as `EXITED`, `ERROR`, or `STALE` (RUNNING with dead ports)."""
    vanishes_after: timedelta | None = None
    resumes_with: int | None = None
    """GPUs after a start; 0 is a pod without any."""
    price: Decimal | None = None
    """USD per GPU and hour in place of the list price."""
    gpu: str | None = None
    data_center: str | None = None
    image: str | None = None
    """Read back in place of what was asked for."""
    env_null: bool = False
    status: str | None = None
    """Shown in place of the true status."""
    drop: tuple[str, ...] = ()
    """Fields missing from every answer about the pod."""
    nulls: tuple[str, ...] = ()
    """Fields that are null in every answer about the pod."""
    lines: tuple[tuple[timedelta, str, str], ...] = ()
    """Log lines: when, source, text."""


def _type(id: str, memory: int, secure: str | None, community: str | None, pool: str) -> GpuType:
    name = id.removeprefix("NVIDIA ").removeprefix("GeForce ")
    return GpuType(
        id=id,
        name=name,
        memory=memory,
        secure=Decimal(secure) if secure else None,
        community=Decimal(community) if community else None,
        pool=pool or None,
        maker="AMD" if id.startswith("AMD") else "NVIDIA",
    )


GPU_TYPES = (
    _type("NVIDIA GeForce RTX 3090", 24, "0.46", "0.22", "AMPERE_24"),
    _type("NVIDIA GeForce RTX 4090", 24, "0.69", "0.34", "ADA_24"),
    _type("NVIDIA RTX A4000", 16, "0.25", "0.17", "AMPERE_16"),
    _type("NVIDIA L4", 24, "0.39", None, "ADA_24"),
    _type("NVIDIA L40S", 48, "0.86", "0.79", "ADA_48_PRO"),
    _type("NVIDIA A100-SXM4-80GB", 80, "1.49", "1.39", "AMPERE_80"),
    _type("NVIDIA H100 80GB HBM3", 80, "2.99", "2.69", "ADA_80_PRO"),
    _type("NVIDIA H100 80GB HBM3 MIG 1g.10gb", 10, "0.49", None, ""),
    _type("AMD Instinct MI300X OAM", 192, "2.69", None, ""),
)
CPU_TYPES = (
    CpuType("cpu3c", "Compute-Optimized", 2, Decimal("0.03")),
    CpuType("cpu3g", "General Purpose", 4, Decimal("0.04")),
    CpuType("cpu5c", "Compute-Optimized", 2, Decimal("0.035")),
)
DATA_CENTERS = (
    DataCenter("EU-RO-1", "EU-RO-1", "RO", volume_types=("STANDARD", "HIGH_PERFORMANCE")),
    DataCenter("EU-CZ-1", "EU-CZ-1", "CZ"),
    DataCenter("EU-SE-1", "EU-SE-1", "SE", volume_types=()),
    DataCenter("EUR-IS-1", "EUR-IS-1", "IS", compliance=("GDPR", "ISO_IEC_27001")),
    DataCenter("US-KS-2", "US-KS-2", "US", "NORTH_AMERICA", compliance=("SOC_2_TYPE_2",)),
    DataCenter("AP-JP-1", "AP-JP-1", "JP", "ASIA", compliance=(), global_network=False),
)


def stock() -> list[Place]:
    """What is free at the start; the scheduler looks from the top."""
    rows = []
    for center, free in (("EU-RO-1", 40), ("EU-CZ-1", 12), ("US-KS-2", 60)):
        for kind in GPU_TYPES:
            if kind.secure and kind.maker == "NVIDIA":
                rows.append(Place(kind.id, "SECURE", center, free))
            if kind.community and center != "EU-CZ-1":
                rows.append(Place(kind.id, "COMMUNITY", center, free // 4, cuda="12.4"))
    return rows
