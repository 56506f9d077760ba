"""Leitstand: a control room for rented GPUs that analyse media."""

import os

__version__ = "0.1.0"

# Official wheels of ONNX Runtime report usage to their maker unless told otherwise before import.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
