"""Small media and models made here, and the tasks over them."""

import base64
import io
import itertools

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from worker_plane import Task

from leitstand.core.finding import Detection, Frame

_numbers = itertools.count(1)


def png(colour=(10, 20, 30), size=(32, 24)):
    """A picture of one colour."""
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "PNG")
    return out.getvalue()


def doubling_model(tag=b""):
    """An ONNX model of one node, y = x + x over float32[2]; `tag` makes it another file."""
    model = base64.b64decode(
        "CAg6NQoOCgF4CgF4EgF5IgNBZGQSAWdaDwoBeBIKCggIARIECgIIAmIPCgF5EgoKCAgBEgQKAggCQgQKABAN"
    )
    return model + (b"\x32" + bytes([len(tag)]) + tag if tag else b"")  # field 6: doc_string


def constant_detector():
    """A detector with the outputs of NanoDet-g 416 that sees one person in the middle of any
    picture: 192 pixels wide and high where the picture is 416 pixels square."""
    outputs, bins = {}, 11
    for stride in (8, 16, 32):
        cells = (416 // stride) ** 2
        outputs[f"scores_{stride}"] = np.zeros((1, cells, 80), np.float32)
        outputs[f"sides_{stride}"] = np.zeros((1, cells, 4 * bins), np.float32)
    middle = 6 * 13 + 6
    outputs["scores_32"][0, middle, 0] = 0.9
    outputs["sides_32"][0, middle, [side * bins + 3 for side in range(4)]] = 100.0
    nodes = [
        helper.make_node("Constant", [], [name], value=numpy_helper.from_array(value))
        for name, value in outputs.items()
    ]
    wanted = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 416, 416])
    given = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, value.shape)
        for name, value in outputs.items()
    ]
    graph = helper.make_graph(nodes, "constant", [wanted], given)
    opsets = [helper.make_opsetid("", 13)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


def probe(segments=1, model=None, **options):
    """A task over pictures of different sizes, through the constant model of `entry`."""
    pictures = {number: png(size=(32 + number, 24)) for number in range(segments)}
    models = {"constant": model or doubling_model()}
    return Task(f"t{next(_numbers)}", "probe", pictures, models, **options)


def plain(pipeline, body, models=None):
    """A task of one segment with any content."""
    return Task(f"t{next(_numbers)}", pipeline, {0: body}, models or {})


def frame_of(number):
    """What `probe` finds in its picture."""
    box = (1.0, 3.0, 32.0 + number, 24.0)
    return Frame(0, (Detection(box, "person", 1.0),))
