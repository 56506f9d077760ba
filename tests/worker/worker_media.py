"""Small media and models made here."""

import base64
import io


def png(colour=(10, 20, 30), size=(32, 24)):
    """A picture of one colour."""
    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "PNG")
    return out.getvalue()


def doubling_model():
    """An ONNX model of one node: y = x + x, float32[2]."""
    return base64.b64decode(
        "CAg6NQoOCgF4CgF4EgF5IgNBZGQSAWdaDwoBeBIKCggIARIECgIIAmIPCgF5EgoKCAgBEgQKAggCQgQKABAN"
    )
