"""One account at Vast.ai over HTTP: the key, what is sent, and what an answer asks of the caller.

It neither retries nor paces nor follows a redirect, which could carry the key elsewhere.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx

from leitstand.ports import ProviderError, Unauthorized, Unavailable, UnknownOutcome
from leitstand.providers.vast_answers import refusal

READ, CREATE = httpx.Timeout(30, connect=5), httpx.Timeout(90, connect=5)

Reply = tuple[int, Any, str, httpx.Headers]
"""Status, body where it is JSON, the start of its text, headers."""


class Account:
    """Calls with one key. Safe to use from several threads."""

    def __init__(
        self,
        origin: str,
        key_file: str | None,
        now: Callable[[], datetime],
        transport: httpx.BaseTransport | None,
    ) -> None:
        self._now = now
        self._key = _key(key_file)
        self._http = httpx.Client(
            base_url=origin,
            headers={"Authorization": f"Bearer {self._key}"},
            timeout=READ,
            transport=transport,
            trust_env=False,
        )

    def call(
        self, method: str, path: str, body: Any = None, query: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        return self.good(*self.send(method, path, body, query))

    def good(self, status: int, answer: Any, text: str, headers: httpx.Headers) -> dict[str, Any]:
        """Success is a 2xx whose body is an object that does not say otherwise."""
        if status < 300 and isinstance(answer, dict) and answer.get("success", True) is True:
            return answer
        if status < 300 and not isinstance(answer, dict):
            raise Unavailable("an answer that is no JSON object")
        raise self.refused(status, answer, text, headers)

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        query: Mapping[str, str] | None = None,
        creating: bool = False,
    ) -> Reply:
        """One request; a key that an answer repeats is cut out of it. No exception of the library
        is chained: it holds the request and so the key."""
        timeout = CREATE if creating else READ
        try:
            reply = self._http.request(method, path, json=body, params=query, timeout=timeout)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise Unavailable(type(error).__name__) from None
        except httpx.HTTPError as error:
            failed = UnknownOutcome if creating else Unavailable
            raise failed(type(error).__name__) from None
        text = reply.text.replace(self._key, "(key)")
        try:
            answer = json.loads(text, parse_float=Decimal)
        except ValueError:
            answer = None
        return reply.status_code, answer, text[:2000], reply.headers

    def refused(self, status: int, answer: Any, text: str, headers: httpx.Headers) -> ProviderError:
        """What an answer that is no success asks the caller to do."""
        return refusal(status, answer, text, _hint(headers), self._to_midnight())

    def _to_midnight(self) -> timedelta:
        now = self._now()
        return timedelta(days=1) - (now - now.replace(hour=0, minute=0, second=0, microsecond=0))


def _key(path: str | None) -> str:
    """The key in a file that nobody else may read."""
    try:
        handle = os.open(path or "", os.O_RDONLY | os.O_CLOEXEC)
        with os.fdopen(handle) as file:
            if stat.S_IMODE(os.fstat(handle).st_mode) & 0o077:
                raise Unauthorized(f"{Path(path or '').name} may be read by others: set mode 0600")
            key = file.read().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Unauthorized(f"the key file cannot be read: {type(error).__name__}") from None
    if not (key and key.isascii() and key.isprintable() and " " not in key):
        raise Unauthorized("the key file holds no key")
    return key


def _hint(headers: httpx.Headers) -> timedelta | None:
    value = headers.get("retry-after", "")
    return timedelta(seconds=min(int(value), 3600)) if value.isdigit() else None
