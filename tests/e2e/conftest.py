"""Fixtures of the end-to-end tests: one installation a test, and real media."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests import weights
from tests.e2e.installation import Installation

Install = Callable[..., Installation]


@contextlib.contextmanager
def installing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Install]:
    """Makes installations; each is ended afterwards and must leave no process."""
    made: list[Installation] = []

    def make(settings: Mapping[str, str] | None = None, models: Path | None = None) -> Installation:
        folder = tmp_path_factory.mktemp("installation")
        cache = models if models is not None else weights.models().folder
        made.append(Installation(folder, cache, settings))
        return made[-1]

    yield make
    for installation in made:
        installation.close()


@pytest.fixture
def install(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Install]:
    with installing(tmp_path_factory) as make:
        yield make
