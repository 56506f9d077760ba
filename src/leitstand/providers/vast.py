"""Vast.ai as a provider: an offer is a slice of one machine, an instance is a contract.

Nothing here waits, retries or logs. A create is sent once; whatever its answer leaves open is
settled by label. Prices are dollars at Vast and euros beyond this file (`usd_eur`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx

from leitstand.boot import render
from leitstand.core.offer import Offer, Requirements
from leitstand.core.rented import Dollars, LogLine, Prepaid
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
    Unwanted,
)
from leitstand.providers.vast_account import QUOTAS, Account
from leitstand.providers.vast_answers import Contract, Page, country
from leitstand.providers.vast_offers import DISK_GB_MIN, GB_PER_GIB, PROVIDER, Search
from leitstand.wire.call import Wire
from leitstand.wire.key import has_agreement, read_key
from leitstand.wire.money import read_rate
from leitstand.wire.pace import Pace, Rank
from leitstand.wire.shape import parsed

ORIGIN = "https://console.vast.ai"
LIST_ROWS, LIST_PAGES_MAX, LOGS_MAX = 25, 400, 256


def connect(settings: Mapping[str, str]) -> Vast:
    """The provider behind a key.

    Settings: `key_file` (mode 0600) and `usd_eur` (euros for a dollar), both needed; `usd_eur_date`,
    `base_url`, `image` (needed to launch), `agreement_file` (a processing agreement: without it no
    tier B), `bids` and `reserve` (`yes` offers them). Raises Problem about the key file and the rate,
    Rejected about the rest.
    """
    return Vast(settings)


class Vast:
    """See `ports.Provider`. `account` is what lies beside the port. Safe to use from several threads."""

    listing_lag = timedelta(seconds=30)

    def __init__(
        self,
        settings: Mapping[str, str],
        transport: httpx.BaseTransport | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        rate = read_rate(settings)
        self._image = settings.get("image")
        bids = settings.get("bids") == "yes"
        able = {Capability.PAUSE, Capability.SELF_END}
        able |= {Capability.SPOT} if bids else set()
        able |= {Capability.RESERVE} if settings.get("reserve") == "yes" else set()
        self.capabilities = frozenset(able)
        self._monotonic = monotonic
        pace = Pace(QUOTAS, monotonic, sleep)
        key = read_key(PROVIDER, settings.get("key_file"))
        address = settings.get("base_url") or ORIGIN
        wire = Wire(address, key, pace, transport, monotonic)
        self.account = Account(wire, rate, now, transport)
        self.agreed = has_agreement(settings.get("agreement_file"))
        self._search = Search(self.account, self.agreed, bids, monotonic)
        self._created: dict[str, float] = {}
        self._logs: dict[str, str] = {}

    def offers(self, want: Requirements) -> Iterable[Offer]:
        """What can be rented now, with the wanted disk in its price."""
        return self._search.offers(want)

    # --- launch ----------------------------------------------------------------------------------

    def launch(self, offer: Offer, spec: LaunchSpec, label: str) -> Seen:
        """One PUT. A contract that is refused, or differs from the offer, is asked to end here, and
        is Unwanted."""
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
            "disk": max(DISK_GB_MIN, math.ceil(offer.disk_gib * GB_PER_GIB - 1e-6)),
            "label": label,
            "cancel_unavail": True,
            **boots,
        }
        if bid:
            body["price"] = float(bid)
        self.account.wire.keep_out(spec.token)
        secrets = list(body["env"].values())
        path = f"/api/v0/asks/{_number(ask)}/"
        reply = self.account.send(Rank.CREATE, "create", "PUT", path, body, True, secrets)
        contract = self.account.made(reply)
        if contract is None:
            refused = self.account.refused(reply)
            if isinstance(refused, NoCapacity):
                self._search.took(_number(ask))
            raise refused
        self._search.took(_number(ask))
        self._created[str(contract)] = self._monotonic()
        seen = self._seen(Contract(id=contract, label=label))
        if not reply.good or reply.body.get("success") is not True:
            self._give_back(seen, "refused with a contract", differs=False)
        return self._as_offered(seen, offer, bool(bid))

    def _as_offered(self, seen: Seen, offer: Offer, bid: bool) -> Seen:
        """Read the contract back; where it cannot be read yet, the listing says its price later."""
        try:
            contract = self._one(seen.provider_id)
        except ProviderError:
            return seen
        if contract is None:
            return seen
        price = contract.dph_total
        if contract.is_bid is not None and contract.is_bid != bid:
            self._give_back(seen, "rented in another way than asked")
        if (
            price is not None
            and (offer.rate or self.account.rate).charged(price) > offer.rate_eur_per_hour
        ):
            self._give_back(seen, "dearer than offered")
        read = (contract.num_gpus, contract.gpu_name, contract.image, country(contract.geolocation))
        told = (offer.gpus, offer.gpu, self._image, offer.region)
        if any(None not in (a, b) and a != b for a, b in zip(read, told, strict=True)):
            self._give_back(seen, "not what was offered")
        return self._seen(contract, seen.label)

    def _give_back(self, seen: Seen, why: str, differs: bool = True) -> None:
        with suppress(ProviderError):  # whoever hears of it sees to its end
            self.terminate(seen.provider_id)
        raise Unwanted(why, seen, differs)

    # --- what is rented --------------------------------------------------------------------------

    def list(self) -> Iterable[Seen]:
        """Everything under a label of ours, to the last page. Raises Unavailable where the account
        says it holds more than it showed, Retired where this list is no more."""
        rows: dict[int, Contract] = {}
        order, path = '[{"col":"id","dir":"asc"}]', "/api/v1/instances/"
        query = {"select_filters": "{}", "order_by": order, "limit": str(LIST_ROWS)}
        for _ in range(LIST_PAGES_MAX):
            page = parsed(Page, self.account.call(Rank.LOOK, "list", "GET", path, query=query))
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
        row = self.account.call(Rank.LOOK, "instance", "GET", path).get("instances")
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
        rank = Rank.STOP if state == "stopped" else Rank.CREATE
        path = f"/api/v0/instances/{_number(provider_id)}/"
        self.account.call(rank, "state", "PUT", path, {"state": state})

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
        reply = self.account.send(Rank.END, "destroy", "DELETE", path, {})
        code = reply.body.get("error") if isinstance(reply.body, dict) else None
        if code == "no_such_instance" or (reply.status == 404 and code == "not_found"):
            return False
        self.account.good(reply)
        return True

    def logs(self, provider_id: str, lines: int = 200) -> Iterable[LogLine]:
        """The last lines, which Vast lays down somewhere some seconds after they were asked for:
        Unavailable until then, and the next call looks there again."""
        url = self._logs.get(provider_id)
        if url is None:
            url = self.account.request_logs(_number(provider_id), max(1, lines))
            self._logs = dict([*self._logs.items(), (provider_id, url)][-LOGS_MAX:])
        said = self.account.read_logs(url)
        if said is None:
            raise Unavailable("the logs are not there yet")
        self._logs.pop(provider_id, None)
        return said

    def prepay(self, provider_id: str, amount_eur: Decimal) -> Prepaid:
        """Reserve by paying ahead: cheaper, and partly lost when the instance is ended early. One
        PUT; where its answer is lost it may have been paid: UnknownOutcome."""
        if Capability.RESERVE not in self.capabilities:
            raise Rejected("paying ahead is switched off")
        return self.account.prepay(_number(provider_id), amount_eur)

    def _seen(self, row: Contract, label: str | None = None) -> Seen:
        usd, rate = row.dph_total, self.account.rate
        region = country(row.geolocation)
        return Seen(
            provider_id=str(row.id),
            label=label or row.label or "",
            status=row.status,
            price_eur_per_hour=None if usd is None else str(rate.charged(usd)),
            asked=None if usd is None else Dollars(usd, rate),
            gpu=row.gpu_name,
            region=region,
            raw=self.account.wire.redact(row.raw)[:200],
            gpus=row.num_gpus,
            bid=row.is_bid,
            other_image=row.image != self._image if row.image else None,
        )


def _number(text: str) -> int:
    """Ids go into paths, so nothing but digits does."""
    if not (text.isascii() and text.isdigit()):
        raise Rejected("not an id of this provider")
    return int(text)
