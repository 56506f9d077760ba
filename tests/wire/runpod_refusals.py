"""How to be refused by the simulated RunPod: one provocation for every rule.

Each takes an `Api`, sets the scene, and ends with the call that the rule refuses.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from tests.wire.runpod import READ_ONLY_KEY
from tests.wire.runpod_api import GPU, Api
from tests.wire.runpod_bodies import BODIES, QUERIES
from tests.wire.runpod_rules import RULES
from tests.wire.shapes import Schema, breakages, broken

Provocation = Callable[[Api], Any]
AVAILABLE = "include=AVAILABILITY&product=POD"


def _full(window: str) -> Provocation:
    def provoke(api: Api) -> None:
        rates = {name: (10**6, length) for name, (_, length) in api.account.conduct.rates.items()}
        api.account.conduct.rates = rates | {window: (2, rates[window][1])}
        for _ in range(3):
            api("GET", "/v2/pods")

    return provoke


def _key(key: str, method: str = "GET", target: str = "/v2/pods") -> Provocation:
    def provoke(api: Api) -> None:
        api.key = key
        api(method, target)

    return provoke


def _pod_key(api: Api) -> None:
    other = api.pod()
    api.key = api.account.pod(api.pod()).key
    api("DELETE", f"/v2/pods/{other}")


def _act(action: str, stop_first: bool = False) -> Provocation:
    def provoke(api: Api) -> None:
        id = api.pod()
        if stop_first:
            api("POST", f"/v2/pods/{id}/action", action="stop")
        api("POST", f"/v2/pods/{id}/action", action=action)

    return provoke


def _locked(api: Api) -> None:
    id = api.pod()
    api("PATCH", f"/v2/pods/{id}", locked=True)
    api("POST", f"/v2/pods/{id}/action", action="stop")


def _host_full(api: Api) -> None:
    id = api.pod()
    api("POST", f"/v2/pods/{id}/action", action="stop")
    api.account.pod(id).place.free = 0
    api("POST", f"/v2/pods/{id}/action", action="start")


def _mounted(create: Callable[[Api], dict[str, Any]], update: Callable[[Api], Any]) -> Provocation:
    def provoke(api: Api) -> None:
        id = api.pod(mounts=create(api))
        api("PATCH", f"/v2/pods/{id}", mounts=update(api))

    return provoke


def _network(api: Api, **place: str) -> dict[str, Any]:
    return {"network": [{"volumeId": api.volume(**place), "path": "/data"}]}


def _persistent(size: int = 50) -> dict[str, Any]:
    return {"persistent": {"size": size, "path": "/data"}}


def _no_stock(api: Api) -> None:
    for place in api.account.places:
        place.free = 0
    api.create()


def _poor(api: Api) -> None:
    api.account.credit = Decimal("0.68")
    api.create()


def _spender(api: Api) -> None:
    api.account.conduct.spend_limit = Decimal("0.5")
    api.create()


def _used_volume(api: Api) -> None:
    mounts = _network(api)
    api.pod(mounts=mounts)
    api("DELETE", f"/v2/network-volumes/{mounts['network'][0]['volumeId']}")


def _no_gpu_near(api: Api) -> None:
    mounts = _network(api)
    api.account.places = [p for p in api.account.places if p.data_center != "EU-RO-1"]
    api.create(mounts=mounts)


def _used_registry(api: Api) -> None:
    id = api.registry()
    api.pod(registry=id)
    api("DELETE", f"/v2/registries/{id}")


def _global(api: Api) -> None:
    centers = api.account.data_centers
    api.account.data_centers = tuple(replace(c, global_network=False) for c in centers)
    api.create(globalNetworking=True)


def _get(target: str) -> Provocation:
    return lambda api: api("GET", target)


def _create(**changes: Any) -> Provocation:
    return lambda api: api.create(**changes)


def _gpu(**changes: Any) -> Provocation:
    return lambda api: api.create(gpu={"id": GPU, "count": 1} | changes)


def _cpu(count: int, **changes: Any) -> Provocation:
    return lambda api: api.create(gpu=None, cpu={"id": "cpu3c", "vcpuCount": count}, **changes)


PROVOCATIONS: dict[str, Provocation] = {
    "too-large": _create(name="x" * 102_401),
    "retired": _get("/v1/pods"),
    "no-key": _key(""),
    "unknown-key": _key("rpa_nobody"),
    "rate-minute": _full("minute"),
    "rate-hour": _full("hour"),
    "rate-day": _full("day"),
    "read-only-key": _key(READ_ONLY_KEY, "POST"),
    "pod-key": _pod_key,
    "no-route": _get("/v2/potatoes"),
    "wrong-method": lambda api: api("PUT", "/v2/pods"),
    "not-json": lambda api: api.send("POST", "/v2/pods", b"{"),
    "repeated": _get(f"/v2/catalog/gpus?{AVAILABLE}&countryCodes=FR&countryCodes=DE"),
    "cursor": _get("/v2/pods?cursor=bm9uc2Vuc2U6MQ=="),
    "include-without-product": _get("/v2/catalog/gpus?include=AVAILABILITY"),
    "filter-without-include": _get("/v2/catalog/gpus?product=POD"),
    "cuda-twice-in-query": _get(
        f"/v2/catalog/gpus?{AVAILABLE}&cudaVersions=12.8&minCudaVersion=12"
    ),
    "vcpu-power-in-query": _get(f"/v2/catalog/cpus?{AVAILABLE}&vcpuCount=6"),
    "no-gpu-type": _get("/v2/catalog/gpus/NVIDIA%20Potato"),
    "no-cpu-type": _get("/v2/catalog/cpus/potato"),
    "no-data-center": _get("/v2/catalog/datacenters/MOON-1"),
    "image-missing": _create(image=None),
    "gpu-or-cpu": _create(gpu=None),
    "cuda-twice": _gpu(allowedCudaVersions=["12.8"], minCudaVersion="12.0"),
    "mounts-both": lambda api: api.create(mounts=_persistent() | _network(api)),
    "persistent-on-cpu": _cpu(16, mounts=_persistent()),
    "vcpu-power": _cpu(12),
    "port-form": _create(ports=["53/udp"]),
    "http-ports": _create(ports=[f"{8000 + n}/http" for n in range(11)]),
    "args-disagree": _create(args="serve", cmd=["other"]),
    "unknown-template": _create(templateId="tpl"),
    "unknown-volume": _create(mounts={"network": [{"volumeId": "gone", "path": "/data"}]}),
    "unknown-registry": _create(registry="gone"),
    "unknown-gpu": lambda api: api.create(gpu={"id": "NVIDIA Potato", "count": 1}),
    "unknown-cpu": lambda api: api.create(gpu=None, cpu={"id": "potato", "vcpuCount": 16}),
    "volume-cloud": lambda api: api.create(cloud="COMMUNITY", mounts=_network(api)),
    "volume-place": _no_gpu_near,
    "disk-missing": _create(disk=None),
    "disk-cap": _cpu(2),
    "global-network": _global,
    "gpu-max": _gpu(count=9),
    "count-missing": lambda api: api.create(gpu={"id": GPU}),
    "capacity": _no_stock,
    "capacity-disk": _create(disk=3000),
    "no-funds": _poor,
    "spend-limit": _spender,
    "no-pod": _get("/v2/pods/gone"),
    "cluster-pod": lambda api: api(
        "DELETE", f"/v2/pods/{api.account.plant('member', cluster='c1').id}"
    ),
    "action-status": _act("start"),
    "locked": _locked,
    "host-full": _host_full,
    "mount-clear": _mounted(_network, lambda api: {"network": []}),
    "mount-kind": _mounted(_network, lambda api: _persistent()),
    "mount-volume": _mounted(_network, _network),
    "mount-shrink": _mounted(lambda api: _persistent(50), lambda api: _persistent(40)),
    "no-volume": _get("/v2/network-volumes/gone"),
    "volume-data-center": lambda api: api(
        "POST", "/v2/network-volumes", name="c", size=10, dataCenter="EU-SE-1"
    ),
    "volume-type": lambda api: api(
        "POST",
        "/v2/network-volumes",
        name="c",
        size=10,
        dataCenter="EU-CZ-1",
        type="HIGH_PERFORMANCE",
    ),
    "volume-shrink": lambda api: api("PATCH", f"/v2/network-volumes/{api.volume()}", size=20),
    "volume-used": _used_volume,
    "no-registry": _get("/v2/registries/gone"),
    "registry-used": _used_registry,
    "billing-window": _get("/v2/billing/pods?lastN=2&startTime=2026-11-01T00:00:00Z"),
    "billing-order": _get(
        "/v2/billing/pods?startTime=2026-11-02T00:00:00Z&endTime=2026-11-01T00:00:00Z"
    ),
}

# --- rules that follow from shapes: break one keyword of one field in a request that has them all ----

SENT: dict[str, tuple[str, Callable[[Api], str], dict[str, Any]]] = {
    "create-pod": (
        "POST",
        lambda api: "/v2/pods",
        {
            "name": "n",
            "templateId": "t",
            "image": "i",
            "args": "a",
            "cmd": ["c"],
            "entrypoint": ["e"],
            "disk": 1,
            "ports": ["22/tcp"],
            "env": {"A": "b"},
            "registry": "r",
            "cloud": "SECURE",
            "gpu": {
                "id": GPU,
                "count": 1,
                "allowedCudaVersions": ["12.8"],
                "minCudaVersion": "12.8",
                "minRamPerGpu": 1,
                "minVcpuCountPerGpu": 1,
            },
            "cpu": {"id": "cpu3c", "vcpuCount": 2},
            "dataCenterIds": ["EU-RO-1"],
            "mounts": _persistent() | {"network": [{"volumeId": "v", "path": "/v"}]},
            "startSsh": True,
            "startJupyter": True,
            "globalNetworking": True,
        },
    ),
    "update-pod": (
        "PATCH",
        lambda api: f"/v2/pods/{api.pod()}",
        {
            "name": "n",
            "templateId": "t",
            "image": "i",
            "args": "a",
            "cmd": ["c"],
            "entrypoint": ["e"],
            "disk": 1,
            "ports": ["22/tcp"],
            "env": {"A": "b"},
            "registry": "r",
            "mounts": _persistent() | {"network": [{"volumeId": "v", "path": "/v"}]},
            "locked": True,
            "globalNetworking": True,
        },
    ),
    "pod-action": ("POST", lambda api: f"/v2/pods/{api.pod()}/action", {"action": "stop"}),
    "create-volume": (
        "POST",
        lambda api: "/v2/network-volumes",
        {"name": "n", "size": 10, "dataCenter": "EU-RO-1", "type": "STANDARD"},
    ),
    "update-volume": (
        "PATCH",
        lambda api: f"/v2/network-volumes/{api.volume()}",
        {"name": "n", "size": 60},
    ),
    "create-registry": (
        "POST",
        lambda api: "/v2/registries",
        {"name": "n", "username": "u", "password": "p"},
    ),
    "ssh-keys": ("PUT", lambda api: "/v2/account/ssh-keys", {"keys": ["ssh-ed25519 AAAA me"]}),
}
"""Body to method, path, and an example with every field."""

ASKED: dict[str, str] = {
    "list-pods": "/v2/pods",
    "list-volumes": "/v2/network-volumes",
    "list-registries": "/v2/registries",
    "list-gpus": f"/v2/catalog/gpus?{AVAILABLE}",
    "list-cpus": f"/v2/catalog/cpus?{AVAILABLE}",
    "list-data-centers": "/v2/catalog/datacenters",
    "pod-logs": "/v2/pods/{id}/logs",
    "billing": "/v2/billing/pods",
}


def _send(method: str, path: Callable[[Api], str], body: Any) -> Provocation:
    encoded = json.dumps(body).encode()
    return lambda api: api.send(method, path(api), encoded)


def _ask(path: str, name: str, text: str) -> Provocation:
    def provoke(api: Api) -> None:
        target = path.replace("{id}", api.pod()) if "{id}" in path else path
        head, _, tail = target.partition("?")
        kept = [pair for pair in tail.split("&") if pair and not pair.startswith(f"{name}=")]
        api("GET", f"{head}?{'&'.join([*kept, f'{name}={text}'])}")

    return provoke


def _text(schema: Schema, keyword: str) -> str:
    if keyword == "maxItems":
        return ",".join([schema["items"]["enum"][0]] * (schema["maxItems"] + 1))
    if schema["type"] in ("integer", "boolean", "time") and keyword == "type":
        return "perhaps"
    return str(broken(schema, keyword, 1)).replace(" ", "%20")


for _name, (_method, _path, _example) in SENT.items():
    for _rule, _body in breakages(BODIES[_name], copy.deepcopy(_example), _name):
        PROVOCATIONS[_rule] = _send(_method, _path, _body)
for _operation, _parameters in QUERIES.items():
    for _name, _schema in _parameters.items():
        for _where, _part in (
            (f"{_operation}?{_name}", _schema),
            (f"{_operation}?{_name}[]", _schema.get("items", {})),
        ):
            for _keyword in ("type", *_part):
                if f"{_where}:{_keyword}" in RULES:
                    PROVOCATIONS[f"{_where}:{_keyword}"] = _ask(
                        ASKED[_operation], _name, _text(_part, _keyword)
                    )
