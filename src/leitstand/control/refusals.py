"""Why instances ended, as far as it says something of offers: what was refused, what was asked for."""

from __future__ import annotations

from leitstand.core.instance import Instance
from leitstand.core.resting import Refusal

AS_ASKED = frozenset({"idle", "asked", "unwanted"})
"""Reasons of instances that we or a person ended: they speak against no machine."""

_NEVER_CAME = frozenset(
    {
        "no-capacity",
        "no-funds",
        "unauthorized",
        "provider-retired",
        "provider-unavailable",
        "launch-rejected",
        "never-created",
    }
)


def code_of(instance: Instance) -> str | None:
    """Why an instance ended, as a catalogue code."""
    return None if instance.reason is None else str(instance.reason["code"])


def refusals_of(ended: list[Instance]) -> list[Refusal]:
    """The launches among these that created nothing."""
    return [
        Refusal(
            instance.provider,
            str(instance.offer["offer_id"]),
            str(code_of(instance)),
            instance.ended_at or instance.updated_at,
        )
        for instance in ended
        if code_of(instance) in _NEVER_CAME
    ]
