"""What all providers offer now: asked in parallel, and no slow one is waited for twice.

A provider is one thread away and may take long. Who answered before is given a moment, then the
last good answer stands in for the new one, with its age, while the question goes on; who never
answered is waited for longer. A question under way is shared by all who ask the same.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock, Thread

from leitstand.core import limits
from leitstand.core.placement import Offer, Requirements
from leitstand.core.problem import Exit, Problem
from leitstand.ports import NoFunds, Provider, Rejected, Retired, Unauthorized

KEPT_PER_PROVIDER = 16
"""Needs whose last good answer is kept."""
_FINAL = (NoFunds, Unauthorized, Retired, Rejected)
"""Errors that an earlier answer must not hide: nothing can be rented there."""


@dataclass(frozen=True, slots=True)
class Offers:
    """What was offered, who did not answer, and whose answer is how many seconds old."""

    found: list[Offer] = field(default_factory=list)
    silent: dict[str, str] = field(default_factory=dict)
    aged: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class _Asked:
    """One provider's answers to one need."""

    provider: Provider
    under_way: Future[list[Offer]] | None = None
    asked_at: datetime | None = None
    good: list[Offer] | None = None
    good_at: datetime | None = None


class Market:
    """The providers, and what each answered last. Safe to use from several threads."""

    def __init__(self, providers: Mapping[str, Provider]) -> None:
        self._providers = providers
        self._asked: dict[tuple[str, Requirements], _Asked] = {}
        self._lock = Lock()

    def offers(self, want: Requirements, only: str | None, now: datetime) -> Offers:
        """Offers of every configured provider, or of one. Raises Problem `unknown-provider`."""
        if only is not None and only not in self._providers:
            known = ", ".join(sorted(self._providers))
            raise Problem("unknown-provider", Exit.USAGE, provider=only, known=known)
        names = [only] if only is not None else sorted(self._providers)
        with self._lock:
            asked = {name: self._ask(name, want, now) for name in names}
        began = time.monotonic()
        answer = Offers()
        for name, (one, question) in asked.items():
            self._take(name, one, question, began, now, answer)
        return answer

    def _ask(
        self, name: str, want: Requirements, now: datetime
    ) -> tuple[_Asked, Future[list[Offer]]]:
        """The question under way, or a new one."""
        provider, key = self._providers[name], (name, want)
        one = self._asked.pop(key, None)
        if one is None or one.provider is not provider:
            one = _Asked(provider)
        self._asked[key] = one
        mine = [known for known in self._asked if known[0] == name]
        for oldest in mine[:-KEPT_PER_PROVIDER]:
            del self._asked[oldest]
        if one.under_way is None or one.under_way.done():
            one.under_way, one.asked_at = Future(), now
            _start(name, provider, want, one.under_way)
        return one, one.under_way

    def _take(
        self,
        name: str,
        one: _Asked,
        question: Future[list[Offer]],
        began: float,
        now: datetime,
        answer: Offers,
    ) -> None:
        """The answer, if it comes in time, else the last good one, if it is young enough."""
        with self._lock:
            good, good_at, asked_at = one.good, one.good_at, one.asked_at
        usable = good is not None and good_at is not None and now - good_at <= limits.OFFERS_AGE_MAX
        wait = limits.OFFERS_WAIT_WARM if usable else limits.OFFERS_WAIT
        left = max(0.0, wait.total_seconds() - (time.monotonic() - began))
        try:
            fresh = question.result(left)
        except Exception as error:
            if not usable or isinstance(error, _FINAL):
                answer.silent[name] = type(error).__name__
                return
            answer.found.extend(good or ())
            answer.aged[name] = max(timedelta(0), now - (good_at or now)).total_seconds()
            return
        with self._lock:
            if one.under_way is question:
                one.good, one.good_at = fresh, asked_at
        answer.found.extend(fresh)


def _start(name: str, provider: Provider, want: Requirements, answer: Future[list[Offer]]) -> None:
    def ask() -> None:
        try:
            answer.set_result(list(provider.offers(want)))
        except BaseException as error:
            answer.set_exception(error)

    Thread(target=ask, name=f"offers-{name}", daemon=True).start()
