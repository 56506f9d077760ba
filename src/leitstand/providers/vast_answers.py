"""What Vast.ai answers, parsed at the edge: unknown fields are ignored, a wrong shape is an error.

Sources: the OpenAPI files of `vast-ai/docs` and the official `vastai` client.
"""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import Annotated

from pydantic import AliasChoices, Field

from leitstand.core.accelerator import AMD, NVIDIA
from leitstand.ports import (
    NoCapacity,
    NoFunds,
    ProviderError,
    RateLimited,
    Rejected,
    Retired,
    Status,
    Unauthorized,
    Unavailable,
)
from leitstand.wire.call import Reply
from leitstand.wire.money import USD_MAX
from leitstand.wire.shape import Dollars, Shape

_STARTING = {None, "", "created", "loading", "rebooting", "restarting", "recycling"}
_STOPPED = {"stopped", "exited", "frozen"}
_COUNTRY = re.compile(r"(?:^|,)\s*([A-Z]{2})\s*$")
_NOMINAL_GIB = (4, 6, 8, 10, 11, 12, 16, 20, 24, 32, 40, 48, 64, 80, 94, 96, 141, 180, 192)
NOMINAL_SHARE = 0.93
"""Reported memory is what is usable, up to 7 % below the size a card is sold by."""

ACCELERATORS = {"nvidia": NVIDIA, "cuda": NVIDIA, "amd": AMD}

_NO_ROOM = (
    "no_such_ask",
    "not available",
    "no longer available",
    "resources_unavailable",
    "state change queued",
)
_NO_CREDIT = ("insufficient_credit", "insufficient credit")


class Ask(Shape):
    """A row of `POST /api/v0/bundles/`: one slice of one machine."""

    id: int
    machine_id: int
    gpu_name: str
    num_gpus: int
    gpu_ram: float
    gpu_arch: str | None = None
    compute_cap: int | None = None
    cuda_max_good: float | None = None
    driver_version: str | None = None
    cpu_cores: float | None = None
    cpu_cores_effective: float
    cpu_ram: float
    disk_space: float
    inet_down: float | None = None
    inet_down_cost: Dollars | None = None
    inet_up_cost: Dollars | None = None
    dph_base: Dollars
    dph_total: Dollars
    storage_cost: Dollars
    min_bid: Dollars | None = None
    verification: str | None = None
    hosting_type: int | None = None
    geolocation: str | None = None
    reliability: float | None = Field(
        default=None, validation_alias=AliasChoices("reliability", "reliability2")
    )
    """Under its newer or its older name."""

    @property
    def accelerator(self) -> str | None:
        """As offers call it; None for what nobody knows."""
        return ACCELERATORS.get((self.gpu_arch or "nvidia").lower())

    def tier(self, *, agreed: bool) -> str:
        """The trust tier, with a processing agreement recorded or not. A contracted data centre is
        one in a known country."""
        best = self.tier_if_placed
        return "C" if best == "B" and not (agreed and country(self.geolocation)) else best

    @property
    def tier_if_placed(self) -> str:
        """The tier with a processing agreement and a known place."""
        if self.verification != "verified":
            return "D"
        return "B" if (self.hosting_type or 0) >= 1 else "C"

    @property
    def vram_gib(self) -> float:
        """The size the card is sold by, where the reported memory is near it."""
        real = self.gpu_ram / 1024
        near = (size for size in _NOMINAL_GIB if size * NOMINAL_SHARE <= real <= size)
        return float(next(near, real))

    @property
    def ram_gib(self) -> float:
        """This slice's share of the machine; all of it where the total of cores is not known."""
        cores = self.cpu_cores or self.cpu_cores_effective
        share = min(1.0, self.cpu_cores_effective / cores) if cores else 1.0
        return self.cpu_ram * share / 1024


class Asks(Shape):
    """What a search answers."""

    offers: list[Ask]


class Contract(Shape):
    """An instance as listed or read alone."""

    id: int
    label: str | None = None
    actual_status: str | None = None
    intended_status: str | None = None
    cur_state: str | None = None
    next_state: str | None = None
    status_msg: str | None = None
    is_bid: bool | None = None
    dph_total: Dollars | None = None
    gpu_name: str | None = None
    num_gpus: int | None = None
    geolocation: str | None = None
    image: str | None = Field(default=None, validation_alias="image_uuid")

    @property
    def status(self) -> Status:
        """Of what all status fields say together; a word nobody knows is UNKNOWN."""
        actual = (self.actual_status or "").strip() or None
        if self.intended_status == self.cur_state == self.next_state == "stopped":
            return Status.STOPPED
        if actual == "running":
            return Status.RUNNING
        if actual in _STOPPED:
            return Status.STOPPED
        return Status.STARTING if actual in _STARTING else Status.UNKNOWN

    @property
    def raw(self) -> str:
        """The provider's own words."""
        return f"{self.actual_status}: {(self.status_msg or '').strip()}"


class Payment(Shape):
    """The answer to a payment ahead."""

    months: float | None = Field(default=None, alias="timescale", ge=0, le=1200)
    discount: float | None = Field(default=None, alias="discount_rate", ge=0, le=1)


class Page(Shape):
    """A page of `GET /api/v1/instances/`. Every named field must be there: less is never empty."""

    success: bool
    instances: list[Contract]
    total_instances: int
    next_token: str | None


class Charged(Shape):
    """What was charged for."""

    label: str | None = None


class Charge(Shape):
    """What one contract cost in a period: `GET /api/v0/charges/`."""

    source: str
    amount: Dollars
    start: float
    end: float
    metadata: Charged | None = None


class Charges(Shape):
    """A page of them."""

    results: list[Charge]
    next_token: str | None = None


class Credit(Shape):
    """`GET /api/v0/users/current`. Credit may be below zero."""

    credit: Annotated[Decimal, Field(ge=-USD_MAX, le=USD_MAX)]


def country(geolocation: str | None) -> str | None:
    """The two letters that end the free text; None where there are none."""
    found = _COUNTRY.search(geolocation or "")
    return found[1] if found else None


def refusal(reply: Reply, midnight: timedelta) -> ProviderError:
    """What an answer that is no success asks the caller to do. Codes and texts contradict one
    another in the field, so the text is read before the status; `midnight` is how far off it is."""
    body = reply.body if isinstance(reply.body, dict) else {}
    told = (body.get(name) for name in ("error", "msg", "message", "detail"))
    said = " ".join(text for text in (reply.detail, *told) if isinstance(text, str)).lower()
    code, status = body.get("error"), reply.status
    if not (isinstance(code, str) and re.fullmatch(r"[a-z_]{1,60}", code)):
        code = ""  # free text may repeat what we sent
    shown = f"HTTP {status} {code}".strip()
    if any(mark in said for mark in _NO_CREDIT) or status == 402:
        return NoFunds(shown)
    if "auth_error" in said or status in (401, 403):
        return Unauthorized(shown)
    if "search_quota_exceeded" in said:
        return RateLimited(shown, midnight)
    if status == 429:
        return RateLimited(shown, reply.retry_after)
    if any(mark in said for mark in _NO_ROOM):
        return NoCapacity(shown)
    if status == 410:
        return Retired(shown)
    if status >= 500 or not body:
        return Unavailable(shown)
    return Rejected(shown)
