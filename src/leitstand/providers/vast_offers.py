"""What Vast.ai offers: slices of single machines, with the wanted disk in their price."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from typing import Any

from leitstand.core.accelerator import NVIDIA
from leitstand.core.offer import TIERS, Offer, Requirements
from leitstand.ports import ProviderError
from leitstand.providers.vast_account import Account
from leitstand.providers.vast_answers import NOMINAL_SHARE, Ask, Asks, country
from leitstand.wire.pace import Rank
from leitstand.wire.shape import parsed

PROVIDER = "vast"
SEARCH_ROWS = 64
"""One search answers no more, whatever limit it is given."""
SEARCH_PAGES_MAX = 3
SEARCH_KEPT = timedelta(seconds=60)
"""Ten searches a minute are allowed, and an unknown number a day."""
DISK_GB_MIN, MONTH_HOURS = 8, 720
GB_PER_GIB = 1.073741824


class Search:
    """See the module. `agreed`: a processing agreement is recorded; `bids`: bids are offered too.
    Safe to use from several threads."""

    def __init__(
        self, account: Account, agreed: bool, bids: bool, monotonic: Callable[[], float]
    ) -> None:
        self._account, self._agreed, self._bids = account, agreed, bids
        self._monotonic = monotonic
        self._kept: dict[str, tuple[float, list[Ask]]] = {}
        self._taken: dict[int, float] = {}

    def offers(self, want: Requirements) -> list[Offer]:
        """What can be rented now, searched once a minute."""
        disk_gb = max(DISK_GB_MIN, math.ceil(want.disk_gib * GB_PER_GIB))
        found = []
        for ask in self._asks(want, disk_gb):
            if ask.num_gpus < 1 or ask.accelerator is None:
                continue
            found.append(self._offer(ask, disk_gb, None))
            if self._bids and ask.min_bid is not None and ask.min_bid > 0:
                found.append(self._offer(ask, disk_gb, ask.min_bid))
        return found

    def took(self, ask: int) -> None:
        """It was rented, or is gone: no answer that is kept shows it any more."""
        self._taken[ask] = self._monotonic()

    def _asks(self, want: Requirements, disk_gb: int) -> list[Ask]:
        query = _query(want, disk_gb)
        name = json.dumps(query, sort_keys=True)
        now = self._monotonic()
        fresh = now - SEARCH_KEPT.total_seconds()
        self._kept = {key: one for key, one in list(self._kept.items()) if one[0] > fresh}
        self._taken = {ask: at for ask, at in list(self._taken.items()) if at > fresh}
        if name not in self._kept:
            found = {ask.id: ask for ask in self._pages(query, SEARCH_PAGES_MAX)}
            wide = _query(Requirements(), disk_gb)
            if name != json.dumps(wide, sort_keys=True):
                with suppress(ProviderError):
                    found |= {ask.id: ask for ask in self._pages(wide, 1)}
            self._kept = {**self._kept, name: (now, list(found.values()))}
        return [ask for ask in self._kept[name][1] if ask.id not in self._taken]

    def _pages(self, query: dict[str, Any], most: int) -> list[Ask]:
        """By price, because no page number is known; rows at the edge come twice."""
        query = dict(query)
        asks: dict[int, Ask] = {}
        for _ in range(most):
            answer = self._account.call(Rank.SEARCH, "search", "POST", "/api/v0/bundles/", query)
            page = parsed(Asks, answer).offers
            fresh = [ask for ask in page if ask.id not in asks]
            asks |= {ask.id: ask for ask in fresh}
            if len(page) < SEARCH_ROWS or not fresh:
                break
            query["dph_total"] = {"gte": float(max(ask.dph_total for ask in page))}
        return list(asks.values())

    def _offer(self, ask: Ask, disk_gb: int, bid: Decimal | None) -> Offer:
        """`disk_gib` is the disk that is rented, where the machine has it: a launch asks for it,
        and it is in the price. The id carries the bid, so that no bid is forgotten on the way."""
        capability = ask.compute_cap if ask.accelerator == NVIDIA else None
        given = min(float(disk_gb), ask.disk_space)
        price = ask.dph_base if bid is None else bid
        return Offer(
            provider=PROVIDER,
            offer_id=str(ask.id) if bid is None else f"{ask.id}:bid:{bid}",
            accelerator=ask.accelerator or "",
            gpu=ask.gpu_name,
            gpus=ask.num_gpus,
            vram_gib=ask.vram_gib,
            cuda=None if ask.cuda_max_good is None else str(ask.cuda_max_good),
            compute_capability=None if capability is None else f"{capability / 100:.1f}",
            driver=ask.driver_version,
            cores=max(1, int(ask.cpu_cores_effective)),
            ram_gib=ask.ram_gib,
            disk_gib=given / GB_PER_GIB,
            down_mbit_per_s=ask.inet_down,
            tier=ask.tier(agreed=self._agreed),
            region=country(ask.geolocation),
            host=str(ask.machine_id),
            price_eur_per_hour=self._account.rate.asked(price),
            storage_eur_per_hour=self._account.rate.asked(ask.storage_cost * disk_gb / MONTH_HOURS),
            bid=bid is not None,
            reliability=ask.reliability,
            tier_if_agreed=ask.tier(agreed=True),
            tier_if_placed=ask.tier_if_placed,
            quoted=self._account.rate.quoted(price),
            usd_eur=self._account.rate.eur_per_usd,
            usd_eur_date=self._account.rate.day,
            down_eur_per_gb=self._account.rate.asked(ask.inet_down_cost or Decimal(0)),
            up_eur_per_gb=self._account.rate.asked(ask.inet_up_cost or Decimal(0)),
        )


def _query(want: Requirements, disk_gb: int) -> dict[str, Any]:
    """What an offer must have at least, where one that lacks it would push those that have it off
    the pages. The cheapest of all are asked for apart, so that people see why they are not taken."""
    query: dict[str, Any] = {
        "rentable": {"eq": True},
        "rented": {"eq": False},
        "external": {"eq": False},
        "type": "ondemand",
        "order": [["dph_total", "asc"]],
        "limit": SEARCH_ROWS,
        "allocated_storage": disk_gb,
    }
    if want.vram_gib > 0:
        query["gpu_ram"] = {"gte": math.floor(want.vram_gib * 1024 * NOMINAL_SHARE)}
    if want.disk_gib > 0:
        query["disk_space"] = {"gte": disk_gb}
    if TIERS.index(want.tier_min) <= TIERS.index("C"):
        query["verified"] = {"eq": True}
    if TIERS.index(want.tier_min) <= TIERS.index("B"):
        query["datacenter"] = {"eq": True}
    return query
