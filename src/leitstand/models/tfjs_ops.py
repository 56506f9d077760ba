"""What each TensorFlow operation becomes in ONNX. One function per operation, found by its name."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import TensorProto

from leitstand.models.onnxgraph import ConversionError, Graph


@dataclass(frozen=True, slots=True)
class Node:
    """One node of the source graph. Attributes are as the JSON holds them."""

    name: str
    op: str
    inputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    batch: bool

    def text(self, key: str) -> str:
        return base64.b64decode(self.attributes[key]["s"]).decode("ascii")

    def texts(self, key: str) -> list[str]:
        listed = self.attributes.get(key, {}).get("list", {}).get("s", ())
        return [base64.b64decode(value).decode("ascii") for value in listed]

    def integers(self, key: str, default: Sequence[int] = ()) -> list[int]:
        return [int(v) for v in self.attributes.get(key, {}).get("list", {}).get("i", default)]

    def integer(self, key: str) -> int:
        return int(self.attributes.get(key, {}).get("i", 0))

    def real(self, key: str, default: float) -> float:
        return float(self.attributes.get(key, {}).get("f", default))

    def flag(self, key: str) -> bool:
        return bool(self.attributes.get(key, {}).get("b", False))


Result = str | Sequence[str]
Operation = Callable[[Graph, Node, Sequence[str]], Result]
OPERATIONS: dict[str, Operation] = {}


def _operation(*names: str) -> Callable[[Operation], Operation]:
    def register(function: Operation) -> Operation:
        OPERATIONS.update(dict.fromkeys(names, function))
        return function

    return register


def _same(*pairs: tuple[str, str]) -> None:
    """Operations that ONNX has under another name, with the same inputs and no attributes."""
    for name, onnx_name in pairs:

        def emit(graph: Graph, node: Node, inputs: Sequence[str], op: str = onnx_name) -> Result:
            return str(graph.node(op, inputs))

        OPERATIONS[name] = emit


_same(
    ("BiasAdd", "Add"),
    ("AddN", "Sum"),
    ("Sub", "Sub"),
    ("Mul", "Mul"),
    ("RealDiv", "Div"),
    ("Maximum", "Max"),
    ("Minimum", "Min"),
    ("Relu", "Relu"),
    ("Sigmoid", "Sigmoid"),
    ("Tanh", "Tanh"),
    ("Sqrt", "Sqrt"),
    ("Exp", "Exp"),
    ("Neg", "Neg"),
)


@_operation("Identity", "StopGradient")
def _identity(graph: Graph, node: Node, inputs: Sequence[str]) -> Result:
    return inputs[0]


@_operation("Add", "AddV2")
def _add(graph: Graph, node: Node, inputs: Sequence[str]) -> Result:
    """Sums of constants are computed here, because some exporters write shapes as such sums."""
    if all(graph.is_constant(name) for name in inputs):
        return graph.constant(graph.value(inputs[0]) + graph.value(inputs[1]))
    return str(graph.node("Add", inputs))


@_operation("FloorDiv")
def _floor_div(graph: Graph, node: Node, inputs: Sequence[str]) -> Result:
    """ONNX divides integers towards zero, the same for the non-negative indices that occur here."""
    return str(graph.node("Div", inputs))


def _activate(graph: Graph, node: Node, kind: str, tensor: str, rest: Sequence[str]) -> str:
    if kind in {"Relu", "Sigmoid", "Tanh", "Elu"}:
        return str(graph.node(kind, [tensor]))
    if kind == "Relu6":
        bounds = [graph.constant(np.array(bound, np.float32)) for bound in (0, 6)]
        return str(graph.node("Clip", [tensor, *bounds]))
    if kind == "LeakyRelu":
        return str(graph.node("LeakyRelu", [tensor], alpha=node.real("leakyrelu_alpha", 0.2)))
    if kind == "Prelu":
        slope = graph.value(rest[0]).reshape(-1, 1, 1)
        return str(graph.node("PRelu", [tensor, graph.constant(slope)]))
    raise ConversionError(f"activation {kind} of {node.name} is not known")


@_operation("Relu6")
def _relu6(graph: Graph, node: Node, inputs: Sequence[str]) -> Result:
    return _activate(graph, node, "Relu6", inputs[0], ())


@_operation("LeakyRelu")
def _leaky_relu(graph: Graph, node: Node, inputs: Sequence[str]) -> Result:
    return str(graph.node("LeakyRelu", inputs, alpha=node.real("alpha", 0.2)))


@_operation("Softmax")
def _softmax(graph: Graph, node: Node, inputs: Sequence[str]) -> Result:
    return str(graph.node("Softmax", inputs, axis=-1))


@_operation("SquaredDifference")
def _squared_difference(graph: Graph, node: Node, inputs: Sequence[str]) -> Result:
    difference = graph.node("Sub", inputs)
    return str(graph.node("Mul", [difference, difference]))


def _padding(node: Node) -> dict[str, Any]:
    padding = node.text("padding")
    if padding == "SAME":
        return {"auto_pad": "SAME_UPPER"}
    if padding == "EXPLICIT":
        sides = node.integers("explicit_paddings")
        return {"pads": [sides[2], sides[4], sides[3], sides[5]]}
    return {}


@_operation("Conv2D", "_FusedConv2D", "DepthwiseConv2dNative", "FusedDepthwiseConv2dNative")
def _convolution(graph: Graph, node: Node, inputs: Sequence[str]) -> Result:
    """Weights are height, width, in, out; a depthwise one has a multiplier for `out` and one group
    per channel. Fused operations come in the order bias, activation."""
    if "data_format" in node.attributes and node.text("data_format") != "NHWC":
        raise ConversionError(f"{node.name} is not in NHWC order")
    weights = graph.value(inputs[1])
    groups = 1
    if "Depthwise" in node.op:
        height, width, groups, multiplier = weights.shape
        weights = weights.reshape(height, width, 1, groups * multiplier)
    weights = weights.transpose(3, 2, 0, 1)
    fused = node.texts("fused_ops")
    rest = list(inputs[2:])
    operands = [graph.nchw(inputs[0]), graph.constant(weights)]
    if fused[:1] == ["BiasAdd"]:
        operands.append(graph.constant(graph.value(rest.pop(0)).reshape(-1)))
        fused = fused[1:]
    result = str(
        graph.node(
            "Conv",
            operands,
            strides=node.integers("strides")[1:3],
            dilations=node.integers("dilations", [1, 1, 1, 1])[1:3],
            group=groups,
            kernel_shape=list(weights.shape[2:]),
            **_padding(node),
        )
    )
    for kind in fused:
        result = _activate(graph, node, kind, result, rest)
    return graph.nhwc(result)


@_operation("Conv2DBackpropInput")
def _transposed_convolution(graph: Graph, node: Node, inputs: Sequence[str]) -> Result:
    """Inputs: size of the result, weights, picture. The size follows from padding and strides."""
    weights = graph.value(inputs[1]).transpose(3, 2, 0, 1)
    operands = [graph.nchw(inputs[2]), graph.constant(weights)]
    strides = node.integers("strides")[1:3]
    return graph.nhwc(graph.node("ConvTranspose", operands, strides=strides, **_padding(node)))


@_operation("MaxPool", "AvgPool")
def _pool(graph: Graph, node: Node, inputs: Sequence[str]) -> Result:
    kind = "MaxPool" if node.op == "MaxPool" else "AveragePool"
    result = graph.node(
        kind,
        [graph.nchw(inputs[0])],
        kernel_shape=node.integers("ksize")[1:3],
        strides=node.integers("strides")[1:3],
        **_padding(node),
    )
    return graph.nhwc(result)


@_operation("ResizeBilinear", "ResizeNearestNeighbor")
def _resize(graph: Graph, node: Node, inputs: Sequence[str]) -> Result:
    picture = graph.nchw(inputs[0])
    shape = graph.node("Shape", [picture])
    leading = graph.node("Slice", [shape, graph.integers([0]), graph.integers([2])])
    sizes = graph.node("Concat", [leading, graph.integers(graph.value(inputs[1]))], axis=0)
    corners, centres = node.flag("align_corners"), node.flag("half_pixel_centers")
    coordinates = "align_corners" if corners else "half_pixel" if centres else "asymmetric"
    mode: dict[str, Any] = {"mode": "linear"}
    if node.op == "ResizeNearestNeighbor":
        nearest = "round_prefer_floor" if corners or centres else "floor"
        mode = {"mode": "nearest", "nearest_mode": nearest}
    operands = [picture, "", "", sizes]
    return graph.nhwc(
        graph.node("Resize", operands, coordinate_transformation_mode=coordinates, **mode)
    )


@_operation("Reshape")
def _reshape(graph: Graph, node: Node, inputs: Sequence[str]) -> Result:
    """In ONNX a 0 keeps the size of the input, which is how the batch passes through."""
    shape = graph.value(inputs[1]).astype(np.int64)
    if node.batch and shape.size and shape[0] == 1:
        shape = np.concatenate([[0], shape[1:]])
    return str(graph.node("Reshape", [inputs[0], graph.integers(shape)]))


@_operation("Transpose")
def _transpose(graph: Graph, node: Node, inputs: Sequence[str]) -> Result:
    return str(graph.node("Transpose", inputs[:1], perm=graph.value(inputs[1]).tolist()))


@_operation("Squeeze")
def _squeeze(graph: Graph, node: Node, inputs: Sequence[str]) -> Result:
    axes = node.integers("squeeze_dims")
    return str(graph.node("Squeeze", [inputs[0], *([graph.integers(axes)] if axes else [])]))


@_operation("ExpandDims")
def _expand(graph: Graph, node: Node, inputs: Sequence[str]) -> Result:
    return str(graph.node("Unsqueeze", [inputs[0], graph.integers(graph.value(inputs[1]))]))


@_operation("Pad", "PadV2")
def _pad(graph: Graph, node: Node, inputs: Sequence[str]) -> Result:
    """TensorFlow lists (before, after) per axis, ONNX all befores and then all afters."""
    sides = graph.integers(graph.value(inputs[1]).T)
    fill = [graph.constant(graph.value(inputs[2]).reshape(()))] if node.op == "PadV2" else []
    return str(graph.node("Pad", [inputs[0], sides, *fill], mode="constant"))


@_operation("ConcatV2")
def _concat(graph: Graph, node: Node, inputs: Sequence[str]) -> Result:
    axis = int(graph.value(inputs[-1]).reshape(-1)[0])
    return str(graph.node("Concat", inputs[:-1], axis=axis))


@_operation("SplitV")
def _split(graph: Graph, node: Node, inputs: Sequence[str]) -> Result:
    sizes = graph.value(inputs[1])
    axis = int(graph.value(inputs[2]).reshape(-1)[0])
    operands = [inputs[0], graph.integers(sizes)]
    result = graph.node("Split", operands, sizes.size, axis=axis)
    return [result] if isinstance(result, str) else [str(name) for name in result]


@_operation("Pack")
def _pack(graph: Graph, node: Node, inputs: Sequence[str]) -> Result:
    axis = node.integer("axis")
    grown = [graph.node("Unsqueeze", [name, graph.integers([axis])]) for name in inputs]
    return str(graph.node("Concat", grown, axis=axis))


@_operation("Unpack")
def _unpack(graph: Graph, node: Node, inputs: Sequence[str]) -> Result:
    axis, count = node.integer("axis"), node.integer("num")
    parts = graph.node("Split", inputs, count, axis=axis) if count > 1 else [inputs[0]]
    return [str(graph.node("Squeeze", [part, graph.integers([axis])])) for part in parts]


@_operation("Cast")
def _cast(graph: Graph, node: Node, inputs: Sequence[str]) -> Result:
    targets = {
        "DT_FLOAT": TensorProto.FLOAT,
        "DT_INT32": TensorProto.INT32,
        "DT_INT64": TensorProto.INT64,
    }
    return str(graph.node("Cast", inputs, to=targets[node.attributes["DstT"]["type"]]))


@_operation("ArgMax")
def _argmax(graph: Graph, node: Node, inputs: Sequence[str]) -> Result:
    axis = int(graph.value(inputs[1]).reshape(-1)[0])
    index = graph.node("ArgMax", inputs[:1], axis=axis, keepdims=0)
    return str(graph.node("Cast", [index], to=TensorProto.INT32))


@_operation("GatherNd")
def _gather_nd(graph: Graph, node: Node, inputs: Sequence[str]) -> Result:
    index = graph.node("Cast", [inputs[1]], to=TensorProto.INT64)
    return str(graph.node("GatherND", [inputs[0], index]))


@_operation("SparseToDense")
def _sparse_to_dense(graph: Graph, node: Node, inputs: Sequence[str]) -> Result:
    """Always of constants, so the dense tensor is a constant too."""
    indices, shape, values, default = (graph.value(name) for name in inputs)
    size = tuple(int(length) for length in shape.reshape(-1))
    dense = np.full(size, default.reshape(-1)[0], dtype=values.dtype)
    dense[tuple(indices.reshape(-1, len(size)).T.astype(np.int64))] = values.reshape(-1)
    return graph.constant(dense)
