"""Storms over the real adapters: nothing is left alive, nothing is rented twice, every cent is booked.

A failure prints its seed: `pytest tests/simulation/test_storms.py -k "[<seed>]"` plays it again.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from leitstand.control import market
from leitstand.store.engine import Database
from tests.simulation.storm import Storm

STEPS, SETTLE_STEPS = 60, 900


@pytest.fixture(autouse=True)
def in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Providers are asked in the caller's thread, so that a seed always plays the same."""

    def ask(name: str, provider: Any, want: Any, answer: Any) -> None:
        try:
            answer.set_result(list(provider.offers(want)))
        except BaseException as error:
            answer.set_exception(error)

    monkeypatch.setattr(market, "_start", ask)


def play(url: str, folder: Path, seed: int) -> Storm:
    """One history from the seed to its end."""
    with Database.open(url, relaxed=True) as database:
        storm = Storm(database, folder, seed)
        try:
            for _ in range(STEPS):
                storm.step()
            storm.settle(SETTLE_STEPS)
            storm.check_end()
        except BaseException as error:
            error.add_note(f"seed {seed}, at {storm.name}")
            raise
        return storm


@pytest.mark.parametrize("seed", range(10))
def test_a_storm_leaves_nothing_behind(sqlite_url: str, tmp_path: Path, seed: int) -> None:
    play(sqlite_url, tmp_path, seed)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(10, 510))
def test_nor_do_five_hundred(sqlite_url: str, tmp_path: Path, seed: int) -> None:
    play(sqlite_url, tmp_path, seed)


def play_refusing(url: str, folder: Path, seed: int) -> Storm:
    """A storm, then an hour in which every end is refused, then calm."""
    with Database.open(url, relaxed=True) as database:
        storm = Storm(database, folder, seed)
        try:
            for _ in range(STEPS // 3):
                storm.step()
            storm.refuse_ends(timedelta(hours=1))
            storm.settle(SETTLE_STEPS)
            storm.check_end()
        except BaseException as error:
            error.add_note(f"seed {seed}, at {storm.name}")
            raise
        return storm


@pytest.mark.parametrize("seed", range(2))
def test_an_end_that_is_refused_for_an_hour_is_no_end_and_raises_an_alarm(
    sqlite_url: str, tmp_path: Path, seed: int
) -> None:
    play_refusing(sqlite_url, tmp_path, seed)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(2, 102))
def test_nor_is_it_in_a_hundred_storms(sqlite_url: str, tmp_path: Path, seed: int) -> None:
    play_refusing(sqlite_url, tmp_path, seed)
