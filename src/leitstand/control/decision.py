"""A decision as it is recorded and shown: chosen, ranked, and why the rest fell."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar

from leitstand.control.commands import Command
from leitstand.control.question import Question, named, question_of, taken
from leitstand.control.transaction import Tx
from leitstand.core.change import break_even
from leitstand.core.cost import spelled
from leitstand.core.instant import utc
from leitstand.core.placement import Offer, Placement, Ranked, Rejection, needed_term
from leitstand.store import jobs, tables
from leitstand.store.rows import add

RANKED_KEPT = 20


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
        "bids": verdict.get("bids"),
        "would_change": verdict.get("would_change", []),
        "rejected": decision.reasons["rejected"],
        "silent": decision.reasons["silent"],
        "aged": decision.reasons.get("aged", {}),
        "old_images": decision.reasons.get("old_images", {}),
        "prebuilt": decision.reasons.get("prebuilt"),
        "reservation_eur": decision.inputs.get("agreed_eur")
        or (None if chosen is None else chosen["worst_eur"]),
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


def agreed(placement: Placement, question: Question, pieces: int) -> Decimal | None:
    """What a person is asked for, and what the job may then cost in all: the worst case of all
    instances that it may use at once, or one after another where the work outlasts a term. Where
    money is what bounds them, all that is left of it."""
    chosen, terms, left = placement.chosen, question.terms, question.terms.left_eur
    if chosen is None:
        return None
    longest = question.wants[chosen.offer.provider].end_by
    if left is not None and longest is not None and chosen.end_by < longest:
        return left
    term = max(chosen.end_by - terms.now, timedelta(seconds=1))
    in_turn = math.ceil(needed_term(chosen.finish_at - terms.now) / term)
    amount = chosen.worst_eur * max(min(terms.shares, pieces), in_turn)
    return amount if left is None else min(amount, left)


def verdict(placement: Placement, question: Question) -> dict[str, Any]:
    """What was decided: the choice, the runners-up, until when, what the budget had left, how bids
    compare, and what would alter the choice."""
    chosen, ranked, left = placement.chosen, placement.ranked, question.terms.left_eur
    return {
        "offers_seen": len(ranked) + len(placement.rejected),
        "chosen": None if chosen is None else _ranked(chosen),
        "end_by": None if chosen is None else utc(chosen.end_by),
        "ranked": [_ranked(one) for one in ranked[:RANKED_KEPT]],
        "budget_left_eur": spelled(left),
        "bids": _bids(placement),
        "would_change": question.changes(placement),
    }


def _bids(placement: Placement) -> dict[str, Any] | None:
    even = break_even(placement)
    if even is None:
        return None
    return {
        "bid": named(even.bid),
        "firm": named(even.firm),
        "allowed": even.allowed,
        "losses_per_hour": round(even.losses_per_hour, 4),
        "break_even_losses_per_hour": round(even.even_losses_per_hour, 4),
    }


def replayed(decision: jobs.Decision) -> bool | None:
    """Whether the question that the decision kept has the same answer again; None where it kept
    none."""
    market = decision.inputs.get("market")
    if market is None:
        return None
    question = question_of(market)
    placement = question.answer()
    again = json.loads(json.dumps(verdict(placement, question)))
    return bool(again == decision.verdict and fallen(placement) == decision.reasons["rejected"])


def _ranked(ranked: Ranked) -> dict[str, Any]:
    return {
        "offer": taken(ranked),
        "price_eur_per_hour": spelled(ranked.offer.price_eur_per_hour),
        "expected_eur": spelled(ranked.expected_eur),
        "expected_low_eur": spelled(ranked.low_eur),
        "expected_high_eur": spelled(ranked.high_eur),
        "worst_eur": spelled(ranked.worst_eur),
        "parts_eur": {part: spelled(amount) for part, amount in ranked.parts_eur.items()},
        "finish_at": utc(ranked.finish_at),
    }


def reasons(
    placement: Placement, silent: Mapping[str, str], aged: Mapping[str, float]
) -> dict[str, Any]:
    """Why the others fell, who was silent, and whose answer was how many seconds old."""
    return {"rejected": fallen(placement), "silent": dict(silent), "aged": dict(aged)}


def fallen(placement: Placement) -> list[dict[str, Any]]:
    """The rejected offers counted by rule, most first, with the cheapest as the example."""
    by_rule: dict[str, list[tuple[Offer, Rejection]]] = {}
    for offer, rejection in placement.rejected:
        by_rule.setdefault(rejection.rule, []).append((offer, rejection))
    rejected = []
    for rule, fell in sorted(by_rule.items(), key=lambda item: (-len(item[1]), item[0])):
        offer, why = min(fell, key=_cheapest)
        rejected.append(
            {
                "rule": rule,
                "count": len(fell),
                "example": {"provider": offer.provider, "gpu": offer.gpu, "region": offer.region},
                "price_eur_per_hour": spelled(offer.price_eur_per_hour),
                "has": why.has,
                "needs": why.needs,
                "short_by": why.short_by,
            }
        )
    return rejected


def _cheapest(pair: tuple[Offer, Rejection]) -> tuple[Decimal, str, str]:
    offer = pair[0]
    return offer.rate_eur_per_hour, offer.provider, offer.offer_id
