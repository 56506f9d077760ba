"""The image pipeline tells what is in a real picture, in pixels of the original, and hides faces."""

from __future__ import annotations

import base64
import io
from typing import TypeVar

import numpy as np
import pytest
from PIL import Image

from leitstand.analysis import image, video
from leitstand.core.finding import (
    Detection,
    Face,
    Frame,
    Gap,
    Line,
    Mask,
    Picture,
    Scene,
    Stats,
    decode,
    encode,
)
from leitstand.core.limits import PICTURE_SIDE_MAX
from leitstand.core.problem import Problem
from leitstand.core.profile import PROFILES, uses
from leitstand.ports import Pipeline
from tests import weights
from tests.analysis.segments import Given, Segment, real

T = TypeVar("T")
FAMILIES = ("detector", "face", "pose", "scene", "silhouette")


def still(name: str) -> Segment:
    return Segment(0, 1, [(0, weights.picture(name))])


def lines_of(name: str, profile: str = "auto") -> list[Line]:
    return list(image.run(profile, still(name), real(*FAMILIES), lambda units: None))


def only(lines: list[Line], kind: type[T]) -> T:
    (found,) = [line for line in lines if isinstance(line, kind)]
    return found


def pixels(picture: Picture) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    with Image.open(io.BytesIO(base64.b64decode(picture.jpeg_base64))) as jpeg:
        return np.asarray(jpeg.convert("RGB"), dtype=np.float32)


def test_the_bus_stop_has_people_with_poses_a_bus_daylight_and_no_roof() -> None:
    lines = lines_of("bus.jpg")
    frame = only(lines, Frame)
    people = [d for d in frame.detections if d.label == "person" and d.score >= 0.35]
    assert len(people) >= 2
    assert all(len(person.keypoints) == 17 for person in people)
    assert "bus" in {detection.label for detection in frame.detections}
    scenes = {(line.kind, line.label): line for line in lines if isinstance(line, Scene)}
    assert scenes["label", "minibus"].source == "scene"
    assert scenes["place", "outdoor"].rule == "place-by-labels"
    assert "bus" in scenes["place", "outdoor"].basis
    assert ("light", "day") in scenes
    assert only(lines, Stats) == Stats("image", 1, 1)
    assert list(decode(encode(lines))) == lines


def test_the_astronaut_has_one_face_and_an_outline() -> None:
    lines = lines_of("astronaut.png")
    assert len(only(lines, Frame).faces) == 1
    mask = only(lines, Mask)
    assert mask.label == "person"
    assert 0.45 < mask.fraction < 0.65
    assert all(0 <= x <= 512 and 0 <= y <= 512 for polygon in mask.polygons for x, y in polygon)


def test_where_no_person_is_there_is_no_person_area() -> None:
    lines = lines_of("coffee.png")
    assert not [line for line in lines if isinstance(line, Mask)]


def test_boxes_of_a_large_picture_are_in_its_own_pixels() -> None:
    picture = weights.picture("bus.jpg")
    large = np.asarray(Image.fromarray(picture).resize((2430, 3240)))
    given = real("detector")
    (first,) = [
        line
        for line in image.run("auto", Segment(0, 1, [(0, large)]), given, lambda units: None)
        if isinstance(line, Frame)
    ]
    (bus,) = [d.box for d in first.detections if d.label == "bus"]
    (small,) = [d.box for d in only(lines_of("bus.jpg"), Frame).detections if d.label == "bus"]
    assert np.allclose(np.array(bus) / 3, small, atol=12)


def test_pictures_for_the_report_are_small_and_faces_in_them_are_gone() -> None:
    lines = lines_of("astronaut.png")
    picture = only(lines, Picture)
    assert max(picture.width, picture.height) <= PICTURE_SIDE_MAX
    x0, y0, x1, y1 = (round(v * picture.scale) for v in only(lines, Frame).faces[0].box)
    before = weights.picture("astronaut.png").astype(np.float32)[y0:y1, x0:x1]
    after = pixels(picture)[y0:y1, x0:x1]

    def detail(region: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> float:
        return float(
            np.abs(np.diff(region, axis=0)).mean() + np.abs(np.diff(region, axis=1)).mean()
        )

    assert detail(after) < 0.15 * detail(before)
    (found,) = weights.loaded("blazeface-256")([pixels(picture).astype(np.uint8)])
    assert found == []


def person_and_face() -> dict[str, Given]:
    """Models that see one person and, elsewhere, one face."""
    person = Detection((40.0, 40.0, 200.0, 360.0), "person", 0.9)
    nothing = {family: Given(lambda item: []) for family in ("pose", "scene")}
    return {
        **nothing,
        "detector": Given(lambda item: [person]),
        "face": Given(lambda item: [Face((300.0, 100.0, 400.0, 220.0), 0.9)]),
        "silhouette": Given(lambda rgb: np.zeros(rgb.shape[:2], np.float32)),
    }


SEEING = sorted(name for name, pipelines in PROFILES.items() if pipelines.keys() & {"image"})


@pytest.mark.parametrize("profile", SEEING)
@pytest.mark.parametrize("pipeline", [image, video], ids=["image", "video"])
def test_persons_and_faces_are_blurred_whatever_the_profile_looks_for(
    pipeline: Pipeline, profile: str
) -> None:
    rng = np.random.default_rng(7)
    noise = rng.integers(0, 256, (400, 480, 3), np.uint8)
    source = Segment(0, 1, [(0, noise)])
    lines = list(pipeline.run(profile, source, person_and_face(), lambda units: None))
    after = pixels(only(lines, Picture))
    assert after[60:340, 60:180].std() < 0.4 * noise[60:340, 60:180].std()
    assert after[110:210, 310:390].std() < 0.4 * noise[110:210, 310:390].std()
    assert after[:30, 420:].std() > 0.6 * noise[:30, 420:].std()


@pytest.mark.parametrize("missing", ["detector", "face"])
@pytest.mark.parametrize("profile", SEEING)
@pytest.mark.parametrize("pipeline", [image, video], ids=["image", "video"])
def test_without_a_model_for_persons_and_one_for_faces_there_is_no_picture(
    pipeline: Pipeline, profile: str, missing: str
) -> None:
    given = person_and_face()
    del given[missing]
    lines = list(pipeline.run(profile, still("coffee.png"), given, lambda units: None))
    assert not [line for line in lines if isinstance(line, Picture)]


@pytest.mark.parametrize(("profile", "persons", "faces"), [("faces", 0, 1), ("scene", 1, 0)])
def test_what_is_found_for_blurring_alone_is_no_finding(
    profile: str, persons: int, faces: int
) -> None:
    lines = list(image.run(profile, still("coffee.png"), person_and_face(), lambda units: None))
    frame = only(lines, Frame)
    assert (len(frame.detections), len(frame.faces)) == (persons, faces)


def test_what_shows_no_person_stays_sharp() -> None:
    lines = lines_of("coffee.png")
    frame, picture = only(lines, Frame), only(lines, Picture)
    assert picture.scale == 1.0
    assert all(detection.label != "person" for detection in frame.detections)
    calm = np.ones((picture.height, picture.width), bool)
    for region in [face.box for face in frame.faces]:
        x0, y0, x1, y1 = (int(v) for v in region)
        calm[max(0, y0 - 90) : y1 + 90, max(0, x0 - 90) : x1 + 90] = False
    difference = np.abs(pixels(picture) - weights.picture("coffee.png").astype(np.float32))
    assert difference[calm].mean() < 6


def test_the_same_picture_gives_the_same_lines() -> None:
    assert lines_of("bus.jpg") == lines_of("bus.jpg")


@pytest.mark.parametrize(
    ("profile", "used"),
    [
        ("people", {"detector", "pose", "face"}),
        ("faces", {"face", "detector"}),
        ("scene", {"detector", "scene", "silhouette", "face"}),
    ],
)
def test_a_profile_uses_its_own_families_and_no_others(profile: str, used: set[str]) -> None:
    def answer(family: str) -> Given:
        return Given(lambda item: weights.loaded(_name(family))([item])[0])

    given = {family: answer(family) for family in FAMILIES}
    list(image.run(profile, still("bus.jpg"), given, lambda units: None))
    assert {family for family, model in given.items() if model.asked} == used
    assert {use.family for use in uses(profile, "image")} == used


def test_sound_profiles_have_no_image_pipeline_and_unknown_ones_are_refused() -> None:
    assert uses("audio", "image") == ()
    with pytest.raises(Problem) as raised:
        uses("everything", "image")
    assert raised.value.code == "unknown-profile"


def test_optional_models_may_be_absent() -> None:
    lines = list(image.run("auto", still("bus.jpg"), real("detector"), lambda units: None))
    frame = only(lines, Frame)
    assert all(not detection.keypoints for detection in frame.detections)
    assert frame.faces == ()
    assert not [line for line in lines if isinstance(line, Mask)]
    assert [line.kind for line in lines if isinstance(line, Scene)] == ["place", "light"]


def test_a_picture_that_cannot_be_read_is_a_gap() -> None:
    source = Segment(0, 1, [], lost=[(0, 1, "image-unreadable")])
    lines = list(image.run("auto", source, real("detector"), lambda units: None))
    assert lines == [Gap(0, 1, "image-unreadable"), Stats("image", 0, 0)]


def test_weak_objects_are_left_out_and_weak_persons_kept_for_tracks() -> None:
    weak = [
        Detection((0.0, 0.0, 50.0, 90.0), label, score)
        for label, score in (("person", 0.25), ("person", 0.15), ("dog", 0.3), ("dog", 0.4))
    ]
    given = {"detector": Given(lambda item: weak)}
    lines = list(image.run("people", still("coffee.png"), given, lambda units: None))
    found = [(d.label, d.score) for d in only(lines, Frame).detections]
    assert found == [("person", 0.25), ("dog", 0.4)]


def _name(family: str) -> str:
    from tests.analysis.segments import NAMES

    return NAMES[family]
