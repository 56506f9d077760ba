"""Statements about a scene that follow from labels and brightness by rules, and say that they do.

There is no model of places or of daylight here. Each rule has a name and lists what it went by;
its score is the strength of that evidence, not a probability that anyone measured. Where the
evidence is thin or contradicts itself, a rule says nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from leitstand.core.finding import Detection, Scene

if TYPE_CHECKING:
    from leitstand.ports import Rgb

PLACE_RULE = "place-by-labels"
LIGHT_RULE = "light-by-brightness"
PLACE_SCORE_MIN = 0.3
LABEL_SCORE_MIN = 0.1
NIGHT_BRIGHTNESS = 0.22
DAY_BRIGHTNESS = 0.34
"""Median brightness (luma, 0..1) at which the rule begins to say night, or day."""
DARK_LUMA = 0.16


def _names(text: str) -> frozenset[str]:
    return frozenset(" ".join(name.split()) for name in text.split(","))


OUTDOOR_OBJECTS = _names(
    """
    bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire
    hydrant, stop sign, parking meter, horse, sheep, cow, elephant, bear, zebra, giraffe,
    skis, snowboard, kite, surfboard
    """
)
INDOOR_OBJECTS = _names(
    """
    couch, bed, dining table, toilet, tv, mouse, keyboard, microwave, oven, toaster, sink,
    refrigerator, hair drier, toothbrush
    """
)
"""Objects of COCO that are hardly ever on the other side of a door."""

OUTDOOR_SCENES = _names(
    """
    alp, barn, beach wagon, boathouse, breakwater, cab, castle, church, cliff, coral reef,
    dam, dock, fireboat, flagpole, fountain, garbage truck, geyser, gondola, greenhouse,
    lakeside, lumbermill, megalith, minibus, missile, monastery, mosque, mountain bike,
    mountain tent, obelisk, palace, park bench, patio, pier, promontory, sandbar, school
    bus, seashore, speedboat, stone wall, street sign, streetcar, stupa, suspension bridge,
    traffic light, trailer truck, triumphal arch, trolleybus, tow truck, valley, viaduct,
    volcano, water tower, worm fence, yurt
    """
)
INDOOR_SCENES = _names(
    """
    bakery, barbershop, bathtub, bookcase, bookshop, butcher shop, china cabinet, cinema,
    confectionery, desk, desktop computer, dining table, dishwasher, entertainment center,
    espresso, espresso maker, file, grocery store, home theater, library, medicine chest,
    microwave, monitor, prayer rug, prison, quilt, refrigerator, restaurant, rotisserie,
    screen, shoe shop, shower curtain, sliding door, stove, studio couch, toilet seat,
    tobacco shop, toyshop, vending machine, wardrobe, washbasin, window shade
    """
)
"""Labels of ImageNet-1k by their first name."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Labels that speak for one side, with their scores."""

    labels: Mapping[str, float]

    @property
    def strength(self) -> float:
        """Independent pieces of evidence add up towards 1: 1 - product of (1 - score)."""
        return 1.0 - float(np.prod([1.0 - score for score in self.labels.values()]))


def place(
    time_us: int, labels: Sequence[tuple[str, float]], detections: Sequence[Detection]
) -> Scene | None:
    """Indoor or outdoor by what is in the picture; None without clear evidence.

    `labels` are those of a scene model, best first; `detections` of an object detector.
    """
    outdoor = _evidence(labels, OUTDOOR_SCENES, detections, OUTDOOR_OBJECTS)
    indoor = _evidence(labels, INDOOR_SCENES, detections, INDOOR_OBJECTS)
    ours, theirs, label = (outdoor, indoor, "outdoor")
    if indoor.strength > outdoor.strength:
        ours, theirs, label = (indoor, outdoor, "indoor")
    score = ours.strength * (1.0 - theirs.strength)
    if score < PLACE_SCORE_MIN:
        return None
    basis = tuple(sorted(ours.labels, key=lambda name: (-ours.labels[name], name)))
    return Scene(time_us, "place", label, round(score, 4), "rule", PLACE_RULE, basis)


def light(time_us: int, rgb: Rgb, where: Scene | None) -> Scene | None:
    """Day or night by brightness; None unless it is outdoors, because indoors lamps decide, and None
    in the twilight between."""
    if where is None or where.label != "outdoor":
        return None
    luma = _luma(rgb)
    brightness = float(np.median(luma))
    dark = float((luma < DARK_LUMA).mean())
    if brightness <= NIGHT_BRIGHTNESS:
        label, score = "night", dark
    elif brightness >= DAY_BRIGHTNESS:
        label, score = "day", min(1.0, 0.5 + (brightness - DAY_BRIGHTNESS)) * (1.0 - dark)
    else:
        return None
    if score < PLACE_SCORE_MIN:
        return None
    basis = (f"brightness={brightness:.2f}", f"dark={dark:.2f}")
    return Scene(time_us, "light", label, round(score, 4), "rule", LIGHT_RULE, basis)


def _evidence(
    labels: Iterable[tuple[str, float]],
    scenes: frozenset[str],
    detections: Iterable[Detection],
    objects: frozenset[str],
) -> Evidence:
    """The best score of every label that counts; two of a kind do not count twice."""
    found: dict[str, float] = {}
    for name, score in labels:
        if score >= LABEL_SCORE_MIN and name in scenes:
            found[name] = max(score, found.get(name, 0.0))
    for detection in detections:
        if detection.label in objects:
            found[detection.label] = max(detection.score, found.get(detection.label, 0.0))
    return Evidence({name: min(score, 0.99) for name, score in found.items()})


def _luma(rgb: Rgb) -> npt.NDArray[np.float32]:
    """Rec. 709 luma in 0..1 of every fourth pixel each way: enough for a median."""
    thin = rgb[::4, ::4].astype(np.float32) / 255.0
    return thin @ np.array([0.2126, 0.7152, 0.0722], np.float32)
