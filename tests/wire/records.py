"""What official clients exchanged with a simulator, kept as files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "recorded"


def read(provider: str, name: str) -> Any:
    """One record."""
    return json.loads((FOLDER / provider / f"{name}.json").read_text("utf-8"))


def write(provider: str, name: str, document: Any) -> None:
    """Sorted and indented, so that a change can be read; where there are hundreds, one a line."""
    text = json.dumps(document, indent=1, sort_keys=True)
    if many := document.get("refusals"):
        lines = (f"{json.dumps(rule)}: {json.dumps(many[rule], sort_keys=True)}" for rule in many)
        text = json.dumps(document | {"refusals": {}}, indent=1, sort_keys=True)
        text = text.replace('"refusals": {}', '"refusals": {\n  ' + ",\n  ".join(lines) + "\n }")
    path = FOLDER / provider / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text + "\n", "utf-8")
