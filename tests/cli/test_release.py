"""The end of a job is waited for as long as it comes nearer."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from leitstand.cli import release
from leitstand.cli.release import GONE, released


def no_instance(left: Any) -> None:
    pytest.fail("an instance is left")


def job(left: int, instance: str = GONE) -> dict[str, Any]:
    """Three media of an inbox of which some are not erased; one instance."""
    media = [
        {"medium_state": "erasing" if number < left else "erased", "receipt": number}
        for number in range(3)
    ]
    return {
        "id": "job_1",
        "state": "done",
        "case_name": "inbox",
        "instances": [{"id": "instance_1", "state": instance}],
        "media": media,
    }


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """Slept seconds; they are all the time that passes."""
    slept: list[float] = []
    fake = SimpleNamespace(monotonic=lambda: sum(slept), sleep=slept.append)
    monkeypatch.setattr(release, "time", fake)
    yield slept


def test_erasures_are_waited_for_while_they_go_on(seconds: list[float]) -> None:
    left: list[Any] = []
    answers = itertools.chain(
        [job(3, "draining"), job(3)], [job(3)] * 200, [job(2)] * 200, [job(1)] * 200, [job(0)]
    )
    client: Any = SimpleNamespace(get=lambda path: next(answers))
    done = released(client, job(3, "draining"), 25.0, left.append)
    assert done == job(0)
    assert left == [["instance_1"]] * 2
    assert sum(seconds) > 50.0


def test_what_comes_no_nearer_is_not_waited_for_without_end(seconds: list[float]) -> None:
    client: Any = SimpleNamespace(get=lambda path: job(1))
    assert released(client, job(2), 25.0, no_instance) == job(1)
    assert 25.0 <= sum(seconds) < 26.0


def test_a_job_of_which_nothing_is_left_is_not_waited_for(seconds: list[float]) -> None:
    client: Any = SimpleNamespace(get=lambda path: pytest.fail("asked again"))
    assert released(client, job(0), 25.0, no_instance) == job(0)
    assert seconds == []
