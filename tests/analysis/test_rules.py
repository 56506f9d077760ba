"""Rules about a scene say what they went by, and say nothing where the evidence is thin."""

from __future__ import annotations

import numpy as np
import pytest

from leitstand.analysis import rules
from leitstand.core.finding import Detection, Scene

OUTDOORS = Scene(0, "place", "outdoor", 0.9, "rule", rules.PLACE_RULE, ("bus",))


def thing(label: str, score: float) -> Detection:
    return Detection((0.0, 0.0, 1.0, 1.0), label, score)


def plain(level: int) -> np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]:
    return np.full((40, 40, 3), level, np.uint8)


@pytest.mark.parametrize(
    ("labels", "things", "expected"),
    [
        ([("palace", 0.6)], [], ("outdoor", ("palace",))),
        ([("minibus", 0.5)], [thing("bus", 0.8)], ("outdoor", ("bus", "minibus"))),
        (
            [("espresso", 0.7)],
            [thing("dining table", 0.4)],
            ("indoor", ("espresso", "dining table")),
        ),
        ([], [thing("person", 0.9)], None),
        ([("palace", 0.25)], [], None),
        ([("palace", 0.6)], [thing("couch", 0.6)], None),
        ([], [], None),
    ],
)
def test_place_follows_from_labels_and_names_them(
    labels: list[tuple[str, float]],
    things: list[Detection],
    expected: tuple[str, tuple[str, ...]] | None,
) -> None:
    found = rules.place(7, labels, things)
    if expected is None:
        assert found is None
        return
    assert found is not None
    assert (found.label, found.basis) == expected
    assert (found.time_us, found.kind, found.source) == (7, "place", "rule")
    assert found.rule == rules.PLACE_RULE
    assert 0 < found.score <= 1


def test_two_things_of_a_kind_are_no_more_evidence_than_one() -> None:
    one = rules.place(0, [], [thing("car", 0.5)])
    ten = rules.place(0, [], [thing("car", 0.5)] * 10)
    assert one == ten


@pytest.mark.parametrize(("level", "expected"), [(10, "night"), (150, "day"), (75, None)])
def test_light_follows_from_brightness_outdoors(level: int, expected: str | None) -> None:
    found = rules.light(0, plain(level), OUTDOORS)
    assert (found.label if found else None) == expected
    if found:
        assert found.rule == rules.LIGHT_RULE
        assert any("brightness" in part for part in found.basis)


def test_light_is_not_told_where_lamps_decide_or_the_place_is_unknown() -> None:
    indoors = Scene(0, "place", "indoor", 0.9, "rule", rules.PLACE_RULE, ("couch",))
    assert rules.light(0, plain(150), indoors) is None
    assert rules.light(0, plain(150), None) is None


def test_no_label_speaks_for_both_sides() -> None:
    assert not rules.OUTDOOR_SCENES & rules.INDOOR_SCENES
    assert not rules.OUTDOOR_OBJECTS & rules.INDOOR_OBJECTS


def test_every_label_of_a_rule_is_one_a_model_can_give() -> None:
    from leitstand.models.labels import COCO
    from tests import weights

    lines = weights.files_of("efficientnet-lite3")["labels.txt"].decode().splitlines()
    given = {line.split(",")[0].strip() for line in lines}
    assert given >= rules.OUTDOOR_SCENES | rules.INDOOR_SCENES
    assert set(COCO) >= rules.OUTDOOR_OBJECTS | rules.INDOOR_OBJECTS
