"""The front door of the simulated RunPod: keys, rates, routes, and the forms of answers.

    sim = RunPod(clock)
    status, headers, body = sim.answer("GET", "/v2/pods", {"authorization": f"Bearer {sim.key}"}, b"")

`sim.account` is the state behind it: stock, pods, money, conduct, fates. Tests move the clock and push
the account about; every refusal is a named rule of `runpod_rules.RULES`.
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.wire import runpod_billing as billing
from tests.wire import runpod_catalogue as catalogue
from tests.wire import runpod_graphql as graphql
from tests.wire import runpod_logs as logs
from tests.wire import runpod_pods as pods
from tests.wire import runpod_storage as storage
from tests.wire.runpod_account import Account
from tests.wire.runpod_call import Answer, Call, problem
from tests.wire.runpod_pod import Pod
from tests.wire.runpod_rules import Refusals, Refused

BODY_BYTES_MAX = 102_400
KEY = "rpa_SIMULATEDRUNPODKEY0123456789"
READ_ONLY_KEY = "rpa_SIMULATEDREADONLYKEY01234567"

LIFTED = "WIRE_LIFTED"
"""Names refusals that are lifted in every simulator of a test run, parted by spaces: for mutation
runs over tests that make their own simulators."""

Body = bytes | Iterator[bytes]
Raw = tuple[int, dict[str, str], Body]
Operation = Callable[..., Answer]


class Now(Protocol):
    """The clock of the test."""

    def now(self) -> datetime: ...


ROUTES: tuple[tuple[str, str, Operation], ...] = (
    ("GET", "/v2/catalog/gpus", catalogue.gpus),
    ("GET", "/v2/catalog/gpus/{id}", catalogue.gpu),
    ("GET", "/v2/catalog/cpus", catalogue.cpus),
    ("GET", "/v2/catalog/cpus/{id}", catalogue.cpu),
    ("GET", "/v2/catalog/datacenters", catalogue.data_centers),
    ("GET", "/v2/catalog/datacenters/{id}", catalogue.data_center),
    ("GET", "/v2/pods", pods.listing),
    ("POST", "/v2/pods", pods.create),
    ("GET", "/v2/pods/{id}", pods.get),
    ("PATCH", "/v2/pods/{id}", pods.update),
    ("DELETE", "/v2/pods/{id}", pods.delete),
    ("POST", "/v2/pods/{id}/action", pods.act),
    ("GET", "/v2/pods/{id}/logs", logs.logs),
    ("GET", "/v2/network-volumes", storage.volumes),
    ("POST", "/v2/network-volumes", storage.create_volume),
    ("GET", "/v2/network-volumes/{id}", storage.volume),
    ("PATCH", "/v2/network-volumes/{id}", storage.update_volume),
    ("DELETE", "/v2/network-volumes/{id}", storage.delete_volume),
    ("GET", "/v2/registries", storage.registries),
    ("POST", "/v2/registries", storage.create_registry),
    ("GET", "/v2/registries/{id}", storage.registry),
    ("DELETE", "/v2/registries/{id}", storage.delete_registry),
    ("GET", "/v2/account/ssh-keys", storage.ssh_keys),
    ("PUT", "/v2/account/ssh-keys", storage.replace_ssh_keys),
    ("GET", "/v2/billing", billing.everything),
    ("GET", "/v2/billing/pods", billing.pods),
    ("GET", "/v2/billing/network-volumes", billing.volumes),
)


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(template.replace("{id}", "(?P<id>[^/]+)"))


TABLE = tuple((method, _pattern(path), operation) for method, path, operation in ROUTES)


class RunPod:
    """One RunPod account behind its HTTP API. `lifted` names refusals that do not happen."""

    def __init__(self, clock: Now, *, lifted: frozenset[str] | None = None, **account: Any) -> None:
        if lifted is None:
            lifted = frozenset(os.environ.get(LIFTED, "").split())
        self.clock = clock
        self.account = Account(at=clock.now(), **account)
        self.account.at += self.account.conduct.skew
        self.rules = Refusals(lifted)
        self.key = KEY
        self.keys = {KEY: "all", READ_ONLY_KEY: "read"}
        """Key to its rights."""
        self.calls: list[tuple[str, str, int]] = []
        """Method, target and status of everything that was answered."""
        self.waiter: Callable[[], Callable[[], bool]] = lambda: lambda: False
        """Makes what a stream waits with: it blocks until the clock has moved since it was made or
        last returned; False when nothing more will come."""
        self.origin = "https://api.runpod.io"
        self._windows: dict[str, tuple[int, int]] = {}
        self._lock = threading.RLock()

    def now(self) -> datetime:
        """The provider's time, which may be off."""
        return self.clock.now() + self.account.conduct.skew

    def settle(self) -> None:
        """Brings the account to the clock's time, as any call does."""
        with self._lock:
            self.account.settle(self.now())

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Raw:
        """Status, headers and body; the body of a stream is an iterator."""
        given = {name.lower(): value for name, value in headers.items()}
        with self._lock:
            self.account.settle(self.now())
            sent: dict[str, str] = {}
            try:
                answered = self._dispatch(method, target, given, body, sent)
                raw = self._raw(answered, sent)
            except Refused as refused:
                self.rules.spoke.append(refused.name)
                kind, content = problem(refused, self.account.conduct.errors)
                encoded = json.dumps(content).encode()
                more = sent | refused.headers | {"Content-Type": kind}
                raw = refused.status, more, encoded
            except Exception:
                if not self.rules.lifted:
                    raise
                raw = 500, sent, b""  # whatever the lifted rule would have kept out
            self.calls.append((method, target, raw[0]))
            return raw

    def _raw(self, answered: Answer, headers: dict[str, str]) -> Raw:
        if answered.stream is not None:
            frames = answered.stream()
            return answered.status, headers | STREAM, self._encoded(frames)
        if answered.payload is None:
            return answered.status, headers, b""
        content = json.dumps(answered.payload).encode()
        return answered.status, headers | {"Content-Type": "application/json"}, content

    def _encoded(self, frames: Iterator[str]) -> Iterator[bytes]:
        for frame in frames:
            yield frame.encode()

    # --- before the operation ----------------------------------------------------------------------

    def _dispatch(
        self,
        method: str,
        target: str,
        headers: dict[str, str],
        body: bytes,
        sent: dict[str, str],
    ) -> Answer:
        parts = urlsplit(target)
        if len(body) > BODY_BYTES_MAX:
            self.rules.refuse("too-large")
        if parts.path.startswith("/v1/"):
            self.rules.refuse("retired")
        pairs = parse_qsl(parts.query, keep_blank_values=True)
        if parts.path == "/graphql":
            good = self._rights(headers, dict(pairs).get("api_key")) is not None
            return Answer(*graphql.answer(self.account, body, good))
        caller = self._authenticate(headers)
        self._count(sent)
        operation, id = self._route(method, parts.path)
        self._permit(method, parts.path, id, caller, headers)
        names = [name for name, _ in pairs]
        call = Call(
            method=method,
            path=parts.path,
            query=dict(pairs),
            headers=headers,
            body=body,
            account=self.account,
            rules=self.rules,
            now=self.account.at,
            repeated=frozenset(name for name in names if names.count(name) > 1),
            caller=caller,
            waiting=self._waiting(),
        )
        return operation(call, id) if id is not None else operation(call)

    def _waiting(self) -> Callable[[], bool]:
        wait = self.waiter()

        def moved() -> bool:
            if not wait():
                return False
            self.settle()
            return True

        return moved

    def _token(self, headers: dict[str, str]) -> str | None:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" and token.strip() else None

    def _rights(self, headers: dict[str, str], in_query: str | None = None) -> str | None:
        return self.keys.get(self._token(headers) or in_query or "")

    def _authenticate(self, headers: dict[str, str]) -> Pod | None:
        """The pod whose own key this is, or None for a key of the account."""
        token = self._token(headers)
        if token is None:
            self.rules.refuse("no-key")
        for pod in self.account.pods:
            if pod.key == token and pod.ended_at is None:
                return pod
        if token is not None and token not in self.keys:
            self.rules.refuse("unknown-key")
        return None

    def _count(self, sent: dict[str, str]) -> None:
        """Fixed windows per user. A refused call is not counted."""
        at = int(self.account.at.timestamp())
        rates = self.account.conduct.rates
        full = ""
        state = {}
        for name, (quota, length) in rates.items():
            window, used = self._windows.get(name, (0, 0))
            state[name] = (at // length, used if window == at // length else 0)
            if state[name][1] >= quota:
                full = full or name
        if not full:
            state = {name: (window, used + 1) for name, (window, used) in state.items()}
        self._windows = state
        left = {name: max(0, quota - state[name][1]) for name, (quota, _) in rates.items()}
        reset = {name: length - at % length for name, (_, length) in rates.items()}
        sent["RateLimit"] = ", ".join(f'"{name}";r={left[name]};t={reset[name]}' for name in rates)
        sent["RateLimit-Policy"] = ", ".join(
            f'"{name}";q={quota};w={length}' for name, (quota, length) in rates.items()
        )
        if full:
            if self.account.conduct.retry_after and f"rate-{full}" not in self.rules.lifted:
                sent["Retry-After"] = str(reset[full])
            self.rules.refuse(f"rate-{full}")

    def _route(self, method: str, path: str) -> tuple[Operation, str | None]:
        known = False
        for verb, pattern, operation in TABLE:
            if match := pattern.fullmatch(path):
                known = True
                if verb == method:
                    id = match.groupdict().get("id")
                    return operation, unquote(id) if id is not None else None
        if known:
            self.rules.refuse("wrong-method", method=method)
        else:
            self.rules.refuse("no-route")
        return (lambda call, id=None: Answer(200, {})), None

    def _permit(
        self, method: str, path: str, id: str | None, caller: Pod | None, headers: dict[str, str]
    ) -> None:
        if caller is not None and not (path.startswith("/v2/pods/") and id == caller.id):
            self.rules.refuse("pod-key")
        if method != "GET" and self._rights(headers) == "read":
            self.rules.refuse("read-only-key")


STREAM = {"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}
