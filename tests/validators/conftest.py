"""Official clients judge the wire simulators: `make test-validators` installs them and says where.

Without them nothing here is collected; the normal run replays what they sent (`tests/wire/recorded`).
"""

import os
from pathlib import Path

import pytest

INSTALLED = "WIRE_VALIDATORS"
"""Names the folder with `venv/` (Python clients) and `npm/` (Node clients)."""

collect_ignore_glob = [] if os.environ.get(INSTALLED) else ["test_*.py"]


@pytest.fixture(scope="session")
def installed():
    return Path(os.environ[INSTALLED])
