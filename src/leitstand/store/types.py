"""Column types that keep what SQLite and PostgreSQL would lose or round.

SQLite has neither exact decimals nor time zones, so both databases hold integers, and the same
statement gives the same Python value on either.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, DecimalException
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, LargeBinary, Text
from sqlalchemy.types import TypeDecorator

from leitstand.core.sealed import Sealed

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MILLION = Decimal(1_000_000)
_INTEGER_MAX = 2**63 - 1


class Instant(TypeDecorator[datetime]):
    """An aware UTC `datetime`, stored as an integer of microseconds since 1970.

    A naive time raises ValueError: which hour it means is not known. Another zone is converted.
    """

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Microseconds since 1970 of an aware time."""
        if value is None:
            return None
        if value.utcoffset() is None:
            raise ValueError("a stored time needs a time zone")
        return (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """The aware UTC time of a stored integer."""
        return None if value is None else _EPOCH + value * _MICROSECOND


class Amount(TypeDecorator[Decimal]):
    """Money as `Decimal`, stored as an integer of millionths.

    What is not a whole number of millionths, not finite, or beyond 63 bits raises ValueError:
    rounding is a decision of the caller (`core.cost`), never of the store.
    """

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:
        """Millionths of an exact amount."""
        if value is None:
            return None
        try:
            whole = value.scaleb(6).to_integral_value(ROUND_HALF_EVEN)
            exact = whole.scaleb(-6) == value
        except (AttributeError, DecimalException) as error:
            raise ValueError("an amount is a finite Decimal") from error
        if not exact or abs(whole) > _INTEGER_MAX:
            raise ValueError("an amount is a whole number of millionths within 63 bits")
        return int(whole)

    def process_result_value(self, value: int | None, dialect: Dialect) -> Decimal | None:
        """The exact amount of a stored integer."""
        return None if value is None else Decimal(value) / _MILLION


class SealedBytes(TypeDecorator[Sealed]):
    """Ciphertext of `vault.seal`. Anything but `Sealed` raises TypeError: no plaintext slips in."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: Sealed | None, dialect: Dialect) -> bytes | None:
        """The bytes of a sealed value."""
        if value is None:
            return None
        if not isinstance(value, Sealed):
            raise TypeError("a sealed column takes Sealed only")
        return value.data

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> Sealed | None:
        """The sealed value, still closed."""
        return None if value is None else Sealed(bytes(value))


class Json(TypeDecorator[Any]):
    """A JSON document as canonical text (sorted keys, no spaces, UTF-8): equal values, equal bytes.

    NaN and infinity raise ValueError. `None` is SQL NULL, not JSON `null`.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Canonical text of a document."""
        if value is None:
            return None
        return json.dumps(
            value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        )

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """The document."""
        return None if value is None else json.loads(value)

    def coerce_compared_value(self, op: Any, value: Any) -> Any:
        """Comparisons are of text with text."""
        return self
