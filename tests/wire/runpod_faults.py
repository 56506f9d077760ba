"""Refusals of RunPod as scripted faults."""

from __future__ import annotations

from typing import Any

from tests.wire.faults import Fault, replaced
from tests.wire.runpod_rules import NO_INSTANCES


def refused(
    method: str = "", path: str = "", status: int = 400, detail: str = NO_INSTANCES, **more: Any
) -> Fault:
    """A refusal of the API that its state does not explain: capacity gone since the catalogue said
    there was some, a permission withdrawn, a generation retired (410)."""
    body = {"title": "", "status": status, "detail": detail}
    fault = replaced(method, path, status, body, effect=False, **more)
    fault.headers["Content-Type"] = "application/problem+json"
    return fault
