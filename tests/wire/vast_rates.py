"""How often a key may call: minimum intervals by endpoint, searches by the minute and the day."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from tests.wire.vast_rules import Refusals
from tests.wire.vast_world import Conduct

MINUTE = timedelta(minutes=1)


@dataclass
class Rates:
    """What each key called, and when."""

    last: dict[tuple[str, str], datetime] = field(default_factory=dict)
    barred: dict[tuple[str, str], datetime] = field(default_factory=dict)
    searches: dict[str, list[datetime]] = field(default_factory=dict)
    today: dict[tuple[str, date], int] = field(default_factory=dict)

    def count(self, key: str, group: str, now: datetime, conduct: Conduct, rules: Refusals) -> None:
        """Refuses a call that comes too soon. A refused call does not count, but a create that
        comes too soon bars the next for longer."""
        if group == "search":
            self._search(key, now, conduct, rules)
            return
        seconds = conduct.rates.get(group)
        if not seconds:
            return
        who = (key, group)
        until = self.barred.get(who)
        if until is not None and now < until:
            rules.refuse("penalty", _hint(until - now, conduct), seconds=conduct.create_penalty)
        before = self.last.get(who)
        if before is not None and now < before + timedelta(seconds=seconds):
            if group == "create":
                self.barred[who] = now + timedelta(seconds=conduct.create_penalty)
            wait = before + timedelta(seconds=seconds) - now
            rules.refuse("interval", _hint(wait, conduct), seconds=seconds)
        self.last[who] = now

    def _search(self, key: str, now: datetime, conduct: Conduct, rules: Refusals) -> None:
        recent = [at for at in self.searches.get(key, []) if now - at < MINUTE]
        if len(recent) >= conduct.search_minute:
            rules.refuse("search-minute", _hint(recent[0] + MINUTE - now, conduct))
        day = (key, now.date())
        if self.today.get(day, 0) >= conduct.search_quota:
            rules.refuse("search-quota")
        self.searches[key] = [*recent, now]
        self.today[day] = self.today.get(day, 0) + 1


def _hint(wait: timedelta, conduct: Conduct) -> dict[str, str]:
    seconds = max(1, round(wait.total_seconds() + 0.5))
    return {"Retry-After": str(seconds)} if conduct.retry_after else {}
