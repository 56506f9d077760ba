"""A writer of ONNX graphs whose bytes depend on the input alone.

Importers (`tfjs`, `tflite`) put nodes and constants here in order. Names come from the source or
from a counter, nothing records a time or a library version, and protobuf serialises
deterministically, so the catalogue can pin the SHA-256 of what a conversion makes. Opset 17,
IR version 8 (ONNX IR specification, `onnx/onnx:docs/IR.md`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
IR_VERSION = 8

Array = npt.NDArray[Any]

ONNX_TYPE: Mapping[str, int] = {
    "float32": TensorProto.FLOAT,
    "int32": TensorProto.INT32,
    "int64": TensorProto.INT64,
    "bool": TensorProto.BOOL,
    "uint8": TensorProto.UINT8,
}


class ConversionError(ValueError):
    """The source model holds something the importer does not know or does not trust."""


class Graph:
    """Collects nodes, constants, inputs and outputs, and becomes one ONNX file."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, Array] = {}
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._count = 0

    def fresh(self, kind: str) -> str:
        """A name nothing else has; the counter makes it the same in every conversion."""
        self._count += 1
        return f"{kind}~{self._count}"

    def constant(self, value: Array, name: str | None = None) -> str:
        """Adds a constant tensor and returns its name. Unused ones are left out of the file."""
        name = name or self.fresh("const")
        self._constants[name] = np.ascontiguousarray(value)
        return name

    def integers(self, values: Sequence[int] | Array) -> str:
        """A one-dimensional int64 constant, the form in which ONNX takes axes and shapes."""
        return self.constant(np.asarray(values, dtype=np.int64).reshape(-1))

    def value(self, name: str) -> Array:
        """The content of a constant. Raises ConversionError if the tensor is computed."""
        found = self._constants.get(name)
        if found is None:
            raise ConversionError(f"{name} must be a constant")
        return found

    def is_constant(self, name: str) -> bool:
        return name in self._constants

    def node(self, op: str, inputs: Sequence[str], /, outputs: int = 1, **attributes: Any) -> Any:
        """Adds a node; returns the name of its output, or a list of names if there are several."""
        names = [self.fresh(op) for _ in range(outputs)]
        self._nodes.append(helper.make_node(op, list(inputs), names, **attributes))
        return names[0] if outputs == 1 else names

    def input(self, name: str, dtype: str, shape: Sequence[int | str]) -> str:
        self._inputs.append(helper.make_tensor_value_info(name, ONNX_TYPE[dtype], list(shape)))
        return name

    def output(self, name: str, tensor: str, dtype: str, shape: Sequence[int | str]) -> None:
        """Publishes a tensor under a stable name with a declared shape."""
        self._nodes.append(helper.make_node("Identity", [tensor], [name]))
        self._outputs.append(helper.make_tensor_value_info(name, ONNX_TYPE[dtype], list(shape)))

    def nchw(self, tensor: str) -> str:
        return str(self.node("Transpose", [tensor], perm=[0, 3, 1, 2]))

    def nhwc(self, tensor: str) -> str:
        return str(self.node("Transpose", [tensor], perm=[0, 2, 3, 1]))

    def serialise(self) -> bytes:
        """The finished model; checked by onnx before its bytes are returned."""
        used = {name for node in self._nodes for name in node.input}
        initialisers = [
            numpy_helper.from_array(value, name)
            for name, value in self._constants.items()
            if name in used
        ]
        graph = helper.make_graph(
            self._nodes, self._name, self._inputs, self._outputs, initialisers
        )
        model = onnx.ModelProto(ir_version=IR_VERSION, producer_name="leitstand", graph=graph)
        model.opset_import.append(helper.make_opsetid("", OPSET))
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString(deterministic=True))
