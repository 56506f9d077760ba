"""What the label of an instance says: whose it is, which, and by when it has to be gone.

`ls1-<installation>-<ULID>-<end_by in epoch minutes>`, 48 characters. It is all that `reap` needs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_LABEL = re.compile(r"ls1-([a-z0-9]{8})-([0-9A-HJKMNP-TV-Z]{26})-([0-9]{1,9})")
"""Nine digits of minutes reach into the year 3871: every end that is read is a moment."""
_INSTALLATION = re.compile(r"[a-z0-9]{8}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Label:
    """A label of this product."""

    installation: str
    instance_id: str
    end_by: datetime


def is_installation(text: str) -> bool:
    """Whether labels can name it."""
    return _INSTALLATION.fullmatch(text) is not None


def installation_in(content: bytes) -> str | None:
    """The name that a file keeps; None where it keeps none."""
    name = content.decode("ascii", "replace").strip()
    return name if is_installation(name) else None


def read(text: str) -> Label | None:
    """None for what is no label of this product, to the last character."""
    found = _LABEL.fullmatch(text)
    if found is None:
        return None
    end_by = _EPOCH + timedelta(minutes=int(found[3]))
    return Label(found[1], f"instance_{found[2]}", end_by)
