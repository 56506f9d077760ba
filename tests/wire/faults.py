"""Scripted faults between a client and a simulated provider: which call, and what goes wrong with it.

    served.faults.append(lost_after("POST", "/v2/pods"))          # the pod exists, the reply does not

The first fault of the list that matches a call and has `times` left is taken.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(slots=True)
class Fault:
    """What goes wrong with the next `times` calls that match, after `skip` of them went well.

    `effect` says whether the simulator carries the call out; `reply` is what the client then gets:
    the true answer, cut short, replaced, lost (connection closed) or never.
    """

    method: str = ""
    path: str = ""
    """A regular expression for the whole path without its query; empty for any."""
    effect: bool = True
    reply: str = "true"
    """`true`, `truncated`, `replaced`, `rewritten`, `lost` or `never`."""
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    rewrite: Callable[[Any], Any] | None = None
    """From the true JSON to that of the client."""
    times: int = 1
    skip: int = 0
    until: datetime | None = None
    """Counts up to this time of the clock, however many calls come."""

    def takes(self, method: str, path: str, now: datetime) -> bool:
        """Whether this call goes wrong; uses the fault up."""
        if self.method not in ("", method) or not re.fullmatch(self.path or ".*", path):
            return False
        if self.until is not None:
            return now < self.until
        if self.times <= 0:
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.times -= 1
        return True


HTML = {"Content-Type": "text/html"}
JSON = {"Content-Type": "application/json"}


def lost_before(method: str = "", path: str = "", **more: Any) -> Fault:
    """The connection breaks and nothing happened."""
    return Fault(method, path, effect=False, reply="lost", **more)


def lost_after(method: str = "", path: str = "", **more: Any) -> Fault:
    """The connection breaks and it happened."""
    return Fault(method, path, reply="lost", **more)


def failed_before(method: str = "", path: str = "", status: int = 503, **more: Any) -> Fault:
    """A 5xx, and nothing happened."""
    return replaced(method, path, status, {"error": "service unavailable"}, effect=False, **more)


def failed_after(method: str = "", path: str = "", status: int = 500, **more: Any) -> Fault:
    """A 5xx, and it happened all the same."""
    return replaced(method, path, status, {"error": "Something went wrong."}, **more)


def limited(method: str = "", path: str = "", retry_after: int | None = None, **more: Any) -> Fault:
    """A 429 from before processing, with or without a hint."""
    fault = replaced(method, path, 429, {"error": "rate limit exceeded"}, effect=False, **more)
    if retry_after is not None:
        fault.headers["Retry-After"] = str(retry_after)
    return fault


def html(method: str = "", path: str = "", status: int = 200, **more: Any) -> Fault:
    """A page of some proxy in place of the answer."""
    page = b"<!DOCTYPE html><title>Just a moment...</title>"
    headers = dict(HTML)
    return Fault(method, path, reply="replaced", status=status, headers=headers, body=page, **more)


def truncated(method: str = "", path: str = "", **more: Any) -> Fault:
    """The first half of the JSON, as if it were all."""
    return Fault(method, path, reply="truncated", **more)


def shape(method: str = "", path: str = "", payload: Any = None, **more: Any) -> Fault:
    """Success, with JSON of another shape."""
    return replaced(method, path, 200, payload, **more)


def rewritten(
    method: str = "", path: str = "", rewrite: Callable[[Any], Any] | None = None, **more: Any
) -> Fault:
    """The true answer, changed: a list that lacks rows, an old state, another price."""
    return Fault(method, path, reply="rewritten", rewrite=rewrite, **more)


def outage(until: datetime, status: int = 503) -> Fault:
    """Nothing works until then; status 0 breaks every connection."""
    if status:
        return replaced("", "", status, {"error": "service unavailable"}, False, until=until)
    return Fault(effect=False, reply="lost", until=until)


def hang(method: str = "", path: str = "", **more: Any) -> Fault:
    """The answer never comes; it happened unless `effect` is false."""
    return Fault(method, path, reply="never", **more)


def replaced(
    method: str, path: str, status: int, payload: Any, effect: bool = True, **more: Any
) -> Fault:
    """Another answer, as JSON."""
    body = json.dumps(payload).encode()
    return Fault(method, path, effect, "replaced", status, dict(JSON), body, **more)
