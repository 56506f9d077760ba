"""The TFLite importer keeps a quantised model's answers and reads hostile files without harm."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
from tests import weights

from leitstand.models import fetch, tflite, unpack
from leitstand.models.catalogue import Catalogue
from leitstand.models.flatbuffer import Table
from leitstand.models.onnxgraph import ConversionError
from leitstand.models.session import Session
from leitstand.ports import Device

REFERENCE = json.loads((Path(__file__).parent / "reference.json").read_text())
CROP = 280


@pytest.mark.parametrize("picture", ["bus.jpg", "coffee.png", "chelsea.png"])
def test_scores_are_those_of_the_quantised_original(picture: str) -> None:
    """The reference is LiteRT's output for the upper left corner of each picture."""
    session = Session(weights.files_of("efficientnet-lite3")["efficientnet.onnx"], Device())
    corner = weights.picture(picture)[None, :CROP, :CROP].astype(np.float32)
    (scores,) = session.run(corner).values()
    order = np.argsort(-scores[0])
    expected = REFERENCE["efficientnet-lite3"][picture]
    assert order[0] == expected[0][0]
    for index, score in expected:
        assert abs(scores[0][index] - score) < 0.06


def test_pictures_of_a_batch_do_not_influence_each_other() -> None:
    session = Session(weights.files_of("efficientnet-lite3")["efficientnet.onnx"], Device())
    pictures = np.stack(
        [weights.picture(n)[:CROP, :CROP] for n in ("bus.jpg", "coffee.png")]
    ).astype(np.float32)
    (together,) = session.run(pictures).values()
    for index in range(2):
        (alone,) = session.run(pictures[index : index + 1]).values()
        np.testing.assert_allclose(together[index], alone[0], atol=1e-5)


def test_a_file_of_another_kind_is_refused() -> None:
    for data in (b"", b"TFL3", b"\x1c\0\0\0TFL2" + bytes(64)):
        with pytest.raises(ConversionError):
            tflite.convert(data)


def test_offsets_outside_the_file_are_refused() -> None:
    data = (4096).to_bytes(4, "little") + b"TFL3" + bytes(16)
    with pytest.raises(ConversionError):
        Table.root(data, b"TFL3")


@pytest.mark.full
def test_damaged_models_end_in_a_refusal_or_a_model(tmp_path: Path) -> None:
    """500 files with some bytes changed near the front, where the structure lies, or cut short."""
    data = _shipped(tmp_path)
    dice = random.Random(5)
    for _ in range(500):
        broken = bytearray(data)
        for _ in range(8):
            broken[dice.randrange(len(broken))] = dice.randrange(256)
        tail = bytes(broken[-200_000:])
        for candidate in (bytes(broken[: dice.randrange(len(broken))]), bytes(64) + tail):
            try:
                tflite.convert(candidate)
            except ValueError:
                continue


def _shipped(folder: Path) -> bytes:
    sources = [
        source
        for source in Catalogue.load().get("efficientnet-lite3").sources
        if source.name.endswith(".tflite")
    ]
    paths = fetch.fetch(sources[0].archive, sources, folder, lambda count: None)
    found = unpack.read_sources(paths[sources[0].member or ""], dict.fromkeys(sources, "m"))
    return found[sources[0].name]
