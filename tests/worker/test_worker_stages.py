"""Where the time of an attempt went."""

from __future__ import annotations

from contextlib import ExitStack

from leitstand.worker.stages import Stages


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_stage_that_several_threads_are_in_counts_once():
    clock = Clock()
    stages = Stages(clock)
    with ExitStack() as first:
        first.enter_context(stages.measure("infer"))
        clock.now += 1
        with stages.measure("infer"):
            clock.now += 2
        clock.now += 4
    assert stages.seconds() == {"infer": 7.0}


def test_stages_within_each_other_count_in_both_and_a_later_look_counts_from_the_earlier():
    clock = Clock()
    stages = Stages(clock)
    with stages.measure("load"):
        clock.now += 1
        with stages.measure("fetch"):
            clock.now += 2
    before = stages.seconds()
    assert before == {"load": 3.0, "fetch": 2.0}
    with stages.measure("fetch"):
        clock.now += 5
    assert stages.seconds(since=before) == {"load": 0.0, "fetch": 5.0}


def test_a_stage_that_fails_counts_too():
    clock = Clock()
    stages = Stages(clock)
    try:
        with stages.measure("write"):
            clock.now += 3
            raise OSError
    except OSError:
        pass
    assert stages.seconds() == {"write": 3.0}
