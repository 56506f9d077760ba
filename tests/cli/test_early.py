"""The process that looks at files is begun early, once, and never left behind."""

from __future__ import annotations

from collections.abc import Iterator

import psutil
import pytest

from leitstand.cli import early


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    yield
    early.end()


def children() -> set[int]:
    return {process.pid for process in psutil.Process().children()}


def test_the_command_takes_the_process_that_was_begun():
    before = children()
    early.begin(["analyze", "a.jpg"])
    with early.zygote() as taken:
        assert children() - before == {taken.pid}
        assert all(taken.abilities().values())
    assert children() == before


@pytest.mark.parametrize("arguments", [[], ["jobs"], ["analyze", "--help"], ["--lang", "de"]])
def test_commands_that_look_at_no_file_begin_nothing(arguments: list[str]):
    before = children()
    early.begin(arguments)
    assert children() == before


def test_a_process_that_nobody_took_is_ended():
    before = children()
    early.begin(["plan"])
    early.end()
    assert children() == before
