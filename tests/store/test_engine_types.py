"""Column types keep exact values on both databases, and refuse what they would have to bend."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection

from leitstand.core.sealed import Sealed
from leitstand.store.engine import Database
from leitstand.store.types import Amount, Instant, Json, SealedBytes

values = sa.Table(
    "kept_values",
    sa.MetaData(),
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("at", Instant),
    sa.Column("amount", Amount),
    sa.Column("sealed", SealedBytes),
    sa.Column("document", Json),
)
DIALECT: Any = None


def back(database: Database, **kept: Any) -> Any:
    def work(connection: Connection) -> Any:
        values.create(connection, checkfirst=True)
        connection.execute(values.delete())
        connection.execute(values.insert().values(id=1, **kept))
        return connection.execute(sa.select(*(values.c[name] for name in kept))).one()

    found = database.write(work)
    return found[0] if len(found) == 1 else tuple(found)


def test_values_come_back_equal(database: Database) -> None:
    at = datetime(2026, 11, 24, 3, 43, 59, 999_999, tzinfo=UTC)
    assert back(database, at=at) == at
    assert back(database, amount=Decimal("-12.345678")) == Decimal("-12.345678")
    document = {"ä": [1, 2.5, None, {"b": "\U0001f9fe", "a": True}]}
    assert back(database, document=document) == document
    sealed = back(database, sealed=Sealed(b"\x00\x01\xff"))
    assert isinstance(sealed, Sealed) and sealed.data == b"\x00\x01\xff"


def test_nothing_stays_nothing(database: Database) -> None:
    assert back(database, at=None, amount=None, sealed=None, document=None) == (None,) * 4


def test_another_zone_is_the_same_instant(database: Database) -> None:
    there = datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=2)))
    found = back(database, at=there)
    assert found == there and found.utcoffset() == timedelta(0)


def test_times_compare_and_sum_in_statements(database: Database) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    back(database, at=at, amount=Decimal("0.000001"))
    earlier = sa.select(values.c.id).where(values.c.at < at + timedelta(microseconds=1))
    assert database.read(lambda c: c.scalar(earlier)) == 1
    total = sa.select(sa.type_coerce(sa.func.sum(values.c.amount), Amount))
    assert database.read(lambda c: c.scalar(total)) == Decimal("0.000001")


@pytest.mark.parametrize("amount", ["0.0000001", "NaN", "Infinity", "9223372036854.775808", "1e30"])
def test_an_amount_that_would_be_rounded_is_refused(amount: str) -> None:
    with pytest.raises(ValueError):
        Amount().process_bind_param(Decimal(amount), DIALECT)


def test_a_float_is_no_money() -> None:
    with pytest.raises(ValueError):
        Amount().process_bind_param(0.5, DIALECT)  # type: ignore[arg-type]


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(ValueError):
        Instant().process_bind_param(datetime(2026, 1, 1), DIALECT)


@pytest.mark.parametrize("plain", [b"bytes", "text", {"a": 1}])
def test_plaintext_never_enters_a_sealed_column(plain: Any) -> None:
    with pytest.raises(TypeError):
        SealedBytes().process_bind_param(plain, DIALECT)


def test_equal_documents_are_equal_text_and_no_number_is_not_json() -> None:
    one, two = {"b": 1, "a": [2]}, {"a": [2], "b": 1}
    assert Json().process_bind_param(one, DIALECT) == Json().process_bind_param(two, DIALECT)
    with pytest.raises(ValueError):
        Json().process_bind_param(float("nan"), DIALECT)


@given(st.integers(min_value=-(2**63) + 1, max_value=2**63 - 1))
def test_every_whole_number_of_millionths_survives(millionths: int) -> None:
    amount = Amount().process_result_value(millionths, DIALECT)
    assert Amount().process_bind_param(amount, DIALECT) == millionths


@given(st.datetimes(timezones=st.just(UTC)))
def test_every_instant_survives(at: datetime) -> None:
    stored = Instant().process_bind_param(at, DIALECT)
    assert Instant().process_result_value(stored, DIALECT) == at
