"""Every refusal of Vast.ai's API as one named rule, and the exception that carries it out.

A simulator made with `lifted={name}` goes on where the rule would have refused: a mutation run lifts
one after the other, and each time a test has to notice.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.wire.shapes import Fault, names
from tests.wire.vast_bodies import BODIES


@dataclass(frozen=True, slots=True)
class Rule:
    """One reason to say no. `msg` is a format string; without `error` the body is plain text."""

    status: int
    error: str
    msg: str


SHAPE = Rule(400, "invalid_args", "{errors}")
PERMISSIONS = (
    "instance_read", "instance_write", "user_read", "user_write", "billing_read", "billing_write",
    "machine_read", "machine_write", "misc", "team_read", "team_write",
)  # fmt: skip

RULES: dict[str, Rule] = {
    # before the operation
    "no-key": Rule(401, "auth_error", "This action requires login."),
    "unknown-key": Rule(401, "auth_error", "Invalid user key"),
    "unknown-key-404": Rule(404, "auth_error", "Invalid user key"),
    "container-key": Rule(403, "unauthorized", "this key may only manage its own instance"),
    "scope": Rule(403, "unauthorized", "this key lacks the permission {permission}"),
    "slash": Rule(308, "", ""),
    "no-route": Rule(404, "not_found", "no such endpoint"),
    "wrong-method": Rule(405, "method_not_allowed", "{method} is not allowed here"),
    "old-list": Rule(
        410,
        "deprecated_endpoint",
        "GET /api/v0/instances/ is deprecated, use GET /api/v1/instances/",
    ),
    "interval": Rule(429, "", "API requests too frequent: endpoint threshold={seconds}"),
    "penalty": Rule(429, "", "API requests too frequent: endpoint threshold={seconds}"),
    "search-minute": Rule(429, "", "API requests too frequent"),
    "search-quota": Rule(
        429, "search_quota_exceeded", "Daily search quota exceeded, resets at midnight UTC"
    ),
    "not-json": Rule(400, "invalid_args", "request body is not valid JSON"),
    # searches
    "search-object": Rule(400, "invalid_args", "the query is not an object"),
    "search-column": Rule(400, "invalid_args", "unknown column {column}"),
    "search-operator": Rule(400, "invalid_args", "unknown operator {operator}"),
    "search-value": Rule(400, "invalid_args", "{value} cannot be compared with {column}"),
    "search-order": Rule(400, "invalid_args", "order is a list of [column, asc or desc]"),
    "search-type": Rule(400, "invalid_args", "unknown type {type}"),
    "search-limit": Rule(400, "invalid_args", "limit is a positive integer"),
    "search-storage": Rule(400, "invalid_args", "allocated_storage is a number of GB"),
    # create
    "env-type": Rule(400, "invalid_args", "env is an object"),
    "env-value": Rule(400, "invalid_args", "env values are strings of at most 256 characters"),
    "env-size": Rule(400, "invalid_args", "env has more than 32768 characters"),
    "env-ports": Rule(400, "invalid_args", "more than 64 ports"),
    "env-port": Rule(400, "invalid_args", "{port} is no port mapping"),
    "no-image": Rule(400, "invalid_args", "image or template_hash_id is required"),
    "no-template": Rule(400, "invalid_args", "no such template"),
    "runtype": Rule(400, "invalid_args", "unknown runtype {runtype}"),
    "script-size": Rule(400, "invalid_args", "args, args_str and onstart exceed 4096 characters"),
    "login-form": Rule(400, "invalid_args", "image_login is '-u USER -p TOKEN registry'"),
    "price": Rule(400, "invalid_price", "price must be between 0.001 and 128"),
    "vm-key": Rule(400, "no_ssh_key_for_vm", "a VM needs an ssh key in the account"),
    "disk-space": Rule(400, "invalid_args", "the machine has {disk} GB only"),
    "host-own": Rule(403, "not_allowed", "Hosts can only rent their own machines"),
    "credit": Rule(400, "insufficient_credit", "Your account lacks credit; see the billing page."),
    "no-ask-404": Rule(
        404,
        "invalid_args",
        "error 404/3603: no_such_ask Instance type by id {ask} is not available.",
    ),
    "no-ask-400": Rule(
        400,
        "invalid_args",
        "error 404/3603: no_such_ask Instance type by id {ask} is not available.",
    ),
    "no-ask-410": Rule(410, "no_such_ask", "Instance type by id {ask} is no longer available."),
    # instances
    "list-limit": Rule(400, "invalid_args", "limit must be between 1 and 25"),
    "list-token": Rule(400, "invalid_args", "after_token is not one of this list"),
    "list-filters": Rule(400, "invalid_args", "select_filters is not a JSON object of filters"),
    "list-column": Rule(400, "invalid_args", "{column} cannot be filtered or ordered by"),
    "list-order": Rule(400, "invalid_args", "order_by is a list of col and dir"),
    "list-columns": Rule(400, "invalid_args", "select_cols is a list of names"),
    "no-instance": Rule(404, "no_such_instance", "Instance {id} not found."),
    "gone-instance": Rule(404, "not_found", "Instance {id} not found."),
    "nothing-to-do": Rule(400, "invalid_args", "state or label is required"),
    "ended": Rule(400, "contract_expired", "The contract of instance {id} has ended."),
    "start-credit": Rule(400, "insufficient_credit", "Your account lacks credit."),
    "not-running": Rule(400, "invalid_state", "Instance {id} is not running."),
    "not-bid": Rule(400, "invalid_args", "Instance {id} is not interruptible."),
    "bid-price": Rule(400, "invalid_price", "price must be between 0.001 and 32 for each GPU"),
    "log-tail": Rule(400, "invalid_args", "tail is a number in a string"),
    "command": Rule(400, "invalid_args", "command {command} is not allowed"),
    "result-key": Rule(400, "", "Only one auth mechanism allowed"),
    "result-early": Rule(404, "", "The specified key does not exist."),
    "no-increase": Rule(404, "no_pending_price_increase", "no such pending price increase"),
    # money
    "prepay-bid": Rule(400, "invalid_args", "an interruptible instance cannot be reserved"),
    "prepay-amount": Rule(400, "invalid_args", "amount must be positive"),
    "prepay-credit": Rule(400, "insufficient_credit", "Your account lacks credit."),
    "charges-day": Rule(400, "invalid_args", "select_filters.day with gte and lte is required"),
    "charges-type": Rule(400, "invalid_args", "type is instance, volume or serverless"),
    "charges-limit": Rule(400, "invalid_args", "limit must be between 1 and 500"),
    "charges-token": Rule(400, "invalid_args", "after_token is not one of this list"),
    # account
    "no-ssh-keys": Rule(404, "not_found", "no ssh keys"),
    "permission": Rule(400, "invalid_args", "unknown permission {permission}"),
}
SILENT = {
    "search-rows": "one search answers 64 rows at most, whatever `limit` says",
    "search-id": "a filter on `id` matches nothing",
}
"""What is not refused but not done either; can be lifted like a rule."""

for _name, _schema in BODIES.items():
    RULES.update(dict.fromkeys(names(_schema, _name), SHAPE))


class Refused(Exception):
    """An answer other than success, by the name of its rule."""

    def __init__(self, name: str, headers: dict[str, str] | None = None, **facts: Any) -> None:
        super().__init__(name)
        self.name = name
        self.rule = RULES[name]
        self.msg = self.rule.msg.format(**facts)
        self.headers = headers or {}


@dataclass
class Refusals:
    """Which rules hold in this simulator, and which of them spoke, in order."""

    lifted: frozenset[str] = frozenset()
    spoke: list[str] = field(default_factory=list)

    def refuse(self, name: str, headers: dict[str, str] | None = None, **facts: Any) -> None:
        """Raises, unless the rule is lifted."""
        if name not in self.lifted:
            raise Refused(name, headers, **facts)

    def check(self, found: Iterable[Fault]) -> None:
        """Refuses under the name of the first rule that holds, and names every field."""
        held = [fault for fault in found if fault[0] not in self.lifted]
        if held:
            raise Refused(held[0][0], errors="; ".join(message for _, message in held))
