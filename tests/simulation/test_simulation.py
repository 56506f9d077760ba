"""Seeded histories of a hostile world: the invariants hold after every step, and all ends well.

A failure prints its seed: `pytest tests/simulation -k "[<seed>]"` plays it again.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from leitstand.store.engine import Database
from tests.simulation.world import World

STEPS = 80
STEPS_FULL = 160
SETTLE_STEPS = 900


def play(database: Database, folder: Path, seed: int, steps: int = STEPS) -> World:
    """One history from the seed to its end."""
    world = World(database, folder, seed)
    try:
        for _ in range(steps):
            world.step()
            world.check()
        world.settle(SETTLE_STEPS)
        world.check_end()
    except BaseException as error:
        error.add_note(f"seed {seed}")
        raise
    return world


@pytest.mark.parametrize("seed", range(26))
def test_a_hostile_world_breaks_no_invariant(sqlite_url: str, tmp_path: Path, seed: int) -> None:
    with Database.open(sqlite_url, relaxed=True) as database:
        play(database, tmp_path, seed)


@pytest.mark.parametrize("seed", range(2_000, 2_004))
def test_nor_does_it_on_postgresql(postgresql_url: str, tmp_path: Path, seed: int) -> None:
    with Database.open(postgresql_url) as database:
        play(database, tmp_path, seed)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(26, 1_026))
def test_a_thousand_hostile_worlds(sqlite_url: str, tmp_path: Path, seed: int) -> None:
    with Database.open(sqlite_url, relaxed=True) as database:
        play(database, tmp_path, seed, STEPS_FULL)
