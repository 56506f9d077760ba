"""One call to a provider over HTTP, and what its answer asks of the caller.

Nothing is retried and no redirect is followed: it could carry the key elsewhere. No exception of the
HTTP library leaves this module, because it holds the request and so the key.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from leitstand.core.address import origin
from leitstand.ports import (
    NoFunds,
    ProviderError,
    RateLimited,
    Rejected,
    Retired,
    Unauthorized,
    Unavailable,
    UnknownOutcome,
)
from leitstand.wire.key import Key
from leitstand.wire.pace import HINT_MAX, Pace, Rank

CONNECT_SECONDS = 5.0
READ_SECONDS, CREATE_SECONDS = 30.0, 90.0
"""Longest silence within an answer; a create is given more, because giving up on it decides nothing."""
ANSWER_SECONDS_MAX = 120.0
ANSWER_BYTES_MAX = 32 << 20
DETAIL_CHARACTERS_MAX = 200
KEPT_OUT_MAX = 256
NO_KEY = Key("")
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
_SAID_IN = ("detail", "error", "message", "msg", "title")

Texts = Sequence[tuple[str, type[ProviderError]]]
"""Fragments of what a provider says, in lower case, and what each of them means."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. `body` is its JSON, None where it is none; `detail` says in the provider's words
    what was wrong, without secrets."""

    status: int
    body: Any = field(repr=False)
    detail: str
    retry_after: timedelta | None = None

    @property
    def good(self) -> bool:
        """Whether it is a success by its status."""
        return 200 <= self.status < 300


class Wire:
    """One account at one provider. Safe to use from several threads.

    `base_url` is an origin, https or on loopback. `key` is None where the connection itself says who
    calls: a socket, or a client certificate. `sunset` is when the provider said that this API will
    end (RFC 8594), as far as it said so.
    """

    def __init__(
        self,
        base_url: str,
        key: Key | None,
        pace: Pace,
        transport: httpx.BaseTransport | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        try:
            self._origin = origin(base_url)
        except ValueError as error:
            raise Rejected(f"base_url {error}") from None
        self._key, self._pace, self._monotonic = key or NO_KEY, pace, monotonic
        self._http = httpx.Client(base_url=self._origin, transport=transport, trust_env=False)
        self._kept_out: tuple[Key, ...] = ()
        self.sunset: datetime | None = None

    def call(
        self,
        rank: Rank,
        endpoint: str,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: Mapping[str, str] | None = None,
        creating: bool = False,
        secrets: Sequence[str] = (),
    ) -> Reply:
        """Make one call. `endpoint` names what is paced together, `secrets` what must not come back
        in words beside the key.

        Raises RateLimited before anything is sent, Unavailable where nothing answered, and for what
        creates something UnknownOutcome once it may have been sent.
        """
        self._pace.take(endpoint, rank)
        failed = UnknownOutcome if creating else Unavailable
        began = self._monotonic()
        try:
            with self._opened(method, path, body, query, creating) as reply:
                content = self._whole(reply, began, failed)
                status, headers = reply.status_code, reply.headers
        except _NOT_SENT as error:
            raise Unavailable(f"{endpoint}: {type(error).__name__}") from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise failed(f"{endpoint}: {type(error).__name__}") from None
        return self._read(endpoint, status, headers, content, secrets)

    @contextmanager
    def streamed(
        self,
        rank: Rank,
        endpoint: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        idle_seconds: float,
    ) -> Iterator[httpx.Response]:
        """The answer to a GET while it comes in, for events that never end. Raises as `call` and
        `refusal` do; what breaks later breaks as `httpx.HTTPError` in the caller's hands, who must
        not let it out."""
        self._pace.take(endpoint, rank)
        try:
            with self._opened("GET", path, None, query, False, idle_seconds) as reply:
                if reply.status_code != 200:
                    content = self._whole(reply, self._monotonic(), Unavailable)
                    said = self._read(endpoint, reply.status_code, reply.headers, content, ())
                    raise refusal(said)
                yield reply
        except httpx.HTTPError as error:
            raise Unavailable(f"{endpoint}: {type(error).__name__}") from None

    def keep_out(self, secret: str) -> None:
        """Cut this out of whatever the provider says from now on: a machine may print what it was
        told. The last ones are remembered; older ones are spent."""
        self._kept_out = (*self._kept_out, Key(secret))[-KEPT_OUT_MAX:]

    def redact(self, text: str, *secrets: str) -> str:
        """Text of the provider without the key and without what is kept out."""
        text = self._key.redact(text, *secrets)
        for key in self._kept_out:
            text = key.redact(text)
        return text

    @contextmanager
    def _opened(
        self,
        method: str,
        path: str,
        body: Any,
        query: Mapping[str, str] | None,
        creating: bool,
        silence: float | None = None,
    ) -> Iterator[httpx.Response]:
        read = silence or (CREATE_SECONDS if creating else READ_SECONDS)
        timeout = httpx.Timeout(read, connect=CONNECT_SECONDS)
        headers = {} if self._key is NO_KEY else {"Authorization": self._key.bearer()}
        with self._http.stream(
            method, path, json=body, params=query, timeout=timeout, headers=headers
        ) as reply:
            yield reply

    def _whole(
        self, reply: httpx.Response, began: float, failed: type[Unavailable | UnknownOutcome]
    ) -> bytes:
        """All of an answer, within bounds: one that drips or does not end is none."""
        content = bytearray()
        for chunk in reply.iter_bytes():
            content += chunk
            if len(content) > ANSWER_BYTES_MAX:
                raise failed("an answer that is too large")
            if self._monotonic() - began > ANSWER_SECONDS_MAX:
                raise failed("an answer that takes too long")
        return bytes(content)

    def _read(
        self,
        endpoint: str,
        status: int,
        headers: Mapping[str, str],
        content: bytes,
        secrets: Sequence[str],
    ) -> Reply:
        self._pace.heard(headers)
        after = _retry_after(headers.get("retry-after", ""))
        if status == 429:
            self._pace.refused(endpoint, after)
        self._note_sunset(headers.get("sunset", ""))
        text = self._key.redact(content.decode("utf-8", "replace"))
        body = _json(text)
        good = 200 <= status < 300
        detail = "" if good else _shown(self.redact(_said(body, text), *secrets))
        return Reply(status, body, detail, after)

    def _note_sunset(self, text: str) -> None:
        try:
            at = parsedate_to_datetime(text) if text else None
        except (TypeError, ValueError):
            return
        if at is not None:
            at = at if at.tzinfo else at.replace(tzinfo=UTC)
            self.sunset = at if self.sunset is None else min(self.sunset, at)


def refusal(reply: Reply, texts: Texts = (), *, creating: bool = False) -> ProviderError:
    """What an answer that is no success asks the caller to do: by its status, and where that says
    nothing (400, 404, 409) by its words. Of a create, only a refusal says that nothing came to be.
    """
    said = f"HTTP {reply.status}" + (f": {reply.detail}" if reply.detail else "")
    match reply.status:
        case 401 | 403:
            return Unauthorized(said)
        case 402:
            return NoFunds(said)
        case 410:
            return Retired(said)
        case 429:
            return RateLimited(said, reply.retry_after)
        case 400 | 404 | 409:
            words = reply.detail.lower()
            found = (kind for fragment, kind in texts if fragment in words)
            return next(found, Rejected)(said)
        case status if 400 <= status < 500 and status != 408:
            return Rejected(said)
        case _:
            return UnknownOutcome(said) if creating else Unavailable(said)


def _retry_after(text: str) -> timedelta | None:
    """Seconds; a date (RFC 9110 §10.2.3) would need the provider's clock."""
    return timedelta(seconds=min(int(text), HINT_MAX)) if re.fullmatch(r"\d{1,9}", text) else None


def _json(text: str) -> Any:
    """What was written, amounts exact; None for anything that is no JSON."""
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=_no_number)
    except (ValueError, ArithmeticError, RecursionError):
        return None


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no JSON")


def _said(body: Any, text: str) -> str:
    """What an error document says, or the start of whatever came in its place."""
    if isinstance(body, dict):
        parts = [body[name] for name in _SAID_IN if isinstance(body.get(name), str)]
        errors = body.get("errors")
        parts += [one for one in errors if isinstance(one, str)] if isinstance(errors, list) else []
        return "; ".join(parts)
    return text


def _shown(text: str) -> str:
    """One short line without what could steer a terminal."""
    line = "".join(c if c.isprintable() else " " for c in text[: 4 * DETAIL_CHARACTERS_MAX])
    return " ".join(line.split())[:DETAIL_CHARACTERS_MAX]
