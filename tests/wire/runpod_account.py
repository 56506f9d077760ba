"""The account: everything rented in it, and its money, moved along by the clock.

Nothing happens between calls; `settle` walks from event to event up to now, in order, so a balance
that ran dry an hour ago stopped the pods an hour ago.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from tests.wire.runpod_pod import Charge, Pod
from tests.wire.runpod_world import (
    CPU_TYPES,
    DATA_CENTERS,
    GPU_TYPES,
    VOLUME,
    VOLUME_BEYOND,
    VOLUME_BREAK_GB,
    Conduct,
    CpuType,
    DataCenter,
    Fate,
    GpuType,
    Place,
    stock,
)

STOPPED_BEFORE = 10
"""Pods are stopped when the balance covers fewer seconds than this (docs: Low balance behaviour)."""


@dataclass(slots=True)
class Volume:
    number: int
    id: str
    name: str
    size: int
    data_center: str
    type: str
    created_at: datetime
    charges: list[tuple[datetime, Decimal]] = field(default_factory=list)
    """One for each hour that is over."""
    deleted_at: datetime | None = None

    def rate(self) -> Decimal:
        return min(self.size, VOLUME_BREAK_GB) * VOLUME + (
            max(0, self.size - VOLUME_BREAK_GB) * VOLUME_BEYOND
        )

    def shown(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "name": self.name,
            "size": self.size,
            "dataCenter": self.data_center,
            "type": self.type,
        }


@dataclass(slots=True)
class Registry:
    number: int
    id: str
    name: str
    username: str = field(repr=False, default="")
    password: str = field(repr=False, default="")

    def shown(self) -> dict[str, Any]:
        return {"id": self.id, "name": self.name}


def _nothing() -> None:
    """Time passed."""


def seconds(moment: datetime) -> int:
    """Money is counted in whole seconds since the epoch."""
    return int(moment.timestamp() // 1)


@dataclass
class Account:
    """State of the simulated provider. Tests look into it and push it about directly."""

    at: datetime
    """Up to when everything is settled."""
    credit: Decimal = Decimal(100)
    """USD paid in; the balance is this less what was charged."""
    conduct: Conduct = field(default_factory=Conduct)
    gpu_types: tuple[GpuType, ...] = GPU_TYPES
    cpu_types: tuple[CpuType, ...] = CPU_TYPES
    data_centers: tuple[DataCenter, ...] = DATA_CENTERS
    places: list[Place] = field(default_factory=stock)
    pods: list[Pod] = field(default_factory=list)
    volumes: list[Volume] = field(default_factory=list)
    registries: list[Registry] = field(default_factory=list)
    ssh_keys: list[str] = field(default_factory=list)
    fates: list[Fate] = field(default_factory=list)
    drawn: int = 0
    spent: Decimal = Decimal(0)

    def draw(self, length: int = 14) -> str:
        """A fresh provider id; the same in every run."""
        self.drawn += 1
        digest = hashlib.sha256(f"runpod {self.drawn}".encode()).hexdigest()
        return digest[:length]

    # --- time and money ----------------------------------------------------------------------------

    def settle(self, now: datetime) -> None:
        """Brings every pod, volume and the balance to `now`."""
        while self.at < now:
            moment, happen = min(
                self._events(now), key=lambda event: event[0], default=(now, _nothing)
            )
            self._accrue(max(moment, self.at))
            happen()

    def _events(self, now: datetime) -> Iterator[tuple[datetime, Callable[[], None]]]:
        """What will happen up to now, were nothing else to happen before."""
        for pod in self.live():
            for after, what in (
                (pod.fate.fails_after, self._fail),
                (pod.fate.vanishes_after, self._vanish),
            ):
                if after is not None and pod.broken is None and pod.created_at + after <= now:
                    yield pod.created_at + after, partial(what, pod)
            if pod.boot_at and not self.conduct.billed_before_running:
                running = pod.boot_at + self.conduct.provisioning + self.conduct.starting
                if self.at < running <= now:
                    yield running, _nothing
        for volume in self.volumes:
            due = volume.created_at + timedelta(hours=len(volume.charges) + 1)
            if volume.deleted_at is None and due <= now:
                yield due, partial(self._hour_over, volume, due)
        yield from self._drying(now)

    def _drying(self, now: datetime) -> Iterator[tuple[datetime, Callable[[], None]]]:
        rate = self.burn()
        if self.balance() <= 0 and any(not pod.network for pod in self.live()):
            yield self.at, self._dry
        if rate <= 0:
            return
        left = int(self.balance() / rate * 3600) + 1
        running = any(pod.holds_gpus() for pod in self.live())
        ahead, happen = (left - STOPPED_BEFORE, self._stop_all) if running else (left, self._dry)
        if (moment := self.at + timedelta(seconds=max(0, ahead))) <= now:
            yield moment, happen

    def _dry(self) -> None:
        self._stop_all()
        self._end_all()

    def _stop_all(self) -> None:
        for pod in self.live():
            self.stop(pod)

    def _end_all(self) -> None:
        for pod in self.live():
            if not pod.network:
                self.end(pod, "balance")

    def _accrue(self, moment: datetime) -> None:
        start, end = seconds(self.at), seconds(moment)
        if end > start:
            for pod in self.live():
                gpu, cpu, disk = pod.rates(self.at, self.conduct)
                self.spent += (gpu + cpu + disk) * (end - start) / 3600
                last = pod.charges[-1] if pod.charges else None
                if (
                    last
                    and last.end == start
                    and (last.gpu, last.cpu, last.disk) == (gpu, cpu, disk)
                ):
                    last.end = end
                else:
                    pod.charges.append(Charge(start, end, gpu, cpu, disk))
        self.at = moment

    def burn(self) -> Decimal:
        """USD per hour of all pods now; network volumes are charged by the hour apart."""
        rates = (rate for pod in self.live() for rate in pod.rates(self.at, self.conduct))
        return sum(rates, Decimal(0))

    def balance(self) -> Decimal:
        return self.credit - self.spent

    # --- pods --------------------------------------------------------------------------------------

    def live(self) -> list[Pod]:
        return [pod for pod in self.pods if pod.ended_at is None]

    def pod(self, id: str) -> Pod:
        """For tests: whatever its state."""
        return next(pod for pod in self.pods if pod.id == id)

    def visible(self, pod: Pod) -> bool:
        """Whether GET, LIST and DELETE know it now."""
        if pod.ended_at is not None:
            shown = max(self.conduct.terminated_shown, self.conduct.delete_lag)
            return self.at < pod.ended_at + shown
        return self.at >= pod.created_at + self.conduct.read_lag

    def view(self, pod: Pod) -> dict[str, Any]:
        """As the API shows it; within the lag after its end, as it was before."""
        row = pod.shown(self.at, self.conduct)
        if pod.ended_at is not None and self.at < pod.ended_at + self.conduct.delete_lag:
            row["status"], row["actions"] = "RUNNING", ["stop", "restart", "terminate"]
        return row

    def fate_of(self, body: dict[str, Any]) -> Fate:
        """Used up only once the pod is there."""
        for fate in self.fates:
            if fate.times > 0 and fate.meets(body):
                return fate
        return Fate()

    def stop(self, pod: Pod) -> None:
        if pod.holds_gpus() and pod.place:
            pod.place.free += pod.gpus_wanted
        pod.stopped, pod.boot_at, pod.reset_at = True, None, None

    def start(self, pod: Pod) -> None:
        """The caller has seen that its host has room."""
        if pod.stopped and pod.place:
            pod.place.free -= pod.gpus_wanted
        pod.stopped, pod.boot_at, pod.broken = False, self.at, None
        pod.boots += 1
        if pod.fate.resumes_with is not None and pod.gpu:
            share = pod.vcpus // max(1, pod.gpus)
            pod.gpus, pod.vcpus = pod.fate.resumes_with, max(2, share * pod.fate.resumes_with)

    def reset(self, pod: Pod) -> None:
        """The container starts anew in place: new ports, uptime from 0."""
        pod.boots += 1
        pod.reset_at = self.at

    def end(self, pod: Pod, why: str) -> None:
        if pod.holds_gpus() and pod.place:
            pod.place.free += pod.gpus_wanted
        pod.ended_at, pod.ended_by = self.at, why

    def _hour_over(self, volume: Volume, due: datetime) -> None:
        volume.charges.append((due, volume.rate()))
        self.spent += volume.rate()

    def _fail(self, pod: Pod) -> None:
        if pod.fate.fails_as == "EXITED":
            self.stop(pod)
        pod.broken = pod.fate.fails_as

    def _vanish(self, pod: Pod) -> None:
        pod.broken = "VANISHED"
        self.end(pod, "provider")

    def plant(self, name: str, **facts: Any) -> Pod:
        """A pod that somebody else made in this account, long visible."""
        made = self.at - timedelta(days=1)
        pod = Pod(
            number=self.next_number(),
            id=self.draw(),
            key=f"rpa_{self.draw(40)}",
            name=name,
            image="somebody/else:1",
            disk=20,
            created_at=made,
            place=self.places[0],
            gpu=self.places[0].gpu,
            gpus=1,
            gpus_wanted=1,
            vcpus=16,
            ram_gb=62,
            boot_at=made,
        )
        for fact, value in facts.items():
            setattr(pod, fact, value)
        self.pods.append(pod)
        return pod

    def next_number(self) -> int:
        self.drawn += 1
        return self.drawn

    def container_env(self, pod: Pod) -> dict[str, str]:
        """What the process in the container finds in its environment."""
        return pod.env | {
            "RUNPOD_POD_ID": pod.id,
            "RUNPOD_API_KEY": pod.key,
            "RUNPOD_GPU_COUNT": str(pod.gpus),
            "RUNPOD_CPU_COUNT": str(pod.vcpus),
            "RUNPOD_DC_ID": pod.place.data_center if pod.place else "",
            "RUNPOD_VOLUME_ID": pod.network["volumeId"] if pod.network else "",
        }

    def invoice(self, now: datetime | None = None) -> dict[str, Decimal]:
        """USD by id of pod or volume: what a test compares the booked cost with."""
        if now:
            self.settle(now)
        bill: dict[str, Decimal] = {}
        for pod in self.pods:
            bill[pod.id] = sum((charge.total() for charge in pod.charges), Decimal(0))
        for volume in self.volumes:
            bill[volume.id] = sum((amount for _, amount in volume.charges), Decimal(0))
        return bill
