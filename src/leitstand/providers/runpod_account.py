"""The account at RunPod beside its pods: network volumes, what was billed, what is left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import TypeVar
from urllib.parse import quote

from leitstand.core.dollars import Rate
from leitstand.core.rented import Billed, Dollars, Volume
from leitstand.ports import Rejected, Unauthorized, Unavailable, UnknownOutcome
from leitstand.providers.runpod_answers import (
    TEXTS,
    BillingRecords,
    DataCenters,
    Myself,
    Named,
    NetworkVolume,
    NetworkVolumes,
    Pagination,
    Pods,
)
from leitstand.wire.call import Wire, refusal
from leitstand.wire.pace import Rank
from leitstand.wire.shape import Shape, parsed

PAGE_ROWS, PAGES_MAX = 1000, 100
VOLUME_USD, VOLUME_USD_BEYOND = Decimal("0.07") / 730, Decimal("0.05") / 730
VOLUME_BREAK_GB = 1000
"""A GB of the standard tier for an hour, and of what is beyond a terabyte (docs: Pricing)."""
BALANCE = "query { myself { clientBalance } }"
"""The one thing that only GraphQL tells; that is announced to end early in 2027, and then Retired."""

AnyShape = TypeVar("AnyShape", bound=Shape)
AnyPage = TypeVar("AnyPage", Pods, NetworkVolumes)


class Account:
    """See the module. Safe to use from several threads."""

    labelled = False

    def __init__(self, wire: Wire, rate: Rate) -> None:
        self._wire, self._rate = wire, rate
        self._countries: dict[str, str | None] = {}

    def read(
        self,
        shape: type[AnyShape],
        path: str,
        query: Mapping[str, str] | None = None,
        rank: Rank = Rank.LOOK,
    ) -> AnyShape:
        """One GET. Anything but a success of that shape is an error."""
        reply = self._wire.call(rank, path.split("/")[2], "GET", path, query=query)
        if not reply.good:
            raise refusal(reply, TEXTS)
        return parsed(shape, reply.body)

    def pages(self, shape: type[AnyPage], path: str) -> Iterator[AnyPage]:
        """All pages of a list. A page may hold fewer rows than asked for; one that says there is a
        next and does not say where, or leads back, is an error."""
        query = {"limit": str(PAGE_ROWS)}
        passed: set[str] = set()
        for _ in range(PAGES_MAX):
            page = self.read(shape, path, query)
            yield page
            ahead: Pagination | None = page.pagination
            if ahead is None or not ahead.more:
                return
            if ahead.cursor is None or ahead.cursor in passed:
                raise Unavailable("a list whose next page is nowhere")
            passed.add(ahead.cursor)
            query["cursor"] = ahead.cursor
        raise Unavailable("a list that does not end")

    def learn_countries(self, rank: Rank) -> None:
        """Read where the data centres are."""
        found = self.read(DataCenters, "/v2/catalog/datacenters", rank=rank).data_centers
        self._countries = {center.id: center.country for center in found}

    def country(self, data_center: str | None) -> str | None:
        """Where a data centre is, as far as that was learned."""
        return self._countries.get(data_center or "")

    def knows(self, data_center: str) -> bool:
        """Whether the catalogue named it."""
        return data_center in self._countries

    # --- volumes ---------------------------------------------------------------------------------

    def volumes(self) -> list[Volume]:
        """All network volumes of the account, ours or not."""
        pages = self.pages(NetworkVolumes, "/v2/network-volumes")
        rows = {row.id: row for page in pages for row in page.volumes}
        return [self._volume(row) for row in rows.values()]

    def volume_price(self, size_gb: int) -> Decimal:
        """Euros an hour, whether anybody uses it or not."""
        much = max(0, size_gb - VOLUME_BREAK_GB)
        usd = (size_gb - much) * VOLUME_USD + much * VOLUME_USD_BEYOND
        return self._rate.asked(usd)

    def create_volume(self, name: str, size_gb: int, data_center: str) -> Volume:
        """Raises UnknownOutcome where it may be there all the same: look for its name."""
        body = {"name": name, "size": size_gb, "dataCenter": data_center}
        reply = self._wire.call(
            Rank.CREATE, "volumes", "POST", "/v2/network-volumes", body=body, creating=True
        )
        if not reply.good:
            raise refusal(reply, TEXTS, creating=True)
        try:
            made = parsed(Named, reply.body)
        except Unavailable as error:
            raise UnknownOutcome(str(error)) from None
        return Volume(made.id, name, size_gb, self.country(data_center), data_center)

    def delete_volume(self, volume_id: str) -> None:
        """Absent is success. Raises Rejected while a pod has it mounted."""
        path = f"/v2/network-volumes/{quote(volume_id, safe='')}"
        reply = self._wire.call(Rank.STOP, "volumes", "DELETE", path)
        if not reply.good and not (reply.status == 404 and isinstance(reply.body, dict)):
            raise refusal(reply, TEXTS)

    def _volume(self, row: NetworkVolume) -> Volume:
        place = row.data_center
        return Volume(row.id, row.name or "", row.size, self.country(place), place)

    # --- money -----------------------------------------------------------------------------------

    def billed(self, since: datetime, until: datetime) -> list[Billed]:
        """What pods cost between two moments, by the hour. The provider widens both to whole hours,
        and the last ones may still grow."""
        query = {
            "startTime": _stamp(since),
            "endTime": _stamp(until),
            "bucketSize": "hour",
        }
        records = self.read(BillingRecords, "/v2/billing/pods", query).records
        return [
            Billed(
                one.pod_id,
                self._rate.euros(one.total),
                one.start,
                one.end,
                paid=Dollars(one.total, self._rate),
            )
            for one in records
            if one.pod_id
        ]

    def balance(self) -> Decimal:
        """Credit left, in euros. Raises Retired once GraphQL is no more."""
        reply = self._wire.call(Rank.LOOK, "graphql", "POST", "/graphql", body={"query": BALANCE})
        if not reply.good:
            raise refusal(reply, TEXTS)
        body = reply.body if isinstance(reply.body, dict) else {}
        if body.get("errors"):
            raise _of_graphql(body["errors"])
        data = body.get("data")
        return self._rate.euros(
            parsed(Myself, data.get("myself") if isinstance(data, dict) else None).balance
        )


def _of_graphql(errors: object) -> Unauthorized | Rejected | Unavailable:
    """Its errors come with status 200; only their codes are worth a word."""
    first = errors[0] if isinstance(errors, list) and errors else None
    more = first.get("extensions") if isinstance(first, dict) else None
    code = str(more.get("code", "")) if isinstance(more, dict) else ""
    if code in ("UNAUTHENTICATED", "FORBIDDEN"):
        return Unauthorized(f"graphql: {code}")
    if code.startswith("GRAPHQL_"):
        return Rejected("graphql: the query was not understood")
    return Unavailable("graphql: an error with status 200")


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
