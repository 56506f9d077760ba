"""Connections to SQLite in a file and to PostgreSQL, set up as `engine` relies on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import ArgumentError

from leitstand.core.problem import Exit, Problem

BUSY_MILLISECONDS = 10_000
"""How long SQLite waits for another process (a backup, a person with a shell)."""
WAL_KEPT_BYTES = 64 * 1024 * 1024
CACHE_KIB = 16 * 1024
READERS_MAX = 16
"""Connections kept for reads; on PostgreSQL for writes too."""
CONNECTION_WAIT_SECONDS = 30.0
CONNECT_SECONDS = 10


def parse(url: str) -> sa.URL:
    """The address with its driver. Raises `Problem("store-url")`."""
    try:
        parsed = sa.make_url(url)
    except (ArgumentError, ValueError) as error:
        raise Problem("store-url", Exit.USAGE) from error
    name = parsed.get_backend_name()
    if name == "sqlite" and parsed.database and ":memory:" not in parsed.database:
        return parsed.set(drivername="sqlite+pysqlite")
    if name in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    raise Problem("store-url", Exit.USAGE)


def shown(given: str, url: sa.URL) -> str:
    """The address as it was given, where no password stands in it."""
    if url.password is None and "password" not in url.query:
        return given
    secrets = url.update_query_dict({"password": "***"}) if "password" in url.query else url
    return secrets.set(drivername=url.get_backend_name()).render_as_string(hide_password=True)


def sqlite_file(url: sa.URL) -> Path:
    """The file, made with mode 0600 where there is none. Raises `Problem("store-unavailable")`."""
    path = Path(url.database or "").absolute()
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise Problem(
            "store-unavailable", Exit.UNREACHABLE, where=str(path), reason=type(error).__name__
        ) from error
    return path


def sqlite_engine(url: sa.URL, *, relaxed: bool, writes: bool, references: bool = True) -> Engine:
    """One connection that writes, or several that cannot."""
    engine = sa.create_engine(
        url,
        hide_parameters=True,
        poolclass=sa.QueuePool,
        pool_size=1 if writes else READERS_MAX,
        max_overflow=0,
        pool_timeout=CONNECTION_WAIT_SECONDS,
        connect_args={"check_same_thread": False},
    )

    def connected(driver: Any, _record: object) -> None:
        driver.isolation_level = None
        run = driver.execute
        run(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
        if writes:
            run("PRAGMA journal_mode = WAL")
            run(f"PRAGMA journal_size_limit = {WAL_KEPT_BYTES}")
        run(f"PRAGMA synchronous = {'OFF' if relaxed else 'FULL'}")
        run(f"PRAGMA foreign_keys = {'ON' if references else 'OFF'}")
        run("PRAGMA secure_delete = ON")
        run("PRAGMA temp_store = MEMORY")
        run(f"PRAGMA cache_size = -{CACHE_KIB}")
        if not writes:
            run("PRAGMA query_only = ON")

    def begins(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    sa.event.listen(engine, "connect", connected)
    sa.event.listen(engine, "begin", begins)
    return engine


def postgresql_engine(url: sa.URL) -> Engine:
    """Raises `Problem("missing-extra")` where the driver is not installed."""
    try:
        return sa.create_engine(
            url,
            hide_parameters=True,
            isolation_level="READ COMMITTED",
            pool_size=READERS_MAX,
            max_overflow=READERS_MAX,
            pool_timeout=CONNECTION_WAIT_SECONDS,
            pool_pre_ping=True,
            connect_args={"connect_timeout": CONNECT_SECONDS, "application_name": "leitstand"},
        )
    except ImportError as error:
        missing = error.name or "psycopg"
        raise Problem("missing-extra", Exit.USAGE, extra="postgres", missing=missing) from error
