"""Why instances ended, as far as it says something of offers: what was refused, what was asked for."""

from __future__ import annotations

from collections.abc import Mapping

from leitstand.core.history import FAILED_STARTS
from leitstand.core.instance import Instance
from leitstand.core.offer import OWN_TIER, Offer
from leitstand.core.resting import Refusal

NOT_ADMITTED = {"admission", "unguarded"}
"""Another machine hardly fares better."""
AS_ASKED = frozenset({"idle", "asked", "unwanted"})
"""Reasons of instances that we or a person ended: they speak against no machine."""

_NEVER_CAME = frozenset(
    {
        "no-capacity",
        "no-funds",
        "unauthorized",
        "provider-retired",
        "provider-unavailable",
        "launch-rejected",
        "never-created",
    }
)


def code_of(instance: Instance) -> str | None:
    """Why an instance ended, as a catalogue code."""
    return None if instance.reason is None else str(instance.reason["code"])


def refusals_of(ended: list[Instance]) -> list[Refusal]:
    """The launches among these that created nothing."""
    return [
        Refusal(
            instance.provider,
            str(instance.offer["offer_id"]),
            str(code_of(instance)),
            instance.ended_at or instance.updated_at,
        )
        for instance in ended
        if code_of(instance) in _NEVER_CAME
    ]


def failed(launched: list[Instance]) -> list[Instance]:
    """Those of an account of launches that came to nothing by no wish of ours."""
    codes = _NEVER_CAME | FAILED_STARTS | {"gone-by-itself"}
    return [one for one in launched if one.ready_at is None and code_of(one) in codes]


def untried(offers: list[Offer], ended: list[Instance]) -> list[Offer]:
    """The offers that are no machine on which one of these never came to work. Own machines are
    tried again: nobody else's is taken, and paid, in their place."""
    failed = {
        _machine(one.provider, one.offer.get("host"), str(one.offer["offer_id"]))
        for one in ended
        if code_of(one) in FAILED_STARTS and one.tier != OWN_TIER
    }
    return [o for o in offers if _machine(o.provider, o.host, o.offer_id) not in failed]


def _machine(provider: str, host: str | None, offer_id: str) -> tuple[str, str]:
    """Where a provider names no machine, its offers are told apart."""
    return provider, f"host {host}" if host else f"offer {offer_id}"


def rules_of(fell: Mapping[str, int]) -> str:
    """The rules that offers fell on, most first, as a reason names them."""
    return ", ".join(sorted(fell, key=lambda rule: (-fell[rule], rule))) or "none"
