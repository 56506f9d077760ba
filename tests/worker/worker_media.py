"""Small media and models made here, and the tasks over them."""

import base64
import io
import itertools

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
