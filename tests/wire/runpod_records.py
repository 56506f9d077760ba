"""What official RunPod clients exchanged with the simulator, kept as files, and their schemas."""

from __future__ import annotations

from typing import Any

from tests.wire import records

RECORDS = records.FOLDER / "runpod"


def read(name: str) -> Any:
    """One record."""
    return records.read("runpod", name)


def write(name: str, document: Any) -> None:
    """See `records.write`."""
    records.write("runpod", name, document)


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
