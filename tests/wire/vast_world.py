"""What the simulated Vast.ai has to rent, how it behaves, and what befalls single contracts."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

HOURS_PER_MONTH = Decimal(720)
"""Storage is priced by the month and charged by the second with this."""

BID_STEP = Decimal("0.001")


@dataclass(slots=True)
class Machine:
    """One physical machine of one host. Prices in USD: GPU per hour and GPU, storage per GB and
    month, traffic per GB. `slices` are the sizes its offers come in; they overlap."""

    id: int
    host_id: int
    gpu: str = "RTX 4090"
    gpus: int = 4
    gpu_ram: int = 24564
    gpu_arch: str = "nvidia"
    compute_cap: int = 890
    cuda: float = 12.8
    driver: str = "570.86.10"
    slices: tuple[int, ...] = (1, 2, 4)
    dph: Decimal = Decimal("0.40")
    bid_floor: Decimal = Decimal("0.16")
    storage: Decimal = Decimal("0.144")
    stopped_storage_factor: Decimal = Decimal(1)
    up_cost: Decimal = Decimal("0.005")
    down_cost: Decimal = Decimal("0.003")
    cores: int | None = 64
    cores_effective: float = 64.0
    ram_mb: int = 262144
    disk_gb: float = 1600.0
    down_mbps: float = 800.0
    up_mbps: float = 700.0
    reliability: float = 0.995
    verification: str = "verified"
    hosting_type: int = 1
    geolocation: str = "Sweden, SE"
    ip: str = "203.0.113.7"
    static_ip: bool = True
    direct_ports: int = 200
    proxy: bool = True
    """False: the ssh proxy refuses, only direct ports work."""
    vms: bool = False
    own_host_only: bool = False
    ends: datetime | None = None
    """When the offer and every contract on it ends; set by the account where it is None."""
    discount_max: Decimal = Decimal("0.4")
    online: bool = True
    ghosts: set[int] = field(default_factory=set)
    """Offers that are gone and still shown."""

    def asks(self) -> list[tuple[int, range]]:
        """Offer ids and the GPUs they stand for; the ids never change."""
        found = []
        for size in self.slices:
            for place in range(self.gpus // size):
                gpus = range(place * size, (place + 1) * size)
                found.append((self.id * 1000 + size * 20 + place, gpus))
        return found


@dataclass(slots=True)
class Other:
    """Somebody else on a machine: on demand, or with a bid for the whole slice."""

    machine: Machine
    gpus: range
    bid: Decimal | None = None
    order: int = 0


OCI = (
    "Error response from daemon: failed to create task for container: failed to create shim task: "
    "OCI runtime create failed: runc create failed: unable to start container process"
)


def default_rates() -> dict[str, float]:
    """Minimum seconds between two calls of a key (docs: Rate limits)."""
    return {
        "create": 4.5, "destroy": 3.0, "bid": 5.5, "instance": 2.0, "list": 1.0, "state": 1.0,
        "bulk": 2.0, "command": 1.5, "charges": 1.0, "invoices": 3.0, "ssh": 1.0, "keys": 1.0,
        "volumes": 5.5,
    }  # fmt: skip


@dataclass(slots=True)
class Conduct:
    """How the API behaves. The defaults are what was seen most; each can be moved in a test."""

    accepted: timedelta = timedelta(seconds=2)
    created: timedelta = timedelta(seconds=3)
    ports_after: timedelta = timedelta(seconds=5)
    reboot: timedelta = timedelta(seconds=8)
    """Stages of a boot: `actual_status` is null, `created`, then `loading` while the image comes;
    ports follow `running`."""
    image_gb: float = 4.0
    read_lag: timedelta = timedelta(seconds=3)
    """After create, a contract is unknown to every call for so long."""
    delete_lag: timedelta = timedelta(seconds=2)
    """After destroy, a contract is still shown for so long."""
    stale_status: timedelta = timedelta(seconds=3)
    """After a change of state, the old `actual_status` is shown for so long."""
    absent: str = "null"
    """How one absent instance is read: `null` (200) or `404`."""
    gone: str = "no-instance"
    """How the end of an absent instance is refused: `no-instance` or `gone-instance`."""
    no_ask: str | None = None
    """`no-ask-404`, `no-ask-400` or `no-ask-410`; by default what `cancel_unavail` calls for."""
    refused_status: int = 200
    """Status of `success: false` with `new_contract`."""
    credit_status: int = 400
    """Status of `insufficient_credit`; not documented."""
    bad_key: str = "unknown-key"
    """Or `unknown-key-404`."""
    no_increase_status: int = 404
    """Older services answer 409."""
    outbid_intended: str = "running"
    """`intended_status` of who was outbid: `running` or `stopped`."""
    gpu_while_loading: bool = False
    """Documented as free; whether it always is, is not known."""
    pull_is_traffic: bool = False
    search_rows: int = 64
    search_minute: int = 10
    search_quota: int = 500
    """A day; the real number is not documented."""
    rates: dict[str, float] = field(default_factory=default_rates)
    create_penalty: float = 12.0
    retry_after: bool = False
    """Whether a 429 carries `Retry-After`; the docs say it does not."""
    log_polls: int = 3
    """How often the address of a result is asked in vain."""
    ended_kept: timedelta = timedelta(hours=48)
    charges_lag: timedelta = timedelta(0)
    deletes_without_credit_after: timedelta | None = None
    """Where no payment method is known."""
    extra_fields: bool = True
    """Answers carry fields that no specification names."""


@dataclass(slots=True)
class Fate:
    """What befalls a contract that `meets` the create body and machine; times count from create."""

    meets: Callable[[dict[str, Any], Machine], bool] = lambda body, machine: True
    times: int = 1
    stuck: str | None = None
    """Never gets beyond this: `null`, `created` or `loading`."""
    oci: bool = False
    """Stays `created` with an OCI failure in `status_msg`."""
    ports: bool = True
    """False: running, but no port is ever mapped."""
    refused: bool = False
    """`success: false` with the id of a contract that exists, stopped, and bills its disk."""
    exits_after: timedelta | None = None
    vanishes_after: timedelta | None = None
    dph: Decimal | None = None
    """Charged for the slice in place of the offer's price."""
    on_demand: bool = False
    """A bid that becomes an on-demand rental."""
    gpus: int | None = None
    gpu: str | None = None
    geolocation: str | None = None
    """Read back in place of what was rented."""
    status: str | None = None
    """Shown in place of the true status."""
    nulls: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    """Fields that are null, or missing, in every answer about the contract."""


@dataclass(slots=True)
class Drift:
    """Hosts change their prices, each at its own times; the same seed drifts the same way."""

    seed: int
    every: timedelta = timedelta(minutes=7)
    share: float = 0.08

    def moves(self) -> Callable[[Machine], None]:
        chance = random.Random(self.seed)

        def move(machine: Machine) -> None:
            factor = Decimal(str(round(1 + chance.uniform(-self.share, self.share), 4)))
            machine.dph = (machine.dph * factor).quantize(Decimal("0.0001"))
            machine.bid_floor = (machine.bid_floor * factor).quantize(Decimal("0.0001"))

        return move


def market() -> list[Machine]:
    """What is there at the start: 40 machines, of which one and the same search shows 64 rows."""
    kinds = (
        ("RTX 4090", 24564, 890, "0.34", 4), ("RTX 3090", 24576, 860, "0.17", 4),
        ("L40S", 46068, 890, "0.62", 8), ("A100 SXM4", 81920, 800, "0.95", 8),
        ("H100 SXM", 81559, 900, "2.05", 8), ("RTX A4000", 16376, 860, "0.09", 2),
        ("RX 7900 XTX", 24560, 1100, "0.21", 2), ("RTX 5090", 32607, 1200, "0.48", 4),
    )  # fmt: skip
    places = ("Sweden, SE", "Norway, NO", "Texas, US", ", US", "Japan, JP")
    found = []
    for number in range(40):
        gpu, ram, cap, price, gpus = kinds[number % len(kinds)]
        dph = Decimal(price) * (100 + 3 * (number // len(kinds))) / 100
        found.append(
            Machine(
                id=1000 + number,
                host_id=70 + number // 2,
                gpu=gpu,
                gpus=gpus,
                gpu_ram=ram,
                gpu_arch="amd" if gpu.startswith("RX") else "nvidia",
                compute_cap=cap,
                slices=tuple(size for size in (1, 2, 4, 8) if size <= gpus),
                dph=dph.quantize(Decimal("0.0001")),
                bid_floor=(dph * Decimal("0.45")).quantize(Decimal("0.0001")),
                geolocation=places[number % len(places)],
                hosting_type=number % 3 != 0,
                verification="unverified" if number % 7 == 6 else "verified",
                cores=None if number % 13 == 12 else 64,
                reliability=0.90 + (number % 10) / 100,
                ip=f"203.0.113.{number + 1}",
                direct_ports=0 if number % 11 == 10 else 200,
            )
        )
    return found
