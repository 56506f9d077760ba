"""Models before media before results, a limit, and nobody who waits for ever."""

from __future__ import annotations

import threading

import pytest

from leitstand.worker.traffic import HELD_SECONDS, PASSED_OVER_SECONDS, PIECE_BYTES, Rank, Traffic


class Clock:
    """A clock that moves when somebody pauses; nobody else does."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def pause(self, _: threading.Condition, seconds: float) -> None:
        self.now += seconds


def test_a_limit_is_what_passes_in_a_second() -> None:
    clock = Clock()
    traffic = Traffic(8.0, clock.monotonic, clock.pause)
    with traffic.transfer(Rank.MEDIA) as let_pass:
        for _ in range(101):
            let_pass(100_000)
    assert clock.now - 100.0 == pytest.approx(10.0)


def test_a_line_that_was_idle_owes_nobody_a_burst() -> None:
    clock = Clock()
    traffic = Traffic(8.0, clock.monotonic, clock.pause)
    clock.now += 60
    with traffic.transfer(Rank.MODEL) as let_pass:
        for _ in range(11):
            let_pass(100_000)
    assert clock.now - 160.0 == pytest.approx(1.0)


def test_without_a_limit_and_without_others_nothing_waits() -> None:
    clock = Clock()
    traffic = Traffic(None, clock.monotonic, clock.pause)
    with traffic.transfer(Rank.RESULT) as let_pass, traffic.transfer(Rank.RESULT):
        for _ in range(100):
            let_pass(PIECE_BYTES)
    assert clock.now == 100.0


@pytest.mark.parametrize(
    ("rank", "other", "held"),
    [
        (Rank.MEDIA, Rank.MODEL, True),
        (Rank.RESULT, Rank.MODEL, True),
        (Rank.RESULT, Rank.MEDIA, True),
        (Rank.MODEL, Rank.MEDIA, False),
        (Rank.MEDIA, Rank.RESULT, False),
        (Rank.MEDIA, Rank.MEDIA, False),
    ],
)
def test_a_piece_of_a_lower_rank_is_held_back_and_not_stopped(
    rank: Rank, other: Rank, held: bool
) -> None:
    clock = Clock()
    traffic = Traffic(None, clock.monotonic, clock.pause)
    with traffic.transfer(other), traffic.transfer(rank) as let_pass:
        let_pass(PIECE_BYTES)
    assert clock.now - 100.0 == (HELD_SECONDS if held else 0.0)


def test_what_is_held_back_goes_on_when_the_higher_one_is_done() -> None:
    waits, gone = threading.Event(), []

    def pause(changed: threading.Condition, _: float) -> None:
        waits.set()
        changed.wait()

    traffic = Traffic(None, lambda: 0.0, pause)

    def media() -> None:
        with traffic.transfer(Rank.MEDIA) as let_pass:
            let_pass(PIECE_BYTES)
            gone.append("media")

    with traffic.transfer(Rank.MODEL):
        thread = threading.Thread(target=media)
        thread.start()
        assert waits.wait(60)
        gone.append("model")
    thread.join(60)
    assert gone == ["model", "media"]


def test_under_a_limit_a_model_goes_first_until_another_was_passed_over_for_long() -> None:
    clock = Clock()
    traffic = Traffic(8.0, clock.monotonic, clock.pause)
    traffic._waiting = {0: (Rank.RESULT, 100.0), 1: (Rank.MEDIA, 100.1), 2: (Rank.MODEL, 100.2)}
    clock.now = 100.3
    assert [traffic._left(ticket) > 0 for ticket in (0, 1, 2)] == [True, True, False]
    del traffic._waiting[2]
    assert [traffic._left(ticket) > 0 for ticket in (0, 1)] == [True, False]
    clock.now = 100.0 + PASSED_OVER_SECONDS
    assert [traffic._left(ticket) > 0 for ticket in (0, 1)] == [False, True]
