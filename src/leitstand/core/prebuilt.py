"""What an image that has the worker would save at each start of a rented machine.

Without one, the machine fetches the worker's files from the control plane, over whatever line that
has, and installs them. With one it fetches about as much from a registry, as part of its start.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from leitstand.core.cost import MILLIONTH
from leitstand.core.offer import OWN_TIER, Offer
from leitstand.core.outlook import DOWN_MBIT_PER_S

UPLINK_MBIT_PER_S = 40.0
"""Of a control plane at home or in an office: an assumption, since nobody told us."""
INSTALL_SECONDS_PER_GB = 20.0
"""Unpacking wheels on a rented machine; an assumption as well."""
SECONDS_MIN = 30.0
"""Less is not worth a word."""


@dataclass(frozen=True, slots=True)
class Saving:
    """At each start, about."""

    seconds: float
    eur: Decimal


def saving(offer: Offer, files_bytes: int) -> Saving | None:
    """What a prebuilt image would save on this offer; None where it would not be worth it."""
    if offer.tier == OWN_TIER or files_bytes <= 0:
        return None
    down = offer.down_mbit_per_s or DOWN_MBIT_PER_S
    mbit = files_bytes * 8 / 1e6
    fetched = mbit / min(down, UPLINK_MBIT_PER_S) - mbit / down
    seconds = fetched + INSTALL_SECONDS_PER_GB * files_bytes / 1e9
    if seconds < SECONDS_MIN:
        return None
    eur = offer.rate_eur_per_hour * Decimal(round(seconds)) / 3600
    return Saving(round(seconds), eur.quantize(MILLIONTH))
