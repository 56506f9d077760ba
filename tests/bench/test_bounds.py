"""A bench that reports more than its bound is broken, and says so; void rounds are known as such."""

from __future__ import annotations

import pytest
from bench.measure import rounds
from bench.measure.bounds import BoundBroken, CpuBound, ratio
from bench.measure.rounds import Look, Round, Spread


def test_the_bound_is_all_cores_doing_nothing_but_the_two_parts() -> None:
    assert CpuBound(cores=2, decode=0.010, infer=0.030).frames_per_second == pytest.approx(50)


def test_a_pipeline_reaches_a_share_of_the_bound() -> None:
    assert ratio(48.5, CpuBound(2, 0.010, 0.030)) == pytest.approx(0.97)
    assert ratio(50.0, CpuBound(2, 0.010, 0.030)) == pytest.approx(1.0)


def test_more_than_the_bound_is_a_bug_of_the_bench() -> None:
    with pytest.raises(BoundBroken):
        ratio(50.6, CpuBound(2, 0.010, 0.030))


@pytest.mark.parametrize("parts", [(0, 0.01, 0.01), (2, 0.0, 0.01), (2, 0.01, 0.0)])
def test_a_bound_of_nothing_is_refused(parts: tuple[int, float, float]) -> None:
    with pytest.raises(ValueError):
        _ = CpuBound(*parts).frames_per_second


def at(floor: float, others: float) -> Look:
    return Look({"decode": floor}, others)


def test_a_round_counts_while_the_machine_stays_the_same() -> None:
    assert Round(at(1.0, 0.0), at(1.2, 0.2)).void is None


def test_a_round_is_void_when_its_floor_moved_or_others_took_more_than_a_fifth() -> None:
    assert Round(at(1.0, 0.1), at(1.21, 0.1)).void == "floor: decode"
    assert Round(at(1.21, 0.1), at(1.0, 0.1)).void == "floor: decode"
    assert Round(at(1.0, 0.0), at(1.0, 0.21)).void == "load"
    assert Round(at(1.0, 0.3), at(1.0, 0.3)).void == "load"


def test_every_round_goes_there_and_back_with_a_floor_on_either_side() -> None:
    order: list[str] = []

    def side(name: str) -> rounds.Side:
        return lambda: order.append(name) or {"s": 1.0}  # type: ignore[func-returns-value]

    rounds.play(side("floor"), {"a": side("a"), "b": side("b")}, seconds=0)
    assert order == ["floor", "a", "b", "b", "a", "floor"]


def test_a_side_s_figure_is_the_mean_of_its_two_turns() -> None:
    played = Round(at(1.0, 0.0), at(3.0, 0.0), {"a": [{"s": 1.0}, {"s": 2.0}]})
    assert played.of("a", "s") == 1.5
    assert played.floor("decode") == 2.0


def test_void_rounds_are_left_out_of_the_figures() -> None:
    good, void = Round(at(1.0, 0.0), at(1.0, 0.0)), Round(at(1.0, 0.0), at(2.0, 0.0))
    assert rounds.counted([good, void]) == [good]
    assert rounds.summary([good, void]).startswith("1 of 2 rounds count;")
    assert "void" in rounds.summary([void])


def test_a_spread_names_median_and_both_ends() -> None:
    assert str(Spread.of([0.9, 0.7, 0.8])) == "0.800 (0.700 to 0.900)"
