"""Whether an offer that was chosen earlier may still be taken: rules change between a plan and its
start, and between an intent and its launch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Connection

from leitstand.control.commands import Door
from leitstand.control.plan import Planner
from leitstand.control.question import needed, offer_of
from leitstand.core.filters import Rejection, first_fault
from leitstand.core.instance import Instance
from leitstand.core.instant import utc
from leitstand.core.offer import CONTRACTED, OWN_TIER, Offer, enough
from leitstand.core.placement import Terms
from leitstand.core.problem import Exit, Problem
from leitstand.store import jobs, money

log = structlog.get_logger(__name__)

UNAGREED = "C"
"""The best tier elsewhere without a processing agreement."""


def check_plan(planner: Planner, door: Door, decision_id: str, now: datetime) -> None:
    """Raises Problem `plan-outdated` where the offer that a plan chose may not be taken today. A
    plan that started its job, or chose nothing, is none of its business."""

    def read(conn: Connection) -> tuple[jobs.Decision | None, str]:
        found = jobs.decision(conn, door.tenant, decision_id)
        if found is None or jobs.by_decision(conn, door.tenant, decision_id) is not None:
            return None, ""
        data_class = door.look(now, conn).case(found.inputs["case"]).data_class
        return found, planner.rules.tier_min(data_class)

    decision, lowest = door.database.read(read)
    chosen = None if decision is None else decision.verdict.get("chosen")
    if decision is None or chosen is None:
        return
    fault = fault_now(planner, decision.inputs, chosen["offer"], now)
    if fault is None and not enough(decision.inputs["tier_min"], lowest):
        fault = Rejection("tier", decision.inputs["tier_min"], lowest)
    if fault is not None:
        rule, has, needs = fault.rule, fault.has, fault.needs
        raise Problem("plan-outdated", Exit.REFUSED, rule=rule, has=has, needs=needs)


def barred_now(planner: Planner, door: Door, instance: Instance, now: datetime) -> bool:
    """Whether an instance that is intended may not be launched any more."""

    def read(conn: Connection) -> jobs.Decision | None:
        held = money.reservation_of(conn, instance.id)
        job = None if held is None else jobs.find(conn, door.tenant, held.job_id)
        return None if job is None else jobs.decision(conn, door.tenant, job.decision_id)

    decision = door.database.read(read)
    if decision is None:
        return False
    fault = fault_now(planner, decision.inputs, instance.offer, now)
    if fault is not None:
        log.warning("launch.barred", instance=instance.id, rule=fault.rule)
    return fault is not None


def fault_now(
    planner: Planner, inputs: Mapping[str, Any], document: Mapping[str, Any], now: datetime
) -> Rejection | None:
    """Why a recorded offer may not be taken today for the work of a plan: by the rules, the
    agreement and the reachability of now, or because its machine is in quarantine. What an own
    machine is asked for is what the report needs, which every task of it needs too."""
    offer = _as_agreed(planner, offer_of(document))
    want = needed(inputs, offer.tier)
    fault = first_fault(offer, planner.wanted_of(offer.provider, want, now))
    fault = fault or planner.barring([offer], Terms(now)).barred(offer)
    if fault is not None:
        return fault
    until = planner.odds([offer], now)[0].quarantine_until
    if until is not None and until > now:
        return Rejection("quarantine", utc(until), utc(now))
    return None


def _as_agreed(planner: Planner, offer: Offer) -> Offer:
    """With the tier it has without an agreement, where there is none any more."""
    vouched = offer.tier != OWN_TIER and enough(offer.tier, CONTRACTED)
    return (
        replace(offer, tier=UNAGREED) if vouched and offer.provider in planner.unagreed else offer
    )
