"""What is to be expected of an offer for a piece of work: how long, how sure, how often lost."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from leitstand.core import limits
from leitstand.core.accelerator import NVIDIA, named
from leitstand.core.offer import OWN_TIER, Offer

BOOT_SECONDS = 6.0
BOOT_SECONDS_RENTED = 300.0
"""From the launch to ready, until own starts are learned from."""
SPEED_OF_A_GPU = 1 / 0.15
"""Work that a GPU does in the time of one CPU core pair, until own runs of its class are known."""
DOWN_MBIT_PER_S = 200.0
"""Download of a rented machine whose provider names none."""
BOOT_SECONDS_NETWORKED = 60.0
"""The same of an own machine that installs the worker first."""
DOWN_MBIT_PER_S_NETWORKED = 1000.0
RELEASE_SECONDS_RENTED = 60.0
"""What is still paid between the last result and the proof that the machine is gone."""
MBIT_PER_GIB = 8589.934592
WORK_PER_SECOND = {"video": 1.2, "audio": 0.25}
"""Seconds of work per second of media on one CPU core pair."""
WORK_PER_IMAGE = 1.5


def work_seconds(pipeline: str, duration_s: float) -> float:
    """Seconds of one CPU core pair for one image, or for so much of a stream."""
    if pipeline == "image":
        return WORK_PER_IMAGE
    return WORK_PER_SECOND.get(pipeline, 1.0) * duration_s


@dataclass(frozen=True, slots=True)
class Load:
    """A piece of work: seconds of one CPU core pair, and what a machine has to fetch for it."""

    seconds: float
    download_gib: float = 0.0


@dataclass(frozen=True, slots=True)
class Odds:
    """What the record says of a machine, or of its place where the machine is new."""

    starts: float = 1.0
    """Share of launches that become ready."""
    ready_seconds: float = BOOT_SECONDS
    losses_per_hour: float = 0.0
    speed: float = 1.0
    """Work done in the time of one CPU core pair."""
    quarantine_until: datetime | None = None
    boot_gib: float = 0.0
    """What it fetches to become a worker, at each start."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What an offer comes to for one piece of work, in seconds that are paid for."""

    boot_seconds: float
    """Failed starts included, by their odds."""
    transfer_seconds: float
    work_seconds: float
    losses_per_hour: float = 0.0
    loss_seconds: float = 0.0
    """What one loss costs: another start, the same downloads, half a segment again."""
    release_seconds: float = 0.0
    quarantine_until: datetime | None = None
    down_gib: float = 0.0
    """What one instance fetches."""
    up_gib: float = 0.0
    failed_gib: float = 0.0
    """What failed starts fetch beside that, by their odds."""

    @property
    def again_gib(self) -> float:
        """What is fetched beside that of one instance: by failed starts, and after losses."""
        return self.failed_gib + self.losses_per_hour * self.work_seconds / 3600 * self.down_gib

    @property
    def redo_seconds(self) -> float:
        """Expected repetition."""
        return self.losses_per_hour * self.work_seconds / 3600 * self.loss_seconds

    @property
    def busy_seconds(self) -> float:
        """From the launch to the result, without a loss."""
        return self.boot_seconds + self.transfer_seconds + self.work_seconds

    @property
    def seconds(self) -> float:
        """From the launch to the result, as expected."""
        return self.busy_seconds + self.redo_seconds


def unknown(offer: Offer) -> Odds:
    """What is believed of an offer before there is any record."""
    speed = SPEED_OF_A_GPU if named(offer.accelerator) == NVIDIA else 1.0
    if offer.tier == OWN_TIER:
        ready = BOOT_SECONDS_NETWORKED if offer.networked else BOOT_SECONDS
        return Odds(ready_seconds=ready, speed=speed)
    return Odds(ready_seconds=BOOT_SECONDS_RENTED, speed=speed)


def outlook(offer: Offer, load: Load, odds: Odds) -> Outlook:
    """What this offer comes to for this work. Failed starts are paid until their deadline; this
    computer has everything there already, another own machine fetches it."""
    work = load.seconds / odds.speed
    if offer.tier == OWN_TIER:
        boot, transfer, release = odds.ready_seconds, 0.0, 0.0
        if offer.networked:
            down = offer.down_mbit_per_s or DOWN_MBIT_PER_S_NETWORKED
            transfer = load.download_gib * MBIT_PER_GIB / down
    else:
        failed = (1 - odds.starts) / odds.starts
        boot = odds.ready_seconds + failed * limits.READY_DEADLINE.total_seconds()
        missing = max(0.0, load.download_gib - offer.cached_gib)
        transfer = missing * MBIT_PER_GIB / (offer.down_mbit_per_s or DOWN_MBIT_PER_S)
        release = RELEASE_SECONDS_RENTED
    down, up, more = 0.0, 0.0, 0.0
    if offer.tier != OWN_TIER:
        down, up = odds.boot_gib + missing, limits.RESULTS_PER_DOWNLOAD * load.download_gib
        more = failed * odds.boot_gib
    again = boot + transfer + limits.FORECAST_SECONDS / odds.speed / 2
    return Outlook(
        boot,
        transfer,
        work,
        odds.losses_per_hour,
        again,
        release,
        odds.quarantine_until,
        down,
        up,
        more,
    )
