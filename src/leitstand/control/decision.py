"""A decision as it is recorded and shown: chosen, ranked, and why the rest fell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

from leitstand.control.commands import Command
from leitstand.control.transaction import Tx
from leitstand.core.cost import spelled
from leitstand.core.instant import utc
from leitstand.core.placement import Offer, Placement, Ranked, Rejection
from leitstand.store import jobs, tables
from leitstand.store.rows import add


@dataclass(frozen=True, slots=True)
class RecordDecision(Command[jobs.Decision]):
    """Keep a decision with its inputs, verdict and reasons, so that `explain` can replay it."""

    inputs: dict[str, Any]
    verdict: dict[str, Any]
    reasons: dict[str, Any]
    action: ClassVar[str] = "jobs.plan"

    def apply(self, tx: Tx) -> jobs.Decision:
        row = {
            **tx.born(None, "decision"),
            "kind": "placement",
            "inputs": self.inputs,
            "verdict": self.verdict,
            "reasons": self.reasons,
        }
        add(tx.conn, tables.decisions, [row])
        tx.enter("decision", "create", row["id"], 1, None, "made")
        found = jobs.decision(tx.conn, tx.tenant, row["id"])
        assert found is not None
        return found


def document(decision: jobs.Decision) -> dict[str, Any]:
    """A decision as `leitstand.decision/1` (`docs/cli.md`)."""
    verdict = decision.verdict
    chosen = verdict["chosen"]
    return {
        "schema": "leitstand.decision/1",
        "id": decision.id,
        "made_at": utc(decision.created_at),
        "offers_seen": verdict["offers_seen"],
        "chosen": chosen,
        "ranked": verdict["ranked"],
        "rejected": decision.reasons["rejected"],
        "silent": decision.reasons["silent"],
        "reservation_eur": None if chosen is None else chosen["worst_eur"],
        "budget_left_eur": verdict.get("budget_left_eur"),
        "profile": decision.inputs["profile"],
        "case": decision.inputs["case"],
        "media": decision.inputs["media"],
        "models": [
            {"family": m["family"], "name": m["name"], "version": m["version"]}
            for m in decision.inputs["models"]
        ],
        "missing": decision.inputs["missing"],
    }


def plain(value: Any) -> dict[str, Any]:
    """A core dataclass as JSON: decimals and times as text."""
    out = {}
    for key, item in asdict(value).items():
        if isinstance(item, Decimal):
            item = spelled(item)
        elif isinstance(item, datetime):
            item = utc(item)
        elif isinstance(item, tuple):
            item = list(item)
        out[key] = item
    return out


def verdict(placement: Placement, left_eur: Decimal | None) -> dict[str, Any]:
    """What was decided: the choice, the runners-up, until when, and what the budget had left."""
    chosen = placement.chosen
    return {
        "offers_seen": len(placement.ranked) + len(placement.rejected),
        "chosen": None if chosen is None else _ranked(chosen),
        "end_by": None if chosen is None else utc(chosen.end_by),
        "ranked": [_ranked(ranked) for ranked in placement.ranked[:20]],
        "budget_left_eur": spelled(left_eur),
    }


def _ranked(ranked: Ranked) -> dict[str, Any]:
    return {
        "offer": plain(ranked.offer),
        "price_eur_per_hour": spelled(ranked.offer.price_eur_per_hour),
        "expected_eur": spelled(ranked.expected_eur),
        "worst_eur": spelled(ranked.worst_eur),
        "finish_at": utc(ranked.finish_at),
    }


def reasons(placement: Placement, silent: Mapping[str, str]) -> dict[str, Any]:
    """Why the others fell, counted by rule with the cheapest as the example, and who was silent."""
    by_rule: dict[str, list[tuple[Offer, Rejection]]] = {}
    for offer, rejection in placement.rejected:
        by_rule.setdefault(rejection.rule, []).append((offer, rejection))
    rejected = []
    for rule, fallen in by_rule.items():
        offer, why = min(fallen, key=lambda pair: pair[0].rate_eur_per_hour)
        rejected.append(
            {
                "rule": rule,
                "count": len(fallen),
                "example": {"provider": offer.provider, "gpu": offer.gpu, "region": offer.region},
                "price_eur_per_hour": spelled(offer.price_eur_per_hour),
                "has": why.has,
                "needs": why.needs,
                "short_by": why.short_by,
            }
        )
    return {"rejected": rejected, "silent": dict(silent)}
