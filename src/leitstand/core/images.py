"""How old is what a rented machine starts from: what is old has holes that are known."""

from __future__ import annotations

from datetime import date, datetime


def age_days(image: date | None, bundle: datetime | None, now: datetime) -> int | None:
    """Days since the older of the image and the worker's files was made; None where nobody knows of
    either. A day to come says nothing."""
    today = now.date()
    made = [day for day in (image, None if bundle is None else bundle.date()) if day is not None]
    past = [day for day in made if day <= today]
    return (today - min(past)).days if past else None
