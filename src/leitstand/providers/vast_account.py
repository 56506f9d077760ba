"""The account at Vast.ai: what its answers ask of the caller, and what lies beside instances."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from typing import Any

import httpx

from leitstand.core.dollars import Rate
from leitstand.core.rented import Billed, Dollars, LogLine, Prepaid
from leitstand.ports import ProviderError, Rejected, Unavailable, UnknownOutcome
from leitstand.providers.vast_answers import Charges, Credit, Payment, refusal
from leitstand.wire.call import ANSWER_SECONDS_MAX, READ_SECONDS, Reply, Wire
from leitstand.wire.pace import Quota, Rank
from leitstand.wire.shape import parsed

QUOTAS = {
    "search": (Quota(10, 60),),
    "create": (Quota(1, 4.5),),
    "destroy": (Quota(1, 3.0),),
    "instance": (Quota(1, 2.0),),
    "list": (Quota(1, 1.0),),
    "state": (Quota(1, 1.0),),
    "charges": (Quota(1, 1.0),),
}
"""Least seconds between calls of one kind, and searches a minute (docs: Rate limits)."""
CHARGE_ROWS, CHARGE_PAGES_MAX = 500, 100
LOG_BYTES_MAX = 1 << 20
_CENT = Decimal("0.01")
_ADDRESS = re.compile(r"https://|http://127\.0\.0\.1:\d+/")


class Account:
    """Calls with one key. Safe to use from several threads."""

    labelled = True

    def __init__(
        self,
        wire: Wire,
        rate: Rate,
        now: Callable[[], datetime],
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.wire, self.rate, self._now = wire, rate, now
        self._transport = transport

    def call(
        self,
        rank: Rank,
        endpoint: str,
        method: str,
        path: str,
        body: Any = None,
        query: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """One call whose answer must be a success."""
        return self.good(self.wire.call(rank, endpoint, method, path, body=body, query=query))

    def send(
        self,
        rank: Rank,
        endpoint: str,
        method: str,
        path: str,
        body: Any,
        creating: bool = False,
        secrets: Sequence[str] = (),
    ) -> Reply:
        """One call, whatever its answer says."""
        return self.wire.call(
            rank, endpoint, method, path, body=body, creating=creating, secrets=secrets
        )

    def good(self, reply: Reply) -> dict[str, Any]:
        """Success is a 2xx whose body is an object that does not say otherwise."""
        if reply.good and not isinstance(reply.body, dict):
            raise Unavailable("an answer that is no JSON object")
        if not reply.good or reply.body.get("success", True) is not True:
            raise self.refused(reply)
        body: dict[str, Any] = reply.body
        return body

    def refused(self, reply: Reply) -> ProviderError:
        """What an answer that is no success asks the caller to do."""
        now = self._now()
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        return refusal(reply, midnight - now)

    def made(self, reply: Reply) -> int | None:
        """The contract in the answer to a create, be it a refusal; None where there is none for
        certain. Raises UnknownOutcome where the answer does not say."""
        body = reply.body if isinstance(reply.body, dict) else {}
        contract = body.get("new_contract")
        if isinstance(contract, int) and not isinstance(contract, bool):
            return contract
        silent = not body or body.get("success") is True
        if reply.status >= 500 or (silent and reply.status != 429):
            raise UnknownOutcome(f"the answer to a create says nothing (HTTP {reply.status})")
        return None

    # --- money -----------------------------------------------------------------------------------

    def balance(self) -> Decimal:
        """Credit left, in euros."""
        answer = self.call(Rank.LOOK, "user", "GET", "/api/v0/users/current")
        return self.rate.euros(parsed(Credit, answer).credit)

    def billed(self, since: datetime, until: datetime) -> Iterator[Billed]:
        """What instances cost on the UTC days of two moments and on those between, one row for each
        contract and day. A day is named by its midnight: asked from noon, that day is not there."""
        midnight = since.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        day = {"gte": int(midnight.timestamp()), "lte": int(until.timestamp())}
        select = {"day": day, "type": {"in": ["instance"]}}
        query = {"select_filters": json.dumps(select), "limit": str(CHARGE_ROWS)}
        for _ in range(CHARGE_PAGES_MAX):
            answer = self.call(Rank.LOOK, "charges", "GET", "/api/v0/charges/", query=query)
            page = parsed(Charges, answer)
            for charge in page.results:
                yield Billed(
                    charge.source.removeprefix("instance-"),
                    self.rate.euros(charge.amount),
                    datetime.fromtimestamp(charge.start, UTC),
                    datetime.fromtimestamp(charge.end, UTC),
                    None if charge.metadata is None else charge.metadata.label,
                    Dollars(charge.amount, self.rate),
                )
            if not page.next_token:
                return
            query["after_token"] = page.next_token
        raise Unavailable("the charges do not end")

    def prepay(self, provider_id: int, amount_eur: Decimal) -> Prepaid:
        """Pay ahead for an instance: at most that much, in whole cents of a dollar."""
        usd = (amount_eur / self.rate.eur_per_usd).quantize(_CENT, ROUND_FLOOR)
        if usd < _CENT:
            raise Rejected("less than a cent of a dollar")
        path = f"/api/v0/instances/prepay/{provider_id}/"
        reply = self.send(Rank.CREATE, "prepay", "PUT", path, {"amount": float(usd)}, True)
        said = reply.body if isinstance(reply.body, dict) else {}
        refused = 400 <= reply.status < 500 and reply.status != 408 and said
        told = reply.good and isinstance(said.get("success"), bool)
        if not (told or refused or reply.status == 429):
            raise UnknownOutcome(f"the answer to a payment says nothing (HTTP {reply.status})")
        answer = self.good(reply)
        try:
            paid = parsed(Payment, answer)
        except Unavailable:
            return Prepaid(None, None)  # paid, whatever else it says
        return Prepaid(paid.months, paid.discount)

    # --- logs ------------------------------------------------------------------------------------

    def request_logs(self, provider_id: int, lines: int) -> str:
        """Ask for the last lines; the address where they will lie."""
        path = f"/api/v0/instances/request_logs/{provider_id}/"
        answer = self.call(Rank.LOOK, "logs", "PUT", path, {"tail": str(lines)})
        url = answer.get("result_url")
        if not isinstance(url, str) or not _ADDRESS.match(url):
            raise Unavailable("logs without an address")
        return url

    def read_logs(self, url: str) -> list[LogLine] | None:
        """The lines at an address of `request_logs`, read without the key; None: not there yet."""
        text, began = b"", time.monotonic()
        try:
            with (
                httpx.Client(
                    transport=self._transport, timeout=READ_SECONDS, trust_env=False
                ) as plain,
                plain.stream("GET", url) as reply,
            ):
                if reply.status_code != 200:
                    return None
                for chunk in reply.iter_bytes():
                    text += chunk
                    late = time.monotonic() - began > ANSWER_SECONDS_MAX
                    if late or len(text) > LOG_BYTES_MAX:
                        break
        except httpx.HTTPError as error:
            raise Unavailable(f"logs: {type(error).__name__}") from None
        shown = self.wire.redact(text[:LOG_BYTES_MAX].decode("utf-8", "replace"))
        return [LogLine(None, "container", line) for line in shown.splitlines()]
