"""Pauses after refusals: which offers may be tried again now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from leitstand.core import limits
from leitstand.core.offer import Offer


@dataclass(frozen=True, slots=True)
class Refusal:
    """A launch that a provider refused, or that never came to be."""

    provider: str
    offer_id: str
    code: str
    at: datetime


_OF_THE_OFFER = frozenset({"no-capacity"})
"""Refusals that leave the provider's other offers as good as they were."""


def resting(
    offers: Iterable[Offer], refusals: Sequence[Refusal], now: datetime
) -> tuple[list[Offer], str | None]:
    """The offers that may be tried now, and the newest refusal's code where some may not yet.

    The n-th refusal of an offer (or, where it speaks of the provider, of all its offers) is followed
    by a pause of 2ⁿ⁻¹ s, at most five minutes.
    """
    awake: list[Offer] = []
    code: str | None = None
    newest: datetime | None = None
    for offer in offers:
        met = [
            r
            for r in refusals
            if r.provider == offer.provider
            and (r.code not in _OF_THE_OFFER or r.offer_id == offer.offer_id)
        ]
        last = max(met, key=lambda r: r.at, default=None)
        doublings = min(max(len(met) - 1, 0), limits.EFFECT_PAUSE_DOUBLINGS_MAX)
        pause = min(timedelta(seconds=2**doublings), limits.PAUSE_MAX)
        if last is None or now - last.at >= pause:
            awake.append(offer)
        elif newest is None or last.at > newest:
            code, newest = last.code, last.at
    return awake, code
