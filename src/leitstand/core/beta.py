"""The Beta distribution in the standard library: its distribution function and intervals."""

from __future__ import annotations

import math

_STEPS_MAX = 300
_TINY = 1e-300
_HALVINGS = 60


def cdf(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b), by its continued fraction
    (DLMF 8.17.22, evaluated as Lentz did)."""
    if x <= 0.0:
        return 0.0
    if x >= 1.0:
        return 1.0
    if x > (a + 1) / (a + b + 2):
        return 1.0 - cdf(1.0 - x, b, a)
    log = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    front = math.exp(log + a * math.log(x) + b * math.log1p(-x)) / a
    c, d = 1.0, 1.0 / _from_zero(1.0 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, _STEPS_MAX):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        before = value
        for step in (even, odd):
            d = 1.0 / _from_zero(1.0 + step * d)
            c = _from_zero(1.0 + step / c)
            value *= c * d
        if abs(value - before) <= 1e-14 * abs(value):
            break
    return front * value


def quantile(p: float, a: float, b: float) -> float:
    """The x with `cdf(x, a, b) == p`, by halving."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if cdf(middle, a, b) < p:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def interval(a: float, b: float, share: float) -> tuple[float, float]:
    """The ends between which `share` of the distribution lies, as much below as above."""
    tail = (1 - share) / 2
    return quantile(tail, a, b), quantile(1 - tail, a, b)


def _from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
