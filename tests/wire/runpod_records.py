"""What official RunPod clients exchanged with the simulator, kept as files, and their schemas."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RECORDS = Path(__file__).parent / "recorded" / "runpod"


def read(name: str) -> Any:
    """One record."""
    return json.loads((RECORDS / f"{name}.json").read_text("utf-8"))


def write(name: str, document: Any) -> None:
    """Sorted and indented, so that a change can be read."""
    text = json.dumps(document, indent=1, sort_keys=True)
    (RECORDS / f"{name}.json").write_text(text + "\n", "utf-8")


def prune(schema: Any) -> Any:
    """A schema without its prose and examples."""
    if isinstance(schema, list):
        return [prune(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    prose = {"description", "examples", "example", "default", "x-enum-varnames"}
    return {
        name: {field: prune(part) for field, part in inner.items()}
        if name in ("properties", "$defs")
        else prune(inner)
        for name, inner in schema.items()
        if name not in prose
    }
