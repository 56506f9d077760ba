"""The control plane below HTTP, on SQLite, where a test asks for no other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from leitstand.store.engine import Database
from tests.control.rig import Rig


@pytest.fixture
def rig(sqlite_url: str, tmp_path: Path) -> Iterator[Rig]:
    with Database.open(sqlite_url, relaxed=True) as database:
        yield Rig(database, tmp_path)
