"""Refusals of Vast.ai as scripted faults, for what its state does not explain."""

from __future__ import annotations

from typing import Any

from tests.wire.faults import Fault, replaced


def refused(
    method: str = "", path: str = "", status: int = 400, error: str = "no_such_ask", **more: Any
) -> Fault:
    """JSON with an error, from before processing."""
    body = {"success": False, "error": error, "msg": f"error {status}: {error}"}
    return replaced(method, path, status, body, effect=False, **more)


def limited(method: str = "", path: str = "", retry_after: int | None = None, **more: Any) -> Fault:
    """A 429 in plain text from before processing, with or without a hint."""
    headers = {"Content-Type": "text/plain"}
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    text = b"API requests too frequent: endpoint threshold=4.5"
    return Fault(method, path, False, "replaced", 429, headers, text, **more)


def quota(method: str = "POST", path: str = "/api/v0/bundles/", **more: Any) -> Fault:
    """The searches of the day are used up."""
    return refused(method, path, 429, "search_quota_exceeded", **more)


def silent_success(method: str = "", path: str = "", **more: Any) -> Fault:
    """It happened, and the answer lacks what it should say."""
    return replaced(method, path, 200, {"success": True}, **more)
