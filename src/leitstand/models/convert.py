"""The steps by which shipped files become files of a model. Data in, data out; nothing is executed.

A step is found by the name the catalogue gives it. Heavy libraries are imported inside the steps,
so listing models needs none of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from typing import Any

from leitstand.core.model import ModelFile
from leitstand.core.problem import Problem
from leitstand.models.catalogue import Making

Step = Callable[[Sequence[bytes], Mapping[str, Any]], bytes]


def make(model: str, file: ModelFile, making: Making, sources: Mapping[str, bytes]) -> bytes:
    """The bytes of a file of `model`, equal to the pinned digest.

    Raises Problem("model-conversion-differs") if a conversion gave other bytes than the catalogue
    pins: that is not a damaged download (sources were checked before), but a conversion library of
    another version, which the problem names. A copied file is checked like a download.
    """
    inputs = [sources[name] for name in making.inputs]
    try:
        data = STEPS[making.step](inputs, making.options)
    except KeyError:
        raise Problem("catalogue-broken", detail=f"unknown step {making.step}") from None
    except ValueError as error:
        raise Problem("model-not-convertible", model=model, detail=str(error)) from error
    actual = hashlib.sha256(data).hexdigest()
    if actual == file.sha256:
        return data
    if making.step in _CONVERSIONS:
        raise Problem(
            "model-conversion-differs",
            model=model,
            expected=file.sha256,
            actual=actual,
            libraries=f"onnx {version('onnx')}, numpy {version('numpy')}",
        )
    raise Problem("model-digest-wrong", model=model, expected=file.sha256, actual=actual)


def _copy(inputs: Sequence[bytes], options: Mapping[str, Any]) -> bytes:
    (data,) = inputs
    return data


def _join(inputs: Sequence[bytes], options: Mapping[str, Any]) -> bytes:
    return b"".join(inputs)


def _tfjs(inputs: Sequence[bytes], options: Mapping[str, Any]) -> bytes:
    from leitstand.models import tfjs

    topology, weights = inputs
    return tfjs.convert(topology, weights, batch=bool(options.get("batch", False)))


def _tflite(inputs: Sequence[bytes], options: Mapping[str, Any]) -> bytes:
    from leitstand.models import tflite

    (data,) = inputs
    return tflite.convert(data, batch=bool(options.get("batch", False)))


STEPS: Mapping[str, Step] = {"copy": _copy, "join": _join, "tfjs": _tfjs, "tflite": _tflite}
_CONVERSIONS = frozenset({"tfjs", "tflite"})
