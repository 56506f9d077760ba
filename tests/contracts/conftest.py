"""The rented world of a test; a file that tests every provider has its own."""

import pytest
from tests.contracts.worlds import RENTED


@pytest.fixture(params=RENTED)
def world(request, tmp_path):
    return RENTED[request.param](tmp_path)


@pytest.fixture
def provider(world):
    return world.connect()
