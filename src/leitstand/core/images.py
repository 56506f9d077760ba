"""How old is what a rented machine starts from: what is old has holes that are known."""

from __future__ import annotations

from datetime import date, datetime, timedelta


def age_days(image: date | None, bundle: datetime | None, now: datetime) -> int | None:
    """Days since the older of the image and the worker's files was made. None where nobody knows
    when the image was, or says a day to come: files of today make no image younger."""
    if image is None or to_come(image, now):
        return None
    made = min(image, now.date() if bundle is None else bundle.date())
    return max((now.date() - made).days, 0)


def to_come(day: date, now: datetime) -> bool:
    """Whether it is no day anywhere yet: the east is a day ahead of UTC."""
    return day > now.date() + timedelta(days=1)
