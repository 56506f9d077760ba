"""What people type for money, times and classes, as exact values."""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta
from decimal import Decimal

from leitstand.core.problem import Exit, Problem

_AMOUNT = re.compile(r"^\s*(?:€|EUR)?\s*(\d{1,9})(?:[.,](\d{1,6}))?\s*(?:€|EUR)?\s*$")
_CLOCK = re.compile(r"^(?:(tomorrow|morgen)\s+)?(\d{1,2}):(\d{2})$")
_IN = re.compile(r"^in\s+(\d+(?:[.,]\d+)?)\s*(min|m|h|d)$")
_UNIT = {"min": "minutes", "m": "minutes", "h": "hours", "d": "days"}


def amount(option: str, given: str) -> Decimal:
    """Euros: `4.50`, `4,50`, `4.50 €`. Raises Problem("bad-amount")."""
    found = _AMOUNT.match(given)
    if not found:
        raise Problem("bad-amount", Exit.USAGE, option=option, given=given)
    return Decimal(f"{found[1]}.{found[2] or 0}")


def instant(option: str, given: str, now: datetime) -> datetime:
    """`18:00` (the next one), `tomorrow 6:00`, `in 3h`, `2026-11-24T06:00`; local unless it says
    its zone. `now` is aware and local. Raises Problem: bad-time, time-past."""
    at = _instant(option, given, now)
    if at <= now:
        raise Problem("time-past", Exit.USAGE, option=option, given=given)
    return at


def _instant(option: str, given: str, now: datetime) -> datetime:
    text = given.strip()
    if found := _IN.match(text.lower()):
        try:
            return now + timedelta(**{_UNIT[found[2]]: float(found[1].replace(",", "."))})
        except OverflowError:
            raise Problem("bad-time", Exit.USAGE, option=option, given=given) from None
    if found := _CLOCK.match(text.lower()):
        hour, minute = int(found[2]), int(found[3])
        if hour < 24 and minute < 60:
            at = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
            later = found[1] is not None or at <= now
            return at + timedelta(days=1) if later else at
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Problem("bad-time", Exit.USAGE, option=option, given=given) from None
    return at if at.tzinfo is not None else at.replace(tzinfo=now.tzinfo)


def count(option: str, given: int | None) -> int | None:
    """How many at most; None is no bound. Raises Problem("bad-count")."""
    if given is not None and given < 1:
        raise Problem("bad-count", Exit.USAGE, option=option, given=given)
    return given


def gib(option: str, given: float | None) -> float | None:
    """A size in GiB, from 0 up; None is no bound. Raises Problem("bad-gib")."""
    if given is not None and not 0 <= given < math.inf:
        raise Problem("bad-gib", Exit.USAGE, option=option, given=f"{given:g}")
    return given


def data_class(option: str, given: int) -> int:
    """0 synthetic to 3 special. Raises Problem("bad-class")."""
    if given not in range(4):
        raise Problem("bad-class", Exit.USAGE, option=option, given=given)
    return given
