"""The client of the operator API: over the Unix socket of this user, or over TLS to a server.

Every failure that a person can act on comes out as a `Problem`: the server's own by its code, a
control plane that does not answer as `unreachable`. A call is repeated after the embedded control
plane was started again: every write leads to a state and stays there (`api/operator.py`).
"""

from __future__ import annotations

import base64
import hashlib
import json
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self
from urllib.parse import quote

import httpx
import httpx_sse

from leitstand.core.problem import Exit, Param, Problem

TRIES = 3
"""How often a call is made before the control plane counts as unreachable."""
SILENCE_SECONDS = 10.0
"""A progress stream without a byte for so long is lost: the control plane sends a `ping` well before
(`api/events.py`)."""
CALL_SECONDS = 60.0
PAUSE_SECONDS = 0.5
PAGES_MAX = 1_000
PAGE = 200

_PREFIX = "urn:leitstand:problem:"


@dataclass(frozen=True, slots=True)
class Event:
    """One message of a progress stream. `kind` is `connected` each time the stream is open: what
    happened in between is then best asked for anew. `present` says that all that happened so far
    has been told, and `ping` that nothing has to be."""

    kind: str
    data: Mapping[str, Any]
    id: str | None = None


class Client:
    """Calls of the operator API. `revive` makes an embedded control plane answer again; without it
    a lost connection is tried `TRIES` times."""

    def __init__(
        self, http: httpx.Client, where: str, revive: Callable[[], None] | None = None
    ) -> None:
        self._http = http
        self._revive = revive
        self.where = where

    @classmethod
    def over_socket(cls, path: Path, revive: Callable[[], None] | None = None) -> Self:
        """The control plane that listens on this Unix socket."""
        transport = httpx.HTTPTransport(uds=str(path))
        http = httpx.Client(
            transport=transport, base_url="http://leitstand", timeout=CALL_SECONDS, trust_env=False
        )
        return cls(http, str(path), revive)

    @classmethod
    def over_url(cls, url: str) -> Self:
        """A control plane elsewhere; its certificate is verified against the system's roots."""
        context = ssl.create_default_context()
        return cls(httpx.Client(base_url=url, timeout=CALL_SECONDS, verify=context), url)

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- calls -----------------------------------------------------------------------------------

    def get(self, path: str, **params: str | int | None) -> Any:
        """The JSON answer of a GET below `/api/v1`."""
        query = {name: value for name, value in params.items() if value is not None}
        return self._call("GET", path, params=query).json()

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The JSON answer of a POST, None where it has no body. Sent again where the answer is
        lost."""
        answer = self._call(
            "POST",
            path,
            content=json.dumps({} if body is None else body).encode(),
            headers={"Content-Type": "application/json"},
        )
        return answer.json() if answer.content else None

    def delete(self, path: str) -> Any:
        answer = self._call("DELETE", path)
        return answer.json() if answer.content else None

    def put(self, path: str, data: bytes | memoryview) -> None:
        """Bytes with their digest; the same bytes again are the same bytes."""
        digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
        self._call(
            "PUT",
            path,
            content=bytes(data),
            headers={
                "Content-Type": "application/octet-stream",
                "Content-Digest": f"sha-256=:{digest}:",
            },
        )

    def text(self, path: str) -> bytes:
        """The body of a GET as it is: a report."""
        return self._call("GET", path).content

    def download(self, path: str, into: IO[bytes]) -> int:
        """Write the body of a GET into a file; the number of bytes."""
        size = 0
        try:
            with self._http.stream("GET", _address(path)) as answer:
                if answer.is_error:
                    answer.read()
                    raise problem_of(answer)
                for chunk in answer.iter_bytes():
                    size += into.write(chunk)
        except httpx.TransportError as error:
            raise self._unreachable(error, 1) from error
        return size

    def pages(self, path: str, limit: int | None = None, **params: str | None) -> Iterator[Any]:
        """The items of a list, newest first, over all its pages or up to `limit`."""
        after: str | None = None
        given = 0
        for _ in range(PAGES_MAX):
            page = self.get(path, after=after, limit=min(limit or PAGE, PAGE), **params)
            for item in page["items"]:
                yield item
                given += 1
                if limit is not None and given >= limit:
                    return
            after = page.get("next")
            if after is None:
                return

    # --- progress --------------------------------------------------------------------------------

    def follow(self, subject: str | None = None, after: str | None = "0") -> Iterator[Event]:
        """What happens to `subject` (all, if None), from event row `after` on and without an end.

        `after` None begins with the present. A stream that breaks or falls silent is resumed after
        the last row seen. Raises Problem("unreachable") after `TRIES` attempts without one message.
        """
        last, failures = after, 0
        while True:
            headers = {"Last-Event-ID": last} if last is not None else {}
            try:
                for event in self._stream(subject, headers):
                    if event.kind != "connected":
                        failures = 0
                    last = event.id or last
                    yield event
            except httpx.TransportError as error:
                failures += 1
                if failures >= TRIES:
                    raise self._unreachable(error, failures) from error
                self._again()

    def past(self, subject: str | None = None) -> Iterator[Event]:
        """What happened so far, oldest first."""
        try:
            for event in self._stream(subject, {"Last-Event-ID": "0"}):
                if event.kind == "present":
                    return
                if event.id is not None:
                    yield event
        except httpx.TransportError as error:
            raise self._unreachable(error, 1) from error

    def _stream(self, subject: str | None, headers: Mapping[str, str]) -> Iterator[Event]:
        timeout = httpx.Timeout(CALL_SECONDS, read=SILENCE_SECONDS)
        params = {"subject": subject} if subject else {}
        with httpx_sse.connect_sse(
            self._http,
            "GET",
            "/api/v1/events",
            params=params,
            headers=dict(headers),
            timeout=timeout,
        ) as source:
            if source.response.is_error:
                source.response.read()
                raise problem_of(source.response)
            yield Event("connected", {})
            for message in source.iter_sse():
                if message.data:
                    yield Event(message.event, json.loads(message.data), message.id or None)
        raise httpx.RemoteProtocolError("the stream ended")

    # --- failures --------------------------------------------------------------------------------

    def _call(self, method: str, path: str, **rest: Any) -> httpx.Response:
        tried = 0
        while True:
            try:
                answer = self._http.request(method, _address(path), **rest)
            except httpx.TransportError as error:
                tried += 1
                if tried == TRIES:
                    raise self._unreachable(error, tried) from error
                self._again()
                continue
            if answer.is_error:
                raise problem_of(answer)
            return answer

    def _again(self) -> None:
        if self._revive is not None:
            self._revive()
        else:
            time.sleep(PAUSE_SECONDS)

    def _unreachable(self, error: Exception, tries: int) -> Problem:
        detail = str(error) or type(error).__name__
        return Problem(
            "unreachable", Exit.UNREACHABLE, where=self.where, tries=tries, detail=detail
        )


def _address(path: str) -> str:
    """A path below `/api/v1` with every part of it encoded, so that none is read as a query or as
    the way to another route; a part that people typed has been through `output.full` before."""
    return "/api/v1" + quote(path, safe="/")


def problem_of(answer: httpx.Response) -> Problem:
    """The problem that an answer carries (RFC 9457), or `bad-answer` where it carries none."""
    try:
        body = answer.json()
        kind = str(body["type"])
        if not kind.startswith(_PREFIX):
            raise ValueError(kind)
        params: dict[str, Param] = {
            str(name): value if isinstance(value, str | int | float) else None
            for name, value in dict(body.get("params") or {}).items()
            if name not in ("code", "exit")
        }
        return Problem(kind.removeprefix(_PREFIX), Exit(int(body.get("exit", 1))), **params)
    except (ValueError, KeyError, TypeError):
        return Problem(
            "bad-answer",
            Exit.FAILED,
            status=answer.status_code,
            path=answer.request.url.path,
        )
