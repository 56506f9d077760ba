"""Who may do what: the whole table, and that every command has its line in it."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

import pytest

import leitstand.control
from leitstand.control.commands import Command
from leitstand.core.access import GRANTED, SYSTEM, Actor, allowed

OPERATOR = Actor("operator", "1000")
WORKER = Actor("instance", "instance_1")
EVERY = sorted({action for granted in GRANTED.values() for action in granted})


def commands() -> list[type[Command[Any]]]:
    for module in pkgutil.iter_modules(leitstand.control.__path__):
        importlib.import_module(f"leitstand.control.{module.name}")
    return sorted(Command.__subclasses__(), key=lambda kind: kind.__name__)


@pytest.mark.parametrize("action", EVERY)
def test_an_action_belongs_to_exactly_one_role(action: str) -> None:
    roles = [role for role, granted in GRANTED.items() if action in granted]
    assert len(roles) == 1
    for actor in (OPERATOR, WORKER, SYSTEM):
        assert allowed(actor, action) is (actor.kind == roles[0])


@pytest.mark.parametrize("kind", commands(), ids=lambda kind: kind.__name__)
def test_every_command_names_an_action_of_the_table(kind: type[Command[Any]]) -> None:
    assert kind.action in EVERY


def test_no_line_of_the_table_is_without_a_command() -> None:
    used = {kind.action for kind in commands()}
    assert set(EVERY) - used == set()


def test_a_worker_acts_on_its_own_instance_alone() -> None:
    assert allowed(WORKER, "attempts.claim", "instance_1")
    assert not allowed(WORKER, "attempts.claim", "instance_2")


@pytest.mark.parametrize("action", EVERY)
def test_an_unknown_role_may_nothing(action: str) -> None:
    assert not allowed(Actor("guest", "1"), action)
