"""Instants as machines read them."""

from __future__ import annotations

from datetime import UTC, datetime


def utc(at: datetime) -> str:
    """RFC 3339 UTC in one spelling everywhere: `2026-11-24T08:00:00Z`."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
