"""Opening ONNX Runtime sessions over verified bytes, and looking at what they want and give."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort  # type: ignore[import-untyped]
from onnx.external_data_helper import uses_external_data

from leitstand.core.accelerator import CPU, EXECUTION, NVIDIA
from leitstand.core.problem import Problem
from leitstand.ports import Device

Array = npt.NDArray[Any]


class Session:
    """One loaded ONNX file with one input that matters, called with arrays.

    On a CPU the threads do not spin while idle: several sessions share a machine here, and spinning
    pools take the time of the others (ONNX Runtime: `session.intra_op.allow_spinning`).
    """

    def __init__(self, data: bytes, device: Device) -> None:
        _refuse_external_data(data)
        options = ort.SessionOptions()
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        if device.threads:
            options.intra_op_num_threads = device.threads
        self._session = ort.InferenceSession(data, options, providers=providers(device))
        self.inputs: Mapping[str, Sequence[int | str | None]] = {
            node.name: node.shape for node in self._session.get_inputs()
        }
        self.outputs: Mapping[str, Sequence[int | str | None]] = {
            node.name: node.shape for node in self._session.get_outputs()
        }

    @property
    def dynamic(self) -> bool:
        """Whether the leading dimension of the first input is free."""
        return not isinstance(next(iter(self.inputs.values()))[0], int)

    def run(self, feeds: Mapping[str, Array] | Array) -> dict[str, Array]:
        """All outputs by name. A bare array goes to the first input."""
        if isinstance(feeds, np.ndarray):
            feeds = {next(iter(self.inputs)): feeds}
        return dict(zip(self.outputs, self._session.run(None, dict(feeds)), strict=True))


def providers(device: Device) -> list[str | tuple[str, dict[str, str]]]:
    """ONNX Runtime execution providers for a device.

    A GPU that was asked for and is not usable is a failure, never a silent fall back to the CPU:
    Problem("no-cuda-runtime").
    """
    if device.kind == "cpu":
        return [EXECUTION[CPU]]
    if device.kind != "cuda" or EXECUTION[NVIDIA] not in ort.get_available_providers():
        raise Problem("no-cuda-runtime", device=device.kind)
    ort.preload_dlls()  # CUDA and cuDNN that came as packages; nothing where the system has them
    return [(EXECUTION[NVIDIA], {"device_id": str(device.ordinal)}), EXECUTION[CPU]]


def only_file(files: Mapping[str, bytes], suffix: str = ".onnx") -> bytes:
    """The one file with this ending. Raises Problem("model-signature-unknown") otherwise."""
    found = [data for name, data in files.items() if name.endswith(suffix)]
    if len(found) != 1:
        raise unknown_signature(sorted(files))
    return found[0]


def unknown_signature(found: Iterable[object]) -> Problem:
    """A model whose files or outputs no decoder of its family knows."""
    return Problem("model-signature-unknown", found=", ".join(map(str, found)))


def _refuse_external_data(data: bytes) -> None:
    """Weights outside the file would be read from a path, unchecked: not here."""
    if any(uses_external_data(tensor) for tensor in _tensors(onnx.ModelProto.FromString(data))):
        raise Problem("model-external-data")


def _tensors(part: Any) -> Iterable[onnx.TensorProto]:
    """Every tensor in any part of a model: of graphs and of those inside them, sparse ones, of
    attributes, of functions, and of whatever a later version of the format adds."""
    if isinstance(part, onnx.TensorProto):
        yield part
        return
    for field, value in part.ListFields():
        if field.message_type is not None:
            for inner in [value] if hasattr(value, "ListFields") else value:
                yield from _tensors(inner)
