"""Notes of what `leitstand reap` ended: without a database it cannot book what that cost, so the
control plane reads here what there was, once it runs again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from leitstand.core.instant import utc
from leitstand.core.rented import Stray

NAME = "reaped.jsonl"


def note(folder: Path, strays: Sequence[Stray]) -> None:
    """Add these. Notes are never taken away: whoever loses the database again finds them."""
    with (folder / NAME).open("a", encoding="utf-8") as file:
        file.write("\n")  # the last line may have been cut off
        for stray in strays:
            moments = {
                name: None if at is None else utc(at)
                for name, at in (("since", stray.since), ("until", stray.until))
            }
            file.write(json.dumps(asdict(stray) | moments) + "\n")


def noted(folder: Path) -> list[Stray]:
    """All of them, oldest first. A line that was cut off is left out."""
    try:
        lines = (folder / NAME).read_text("utf-8").splitlines()
    except FileNotFoundError:
        return []
    found = []
    for line in lines:
        try:
            told = json.loads(line)
            moments = {name: _moment(told[name]) for name in ("since", "until")}
            found.append(Stray(**{**told, **moments}))
        except (ValueError, TypeError, KeyError):
            continue
    return found


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
