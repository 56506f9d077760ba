"""The migrated schema is the metadata, on both databases, and a newer one is left alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection

from leitstand.core.problem import Problem
from leitstand.store import migrations
from leitstand.store.engine import Database
from leitstand.store.tables import metadata


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.db'}"
    url: str = request.getfixturevalue("empty_postgresql_url")
    return url


def difference(connection: Connection) -> list[Any]:
    context = MigrationContext.configure(connection, opts=migrations.options())
    return list(compare_metadata(context, metadata))


def names(connection: Connection) -> set[str]:
    return set(sa.inspect(connection).get_table_names())


def test_the_migrated_schema_is_the_metadata(empty_url: str) -> None:
    with Database.open(empty_url, relaxed=True) as database:
        database.migrate()
        assert database.read(difference) == [], "python -m leitstand.store.migrations --first"


def test_the_comparison_sees_a_missing_column(empty_url: str) -> None:
    with Database.open(empty_url, relaxed=True) as database:
        database.migrate()
        database.write(lambda c: c.exec_driver_sql("ALTER TABLE jobs DROP COLUMN profile"))
        assert len(database.read(difference)) == 1


def test_migrating_again_changes_nothing(empty_url: str) -> None:
    with Database.open(empty_url, relaxed=True) as database:
        database.migrate()
        database.migrate()
        assert database.read(names) == {*metadata.tables, "alembic_version"}


def test_a_database_of_newer_code_is_left_alone(empty_url: str) -> None:
    with Database.open(empty_url, relaxed=True) as database:
        database.migrate()
        database.write(
            lambda c: c.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        )
        with pytest.raises(Problem) as raised:
            database.migrate()
    assert raised.value.code == "database-newer"
    assert raised.value.params["found"] == "9999"


def test_a_migration_that_fails_leaves_nothing_behind(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade = migrations.upgrade

    def breaks(connection: Connection) -> None:
        upgrade(connection)
        raise LookupError("in the middle")

    with Database.open(empty_url, relaxed=True) as database:
        monkeypatch.setattr(migrations, "upgrade", breaks)
        with pytest.raises(LookupError):
            database.migrate()
        assert database.read(names) == set()
        monkeypatch.setattr(migrations, "upgrade", upgrade)
        database.migrate()
        assert set(metadata.tables) < database.read(names)
