"""The TF.js importer computes what TensorFlow defines, refuses what it does not know, and always
writes the same bytes."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort  # type: ignore[import-untyped]
import pytest
from tests import weights

from leitstand.models import tfjs
from leitstand.models.catalogue import Catalogue
from leitstand.models.onnxgraph import ConversionError

REFERENCE = json.loads((Path(__file__).parent / "reference.json").read_text())
"""Outputs of models converted by an independent converter, for inputs drawn with a seed."""


class Source:
    """A TF.js graph model written node by node."""

    def __init__(self) -> None:
        self.nodes: list[dict[str, Any]] = []
        self.weights: list[dict[str, Any]] = []
        self.data = b""

    def const(self, name: str, value: np.ndarray[Any, Any], quantised: str | None = None) -> str:
        entry: dict[str, Any] = {
            "name": name,
            "shape": list(value.shape),
            "dtype": str(value.dtype),
        }
        stored = value
        if quantised == "float16":
            stored = value.astype(np.float16)
            entry["quantization"] = {"dtype": "float16", "original_dtype": "float32"}
        elif quantised == "uint8":
            low = float(value.min())
            scale = (float(value.max()) - low) / 255 or 1.0
            stored = np.round((value - low) / scale).astype(np.uint8)
            entry["quantization"] = {"dtype": "uint8", "min": low, "scale": scale}
        self.weights.append(entry)
        self.data += stored.tobytes()
        self.nodes.append({"name": name, "op": "Const"})
        return name

    def node(self, name: str, op: str, inputs: list[str], **attributes: Any) -> str:
        self.nodes.append({"name": name, "op": op, "input": inputs, "attr": attributes})
        return name

    def placeholder(self, shape: list[int]) -> str:
        dims = {"dim": [{"size": str(size)} for size in shape]}
        attributes = {"dtype": {"type": "DT_FLOAT"}, "shape": {"shape": dims}}
        return self.node("x", "Placeholder", [], **attributes)

    def convert(self, output: str, shape: list[int], *, batch: bool = False) -> bytes:
        dims = {"dim": [{"size": str(size)} for size in shape]}
        outputs = {output: {"name": f"{output}:0", "dtype": "DT_FLOAT", "tensorShape": dims}}
        document = {
            "modelTopology": {"node": self.nodes},
            "weightsManifest": [{"paths": ["w.bin"], "weights": self.weights}],
            "signature": {"inputs": {}, "outputs": outputs},
        }
        return tfjs.convert(json.dumps(document).encode(), self.data, batch=batch)


def text(value: str) -> dict[str, str]:
    return {"s": base64.b64encode(value.encode()).decode()}


def ints(*values: int) -> dict[str, Any]:
    return {"list": {"i": [str(value) for value in values]}}


def run(model: bytes, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    (result,) = session.run(None, {"x": x.astype(np.float32)})
    return np.asarray(result)


RNG = np.random.default_rng(3)


def test_a_convolution_with_bias_and_activation_equals_its_definition() -> None:
    kernel = RNG.normal(size=(3, 3, 2, 4)).astype(np.float32)
    bias = RNG.normal(size=4).astype(np.float32)
    source = Source()
    source.placeholder([1, 5, 5, 2])
    source.const("k", kernel)
    source.const("b", bias)
    fused = {"list": {"s": [text("BiasAdd")["s"], text("Relu6")["s"]]}}
    source.node(
        "y",
        "_FusedConv2D",
        ["x", "k", "b"],
        strides=ints(1, 2, 2, 1),
        padding=text("VALID"),
        fused_ops=fused,
    )
    x = RNG.normal(size=(1, 5, 5, 2)).astype(np.float32)
    expected = np.zeros((1, 2, 2, 4), np.float32)
    for row in range(2):
        for column in range(2):
            window = x[0, 2 * row : 2 * row + 3, 2 * column : 2 * column + 3]
            expected[0, row, column] = np.einsum("hwc,hwco->o", window, kernel) + bias
    result = run(source.convert("y", [1, 2, 2, 4]), x)
    np.testing.assert_allclose(result, np.clip(expected, 0, 6), atol=1e-5)


def test_a_depthwise_convolution_keeps_the_order_of_its_channels() -> None:
    kernel = RNG.normal(size=(1, 1, 3, 2)).astype(np.float32)
    source = Source()
    source.placeholder([1, 2, 2, 3])
    source.const("k", kernel)
    source.node(
        "y",
        "DepthwiseConv2dNative",
        ["x", "k"],
        strides=ints(1, 1, 1, 1),
        padding=text("SAME"),
    )
    x = RNG.normal(size=(1, 2, 2, 3)).astype(np.float32)
    expected = (x[..., None] * kernel[0, 0]).reshape(1, 2, 2, 6)
    np.testing.assert_allclose(run(source.convert("y", [1, 2, 2, 6]), x), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("corners", "centres", "expected"),
    [
        (True, False, [0, 1 / 3, 2 / 3, 1]),
        (False, True, [0, 0.25, 0.75, 1]),
        (False, False, [0, 0.5, 1, 1]),
    ],
)
def test_bilinear_resizing_follows_each_of_tensorflows_grids(
    corners: bool, centres: bool, expected: list[float]
) -> None:
    source = Source()
    source.placeholder([1, 1, 2, 1])
    source.const("size", np.array([1, 4], np.int32))
    source.node(
        "y",
        "ResizeBilinear",
        ["x", "size"],
        align_corners={"b": corners},
        half_pixel_centers={"b": centres},
    )
    x = np.array([0, 1], np.float32).reshape(1, 1, 2, 1)
    result = run(source.convert("y", [1, 1, 4, 1]), x)
    np.testing.assert_allclose(result.reshape(-1), expected, atol=1e-6)


@pytest.mark.parametrize(("stored", "tolerance"), [(None, 0), ("float16", 1e-3), ("uint8", 1e-2)])
def test_compressed_weights_are_read_as_the_numbers_they_stand_for(
    stored: str | None, tolerance: float
) -> None:
    value = RNG.uniform(-1, 1, size=(1, 6)).astype(np.float32)
    source = Source()
    source.placeholder([1, 6])
    source.const("w", value, stored)
    source.node("y", "Mul", ["x", "w"])
    result = run(source.convert("y", [1, 6]), np.ones((1, 6)))
    np.testing.assert_allclose(result, value, atol=tolerance)


def test_a_free_batch_passes_through_reshapes() -> None:
    source = Source()
    source.placeholder([1, 2, 3])
    source.const("shape", np.array([1, 6], np.int32))
    source.node("y", "Reshape", ["x", "shape"])
    x = np.arange(12).reshape(2, 2, 3)
    result = run(source.convert("y", [1, 6], batch=True), x)
    np.testing.assert_array_equal(result, x.reshape(2, 6))


def test_an_unknown_operation_is_named() -> None:
    source = Source()
    source.placeholder([1, 2])
    source.node("y", "PyFunc", ["x"])
    with pytest.raises(ConversionError, match="PyFunc"):
        source.convert("y", [1, 2])


def test_weights_that_end_early_or_late_are_refused() -> None:
    for cut, more in ((1, b""), (0, b"\0")):
        source = Source()
        source.placeholder([1, 2])
        source.const("w", np.ones((1, 2), np.float32))
        source.node("y", "Mul", ["x", "w"])
        source.data = source.data[: len(source.data) - cut] + more
        with pytest.raises(ConversionError):
            source.convert("y", [1, 2])


def test_a_graph_that_reads_its_own_result_is_refused() -> None:
    source = Source()
    source.placeholder([1, 2])
    source.node("y", "Add", ["x", "z"])
    source.node("z", "Add", ["x", "y"])
    with pytest.raises(ConversionError, match="cycle"):
        source.convert("y", [1, 2])


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("nanodet-g-416", "nanodet"),
        ("blazeface-256", "blazeface"),
        ("movenet-lightning", "movenet-lightning"),
        ("selfie-segmentation", "selfie"),
    ],
)
def test_converted_models_compute_what_an_independent_conversion_computes(
    model: str, name: str
) -> None:
    (data,) = weights.files_of(model).values()
    session = ort.InferenceSession(data, providers=["CPUExecutionProvider"])
    (node,) = session.get_inputs()
    shape = [size if isinstance(size, int) else 1 for size in node.shape]
    generator = np.random.default_rng(7)
    if "int32" in node.type:
        x = generator.integers(0, 256, shape).astype(np.int32)
    else:
        x = generator.normal(size=shape).astype(np.float32)
    outputs = dict(
        zip((o.name for o in session.get_outputs()), session.run(None, {node.name: x}), strict=True)
    )
    for output, expected in REFERENCE[name].items():
        flat = np.asarray(outputs[output]).reshape(-1)
        assert list(np.asarray(outputs[output]).shape) == expected["shape"]
        at = np.linspace(0, flat.size - 1, 16).astype(int)
        np.testing.assert_allclose(flat[at], expected["samples"], atol=1e-4)
        assert abs(float(flat.mean()) - expected["mean"]) < 1e-4


def test_a_conversion_writes_the_same_bytes_in_another_process() -> None:
    source = Source()
    source.placeholder([1, 4, 4, 2])
    source.const("k", RNG.normal(size=(3, 3, 2, 2)).astype(np.float32), "float16")
    source.node("y", "Conv2D", ["x", "k"], strides=ints(1, 1, 1, 1), padding=text("SAME"))
    dims = {"dim": [{"size": str(size)} for size in (1, 4, 4, 2)]}
    document = {
        "modelTopology": {"node": source.nodes},
        "weightsManifest": [{"paths": ["w"], "weights": source.weights}],
        "signature": {"outputs": {"y": {"name": "y:0", "dtype": "DT_FLOAT", "tensorShape": dims}}},
    }
    topology = json.dumps(document).encode()
    program = (
        "import sys, hashlib, base64; from leitstand.models import tfjs;"
        "a, b = map(base64.b64decode, sys.argv[1:]);"
        "print(hashlib.sha256(tfjs.convert(a, b)).hexdigest())"
    )
    arguments = [base64.b64encode(part).decode() for part in (topology, source.data)]
    other = subprocess.run(
        [sys.executable, "-c", program, *arguments], check=True, capture_output=True, text=True
    )
    here = hashlib.sha256(tfjs.convert(topology, source.data)).hexdigest()
    assert other.stdout.strip() == here


def test_the_pinned_digests_are_those_of_this_conversion() -> None:
    cache = weights.models()
    for name in Catalogue.load().default_set():
        for file in Catalogue.load().get(name).version.files:
            assert len(cache.read(file.sha256)) == file.bytes
