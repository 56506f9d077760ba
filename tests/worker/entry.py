"""A real worker process whose pipelines and model families are those of the tests.

Run as a program. `LEITSTAND_TEST_UNREACHABLE_SECONDS` shortens the patience with a silent control
plane. The last line of its log names the variables that it had.
"""

import importlib
import json
import os
import sys
import types

from leitstand.core.finding import Detection, Frame, Stats


def run_probe(profile, source, models, progress):
    """One detection per frame: its box is what the model says of the picture."""
    frames = 0
    for frame in source.frames(1280):
        (box,) = models["constant"]([frame.rgb])
        frames += 1
        progress(1)
        yield Frame(frame.time_us, (Detection(box, "person", 1.0),))
    yield Stats("probe", frames, frames)


def run_exhausted(profile, source, models, progress):
    """A host without memory."""
    next(source.frames(1280))
    raise MemoryError
    yield


def run_buggy(profile, source, models, progress):
    """A bug of ours, whose message quotes media."""
    raise KeyError("canary-3f9a")
    yield


class Constant:
    """The first float of the ONNX output, and the picture's size."""

    batch_max = 8

    def __init__(self, files):
        import onnxruntime

        (data,) = files.values()
        self._session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])

    def __call__(self, items):
        import numpy as np

        x = np.array([0.5, 1.5], np.float32)
        first, second = (float(v) for v in self._session.run(None, {"x": x})[0])
        return [(first, second, float(rgb.shape[1]), float(rgb.shape[0])) for rgb in items]


def load(files, device):
    return Constant(files)


def fuse(inputs, results, advance):
    """A report that names every line of every result."""
    advance()
    lines = [line.type for result in inputs.results for line in results(result.object_id)]
    return types.SimpleNamespace(report={"lines": lines}, html="<p>ok</p>")


def modules():
    def module(name, **members):
        made = types.ModuleType(name)
        vars(made).update(members)
        sys.modules[name] = made
        parent, _, leaf = name.rpartition(".")
        setattr(sys.modules[parent], leaf, made)

    for package in ("leitstand.analysis", "leitstand.models"):
        importlib.import_module(package)

    module("leitstand.analysis.probe", run=run_probe)
    module("leitstand.analysis.exhausted", run=run_exhausted)
    module("leitstand.analysis.buggy", run=run_buggy)
    module("leitstand.analysis.fuse", fuse=fuse)
    module("leitstand.models.constant", load=load)


if __name__ == "__main__":
    from leitstand.worker import main

    patience = os.environ.pop("LEITSTAND_TEST_UNREACHABLE_SECONDS", None)
    if patience:
        main.UNREACHABLE_SECONDS_MAX = float(patience)
    modules()
    code = main.run(os.environ)
    sys.stderr.write(json.dumps({"event": "over", "environment": sorted(os.environ)}) + "\n")
    raise SystemExit(code)
