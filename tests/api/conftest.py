"""The control plane behind the operator API, and a client of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from leitstand.store.engine import Database
from tests.api.served import operators
from tests.control.rig import Rig


@pytest.fixture
def rig(sqlite_url: str, tmp_path: Path) -> Iterator[Rig]:
    with Database.open(sqlite_url, relaxed=True) as database:
        yield Rig(database, tmp_path)


@pytest.fixture
def api(rig: Rig) -> Iterator[httpx.Client]:
    with operators(rig) as client:
        yield client
