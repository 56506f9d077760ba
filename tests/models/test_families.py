"""Each family finds in real pictures and voices what is in them, and refuses what it cannot read."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from tests import weights

from leitstand.core.finding import Detection
from leitstand.core.problem import Problem
from leitstand.models import detector, face, scene, voice
from leitstand.models.geometry import square_around, suppress
from leitstand.models.session import Session, providers
from leitstand.ports import Device, Loaded

SEEN = 0.35
PICTURE_MODELS = ("nanodet-g-416", "blazeface-256", "movenet-lightning", "selfie-segmentation")


def finds_people(model: Loaded) -> None:
    """At least two persons and the bus in the picture of a bus stop."""
    (found,) = model([weights.picture("bus.jpg")])
    labels = [detection.label for detection in found if detection.score >= SEEN]
    assert labels.count("person") >= 2
    assert "bus" in labels


def boxes(found: Sequence[Detection], label: str) -> list[tuple[float, ...]]:
    return [d.box for d in found if d.label == label and d.score >= SEEN]


# --- detector ------------------------------------------------------------------------------------


def test_the_detector_finds_the_people_and_the_bus() -> None:
    finds_people(weights.loaded("nanodet-g-416"))


def test_a_detector_that_answers_always_the_same_fails_that_test() -> None:
    constant = weights.constant_twin(weights.files_of("nanodet-g-416")["nanodet.onnx"])
    with pytest.raises(AssertionError):
        finds_people(detector.load({"constant.onnx": constant}, Device()))


def test_boxes_are_in_pixels_of_the_picture_whatever_its_shape() -> None:
    model = weights.loaded("nanodet-g-416")
    picture = weights.picture("bus.jpg")
    wide = np.zeros((picture.shape[0], 2000, 3), np.uint8)
    wide[:, : picture.shape[1]] = picture
    (first,), (second,) = model([picture]), model([wide])
    (bus,), (same,) = boxes(first, "bus"), boxes(second, "bus")
    assert np.allclose(bus, same, atol=40)


def test_detections_do_not_depend_on_the_batch() -> None:
    model = weights.loaded("nanodet-g-416")
    pictures = [weights.picture("bus.jpg"), weights.picture("astronaut.png")]
    together = model(pictures)
    for alone, batched in zip([model([p])[0] for p in pictures], together, strict=True):
        assert [d.label for d in alone] == [d.label for d in batched]
        assert np.allclose([d.box for d in alone], [d.box for d in batched], atol=0.01)


def test_an_empty_batch_is_an_empty_answer() -> None:
    for name in (*PICTURE_MODELS, "silero-vad", "whisper-tiny.en"):
        assert list(weights.loaded(name)([])) == []


def test_of_overlapping_boxes_the_best_stays() -> None:
    found = np.array([[0, 0, 10, 10], [1, 1, 11, 11], [20, 20, 30, 30]], np.float32)
    scores = np.array([0.5, 0.9, 0.4], np.float32)
    assert suppress(found, scores, 0.5, 10) == [1, 2]
    assert suppress(found, scores, 0.5, 1) == [1]


def test_a_crop_maps_points_back_to_where_they_were() -> None:
    picture = np.zeros((100, 200, 3), np.uint8)
    picture[40:44, 120:124] = 255
    crop, fit = square_around(picture, (100.0, 20.0, 140.0, 80.0), 1.25, 192)
    y, x = (int(axis.mean()) for axis in np.nonzero(crop[:, :, 0] > 200))
    assert np.allclose(fit.back(x + 0.5, y + 0.5), (122, 42), atol=0.5)


# --- face, pose, silhouette, scene ---------------------------------------------------------------


def test_the_astronaut_has_one_face_and_it_is_where_the_eyes_are() -> None:
    ((found,),) = weights.loaded("blazeface-256")([weights.picture("astronaut.png")])
    x0, y0, x1, y1 = found.box
    assert 160 < x0 < 200 < 250 < x1 < 300
    assert 60 < y0 < 100 < 150 < y1 < 200
    assert len(found.points) == 6
    assert all(x0 - 20 <= x <= x1 + 20 and y0 - 20 <= y <= y1 + 20 for x, y, _ in found.points)


def test_a_cup_of_coffee_has_no_face_the_report_would_believe_and_no_person() -> None:
    (found,) = weights.loaded("nanodet-g-416")([weights.picture("coffee.png")])
    assert boxes(found, "person") == []


def test_a_pose_stands_upright_inside_its_box() -> None:
    picture = weights.picture("bus.jpg")
    (found,) = weights.loaded("nanodet-g-416")([picture])
    box = boxes(found, "person")[0]
    (points,) = weights.loaded("movenet-lightning")([(picture, box)])
    assert len(points) == 17
    nose, hips, ankles = points[0][1], (points[11][1] + points[12][1]) / 2, points[15][1]
    assert box[1] - 20 < nose < hips < ankles < box[3] + 20
    assert all(0 <= score <= 1 for _, _, score in points)


def test_the_silhouette_covers_the_astronaut_and_not_the_wall() -> None:
    picture = weights.picture("astronaut.png")
    (mask,) = weights.loaded("selfie-segmentation")([picture])
    assert mask.shape == picture.shape[:2]
    assert mask.dtype == np.float32
    assert mask[100:170, 190:260].mean() > 0.9
    assert mask[20:100, 480:].mean() < 0.1
    assert 0.45 < (mask > 0.5).mean() < 0.65


@pytest.mark.parametrize(
    ("picture", "label"),
    [("bus.jpg", "minibus"), ("coffee.png", "espresso"), ("chelsea.png", "Egyptian cat")],
)
def test_scenes_get_the_label_a_person_would_give(picture: str, label: str) -> None:
    (found,) = weights.loaded("efficientnet-lite3")([weights.picture(picture)])
    assert found[0][0] == label
    assert found[0][1] > 0.5
    assert [score for _, score in found] == sorted((s for _, s in found), reverse=True)


@pytest.mark.parametrize("name", PICTURE_MODELS)
def test_the_smallest_pictures_are_looked_at_like_any_other(name: str) -> None:
    dot = np.zeros((1, 1, 3), np.uint8)
    item = (dot, (0.0, 0.0, 1.0, 1.0)) if name == "movenet-lightning" else dot
    assert len(weights.loaded(name)([item])) == 1


# --- voice and speech ----------------------------------------------------------------------------


def test_speech_is_found_between_silences_to_a_quarter_of_a_second() -> None:
    samples, _ = weights.librivox()[0]
    quiet = np.zeros(voice.RATE, np.float32)
    (found,) = weights.loaded("silero-vad")([np.concatenate([quiet, samples, quiet])])
    assert abs(found[0][0] - 1.2) < 0.25
    assert abs(found[-1][1] - 7.9) < 0.25
    assert all(score > 0.8 for _, _, score in found)


@pytest.mark.parametrize("sound", ["silence", "noise", "nothing", "hum"])
def test_what_is_no_speech_is_not_taken_for_speech(sound: str) -> None:
    seconds = np.arange(10 * voice.RATE, dtype=np.float32) / voice.RATE
    samples = {
        "silence": np.zeros(10 * voice.RATE, np.float32),
        "noise": np.random.default_rng(0).normal(0, 0.02, 10 * voice.RATE).astype(np.float32),
        "nothing": np.zeros(0, np.float32),
        "hum": (0.2 * np.sin(2 * np.pi * 50 * seconds)).astype(np.float32),
    }[sound]
    assert weights.loaded("silero-vad")([samples]) == [[]]


def test_speech_regions_need_their_length_and_their_pause() -> None:
    def found(*runs: tuple[float, int]) -> list[tuple[float, float]]:
        values = np.concatenate([np.full(count, value, np.float32) for value, count in runs])
        spoken = voice.regions(values, len(values) * 512 / voice.RATE)
        return [(round(a, 3), round(b, 3)) for a, b, _ in spoken]

    assert found((0, 10), (0.9, 20), (0, 10)) == [(0.29, 0.99)]
    assert found((0.9, 4), (0, 30)) == []
    assert found((0.9, 20), (0.1, 2), (0.9, 20)) == [(0.0, 1.344)]
    assert len(found((0.9, 20), (0.1, 10), (0.9, 20))) == 2
    assert found((0.9, 20), (0.4, 10), (0, 5)) == [(0.0, 0.99)]


@pytest.mark.parametrize("name", ["whisper-base", "whisper-tiny.en"])
def test_of_ten_words_read_aloud_at_least_nine_are_right(name: str) -> None:
    model = weights.loaded(name)
    errors = words = 0
    for samples, reference in weights.librivox()[: 3 if name == "whisper-base" else 5]:
        (transcript,) = model([(samples, None)])
        heard = weights.words_of(" ".join(s.text for s in transcript.sentences))
        errors += weights.word_errors(reference, heard)
        words += len(reference)
        assert transcript.language == "en"
        assert transcript.language_score > 0.9
    assert errors / words <= 0.10


def test_word_times_are_in_order_and_within_the_sound() -> None:
    samples, _ = weights.librivox()[0]
    (transcript,) = weights.loaded("whisper-tiny.en")([(samples, None)])
    words = [word for sentence in transcript.sentences for word in sentence.words]
    starts = [start for _, start, _, _ in words]
    assert starts == sorted(starts)
    assert all(0 <= start <= end <= samples.size / 16_000 + 0.1 for _, start, end, _ in words)
    assert "".join(word for word, *_ in words).split() == [word.strip() for word, *_ in words]


def test_the_same_sound_gives_the_same_words() -> None:
    samples, _ = weights.librivox()[1]
    model = weights.loaded("whisper-tiny.en")
    assert model([(samples, None)]) == model([(samples, None)])


# --- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "family", ["detector", "face", "pose", "scene", "silhouette", "voice", "speech"]
)
def test_a_model_of_another_signature_is_refused(family: str) -> None:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 4])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    files = {"model.onnx": model.SerializeToString(), "labels.txt": b"a\nb\n"}
    with pytest.raises(Problem) as raised:
        importlib.import_module(f"leitstand.models.{family}").load(files, Device())
    assert raised.value.code == "model-signature-unknown"


def test_weights_outside_the_file_are_refused(tmp_path) -> None:  # type: ignore[no-untyped-def]
    model = onnx.ModelProto.FromString(weights.files_of("blazeface-256")["blazeface.onnx"])
    onnx.external_data_helper.convert_model_to_external_data(
        model, location="weights.bin", size_threshold=0
    )
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(Problem) as raised:
        face.load({"model.onnx": (tmp_path / "model.onnx").read_bytes()}, Device())
    assert raised.value.code == "model-external-data"


def outside(name: str) -> TensorProto:
    """Two numbers that lie in another file."""
    tensor = TensorProto(
        name=name, data_type=TensorProto.FLOAT, dims=[2], data_location=TensorProto.EXTERNAL
    )
    tensor.external_data.add(key="location", value="weights.bin")
    return tensor


def sparse(values: TensorProto, indices: TensorProto) -> onnx.SparseTensorProto:
    return onnx.SparseTensorProto(values=values, indices=indices, dims=[2])


INSIDE = helper.make_tensor("w", TensorProto.INT64, [2], [0, 1])
HIDDEN = {
    "sparse weights": {"sparse_initializer": [sparse(outside("w"), INSIDE)]},
    "indices of sparse weights": {"sparse_initializer": [sparse(INSIDE, outside("w"))]},
    "a sparse constant": {
        "node": [helper.make_node("Constant", [], ["w"], sparse_value=sparse(outside(""), INSIDE))]
    },
    "sparse constants": {
        "node": [helper.make_node("Other", [], ["w"], values=[sparse(outside(""), INSIDE)])]
    },
    "a graph within": {
        "node": [
            helper.make_node(
                "If",
                ["x"],
                ["w"],
                then_branch=onnx.GraphProto(sparse_initializer=[sparse(outside("w"), INSIDE)]),
            )
        ]
    },
}


@pytest.mark.parametrize("parts", HIDDEN.values(), ids=HIDDEN.keys())
def test_weights_outside_the_file_are_refused_wherever_they_hide(parts: dict[str, Any]) -> None:
    model = onnx.ModelProto(graph=onnx.GraphProto(name="g", **parts))
    with pytest.raises(Problem) as raised:
        Session(model.SerializeToString(), Device())
    assert raised.value.code == "model-external-data"


def test_weights_outside_the_file_are_refused_in_a_function() -> None:
    node = helper.make_node("Constant", [], ["c"], value=outside("c"))
    function = helper.make_function("d", "F", [], ["c"], [node], [helper.make_opsetid("", 17)])
    model = onnx.ModelProto(graph=onnx.GraphProto(name="g"), functions=[function])
    with pytest.raises(Problem) as raised:
        Session(model.SerializeToString(), Device())
    assert raised.value.code == "model-external-data"


def test_a_gpu_that_is_not_there_is_never_replaced_by_the_cpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(Problem) as raised:
        providers(Device("tpu"))
    assert raised.value.code == "no-cuda-runtime"
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(Problem) as raised:
        providers(Device("cuda"))
    assert raised.value.code == "no-cuda-runtime"
    monkeypatch.setattr(
        "onnxruntime.get_available_providers",
        lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"],
    )
    assert providers(Device("cuda", ordinal=2))[0] == (
        "CUDAExecutionProvider",
        {"device_id": "2"},
    )


def test_labels_must_fit_the_outputs() -> None:
    files = weights.files_of("efficientnet-lite3") | {"labels.txt": b"one\ntwo\n"}
    with pytest.raises(Problem) as raised:
        scene.load(files, Device())
    assert raised.value.code == "model-signature-unknown"


def test_results_do_not_depend_on_the_number_of_threads() -> None:
    files = weights.files_of("nanodet-g-416")
    picture = weights.picture("bus.jpg")
    results = [detector.load(files, Device(threads=count))([picture])[0] for count in (1, 2)]
    assert [(d.label, round(d.score, 3)) for d in results[0]] == [
        (d.label, round(d.score, 3)) for d in results[1]
    ]
    assert Session(files["nanodet.onnx"], Device()).dynamic
