"""The front door of the simulated Vast.ai: keys, rates, routes, and the forms of answers.

    sim = Vast(clock)
    status, headers, body = sim.answer("GET", "/api/v0/users/current", {"authorization": ...}, b"")

`sim.account` is the state behind it: machines, contracts, money, conduct, fates. Tests move the clock
and push the account about; every refusal is a named rule of `vast_rules.RULES`. Not simulated:
volumes, templates' content, snapshots, copies, webhooks, `launch_instance`, bulk create, metrics.
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.wire import vast_billing as billing
from tests.wire import vast_instances as instances
from tests.wire import vast_offers as offers
from tests.wire.clock import Clock
from tests.wire.server import Raw
from tests.wire.vast_account import Account
from tests.wire.vast_call import Answer, Call, Result
from tests.wire.vast_contract import Contract
from tests.wire.vast_create import create
from tests.wire.vast_rates import Rates
from tests.wire.vast_rules import PERMISSIONS, Refusals, Refused

KEY = "5fa1c0de" * 8
LIFTED = "WIRE_LIFTED"
"""Names refusals that are lifted in every simulator of a test run, parted by spaces: for mutation
runs over tests that make their own simulators."""

Operation = Callable[..., Answer]

ROUTES: tuple[tuple[str, str, Operation, str, str], ...] = (
    # method, path, operation, group of the rate limit, permission
    ("POST", "/api/v0/bundles/", offers.bundles, "search", "misc"),
    ("PUT", "/api/v0/search/asks/", offers.asks, "search", "misc"),
    ("GET", "/api/v0/gpu_names/unique/", offers.gpu_names, "", ""),
    ("PUT", "/api/v0/asks/{id}/", create, "create", "instance_write"),
    ("GET", "/api/v1/instances/", instances.listing, "list", "instance_read"),
    ("GET", "/api/v0/instances/", instances.old_list, "", "instance_read"),
    ("PUT", "/api/v0/instances/", instances.bulk_update, "bulk", "instance_write"),
    ("DELETE", "/api/v0/instances/", instances.bulk_destroy, "destroy", "instance_write"),
    ("GET", "/api/v0/instances/pending-price-increases/", instances.increases, "", "instance_read"),
    ("PUT", "/api/v0/instances/accept-price-increase/", instances.accept_increase, "",
     "instance_write"),
    ("PUT", "/api/v0/instances/reject-price-increase/", instances.reject_increase, "",
     "instance_write"),
    ("GET", "/api/v0/instances/{id}/", instances.get, "instance", "instance_read"),
    ("PUT", "/api/v0/instances/{id}/", instances.update, "state", "instance_write"),
    ("DELETE", "/api/v0/instances/{id}/", instances.destroy, "destroy", "instance_write"),
    ("PUT", "/api/v0/instances/reboot/{id}/", instances.reboot, "state", "instance_write"),
    ("PUT", "/api/v0/instances/recycle/{id}/", instances.recycle, "state", "instance_write"),
    ("PUT", "/api/v0/instances/bid_price/{id}/", instances.bid, "bid", "instance_write"),
    ("PUT", "/api/v0/instances/prepay/{id}/", billing.prepay, "", "instance_write"),
    ("PUT", "/api/v0/instances/request_logs/{id}/", instances.request_logs, "", "instance_read"),
    ("PUT", "/api/v0/instances/command/{id}/", instances.command, "command", "instance_write"),
    ("GET", "/api/v0/users/current/", billing.user, "", "user_read"),
    ("GET", "/api/v0/charges/", billing.charges, "charges", "billing_read"),
    ("GET", "/api/v1/invoices/", billing.invoices, "invoices", "billing_read"),
    ("GET", "/api/v0/ssh/", instances.ssh_keys, "ssh", "user_read"),
    ("POST", "/api/v0/ssh/", instances.add_ssh_key, "ssh", "user_write"),
    ("POST", "/api/v0/auth/apikeys/", billing.api_key, "keys", "user_write"),
    ("GET", "/api/v0/volumes/", instances.no_volumes, "volumes", "instance_read"),
)  # fmt: skip

BARE = {"/api/v0/users/current", "/api/v0/volumes"}
"""Paths that are documented without a slash at the end."""

PUBLIC = ("GET", "/api/v0/gpu_names/unique/")
"""What the official command line asks for without a key, before anything else."""

OWN = {instances.update, instances.destroy}
"""What the key inside an instance may do, to that instance."""


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(template.replace("{id}", "(?P<id>[0-9]{1,15})"))


TABLE = tuple(
    (method, _pattern(path), what, group, may) for method, path, what, group, may in ROUTES
)
RESULT = re.compile(r"/results/(?P<id>[0-9]{1,15})")


class Vast:
    """One Vast.ai account behind its HTTP API. `lifted` names refusals that do not happen."""

    def __init__(
        self, clock: Clock, *, lifted: frozenset[str] | None = None, **account: Any
    ) -> None:
        if lifted is None:
            lifted = frozenset(os.environ.get(LIFTED, "").split())
        self.clock = clock
        self.account = Account(at=clock.now(), **account)
        self.rules = Refusals(lifted)
        self.key = KEY
        self.keys: dict[str, frozenset[str]] = {KEY: frozenset(PERMISSIONS)}
        """Key to its permissions."""
        self.calls: list[tuple[str, str, int]] = []
        """Method, target and status of everything that was answered."""
        self.origin = "https://console.vast.ai"
        self.waiter: Callable[[], Callable[[], bool]] = lambda: lambda: False
        self.rates = Rates()
        self.results: dict[str, Result] = {}
        self._lock = threading.RLock()

    def now(self) -> Any:
        return self.clock.now()

    def settle(self) -> None:
        """Brings the account to the clock's time, as any call does."""
        with self._lock:
            self.account.settle(self.clock.now())

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Raw:
        """Status, headers and body."""
        given = {name.lower(): value for name, value in headers.items()}
        with self._lock:
            self.account.settle(self.clock.now())
            try:
                raw = _raw(self._dispatch(method, target, given, body))
            except Refused as refused:
                self.rules.spoke.append(refused.name)
                raw = self._refusal(refused)
            except Exception:
                if not self.rules.lifted:
                    raise
                raw = 500, {}, b""  # whatever the lifted rule would have kept out
            self.calls.append((method, target, raw[0]))
            return raw

    def _refusal(self, refused: Refused) -> Raw:
        """Most are JSON; limits and the store of results speak in plain text."""
        rule = refused.rule
        status = rule.status
        if rule.error == "insufficient_credit":
            status = self.account.conduct.credit_status
        if refused.name == "no-increase":
            status = self.account.conduct.no_increase_status
        if not rule.error:
            return status, refused.headers | {"Content-Type": "text/plain"}, refused.msg.encode()
        told = {"success": False, "error": rule.error, "msg": refused.msg}
        kind = {"Content-Type": "application/json"}
        return status, refused.headers | kind, json.dumps(told).encode()

    # --- before the operation ----------------------------------------------------------------------

    def _dispatch(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Answer:
        parts = urlsplit(target)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        call = Call(
            method=method,
            path=parts.path,
            query=query,
            headers=headers,
            body=body,
            account=self.account,
            rules=self.rules,
            origin=self.origin,
            results=self.results,
            keys=self.keys,
        )
        if match := RESULT.fullmatch(parts.path):
            return instances.result(call, int(match["id"]))
        path = self._slashed(parts.path, parts.query)
        if (method, path) == PUBLIC:
            return offers.gpu_names(call)
        key = self._key(headers)
        call.caller = next((c for c in self.account.live() if c.key == key), None)
        if key is not None and call.caller is None and key not in self.keys:
            self.rules.refuse(self.account.conduct.bad_key)
        operation, id, group, permission = self._route(method, path)
        self._permit(key, call.caller, operation, id, permission)
        self.rates.count(key or "", group, self.account.at, self.account.conduct, self.rules)
        return operation(call, id) if id is not None else operation(call)

    def _slashed(self, path: str, query: str) -> str:
        """Elsewhere a path without its slash is sent on, with method and body kept."""
        if path.endswith("/"):
            return path
        if path not in BARE and path.startswith("/api/"):
            where = f"{self.origin}{path}/" + (f"?{query}" if query else "")
            self.rules.refuse("slash", {"Location": where})
        return f"{path}/"

    def _key(self, headers: dict[str, str]) -> str | None:
        """Only from the header: a key in a URL ends up in logs, and is not looked for there."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or not token.strip():
            self.rules.refuse("no-key")
            return None
        return token.strip()

    def _route(self, method: str, path: str) -> tuple[Operation, int | None, str, str]:
        known = False
        for verb, pattern, operation, group, permission in TABLE:
            if match := pattern.fullmatch(path):
                known = True
                if verb == method:
                    id = match.groupdict().get("id")
                    return operation, None if id is None else int(id), group, permission
        if known:
            self.rules.refuse("wrong-method", method=method)
        else:
            self.rules.refuse("no-route")
        return (lambda call: Answer({})), None, "", ""

    def _permit(
        self,
        key: str | None,
        caller: Contract | None,
        operation: Operation,
        id: int | None,
        permission: str,
    ) -> None:
        if caller is not None:
            if operation not in OWN or id != caller.id:
                self.rules.refuse("container-key")
        elif key in self.keys and permission and permission not in self.keys[key]:
            self.rules.refuse("scope", permission=permission)


def _raw(answered: Answer) -> Raw:
    if answered.text is not None:
        return answered.status, {"Content-Type": "text/plain"}, answered.text.encode()
    kind = {"Content-Type": "application/json"}
    return answered.status, kind, json.dumps(answered.payload).encode()
