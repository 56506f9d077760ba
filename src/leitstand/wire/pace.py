"""How often a provider may be called with one key: who waits, who is told to come later, who goes first.

One `Pace` belongs to one key and is shared by all threads of the process. It is a state and no queue:
a call that would have to wait longer than `BRIEF` is refused with `RateLimited` before it is made,
and the effect runner comes again. Ranks share the quotas of all endpoints together, each up to its
part of them, so the ones above always find room; ends have a quarter for themselves. An endpoint with
a quota of its own is called by one rank, which may use all of it. Whatever the books say, one end a
minute is tried: an instance that cannot be ended costs money.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from threading import Lock

from leitstand.ports import RateLimited

BRIEF, BRIEF_CREATE = 1.0, 5.0
"""Seconds that a call is held back rather than refused. A create that is refused takes its instance
with it, so it is given more: two at once may follow one another at Vast.ai."""
END_AT_LEAST = 60.0
"""Seconds after which another end is tried, whatever the books say."""
HINT_MAX = 3600.0
"""A longer `Retry-After` is taken for this; the provider will say it again."""
SLACK = 2.0
"""Seconds by which two answers may differ on when a window began."""
WINDOWS_MAX = 8


class Rank(Enum):
    """What a call is for, most urgent first; the value is the part of a shared quota it may use."""

    END = 1.0
    STOP = 0.75
    LOOK = 0.7
    CREATE = 0.6
    SEARCH = 0.4


@dataclass(frozen=True, slots=True)
class Quota:
    """So many calls in so many seconds."""

    calls: int
    seconds: float


@dataclass(slots=True)
class _Window:
    """The running window of one quota."""

    quota: Quota
    begins: float
    used: int = 0
    told: bool = False
    """Whether the provider said when it began."""

    def wait(self, part: float, now: float) -> float:
        """Seconds until a call that may use this part has room."""
        ends = self.begins + self.quota.seconds
        if now >= ends:
            return 0.0
        room = max(1, math.ceil(self.quota.calls * part))
        return max(0.0, self.begins - now) if self.used < room else ends - now

    def take(self, at: float) -> None:
        """Count a call; the first one after a window is over begins the next."""
        if at >= self.begins + self.quota.seconds:
            self.begins, self.used, self.told = at, 0, False
        self.used += 1


class Pace:
    """See the module. `quotas` are by endpoint; those of `""` count all endpoints together."""

    def __init__(
        self,
        quotas: Mapping[str, Sequence[Quota]],
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._monotonic, self._sleep = monotonic, sleep
        self._windows = {
            name: [_Window(quota, -math.inf) for quota in each] for name, each in quotas.items()
        }
        self._held: dict[str, float] = {}
        self._end_tried = -math.inf
        self._lock = Lock()

    def take(self, endpoint: str, rank: Rank) -> None:
        """Count one call, after a wait of `BRIEF` at most. Raises RateLimited with the time left."""
        with self._lock:
            now = self._monotonic()
            own, shared = self._windows.get(endpoint, ()), self._windows.get("", ())
            held = max(0.0, self._held.get(self._scope(endpoint), now) - now)
            wait = max([held, *(window.wait(1.0, now) for window in own)])
            wait = max([wait, *(window.wait(rank.value, now) for window in shared)])
            brief = BRIEF_CREATE if rank is Rank.CREATE and held <= BRIEF else BRIEF
            if rank is Rank.END and wait > BRIEF:
                wait = min(wait, max(0.0, self._end_tried + END_AT_LEAST - now))
            if wait > brief:
                raise RateLimited(f"{endpoint}: quota used up", timedelta(seconds=wait))
            if rank is Rank.END:
                self._end_tried = now + wait
            for window in (*own, *shared):
                window.take(now + wait)
        if wait > 0:
            self._sleep(wait)

    def refused(self, endpoint: str, retry_after: timedelta | None) -> None:
        """The provider answered 429. Without a hint the callers' own pauses have to do."""
        if retry_after is None:
            return
        seconds = min(retry_after.total_seconds(), HINT_MAX)
        with self._lock:
            self._held[self._scope(endpoint)] = self._monotonic() + seconds

    def heard(self, headers: Mapping[str, str]) -> None:
        """What an answer says of the quotas of all endpoints together (`RateLimit` and
        `RateLimit-Policy`, draft-ietf-httpapi-ratelimit-headers). Other processes may use the key."""
        policies = _items(headers.get("ratelimit-policy", ""), "q", "w")
        states = _items(headers.get("ratelimit", ""), "r", "t")
        if not policies:
            return
        with self._lock:
            now = self._monotonic()
            known = {window.quota.seconds: window for window in self._windows.get("", ())}
            for name, (calls, seconds) in list(policies.items())[:WINDOWS_MAX]:
                if calls < 1 or seconds < 1:
                    continue
                quota = Quota(calls, float(seconds))
                window = known.setdefault(quota.seconds, _Window(quota, -math.inf))
                window.quota = quota
                if name in states:
                    _correct(window, *states[name], now)
            self._windows[""] = list(known.values())[:WINDOWS_MAX]

    def _scope(self, endpoint: str) -> str:
        return "" if "" in self._windows else endpoint


def _correct(window: _Window, left: int, resets_in: int, now: float) -> None:
    """The provider's count instead of ours, unless the answer is older than what we know."""
    begins = now + min(float(resets_in), window.quota.seconds) - window.quota.seconds
    used = max(0, window.quota.calls - left)
    if not window.told or abs(begins - window.begins) <= SLACK:
        window.begins, window.used, window.told = begins, max(window.used, used), True
    elif begins > window.begins:
        window.begins, window.used = begins, used


def _items(text: str, first: str, second: str) -> dict[str, tuple[int, int]]:
    """`"minute";q=60;w=60, …` by name."""
    pattern = rf'"([^"]{{1,40}})"\s*;\s*{first}=(\d{{1,9}})\s*;\s*{second}=(\d{{1,9}})'
    return {name: (int(a), int(b)) for name, a, b in re.findall(pattern, text[:2000])}
