"""The report of a street video that several tests read."""

from __future__ import annotations

from typing import Any

import pytest

from tests.analysis.documents import street
from tests.analysis.reports import made


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    return made(street()).report
