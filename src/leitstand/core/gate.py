"""Capabilities behind gates: one function, asked at planning and at key release."""

from __future__ import annotations

from datetime import datetime

from leitstand.core.medium import Case

OPEN = frozenset(
    {
        "object-detection",
        "face-detection",
        "pose",
        "scene-labels",
        "scene-rules",
        "person-segmentation",
        "tracking",
        "voice-activity",
        "transcription",
    }
)
"""Capabilities that identify and judge nobody. Everything else is refused: this build has no gates,
so no pipeline that would need one exists."""


def permitted(capability: str, case: Case, now: datetime) -> bool:
    """Whether a field that needs `capability` may be planned and computed for `case`."""
    del case, now
    return capability in OPEN
