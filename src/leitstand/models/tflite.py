"""Importer of TensorFlow Lite models of a few operations: quantised in, float ONNX out.

Weights stored as 8-bit integers become the real numbers they stand for, `(q - zero point) * scale`;
activations are computed in float, so results come close to the quantised model's and are, if
anything, nearer to the network it was made from. Only the operations that the catalogue's models
hold are known. Field numbers are those of `tensorflow/tensorflow:tensorflow/compiler/mlir/lite/
schema/schema.fbs`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from leitstand.models.flatbuffer import Table
from leitstand.models.onnxgraph import Array, ConversionError, Graph

_DTYPES: Mapping[int, np.dtype[Any]] = {
    0: np.dtype(np.float32),
    2: np.dtype(np.int32),
    3: np.dtype(np.uint8),
    9: np.dtype(np.int8),
}
_INT32 = np.dtype(np.int32)
_PADDING: Mapping[int, dict[str, Any]] = {0: {"auto_pad": "SAME_UPPER"}, 1: {}}
_RELU, _RELU6 = 1, 3


def convert(data: bytes, *, batch: bool = False) -> bytes:
    """The ONNX file of a TFLite model. Inputs and outputs are float32 and keep their meaning: an
    input that was uint8 takes the same pixel values, an output gives real numbers.

    With `batch` the leading dimension is free. Raises ConversionError for what is not known.
    """
    model = Table.root(data, b"TFL3")
    subgraphs = model.tables(2)
    if len(subgraphs) != 1:
        raise ConversionError(f"{len(subgraphs)} subgraphs instead of one")
    return _Import(model, subgraphs[0], batch).run()


@dataclass(frozen=True, slots=True)
class _Tensor:
    """A tensor of the source: `data` is None where it is computed."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    data: Array | None
    scale: Array
    zero: Array
    axis: int

    def real(self) -> Array:
        """The numbers that the stored integers stand for, float32; int32 without a scale as is."""
        if self.data is None:
            raise ConversionError(f"{self.name} must be a constant")
        if not self.scale.size:
            return self.data
        spread = [1] * len(self.shape)
        if self.scale.size > 1:
            spread[self.axis] = -1
        zero = self.zero.astype(np.float64).reshape(spread)
        scale = self.scale.astype(np.float64).reshape(spread)
        return ((self.data.astype(np.float64) - zero) * scale).astype(np.float32)


class _Import:
    def __init__(self, model: Table, subgraph: Table, batch: bool) -> None:
        self._graph = Graph("tflite")
        self._batch = batch
        self._codes = [_code(table) for table in model.tables(1)]
        buffers = [buffer.vector(0, np.dtype(np.uint8)) for buffer in model.tables(4)]
        self._tensors = [_tensor(table, buffers) for table in subgraph.tables(0)]
        self._subgraph = subgraph
        self._names: dict[int, str] = {}

    def run(self) -> bytes:
        for index in self._subgraph.vector(1, _INT32).tolist():
            self._names[index] = self._input(self._tensors[index])
        for operator in self._subgraph.tables(3):
            self._operator(operator)
        for index in self._subgraph.vector(2, _INT32).tolist():
            tensor = self._tensors[index]
            self._graph.output(tensor.name, self._names[index], "float32", self._shape(tensor))
        return self._graph.serialise()

    def _input(self, tensor: _Tensor) -> str:
        """Pixel values become what the quantised network takes them for."""
        name = self._graph.input(tensor.name, "float32", self._shape(tensor))
        if not tensor.scale.size:
            return name
        zero = self._graph.constant(tensor.zero.astype(np.float32).reshape(()))
        scale = self._graph.constant(tensor.scale.astype(np.float32).reshape(()))
        return str(self._graph.node("Mul", [self._graph.node("Sub", [name, zero]), scale]))

    def _shape(self, tensor: _Tensor) -> list[int | str]:
        shape: list[int | str] = list(tensor.shape)
        if self._batch and shape:
            shape[0] = "N"
        return shape

    def _operator(self, operator: Table) -> None:
        code = self._codes[operator.number(0, "I")]
        emit = _EMITTERS.get(code)
        if emit is None:
            raise ConversionError(f"builtin operation {code} is not known")
        operands = [self._tensors[i] for i in operator.vector(1, _INT32).tolist() if i >= 0]
        first = self._names_of(operator.vector(1, _INT32).tolist())
        (output,) = operator.vector(2, _INT32).tolist()
        options = operator.table(4)
        result = emit(self, first, operands, options, self._tensors[output])
        self._names[output] = result

    def _names_of(self, indices: Sequence[int]) -> list[str]:
        return [self._names.get(index, "") for index in indices]

    def activate(self, kind: int, tensor: str) -> str:
        if kind == 0:
            return tensor
        if kind == _RELU:
            return str(self._graph.node("Relu", [tensor]))
        if kind == _RELU6:
            bounds = [self._graph.constant(np.array(bound, np.float32)) for bound in (0, 6)]
            return str(self._graph.node("Clip", [tensor, *bounds]))
        raise ConversionError(f"activation {kind} is not known")

    def convolution(
        self, names: Sequence[str], operands: Sequence[_Tensor], options: Table, depthwise: bool
    ) -> str:
        """Weights are out, height, width, in; a depthwise one is 1, height, width, out."""
        weights = operands[1].real()
        groups = 1
        if depthwise:
            groups = operands[0].shape[3]
            weights = weights.transpose(3, 0, 1, 2)
        else:
            weights = weights.transpose(0, 3, 1, 2)
        bias = operands[2].real().astype(np.float32)
        act, dilation = (4, 5) if depthwise else (3, 4)
        result = self._graph.node(
            "Conv",
            [self._graph.nchw(names[0]), self._graph.constant(weights), self._graph.constant(bias)],
            strides=[options.number(2, "i"), options.number(1, "i")],
            dilations=[options.number(dilation + 1, "i", 1), options.number(dilation, "i", 1)],
            group=groups,
            kernel_shape=list(weights.shape[2:]),
            **_PADDING[options.number(0, "b")],
        )
        return self._graph.nhwc(self.activate(options.number(act, "b"), str(result)))

    def pool(self, names: Sequence[str], options: Table) -> str:
        result = self._graph.node(
            "AveragePool",
            [self._graph.nchw(names[0])],
            strides=[options.number(2, "i"), options.number(1, "i")],
            kernel_shape=[options.number(4, "i"), options.number(3, "i")],
            **_PADDING[options.number(0, "b")],
        )
        return self._graph.nhwc(self.activate(options.number(5, "b"), str(result)))

    def add(self, names: Sequence[str], options: Table | None) -> str:
        kind = options.number(0, "b") if options else 0
        return self.activate(kind, str(self._graph.node("Add", names)))

    def dense(self, names: Sequence[str], operands: Sequence[_Tensor], options: Table) -> str:
        """Weights are out, in; the result has one row per picture."""
        weights = self._graph.constant(operands[1].real())
        bias = self._graph.constant(operands[2].real().astype(np.float32))
        result = self._graph.node("Gemm", [names[0], weights, bias], transB=1)
        return self.activate(options.number(0, "b"), str(result))

    def reshape(self, names: Sequence[str], output: _Tensor) -> str:
        """A leading 0 keeps the batch (ONNX `Reshape`)."""
        shape = [0, *output.shape[1:]] if self._batch else list(output.shape)
        return str(self._graph.node("Reshape", [names[0], self._graph.integers(shape)]))

    def softmax(self, names: Sequence[str]) -> str:
        return str(self._graph.node("Softmax", [names[0]], axis=-1))


_Emitter = Callable[[_Import, list[str], list[_Tensor], Any, _Tensor], str]
_EMITTERS: Mapping[int, _Emitter] = {
    0: lambda at, names, operands, options, output: at.add(names, options),
    1: lambda at, names, operands, options, output: at.pool(names, options),
    3: lambda at, names, operands, options, output: at.convolution(names, operands, options, False),
    4: lambda at, names, operands, options, output: at.convolution(names, operands, options, True),
    9: lambda at, names, operands, options, output: at.dense(names, operands, options),
    22: lambda at, names, operands, options, output: at.reshape(names, output),
    25: lambda at, names, operands, options, output: at.softmax(names),
    114: lambda at, names, operands, options, output: names[0],
}
"""ADD, AVERAGE_POOL_2D, CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED, RESHAPE, SOFTMAX, and
QUANTIZE, which changes only how a number is stored."""


def _code(table: Table) -> int:
    """Newer files keep the code in field 3, older ones in field 0; the larger is the true one."""
    return max(int(table.number(0, "b")), int(table.number(3, "i")))


def _tensor(table: Table, buffers: Sequence[Array]) -> _Tensor:
    kind = table.number(1, "b")
    if kind not in _DTYPES:
        raise ConversionError(f"tensor type {kind} is not known")
    dtype = _DTYPES[kind]
    shape = tuple(table.vector(0, _INT32).tolist())
    stored = buffers[table.number(2, "I")]
    data = None
    if stored.size:
        data = np.frombuffer(stored.tobytes(), dtype.newbyteorder("<")).reshape(shape)
    quantised = table.table(4)
    none = np.zeros(0)
    return _Tensor(
        name=table.text(3),
        shape=shape,
        dtype=dtype,
        data=data,
        scale=quantised.vector(2, np.dtype(np.float32)) if quantised else none,
        zero=quantised.vector(3, np.dtype(np.int64)) if quantised else none,
        axis=quantised.number(6, "i") if quantised else 0,
    )
