"""Vast.ai as a provider: an offer is a slice of one machine, an instance is a contract.

Nothing here waits, retries or logs. A create is sent once; whatever its answer leaves open is
settled by label. Prices are dollars at Vast and euros beyond this file (`usd_eur`).
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import httpx

from leitstand.boot import render
from leitstand.core.placement import TIERS, Offer, Requirements
from leitstand.launch import LABEL_PREFIX
from leitstand.ports import (
    Capability,
    LaunchSpec,
    NoCapacity,
    ProviderError,
    Rejected,
    Seen,
    Unavailable,
    UnknownOutcome,
)
from leitstand.providers.vast_answers import Ask, Charge, Contract, Page, country, parsed
from leitstand.providers.vast_wire import READ, Account

PROVIDER = "vast"
ORIGIN = "https://console.vast.ai"
SEARCH_ROWS = 64
"""One search answers no more, whatever limit it is given."""
SEARCH_PAGES_MAX = 4
SEARCH_KEPT = timedelta(seconds=60)
"""Ten searches a minute are allowed, and an unknown number a day."""
LIST_ROWS, LIST_PAGES_MAX, CHARGE_PAGES_MAX = 25, 400, 100
DISK_GB_MIN, LOG_BYTES_MAX = 8, 1 << 20
MONTH_HOURS = 720
PRICE_TOLERANCE = Decimal("1.05")


def connect(settings: Mapping[str, str]) -> Vast:
    """The provider behind a key.

    Settings: `key_file` (mode 0600) and `usd_eur` (euros for a dollar), both needed; `base_url`,
    `image` (needed to launch), `agreement_file` (a processing agreement: without it no tier B),
    `bids` and `reserve` (`yes` offers them). Raises Rejected, Unauthorized.
    """
    return Vast(settings)


@dataclass(frozen=True, slots=True)
class Billed:
    """What an instance cost in a period, by the provider's books."""

    provider_id: str
    amount_eur: Decimal
    from_at: datetime
    to_at: datetime


class Vast:
    """See `ports.Provider`."""

    listing_lag = timedelta(seconds=30)

    def __init__(
        self,
        settings: Mapping[str, str],
        transport: httpx.BaseTransport | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        try:
            self._rate = Decimal(settings.get("usd_eur", ""))
        except InvalidOperation as error:
            raise Rejected("usd_eur is not a rate") from error
        if not (self._rate.is_finite() and self._rate > 0):
            raise Rejected("usd_eur is not a rate")
        self._image = settings.get("image")
        self._contracted = bool(settings.get("agreement_file"))
        self._bids = settings.get("bids") == "yes"
        able = {Capability.PAUSE, Capability.SELF_END}
        able |= {Capability.SPOT} if self._bids else set()
        able |= {Capability.RESERVE} if settings.get("reserve") == "yes" else set()
        self.capabilities = frozenset(able)
        self._monotonic, self._transport = monotonic, transport
        self._account = Account(
            settings.get("base_url") or ORIGIN, settings.get("key_file"), now, transport
        )
        self._searched: dict[str, tuple[float, list[Ask]]] = {}
        self._created: dict[str, float] = {}

    # --- offers ----------------------------------------------------------------------------------

    def offers(self, want: Requirements) -> Iterable[Offer]:
        """What can be rented now, with the wanted disk in its price; searched once a minute."""
        disk_gb = max(DISK_GB_MIN, math.ceil(want.disk_gib * 1.073741824))
        found = []
        for ask in self._search(want, disk_gb):
            if ask.num_gpus < 1 or (ask.gpu_arch or "nvidia").lower() not in {"nvidia", "cuda"}:
                continue
            found.append(self._offer(ask, disk_gb, None))
            if self._bids and ask.min_bid is not None and ask.min_bid > 0:
                found.append(self._offer(ask, disk_gb, ask.min_bid))
        return found

    def _search(self, want: Requirements, disk_gb: int) -> list[Ask]:
        query: dict[str, Any] = {
            "rentable": {"eq": True},
            "rented": {"eq": False},
            "external": {"eq": False},
            "type": "ondemand",
            "order": [["dph_total", "asc"]],
            "limit": SEARCH_ROWS,
            "allocated_storage": disk_gb,
        }
        if TIERS.index(want.tier_min) <= TIERS.index("C"):
            query["verified"] = {"eq": True}
        if TIERS.index(want.tier_min) <= TIERS.index("B"):
            query["datacenter"] = {"eq": True}
        name = json.dumps(query, sort_keys=True)
        kept = self._searched.get(name)
        if kept and self._monotonic() - kept[0] < SEARCH_KEPT.total_seconds():
            return kept[1]
        asks: dict[int, Ask] = {}
        for _ in range(SEARCH_PAGES_MAX):
            answer = self._account.call("POST", "/api/v0/bundles/", body=query)
            rows = answer.get("offers")
            if not isinstance(rows, list):
                raise Unavailable("a search without offers")
            page = [parsed(Ask, row) for row in rows]
            fresh = [ask for ask in page if ask.id not in asks]
            asks |= {ask.id: ask for ask in fresh}
            if len(page) < SEARCH_ROWS or not fresh:
                break
            query["dph_total"] = {"gte": float(max(ask.dph_total for ask in page))}
        self._searched = {name: (self._monotonic(), list(asks.values()))}
        return list(asks.values())

    def _offer(self, ask: Ask, disk_gb: int, bid: Decimal | None) -> Offer:
        """`disk_gib` is the disk that is rented, where the machine has it: a launch asks for it,
        and it is in the price. The id carries the bid, so that no bid is forgotten on the way."""
        capability = ask.compute_cap
        given = min(float(disk_gb), ask.disk_space)
        return Offer(
            provider=PROVIDER,
            offer_id=str(ask.id) if bid is None else f"{ask.id}:bid:{bid}",
            accelerator="cuda",
            gpu=ask.gpu_name,
            gpus=ask.num_gpus,
            vram_gib=ask.vram_gib,
            cuda=None if ask.cuda_max_good is None else str(ask.cuda_max_good),
            compute_capability=None if capability is None else f"{capability / 100:.1f}",
            driver=ask.driver_version,
            cores=max(1, int(ask.cpu_cores_effective)),
            ram_gib=ask.ram_gib,
            disk_gib=given / 1.073741824,
            down_mbit_per_s=ask.inet_down,
            tier=ask.tier(agreed=self._contracted),
            region=country(ask.geolocation),
            host=str(ask.machine_id),
            price_eur_per_hour=self._euros(ask.dph_base if bid is None else bid),
            storage_eur_per_hour=self._euros(ask.storage_cost * disk_gb / MONTH_HOURS),
            bid=bid is not None,
            reliability=ask.reliability,
            tier_if_agreed=ask.tier(agreed=True),
        )

    # --- launch ----------------------------------------------------------------------------------

    def launch(self, offer: Offer, spec: LaunchSpec, label: str) -> Seen:
        """One PUT. A contract that is refused, or differs from the offer, is ended here; one that
        could not be ended is in the UnknownOutcome."""
        if not label.startswith(LABEL_PREFIX):
            raise Rejected("the label has no prefix of ours")
        if not self._image:
            raise Rejected("no image is set")
        ask, _, bid = offer.offer_id.partition(":bid:")
        try:
            boots = render.vast(spec)
        except ValueError as error:
            raise Rejected(str(error)) from error
        body: dict[str, Any] = {
            "client_id": "me",
            "image": self._image,
            "disk": max(DISK_GB_MIN, math.ceil(offer.disk_gib * 1.073741824 - 1e-6)),
            "label": label,
            "cancel_unavail": True,
            **boots,
        }
        if bid:
            body["price"] = float(bid)
        status, answer, text, headers = self._account.send(
            "PUT", f"/api/v0/asks/{_number(ask)}/", body, creating=True
        )
        contract = answer.get("new_contract") if isinstance(answer, dict) else None
        if isinstance(contract, int) and not isinstance(contract, bool):
            self._created[str(contract)] = self._monotonic()
            seen = self._seen(Contract(id=contract, label=label))
            if status >= 400 or answer.get("success") is not True:
                self._give_back(seen, "refused with a contract")
            return self._as_offered(seen, offer, bool(bid))
        silent = status >= 500 or not isinstance(answer, dict) or answer.get("success") is True
        if silent and status != 429:
            raise UnknownOutcome(f"the answer to a create says nothing (HTTP {status})")
        raise self._account.refused(status, answer, text, headers)

    def _as_offered(self, seen: Seen, offer: Offer, bid: bool) -> Seen:
        """Read the contract back; where it cannot be read yet, the listing says its price later."""
        try:
            contract = self._one(seen.provider_id)
        except ProviderError:
            return seen
        if contract is None:
            return seen
        most = offer.rate_eur_per_hour * PRICE_TOLERANCE
        if contract.is_bid is not None and contract.is_bid != bid:
            self._give_back(seen, "rented in another way than asked")
        if contract.dph_total is not None and self._euros(contract.dph_total) > most:
            self._give_back(seen, "dearer than offered")
        if contract.num_gpus is not None and contract.num_gpus != offer.gpus:
            self._give_back(seen, "not the GPUs offered")
        return self._seen(contract, seen.label)

    def _give_back(self, seen: Seen, why: str) -> None:
        try:
            self.terminate(seen.provider_id)
        except ProviderError as error:
            raise UnknownOutcome(f"{why}, and not ended yet", seen) from error
        raise NoCapacity(why)

    # --- what is rented --------------------------------------------------------------------------

    def list(self) -> Iterable[Seen]:
        """Everything under a label of ours, to the last page. Raises Unavailable where the account
        says it holds more than it showed, Retired where this list is no more."""
        rows: dict[int, Contract] = {}
        order = '[{"col":"id","dir":"asc"}]'
        query = {"select_filters": "{}", "order_by": order, "limit": str(LIST_ROWS)}
        for _ in range(LIST_PAGES_MAX):
            page: Page = parsed(Page, self._account.call("GET", "/api/v1/instances/", query=query))
            rows |= {row.id: row for row in page.instances}
            if page.next_token is None:
                if len(rows) < page.total_instances:
                    raise Unavailable("the list holds fewer instances than the account")
                ours = (row for row in rows.values() if (row.label or "").startswith(LABEL_PREFIX))
                return [self._seen(row) for row in ours]
            query["after_token"] = page.next_token
        raise Unavailable("the list does not end")

    def _one(self, provider_id: str) -> Contract | None:
        path = f"/api/v0/instances/{_number(provider_id)}/"
        row = self._account.call("GET", path).get("instances")
        return None if row is None else parsed(Contract, row)

    def pause(self, provider_id: str) -> None:
        """Stop the container; its disk is kept and billed."""
        self._state(provider_id, "stopped")

    def resume(self, provider_id: str) -> None:
        """Start it again. Where its GPU is taken, Vast queues the start and may carry it out hours
        later: it is taken back at once, and there is no capacity."""
        try:
            self._state(provider_id, "running")
        except NoCapacity:
            try:
                self._state(provider_id, "stopped")
            except ProviderError as error:
                raise UnknownOutcome("a queued start could not be taken back") from error
            raise

    def _state(self, provider_id: str, state: str) -> None:
        self._account.call("PUT", f"/api/v0/instances/{_number(provider_id)}/", {"state": state})

    def terminate(self, provider_id: str) -> None:
        """Destroy the contract. Absent is success, except so soon after the create that it may only
        not show yet: then Unavailable, to be asked again."""
        born = self._created.get(provider_id)
        if self._delete(provider_id):
            self._created.pop(provider_id, None)
        elif born is not None:
            if self._monotonic() - born < self.listing_lag.total_seconds():
                raise Unavailable("not there yet, or not there any more")
            self._created.pop(provider_id, None)

    def _delete(self, provider_id: str) -> bool:
        """True if it was there."""
        path = f"/api/v0/instances/{_number(provider_id)}/"
        status, answer, text, headers = self._account.send("DELETE", path, {})
        code = answer.get("error") if isinstance(answer, dict) else None
        if code == "no_such_instance" or (status == 404 and code == "not_found"):
            return False
        self._account.good(status, answer, text, headers)
        return True

    # --- beside the port -------------------------------------------------------------------------

    def request_logs(self, provider_id: str, lines: int = 1000) -> str:
        """Ask for the last lines; the address where they will lie."""
        path = f"/api/v0/instances/request_logs/{_number(provider_id)}/"
        url = self._account.call("PUT", path, {"tail": str(lines)}).get("result_url")
        if not isinstance(url, str) or not url.startswith(("https://", "http://127.0.0.1:")):
            raise Unavailable("logs without an address")
        return url

    def read_logs(self, url: str) -> str | None:
        """The lines at an address of `request_logs`, read without the key; None: not there yet."""
        text = b""
        try:
            with (
                httpx.Client(transport=self._transport, timeout=READ, trust_env=False) as plain,
                plain.stream("GET", url) as reply,
            ):
                if reply.status_code != 200:
                    return None
                for chunk in reply.iter_bytes():
                    text += chunk
                    if len(text) > LOG_BYTES_MAX:
                        break
        except httpx.HTTPError as error:
            raise Unavailable(f"logs: {type(error).__name__}") from None
        return text[:LOG_BYTES_MAX].decode("utf-8", "replace")

    def balance(self) -> Decimal:
        """Credit left, in euros."""
        credit = self._account.call("GET", "/api/v0/users/current").get("credit")
        if not isinstance(credit, Decimal | int) or isinstance(credit, bool):
            raise Unavailable("an account without credit field")
        return self._euros(Decimal(credit))

    def charges(self, since: datetime, until: datetime) -> Iterator[Billed]:
        """What instances cost between two moments, one row for each contract and period."""
        day = {"gte": int(since.timestamp()), "lte": int(until.timestamp())}
        select = {"day": day, "type": {"in": ["instance"]}}
        query = {"select_filters": json.dumps(select), "limit": "500"}
        for _ in range(CHARGE_PAGES_MAX):
            answer = self._account.call("GET", "/api/v0/charges/", query=query)
            rows = answer.get("results")
            if not isinstance(rows, list):
                raise Unavailable("charges of unexpected shape")
            for row in rows:
                charge: Charge = parsed(Charge, row)
                yield Billed(
                    charge.source.removeprefix("instance-"),
                    self._euros(charge.amount),
                    datetime.fromtimestamp(charge.start, UTC),
                    datetime.fromtimestamp(charge.end, UTC),
                )
            if not answer.get("next_token"):
                return
            query["after_token"] = str(answer["next_token"])
        raise Unavailable("the charges do not end")

    def prepay(self, provider_id: str, amount_eur: Decimal) -> None:
        """Reserve by paying ahead: cheaper, and partly lost when the instance is ended early."""
        if Capability.RESERVE not in self.capabilities:
            raise Rejected("paying ahead is switched off")
        path = f"/api/v0/instances/prepay/{_number(provider_id)}/"
        self._account.call("PUT", path, {"amount": float(amount_eur / self._rate)})

    def _seen(self, row: Contract, label: str | None = None) -> Seen:
        price = None if row.dph_total is None else str(self._euros(row.dph_total))
        region = country(row.geolocation)
        return Seen(
            str(row.id), label or row.label or "", row.status, price, row.gpu_name, region, row.raw
        )

    def _euros(self, usd: Decimal) -> Decimal:
        return (usd * self._rate).quantize(Decimal("0.000001"))


def _number(text: str) -> int:
    """Ids go into paths, so nothing but digits does."""
    if not (text.isascii() and text.isdigit()):
        raise Rejected("not an id of this provider")
    return int(text)
