"""What the list of files that a fresh machine installs says of them."""

from __future__ import annotations

import json
import re
from typing import Any

_RUNTIME = re.compile(r"nvidia_cuda_runtime(?:_cu\d+)?-(\d+)\.")


def bytes_of(manifest: bytes | None) -> int:
    """How much the files are in all."""
    return sum(int(file["bytes"]) for file in _files(manifest))


def cuda_needed(manifest: bytes | None) -> str | None:
    """The oldest CUDA that a driver must be made for: within one major version an older driver runs
    a newer runtime (CUDA Compatibility, minor versions). None where no CUDA is installed."""
    for file in _files(manifest):
        found = _RUNTIME.match(str(file.get("name")))
        if found is not None:
            return f"{found[1]}.0"
    return None


def _files(manifest: bytes | None) -> list[dict[str, Any]]:
    return [] if manifest is None else list(json.loads(manifest).get("files", ()))
