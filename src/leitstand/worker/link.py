"""The worker's side of the worker protocol, version 1: one method per call, over pinned TLS 1.3.

Calls raise `Unreachable` where trying again may help, `Fenced` where the attempt lost its right to
write, and `Refused` for any other answer. `patiently` is the one place that tries again.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import httpx
from tenacity import Retrying, retry_if_exception_type, sleep_using_event, wait_random_exponential

from leitstand.core.limits import CLAIM_WAIT_SECONDS_MAX, PART_BYTES, RESULT_BYTES_MAX
from leitstand.security.ca import WorkerCredentials
from leitstand.worker.traffic import PIECE_BYTES, Rank, Traffic

T = TypeVar("T")

PROTOCOL = "1"
RETRIES_MAX = 1_000
"""Beyond any lease at the longest pause; the lease itself is what ends a retry."""
PAUSE_SECONDS_MAX = 5.0
_NO_CODE = "unexpected-answer"
_FENCED_CODES = frozenset({"fenced", _NO_CODE})
_LATER_CODES = frozenset({"changed-meanwhile", "internal"})
"""Refusals that speak of a moment, not of the request."""
_CALL = httpx.Timeout(30.0, connect=5.0)
_LONG_POLL = httpx.Timeout(CLAIM_WAIT_SECONDS_MAX + 15.0, connect=5.0)


class Unreachable(Exception):
    """No answer, or one that says later."""


class Fenced(Exception):
    """Somebody else holds the task: nothing more may be written for this attempt."""


class Refused(Exception):
    """An answer that no retry will change; `code` is the last part of its problem type."""

    def __init__(
        self, status: int, code: str, params: Mapping[str, str | int | float | None] | None = None
    ) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code
        self.params = params or {}


class WrongAuthority(Exception):
    """The certificate authority at the address is not the one of the launch spec."""


def patiently(call: Callable[[], T], stop: threading.Event, alive: Callable[[], bool]) -> T:
    """`call`, tried again after random, growing pauses while it raises Unreachable, `alive()` says
    so and `stop` is not set."""
    retrying = Retrying(
        retry=retry_if_exception_type(Unreachable),
        wait=wait_random_exponential(multiplier=0.25, max=PAUSE_SECONDS_MAX),
        stop=lambda state: state.attempt_number >= RETRIES_MAX or stop.is_set() or not alive(),
        sleep=sleep_using_event(stop),
        reraise=True,
    )
    return retrying(call)


def fetch_authority(url: str, sha256: str) -> bytes:
    """The authority's certificate (PEM), checked against the digest of the launch spec.

    The connection cannot be verified yet, so nothing is sent over it. Raises WrongAuthority,
    Unreachable, Refused.
    """
    unverified = ssl.create_default_context()
    unverified.check_hostname = False
    unverified.verify_mode = ssl.CERT_NONE
    unverified.minimum_version = ssl.TLSVersion.TLSv1_3
    with httpx.Client(verify=unverified, timeout=_CALL, trust_env=False) as client:
        reply = _answer(lambda: client.get(f"{url}/w/1/ca", headers=_headers()))
    try:
        der = ssl.PEM_cert_to_DER_cert(reply.text.strip())
    except ValueError as error:
        raise WrongAuthority from error
    if hashlib.sha256(der).hexdigest() != sha256:
        raise WrongAuthority
    return reply.content


class Link:
    """The connection of one worker. Safe to use from several threads.

    `heard_at` is the monotonic time of the last answer.
    """

    def __init__(
        self,
        url: str,
        instance_id: str,
        credentials: WorkerCredentials,
        authority_pem: bytes,
        stop: threading.Event,
        traffic: Traffic | None = None,
    ) -> None:
        self._url = url
        self._traffic = traffic or Traffic()
        self._csr = credentials.csr_pem(instance_id).decode()
        self._credentials = credentials
        self._authority_pem = authority_pem
        self._certificate_pem = b""
        self._stop = stop
        self._client = self._connect(None)
        self.heard_at = time.monotonic()

    def _connect(self, certificate_pem: bytes | None) -> httpx.Client:
        context = self._credentials.client_context(self._authority_pem, certificate_pem)
        limits = httpx.Limits(max_connections=200, max_keepalive_connections=64)
        return httpx.Client(
            base_url=self._url, verify=context, timeout=_CALL, limits=limits, trust_env=False
        )

    def patiently(self, call: Callable[[], T], alive: Callable[[], bool]) -> T:
        """See `patiently`; stops as well when the worker ends."""
        return patiently(call, self._stop, alive)

    # --- the instance ----------------------------------------------------------------------------

    def enrol(self, token: str, hpke_public: bytes, facts: Mapping[str, Any]) -> dict[str, Any]:
        """Spend the one-time token; from here on every call carries our certificate. Repeated, it
        says the same bytes: only those are answered once the token is spent."""
        reply = self._json(
            "POST",
            "/w/1/enrol",
            {
                "token": token,
                "csr_pem": self._csr,
                "hpke_public": base64.b64encode(hpke_public).decode(),
                "facts": facts,
            },
        )
        return self._certified(reply)

    def renew(self) -> dict[str, Any]:
        """A fresh certificate for the same key; the next call uses it."""
        return self._certified(self._json("POST", "/w/1/renew", {"csr_pem": self._csr}))

    def _certified(self, reply: dict[str, Any]) -> dict[str, Any]:
        # The old client is left to its running requests; it goes with the last of them.
        self._certificate_pem = str(reply["certificate_pem"]).encode()
        self._client = self._connect(self._certificate_pem)
        return reply

    def sign(self, said: bytes) -> tuple[bytes, bytes]:
        """Our certificate, and a signature by its key: what a connection of ours proves."""
        return self._certificate_pem, self._credentials.sign(said)

    def admission(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """What we measured and can do; the answer says `ready` or `refused`, with reasons."""
        return self._json("POST", "/w/1/admission", document)

    def claim(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Leases, or none after the wait the document asks for."""
        return self._json("POST", "/w/1/claim", document, timeout=_LONG_POLL)

    def beat(self, attempts: Sequence[Mapping[str, Any]], readings: Mapping[str, Any]) -> Any:
        """Progress of every live attempt; the answer says for each what to do."""
        return self._json("POST", "/w/1/beat", {"attempts": attempts, "readings": readings})

    # --- the attempt -----------------------------------------------------------------------------

    def key(self, attempt: str, fence: int) -> tuple[bytes, bytes]:
        """The sealed key and the context it opens in: blob, info."""
        reply = self._json("POST", "/w/1/keys", {"attempt": attempt, "fence": fence})
        try:
            return (
                base64.b64decode(reply["blob"], validate=True),
                base64.b64decode(reply["info"], validate=True),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise Refused(200, "malformed-key") from error

    def download(
        self, path: str, size: int, alive: Callable[[], bool], rank: Rank
    ) -> Iterator[bytes]:
        """`size` bytes of `path` in parts, each tried again while `alive()`. Digests are the
        caller's business. Raises Unreachable, Refused."""
        for start in range(0, size, PART_BYTES):
            span = start, min(start + PART_BYTES, size)
            yield self.patiently(lambda: self._part(path, *span, alive, rank), alive)  # noqa: B023

    def _part(
        self, path: str, start: int, end: int, alive: Callable[[], bool], rank: Rank
    ) -> bytes:
        headers = _headers() | {"Range": f"bytes={start}-{end - 1}"}
        part = bytearray()
        with (
            self._traffic.transfer(rank) as let_pass,
            _transport(),
            self._client.stream("GET", path, headers=headers) as reply,
        ):
            if reply.status_code >= 300:
                reply.read()
            _check(reply)
            if reply.status_code != 206 and start:
                raise Refused(reply.status_code, "range-ignored")
            for chunk in reply.iter_raw():
                let_pass(len(chunk))
                part += chunk
                if len(part) > end - start:
                    raise Refused(reply.status_code, "longer-than-said")
                if not alive():
                    raise Unreachable("no longer wanted")
        if len(part) < end - start:
            raise Refused(reply.status_code, "shorter-than-said")
        self.heard_at = time.monotonic()
        return bytes(part)

    def whole(self, path: str) -> bytes:
        """A small body of unknown size, at most `RESULT_BYTES_MAX`."""
        part = bytearray()
        with _transport(), self._client.stream("GET", path, headers=_headers()) as reply:
            if reply.status_code >= 300:
                reply.read()
            _check(reply)
            for chunk in reply.iter_raw():
                part += chunk
                if len(part) > RESULT_BYTES_MAX:
                    raise Refused(reply.status_code, "longer-than-said")
        self.heard_at = time.monotonic()
        return bytes(part)

    def put_result(self, attempt: str, fence: int, segment: int, body: bytes, gap: bool) -> None:
        """Store the result of one segment, and whether it names a gap; the same again is fine.
        Raises Fenced."""
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        with self.result(body) as content:
            self._send(
                "PUT",
                f"/w/1/results/{attempt}/{segment}",
                params={"fence": str(fence), "gap": str(gap).lower()},
                content=content,
                headers=_headers() | sized(body) | {"Content-Digest": f"sha-256=:{digest}:"},
            )

    @contextlib.contextmanager
    def result(self, body: bytes) -> Iterator[Iterator[bytes]]:
        """A result on its way, wherever it goes: in pieces, each when the line may take it."""
        with self._traffic.transfer(Rank.RESULT) as let_pass:
            yield _pieces(body, let_pass)

    def silent_seconds(self) -> float:
        """How long nothing was heard of the control plane."""
        return time.monotonic() - self.heard_at

    def finish(self, document: Mapping[str, Any]) -> None:
        """How the attempt ended. Raises Fenced."""
        self._send("POST", "/w/1/finish", json=document, headers=_headers())

    # --- one request -----------------------------------------------------------------------------

    def _json(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any],
        timeout: httpx.Timeout = _CALL,
    ) -> dict[str, Any]:
        reply = self._send(method, path, json=body, headers=_headers(), timeout=timeout)
        try:
            document = reply.json()
        except ValueError as error:
            raise Refused(reply.status_code, "malformed-reply") from error
        if not isinstance(document, dict):
            raise Refused(reply.status_code, "malformed-reply")
        return document

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        reply = _answer(lambda: self._client.request(method, path, **options))
        self.heard_at = time.monotonic()
        return reply


def sized(body: bytes) -> dict[str, str]:
    """The header that a body in pieces needs, lest it be sent without an end that is known."""
    return {"Content-Length": str(len(body))}


def _pieces(body: bytes, let_pass: Callable[[int], None]) -> Iterator[bytes]:
    for start in range(0, len(body), PIECE_BYTES):
        piece = body[start : start + PIECE_BYTES]
        let_pass(len(piece))
        yield piece


def _headers() -> dict[str, str]:
    return {"Leitstand-Protocol": PROTOCOL}


def _answer(request: Callable[[], httpx.Response]) -> httpx.Response:
    with _transport():
        reply = request()
        _check(reply)
        return reply


@contextlib.contextmanager
def _transport() -> Iterator[None]:
    try:
        yield
    except (httpx.TransportError, httpx.StreamError, ssl.SSLError) as error:
        raise Unreachable(type(error).__name__) from error


def _check(reply: httpx.Response) -> None:
    """Raises what the status means; needs the body of an error to be read."""
    status = reply.status_code
    if status < 300:
        return
    refused = _refusal(reply)
    if status == 409 and refused.code in _FENCED_CODES:
        raise Fenced
    if status in (408, 425, 429) or status >= 500 or refused.code in _LATER_CODES:
        raise Unreachable(f"{status} {refused.code}")
    raise refused


def _refusal(reply: httpx.Response) -> Refused:
    """The problem document (RFC 9457) of an answer; its values are checked, not trusted."""
    try:
        document = reply.json()
        code = str(document["type"]).rsplit(":", 1)[-1]
        params = {
            str(name): value
            for name, value in (document.get("params") or {}).items()
            if value is None or isinstance(value, str | int | float)
        }
    except (ValueError, AttributeError, KeyError, TypeError):
        return Refused(reply.status_code, _NO_CODE)
    return Refused(reply.status_code, code, params)
