"""What an image that has the worker would save."""

from __future__ import annotations

from decimal import Decimal

import pytest

from leitstand.core.prebuilt import Saving, saving
from tests.core.rows import offer

GB = 10**9


@pytest.mark.parametrize(
    ("down", "size", "seconds"),
    [
        (1000.0, 2 * GB, 16_000 / 40 - 16_000 / 1000 + 40),
        (None, 2 * GB, 16_000 / 40 - 16_000 / 200 + 40),
        (20.0, 2 * GB, 40),
        (1000.0, GB // 10, None),
        (1000.0, 0, None),
    ],
)
def test_it_saves_the_way_over_the_line_of_the_control_plane_and_the_installing(
    down: float | None, size: int, seconds: float | None
) -> None:
    rented = offer(tier="B", down_mbit_per_s=down, price_eur_per_hour=Decimal("0.36"))
    eur = None if seconds is None else Decimal(round(seconds)) * rented.rate_eur_per_hour / 3600
    found = saving(rented, size)
    wanted = None if eur is None or seconds is None else (round(seconds), eur)
    assert (None if found is None else (found.seconds, found.eur)) == (
        None if wanted is None else (wanted[0], wanted[1].quantize(Decimal("0.000001")))
    )


def test_an_own_machine_saves_nothing() -> None:
    assert saving(offer(tier="L"), 9 * GB) is None


def test_what_is_saved_is_an_amount() -> None:
    found = saving(offer(tier="B", price_eur_per_hour=Decimal("3.60")), 2 * GB)
    assert isinstance(found, Saving)
    assert found.eur > Decimal("0.3")
