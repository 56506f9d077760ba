"""A simulation proves only what its faults reach: known bugs are planted, and it has to find them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from leitstand.control import attempts, leases, losses, money, orphans
from leitstand.control.transaction import Tx
from leitstand.core import instance as core_instance
from leitstand.core.cost import Budget
from leitstand.core.instance import Move, NoteAbsent
from leitstand.core.job import TASK
from leitstand.store.engine import Database
from tests.simulation.test_simulation import play

SEEDS_MAX = 25
Patch = pytest.MonkeyPatch


def first_absence_is_proof(patch: Patch) -> None:
    decided = core_instance._observe

    def hasty(*given: Any) -> Any:
        return tuple(
            Move("absent", "gone-by-itself") if isinstance(a, NoteAbsent) else a
            for a in decided(*given)
        )

    patch.setattr(core_instance, "_observe", hasty)


def strangers_are_overlooked(patch: Patch) -> None:
    patch.setattr(orphans.Orphans, "step", lambda *_: None)


def no_budget_is_checked(patch: Patch) -> None:
    unlimited = Budget("total", None, Decimal(0), Decimal(0))
    patch.setattr(money, "budgets", lambda *_: [unlimited])


def leases_never_expire(patch: Patch) -> None:
    patch.setattr(losses.ExpireLeases, "apply", lambda *_: 0)


def late_attempts_are_not_fenced(patch: Patch) -> None:
    found, task = leases.attempt_of, leases.task_of

    def alive(tx: Tx, attempt_id: str) -> Any:
        row = found(tx, attempt_id)
        object.__setattr__(row, "state", "live")
        object.__setattr__(row, "expires_at", tx.now + timedelta(minutes=1))
        return row

    def current(tx: Tx, attempt: Any) -> Any:
        row = task(tx, attempt)
        object.__setattr__(row, "fence", attempt.fence)
        return row

    patch.setattr(attempts, "attempt_of", alive)
    patch.setattr(attempts, "task_of", current)


def some_changes_have_no_entry(patch: Patch) -> None:
    enter, number = Tx.enter, itertools.count(1)

    def forgetful(self: Tx, *given: Any, **named: Any) -> None:
        if next(number) % 50:
            enter(self, *given, **named)

    patch.setattr(Tx, "enter", forgetful)


def a_lost_attempt_leaves_its_task_leased(patch: Patch) -> None:
    patch.setattr(losses, "end_task", lambda tx, task, event, reason: TASK.after(task.state, event))


PLANTED: list[Callable[[Patch], None]] = [
    first_absence_is_proof,
    strangers_are_overlooked,
    no_budget_is_checked,
    leases_never_expire,
    late_attempts_are_not_fenced,
    some_changes_have_no_entry,
    a_lost_attempt_leaves_its_task_leased,
]


def hunt(plant: Callable[[Patch], None], folder: Path, patch: Patch) -> int | None:
    """The first seed that finds a planted bug."""
    plant(patch)
    for seed in range(SEEDS_MAX):
        place = folder / str(seed)
        place.mkdir()
        with Database.open(f"sqlite:///{place}/leitstand.db", relaxed=True) as database:
            database.migrate()
            try:
                play(database, place, seed)
            except Exception:
                return seed
    return None


@pytest.mark.full
@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_a_planted_bug_is_found(
    plant: Callable[[Patch], None], tmp_path: Path, monkeypatch: Patch
) -> None:
    assert hunt(plant, tmp_path, monkeypatch) is not None


@pytest.mark.parametrize("plant", PLANTED[1:2], ids=lambda plant: plant.__name__)
def test_one_planted_bug_is_found(
    plant: Callable[[Patch], None], tmp_path: Path, monkeypatch: Patch
) -> None:
    assert hunt(plant, tmp_path, monkeypatch) is not None
