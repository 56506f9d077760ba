"""Importer of TensorFlow.js graph models: `model.json` and its weight file become one ONNX file.

Reads data only: JSON and raw numbers, nothing that a package could execute. Tensors keep the NHWC
order of TensorFlow; convolutions stand between transposes, which ONNX Runtime's optimiser removes.
The format is that of `tensorflow/tfjs:tfjs-converter` (weights manifest, `modelTopology` is a
GraphDef as JSON); what each operation means is TensorFlow's own documentation of `tf.raw_ops`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from leitstand.models.onnxgraph import ONNX_TYPE, Array, ConversionError, Graph
from leitstand.models.tfjs_ops import OPERATIONS, Node

DTYPES: Mapping[str, str] = {
    "DT_FLOAT": "float32",
    "DT_INT32": "int32",
    "DT_INT64": "int64",
    "DT_BOOL": "bool",
    "DT_UINT8": "uint8",
}


def convert(model_json: bytes, weights: bytes, *, batch: bool = False) -> bytes:
    """The ONNX file of a TF.js graph model.

    With `batch`, a leading dimension of 1 becomes `N` in inputs, outputs and reshapes: right only
    for graphs that treat the pictures of a batch alike, which the catalogue says per model.
    Raises ConversionError for an operation or a weight encoding that is not known.
    """
    document = json.loads(model_json)
    tensors = dict(_weights(document["weightsManifest"], weights))
    nodes = {raw["name"]: _node(raw, batch) for raw in document["modelTopology"]["node"]}
    graph = Graph("tfjs")
    made: dict[str, str] = {}
    for node in _ordered(nodes):
        inputs = [made[_tensor(name)] for name in node.inputs]
        for index, tensor in enumerate(_emit(graph, node, inputs, tensors)):
            made[_tensor(f"{node.name}:{index}")] = tensor
    signature = document.get("signature") or document["userDefinedMetadata"]["signature"]
    for key in sorted(signature["outputs"]):
        declared = signature["outputs"][key]
        graph.output(
            _tensor(key).replace(":", "_"),
            made[_tensor(declared["name"])],
            DTYPES[declared["dtype"]],
            _shape(declared["tensorShape"], batch),
        )
    return graph.serialise()


def _weights(manifest: Sequence[Mapping[str, Any]], data: bytes) -> Iterator[tuple[str, Array]]:
    """Name and value of every weight; the groups lie one after another in `data`."""
    offset = 0
    for weight in (weight for group in manifest for weight in group["weights"]):
        quantised = weight.get("quantization")
        stored = np.dtype(quantised["dtype"] if quantised else weight["dtype"]).newbyteorder("<")
        count = math.prod(weight["shape"])
        if offset + count * stored.itemsize > len(data):
            raise ConversionError(f"the weight file ends before {weight['name']}")
        value = np.frombuffer(data, stored, count, offset)
        offset += count * stored.itemsize
        if quantised and stored.kind == "u":
            value = value.astype(np.float32) * quantised["scale"] + quantised["min"]
        target = np.dtype(weight["dtype"])
        yield weight["name"], value.astype(target).reshape(weight["shape"])
    if offset != len(data):
        raise ConversionError("the weight file is longer than its manifest says")


def _node(raw: Mapping[str, Any], batch: bool) -> Node:
    inputs = tuple(name for name in raw.get("input", ()) if not name.startswith("^"))
    return Node(raw["name"], raw["op"], inputs, raw.get("attr", {}), batch)


def _tensor(name: str) -> str:
    """TensorFlow writes output 0 of a node with or without `:0`."""
    return name.removesuffix(":0")


def _shape(raw: Mapping[str, Any], batch: bool) -> list[int | str]:
    sizes: list[int | str] = [int(dim.get("size", -1)) for dim in raw.get("dim", ())]
    if batch and sizes:
        sizes[0] = "N"
    return [size if isinstance(size, str) or size > 0 else f"d{i}" for i, size in enumerate(sizes)]


def _ordered(nodes: Mapping[str, Node]) -> Iterator[Node]:
    """Every node after the nodes it reads, otherwise in the order of the file."""
    done: set[str] = set()
    for root in nodes:
        stack = [root]
        while stack:
            name = stack[-1]
            waiting = [i for i in map(_producer, nodes[name].inputs) if i not in done]
            if waiting and len(stack) <= len(nodes):
                stack.append(waiting[0])
            elif waiting:
                raise ConversionError("the graph has a cycle")
            else:
                stack.pop()
                if name not in done:
                    done.add(name)
                    yield nodes[name]


def _producer(tensor: str) -> str:
    return tensor.partition(":")[0]


def _emit(
    graph: Graph, node: Node, inputs: Sequence[str], tensors: Mapping[str, Array]
) -> Sequence[str]:
    if node.op == "Const":
        return [graph.constant(tensors[node.name], node.name)]
    if node.op == "Placeholder":
        dtype = DTYPES[node.attributes["dtype"]["type"]]
        if dtype not in ONNX_TYPE:
            raise ConversionError(f"input type {dtype} of {node.name}")
        return [
            graph.input(node.name, dtype, _shape(node.attributes["shape"]["shape"], node.batch))
        ]
    operation = OPERATIONS.get(node.op)
    if operation is None:
        raise ConversionError(f"operation {node.op} of {node.name} is not known")
    result = operation(graph, node, inputs)
    return [result] if isinstance(result, str) else result
