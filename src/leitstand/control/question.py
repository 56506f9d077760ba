"""A placement question as it is asked, kept with its decision, and asked again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from leitstand.core import limits
from leitstand.core.change import would_change
from leitstand.core.cost import spelled
from leitstand.core.instant import utc
from leitstand.core.job import FUSE
from leitstand.core.outlook import Load, Outlook
from leitstand.core.placement import (
    OWN_TIER,
    Offer,
    Placement,
    Ranked,
    Rejection,
    Requirements,
    Terms,
    combined,
    place,
)

_AMOUNTS = {"price_eur_per_hour", "minimum_eur", "storage_eur_per_hour"}
_AMOUNTS |= {"down_eur_per_gb", "up_eur_per_gb", "traffic_eur", "usd_eur"}


@dataclass(frozen=True, slots=True)
class Question:
    """Everything a choice rests on: the same question has the same answer, at any time."""

    offers: tuple[Offer, ...]
    wants: Mapping[str, Requirements]
    """By provider."""
    terms: Terms
    outlooks: tuple[Outlook, ...]
    """One for each offer."""

    def answer(self) -> Placement:
        """The ranked offers, and why the others fell."""
        seen = {id(o): look for o, look in zip(self.offers, self.outlooks, strict=True)}
        return place(self.offers, self.wants, self.terms, lambda offer: seen[id(offer)])

    def changes(self, placement: Placement) -> list[dict[str, Any]]:
        """What would alter the choice, the least change first."""
        return [
            {
                "kind": change.kind,
                "offer": named(change.offer),
                "to": change.to,
                "by": round(change.by, 6),
                "expected_eur": None
                if change.expected_eur is None
                else spelled(change.expected_eur),
                "finish_at": None if change.finish_at is None else utc(change.finish_at),
            }
            for change in would_change(placement, self.wants, self.terms)
        ]


def named(offer: Offer) -> dict[str, Any]:
    """What people know an offer by."""
    keys = ("provider", "offer_id", "gpu", "region", "tier")
    return {key: getattr(offer, key) for key in keys} | {
        "price_eur_per_hour": spelled(offer.price_eur_per_hour)
    }


def plain(value: Any) -> dict[str, Any]:
    """A core dataclass as JSON: decimals and times as text, which loses nothing."""
    return {key: _plain(item) for key, item in asdict(value).items()}


def taken(ranked: Ranked) -> dict[str, Any]:
    """The offer as an instance of it keeps it: with what is reserved for the traffic of its work."""
    return plain(replace(ranked.offer, traffic_eur=ranked.traffic_eur))


def _plain(item: Any) -> Any:
    match item:
        case Decimal():
            return exact if Decimal(exact := spelled(item)) == item else str(item)
        case datetime():
            return utc(item)
        case tuple():
            return list(item)
        case _:
            return item


def market_of(question: Question) -> dict[str, Any] | None:
    """The question as a decision keeps it; None where there are too many offers."""
    if len(question.offers) > limits.REPLAYED_OFFERS_MAX:
        return None
    return {
        "offers": [plain(offer) for offer in question.offers],
        "wants": {name: plain(want) for name, want in question.wants.items()},
        "terms": plain(question.terms),
        "outlooks": [plain(outlook) for outlook in question.outlooks],
    }


def question_of(market: Mapping[str, Any]) -> Question:
    """The question that a decision kept."""
    terms = market["terms"]
    return Question(
        tuple(offer_of(offer) for offer in market["offers"]),
        {name: want_of(want) for name, want in market["wants"].items()},
        Terms(
            datetime.fromisoformat(terms["now"]),
            _moment(terms["due_at"]),
            _amount(terms["left_eur"]),
            terms["shares"],
            _rejection(terms.get("outside")),
            _rejection(terms.get("nearby")),
            terms.get("own_first", False),
            terms.get("burst", "full"),
        ),
        tuple(_outlook(one) for one in market["outlooks"]),
    )


def offer_of(document: Mapping[str, Any]) -> Offer:
    """An offer from its stored document."""
    values: dict[str, Any] = {
        k: Decimal(v) if k in _AMOUNTS and v is not None else v for k, v in document.items()
    }
    return Offer(**values)


def want_of(document: Mapping[str, Any]) -> Requirements:
    """A need from its stored document."""
    regions: Sequence[str] | None = document["regions"]
    most = document["price_max_eur_per_hour"]
    values: dict[str, Any] = {
        **document,
        "regions": None if regions is None else tuple(regions),
        "end_by": _moment(document["end_by"]),
        "price_max_eur_per_hour": _amount(most),
    }
    return Requirements(**values)


def _rejection(document: Mapping[str, Any] | None) -> Rejection | None:
    return None if document is None else Rejection(**document)


def _outlook(document: Mapping[str, Any]) -> Outlook:
    return Outlook(**{**document, "quarantine_until": _moment(document["quarantine_until"])})


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _amount(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def needed(inputs: Mapping[str, Any], tier: str | None) -> Requirements:
    """What the tasks that a decision planned need of a machine: of the own one the report's, of
    others what all the rest do."""
    wants = inputs["requirements"]
    chosen = [wants[FUSE]] if tier == OWN_TIER else [w for n, w in wants.items() if n != FUSE]
    return combined([want_of(want) for want in chosen])


def remaining(inputs: Mapping[str, Any], share: float) -> Load:
    """This share of the work that a decision planned; models a fresh machine fetches in whole."""
    seconds, gib = float(inputs["work_seconds"]), float(inputs.get("download_gib", 0.0))
    models = min(gib, sum(model_bytes(inputs).values()) / limits.GIB)
    return Load(seconds * share, (gib - models) * share + models)


def model_bytes(inputs: Mapping[str, Any]) -> dict[str, int]:
    """Sizes of the model files that a decision planned with, by digest."""
    files = (file for model in inputs.get("models", ()) for file in model["files"])
    return {file["sha256"]: int(file["bytes"]) for file in files}
