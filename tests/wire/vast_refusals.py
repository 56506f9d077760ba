"""How to be refused by the simulated Vast.ai: one provocation for every rule.

Each takes an `Api`, sets the scene, and ends with the call that the rule refuses.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

from tests.wire.shapes import breakages
from tests.wire.vast_account import Increase
from tests.wire.vast_api import ASK, Api
from tests.wire.vast_bodies import BODIES
from tests.wire.vast_world import default_rates

Provocation = Callable[[Api], Any]


def _call(method: str, path: str, **body: Any) -> Provocation:
    return lambda api: api(method, path, **body)


def _create(**changes: Any) -> Provocation:
    return lambda api: api.create(**changes)


def _search(**query: Any) -> Provocation:
    return _call("POST", "bundles/", **query)


def _list(**query: Any) -> Provocation:
    return lambda api: api.list(**query)


def _with(change: Callable[[Api], Any], then: Provocation) -> Provocation:
    def provoke(api: Api) -> None:
        change(api)
        then(api)

    return provoke


def _conduct(then: Provocation, **changes: Any) -> Provocation:
    def change(api: Api) -> None:
        for name, value in changes.items():
            setattr(api.account.conduct, name, value)

    return _with(change, then)


def _key(key: str | None, then: Provocation) -> Provocation:
    return _with(lambda api: setattr(api, "key", key), then)


USER = _call("GET", "users/current")


def _container(api: Api) -> None:
    mine, other = api.rent(), api.rent(ASK + 1)
    api.key = mine.key
    api.destroy(other)


def _scope(api: Api) -> None:
    api.sim.keys["b" * 64] = frozenset({"misc"})
    api.key = "b" * 64
    api.list()


def _fast(api: Api) -> None:
    api.account.conduct.rates = default_rates()
    api.list()
    api.forward(seconds=0.5)
    api.list()


def _penalty(api: Api) -> None:
    api.account.conduct.rates = default_rates()
    for number in range(3):
        api.create(ASK + 1000 * number)
        api.forward(seconds=4)


def _searches(minute: int, quota: int) -> Provocation:
    def provoke(api: Api) -> None:
        api.account.conduct.search_minute = minute
        api.account.conduct.search_quota = quota
        for _ in range(3):
            api("POST", "bundles/")

    return provoke


def _on(path: str, then: Callable[[Api], Any] | None = None, **body: Any) -> Provocation:
    """A call about an instance that runs."""

    def provoke(api: Api) -> None:
        contract = api.rent()
        if then:
            then(api)
        api("PUT", path.replace("{id}", str(contract.id)), **body)

    return provoke


def _machine(api: Api, **changes: Any) -> None:
    for name, value in changes.items():
        setattr(api.account.machines[0], name, value)


def _gone(rule: str) -> Provocation:
    return _conduct(_call("DELETE", "instances/77/"), gone=rule)


def _ended(api: Api) -> None:
    _machine(api, ends=api.account.at + timedelta(hours=1))
    contract = api.rent()
    api.forward(hours=2)
    api.state(contract, "running")


def _start_without_credit(api: Api) -> None:
    contract = api.rent()
    api.state(contract, "stopped")
    api.account.credit = Decimal(0)
    api.state(contract, "running")


def _reboot_stopped(api: Api) -> None:
    contract = api.rent()
    api.state(contract, "stopped")
    api("PUT", f"instances/reboot/{contract.id}/")


def _result(api: Api, key: str | None, polls: int) -> None:
    contract = api.rent()
    api.account.conduct.log_polls = polls
    api("PUT", f"instances/request_logs/{contract.id}/", tail="10")
    api.key = key
    api("GET", "/" + api.body["result_url"].split("/", 3)[3])


def _stale_increase(api: Api) -> None:
    contract = api.rent()
    until = contract.ends_at + timedelta(days=9)
    one = Increase(5, contract, contract.dph * 2, until, api.account.at)
    api.account.increases.append(one)
    assert api("PUT", "instances/reject-price-increase/", pending_price_increase_id=5) == 200
    api("PUT", "instances/accept-price-increase/", pending_price_increase_id=5)


def _charges(limit: int = 20, **filters: Any) -> Provocation:
    text = json.dumps(filters).replace(" ", "").replace('"', "%22")
    return _call("GET", f"charges/?select_filters={text}&limit={limit}")


DAY = {"gte": 0, "lte": 10**10}
LONG = "x" * 257

PROVOCATIONS: dict[str, Provocation] = {
    "no-key": _key(None, USER),
    "unknown-key": _key("a" * 64, USER),
    "unknown-key-404": _key("a" * 64, _conduct(USER, bad_key="unknown-key-404")),
    "container-key": _container,
    "scope": _scope,
    "slash": _call("GET", "/api/v1/instances?limit=1"),
    "no-route": _call("GET", "nothing/"),
    "wrong-method": _call("DELETE", "users/current/"),
    "old-list": _call("GET", "instances/"),
    "interval": _fast,
    "penalty": _penalty,
    "search-minute": _searches(2, 100),
    "search-quota": _searches(100, 2),
    "not-json": lambda api: api.send("PUT", f"/api/v0/asks/{ASK}/", b"{"),
    "search-object": lambda api: api.send("POST", "/api/v0/bundles/", b"[1]"),
    "search-column": _search(shoe_size={"eq": 1}),
    "search-operator": _search(num_gpus={"near": 1}),
    "search-value": _search(num_gpus={"eq": "one"}),
    "search-order": _search(order=[["dph_total", "up"]]),
    "search-type": _search(type="spot"),
    "search-limit": _search(limit=0),
    "search-storage": _search(allocated_storage="much"),
    "env-type": _create(env=["A=b"]),
    "env-value": _create(env={"A": LONG}),
    "env-size": _create(env={f"N{number}": "x" * 250 for number in range(140)}),
    "env-ports": _create(env={f"-p {port}:{port}": "1" for port in range(8000, 8065)}),
    "env-port": _create(env={"-p 8000": "1"}),
    "no-image": _create(image=None),
    "no-template": _create(template_hash_id="unknown"),
    "runtype": _create(runtype="docker"),
    "script-size": _create(args=["x" * 4000], onstart="y" * 97),
    "login-form": _create(image_login="user:token@registry"),
    "price": _create(price=128.5),
    "vm-key": _create(vm=True),
    "disk-space": _create(disk=500),
    "host-own": _with(lambda api: _machine(api, own_host_only=True), _create()),
    "credit": _with(lambda api: setattr(api.account, "credit", Decimal(0)), _create()),
    "no-ask-404": _with(lambda api: api.rent(), _create(cancel_unavail=False)),
    "no-ask-400": _with(lambda api: api.rent(), _conduct(_create(), no_ask="no-ask-400")),
    "no-ask-410": _with(lambda api: api.account.other(ASK), _create()),
    "list-limit": _list(limit="26"),
    "list-token": _list(after_token="eyJvZiI6ICJjaGFyZ2VzIiwgImZyb20iOiAxfQ=="),
    "list-filters": _list(select_filters="[1]"),
    "list-column": _list(select_filters={"dph_total": {"lt": 1}}),
    "list-order": _list(order_by=[{"col": "id", "dir": "up"}]),
    "list-columns": _list(select_cols="id"),
    "no-instance": _gone("no-instance"),
    "gone-instance": _gone("gone-instance"),
    "nothing-to-do": _on("instances/{id}/"),
    "ended": _ended,
    "start-credit": _start_without_credit,
    "not-running": _reboot_stopped,
    "not-bid": _on("instances/bid_price/{id}/", price=0.3),
    "bid-price": lambda api: api(
        "PUT", f"instances/bid_price/{api.rent(price=0.3).id}/", client_id="me", price=32.5
    ),
    "log-tail": _on("instances/request_logs/{id}/", tail="all"),
    "command": _on("instances/command/{id}/", command="curl example.org"),
    "result-key": lambda api: _result(api, api.key, 0),
    "result-early": lambda api: _result(api, None, 1),
    "no-increase": _stale_increase,
    "prepay-bid": lambda api: api("PUT", f"instances/prepay/{api.rent(price=0.3).id}/", amount=10),
    "prepay-amount": _on("instances/prepay/{id}/", amount=0),
    "prepay-credit": _on("instances/prepay/{id}/", amount=1000),
    "charges-day": _charges(type={"in": ["instance"]}),
    "charges-type": _charges(day=DAY, type={"in": ["coffee"]}),
    "charges-limit": _charges(501, day=DAY),
    "charges-token": _call(
        "GET", 'charges/?select_filters={"day":{"gte":0,"lte":1}}&after_token=zzz'
    ),
    "no-ssh-keys": _call("GET", "ssh/"),
    "permission": _call("POST", "auth/apikeys/", name="n", permissions={"api": {"all_of_it": {}}}),
}

SENT: dict[str, tuple[str, Callable[[Api], str], Any]] = {
    "create": (
        "PUT",
        lambda api: f"asks/{ASK}/",
        {
            "client_id": "me", "image": "i", "template_hash_id": None, "disk": 20.5, "label": "l",
            "onstart": None, "runtype": "args", "args": ["a"], "args_str": "", "price": None,
            "target_state": "running", "cancel_unavail": True, "image_login": None,
            "volume_info": None, "user": None, "extra": None, "python_utf8": False,
            "lang_utf8": False, "use_jupyter_lab": False, "jupyter_dir": None, "force": False,
            "vm": False,
        },
    ),
    "update": (
        "PUT", lambda api: f"instances/{api.rent().id}/", {"state": "stopped", "label": "l"}
    ),
    "bulk-update": (
        "PUT", lambda api: "instances/", {"state": "stopped", "ids": [5]}
    ),
    "bulk-destroy": ("DELETE", lambda api: "instances/", {"instance_ids": [5]}),
    "empty": ("DELETE", lambda api: f"instances/{api.rent().id}/", {}),
    "bid": (
        "PUT",
        lambda api: f"instances/bid_price/{api.rent(price=0.3).id}/",
        {"client_id": "me", "price": 0.4},
    ),
    "prepay": ("PUT", lambda api: f"instances/prepay/{api.rent().id}/", {"amount": 5}),
    "logs": (
        "PUT",
        lambda api: f"instances/request_logs/{api.rent().id}/",
        {"tail": "10", "filter": "x", "daemon_logs": "true"},
    ),
    "command": ("PUT", lambda api: f"instances/command/{api.rent().id}/", {"command": "ls"}),
    "price-increase": (
        "PUT",
        lambda api: "instances/accept-price-increase/",
        {"pending_price_increase_id": 1},
    ),
    "search-asks": ("PUT", lambda api: "search/asks/", {"select_cols": ["*"], "q": {}}),
    "ssh-key": ("POST", lambda api: "ssh/", {"ssh_key": "ssh-ed25519 AAAA me"}),
    "api-key": (
        "POST", lambda api: "auth/apikeys/", {"name": "n", "permissions": {}, "key_params": None}
    ),
}  # fmt: skip
"""Body to method, path, and an example with every field."""


def _send(method: str, path: Callable[[Api], str], body: Any) -> Provocation:
    encoded = json.dumps(body).encode()
    return lambda api: api.send(method, f"/api/v0/{path(api)}", encoded)


for _name, (_method, _path, _example) in SENT.items():
    for _rule, _body in breakages(BODIES[_name], copy.deepcopy(_example), _name):
        PROVOCATIONS[_rule] = _send(_method, _path, _body)


def _many_rows(api: Api) -> Any:
    return len(api.search(limit=100))


def _by_id(api: Api) -> Any:
    return len(api.search(id={"eq": ASK}))


SILENCES: dict[str, tuple[Callable[[Api], Any], int]] = {
    "search-rows": (_many_rows, 64),
    "search-id": (_by_id, 0),
}
"""What is silently not done: how it is seen, and what is seen then."""
