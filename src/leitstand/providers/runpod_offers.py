"""What RunPod offers: GPU types in stock, by cloud and data centre, at list prices."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from datetime import timedelta
from decimal import Decimal

from leitstand.core.accelerator import AMD, NVIDIA
from leitstand.core.dollars import Rate
from leitstand.core.offer import Offer, Requirements
from leitstand.providers.runpod_account import Account
from leitstand.providers.runpod_answers import Gpus, GpuType, compute_capability
from leitstand.wire.pace import Rank

PROVIDER = "runpod"
CATALOGUE_KEPT, CENTERS_KEPT = timedelta(seconds=20), timedelta(hours=1)
GPUS = 1
RAM_GB_MIN, CORES_MIN, DISK_GB_MIN = 16, 4, 10
"""The catalogue names none of them: a launch asks for so much at least, or for what is wanted."""
GB_PER_GIB = 1.073741824
DISK_USD_PER_GB_HOUR = Decimal("0.10") / 730
"""Container disk: 0.10 USD per GB and month while it runs, none stopped (docs: Pricing)."""


class Catalogue:
    """See the module. Safe to use from several threads."""

    def __init__(
        self, account: Account, rate: Rate, agreed: bool, monotonic: Callable[[], float]
    ) -> None:
        self._account, self._rate, self._agreed = account, rate, agreed
        self._monotonic = monotonic
        self._types_of: dict[tuple[str, str], tuple[float, list[GpuType]]] = {}
        self._centers_at = -math.inf

    def offers(self, want: Requirements) -> Iterable[Offer]:
        """Types in stock: in the secure cloud one offer for each data centre that has some, in the
        community cloud one, of no known place. The price holds for the type everywhere."""
        self.learn_countries(Rank.SEARCH)
        found: list[Offer] = []
        for cloud in ("SECURE", "COMMUNITY"):
            for kind in self._types(cloud, want.cuda_min):
                price = kind.sold(cloud)
                places = kind.places() if cloud == "SECURE" else [""]
                found += [self._offer(kind, cloud, place, price, want) for place in places if price]
        return found

    def _types(self, cloud: str, cuda_min: str) -> list[GpuType]:
        """The catalogue of one cloud; kept for some seconds, because several jobs ask alike."""
        kept = self._types_of.get((cloud, cuda_min))
        if kept and self._monotonic() - kept[0] < CATALOGUE_KEPT.total_seconds():
            return kept[1]
        query = {
            "include": "AVAILABILITY",
            "product": "POD",
            "count": str(GPUS),
            "cloud": cloud,
            "minCudaVersion": cuda_min,
        }
        rows = self._account.read(Gpus, "/v2/catalog/gpus", query, Rank.SEARCH).gpus
        kept_now = {
            key: one
            for key, one in list(self._types_of.items())
            if self._monotonic() - one[0] < CATALOGUE_KEPT.total_seconds()
        }
        self._types_of = {**kept_now, (cloud, cuda_min): (self._monotonic(), rows)}
        return rows

    def _offer(
        self, kind: GpuType, cloud: str, place: str, usd_per_gpu: Decimal, want: Requirements
    ) -> Offer:
        """`disk_gib`, `ram_gib` and `cores` are what a launch of this offer asks for. A contracted
        data centre in a known country is tier B once a processing agreement is recorded."""
        disk_gb = max(DISK_GB_MIN, math.ceil(want.disk_gib * GB_PER_GIB))
        ram_gb = max(RAM_GB_MIN, math.ceil(want.ram_gib * GB_PER_GIB))
        maker = (kind.manufacturer or "").lower()
        region = self._account.country(place)
        placed = tier_of(cloud)
        best = placed if region else "C"
        usd = usd_per_gpu * GPUS
        return Offer(
            provider=PROVIDER,
            offer_id=f"{kind.id}:{GPUS}:{cloud}:{place}",
            accelerator=maker if maker in (NVIDIA, AMD) else "unknown",
            gpu=kind.id,
            gpus=GPUS,
            vram_gib=kind.memory,
            cuda=_cuda(kind, want.cuda_min) if maker == NVIDIA else None,
            compute_capability=compute_capability(kind.id),
            driver=None,
            cores=CORES_MIN,
            ram_gib=ram_gb / GB_PER_GIB,
            disk_gib=disk_gb / GB_PER_GIB,
            down_mbit_per_s=None,
            tier=best if self._agreed else "C",
            region=region,
            host=None,
            price_eur_per_hour=self._rate.asked(usd),
            storage_eur_per_hour=self._rate.asked(DISK_USD_PER_GB_HOUR * disk_gb),
            tier_if_agreed=best,
            tier_if_placed=placed,
            quoted=self._rate.quoted(usd),
            usd_eur=self._rate.eur_per_usd,
            usd_eur_date=self._rate.day,
            place=place or None,
        )

    def learn_countries(self, rank: Rank) -> None:
        """Once an hour: where a pod or an offer is, is read and never guessed from a name."""
        now = self._monotonic()
        if now - self._centers_at >= CENTERS_KEPT.total_seconds():
            self._account.learn_countries(rank)
            self._centers_at = now


def tier_of(cloud: str) -> str:
    """The tier of what runs in a cloud, with an agreement and a known place."""
    return "B" if cloud == "SECURE" else "C"


def _cuda(kind: GpuType, least: str) -> str | None:
    """The version to ask for: the lowest in stock that will do, so that most hosts fit."""
    stock = [one.version for one in kind.cuda_versions or () if one.available]
    if not stock:
        return least
    enough = [text for text in stock if _numbers(text) >= _numbers(least)]
    return min(enough, key=_numbers) if enough else max(stock, key=_numbers)


def _numbers(text: str) -> list[int]:
    return [int(part) if part.isdigit() else 0 for part in text.split(".")]
