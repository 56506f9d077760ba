"""What computes: of whose make, and by which execution provider of ONNX Runtime."""

from __future__ import annotations

NVIDIA, AMD, CPU, ANY = "nvidia", "amd", "cpu", "any"

EXECUTION = {
    NVIDIA: "CUDAExecutionProvider",
    AMD: "MIGraphXExecutionProvider",
    CPU: "CPUExecutionProvider",
}
"""By accelerator (onnxruntime.ai/docs/execution-providers; for ROCm it is MIGraphX)."""

STAFFED = (NVIDIA, CPU)
"""Those that there is a worker for (`boot/bundle.py`); no offer of another is taken."""

KINDS = {"cuda": NVIDIA, "cpu": CPU}
"""By the device that a worker computes on (`ports.Device`)."""

_EARLIER = {"cuda": NVIDIA, "rocm": AMD}
"""How offers were written before they named the maker; decisions and instances keep them."""


def named(accelerator: str) -> str:
    """An accelerator as it is called now."""
    return _EARLIER.get(accelerator, accelerator)


def execution_of(kind: str) -> str:
    """The execution provider of a worker's device."""
    return EXECUTION[KINDS[kind]]
