"""RunPod REST v2: pods. Create, look, change, act, end."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.wire.runpod_call import Answer, Call, page
from tests.wire.runpod_pod import ACTIONS, Pod
from tests.wire.runpod_world import GpuType, Place

HTTP_PORTS_MAX = 10


def create(call: Call) -> Answer:
    """`POST /v2/pods`: shape, then rules across fields, references, money, and placement last."""
    body = call.json("create-pod")
    _cross_fields(call, body)
    _references(call, body)
    pod = _priced(call, body)
    _funds(call, pod)
    if "disk" not in body:
        call.rules.refuse("disk-missing")
    pod.fate.times -= 1
    pod.number = call.account.next_number()
    if pod.place:
        pod.place.free -= pod.gpus
    call.account.pods.append(pod)
    return Answer(201, call.account.view(pod))


def _cross_fields(call: Call, body: dict[str, Any]) -> None:
    refuse = call.rules.refuse
    if "image" not in body and "templateId" not in body:
        refuse("image-missing", ("$: missing property 'image'",))
    gpu, cpu = body.get("gpu"), body.get("cpu")
    if (gpu is None) == (cpu is None):
        refuse("gpu-or-cpu")
    if gpu and gpu.get("allowedCudaVersions") and "minCudaVersion" in gpu:
        refuse("cuda-twice")
    if cpu and (count := cpu.get("vcpuCount", 2)) & (count - 1):
        refuse("vcpu-power")
    mounts = body.get("mounts", {})
    if "persistent" in mounts and mounts.get("network"):
        refuse("mounts-both")
    if cpu and "persistent" in mounts:
        refuse("persistent-on-cpu")
    if mounts.get("network") and body.get("cloud") == "COMMUNITY":
        refuse("volume-cloud")
    container_fields(call, body)


def container_fields(call: Call, body: dict[str, Any]) -> None:
    """Rules of create and update alike."""
    ports = body.get("ports", [])
    for port in ports:
        if not re.fullmatch(r"\d{1,6}/(tcp|http)", str(port)):
            call.rules.refuse("port-form", port=port)
    if sum(str(port).endswith("/http") for port in ports) > HTTP_PORTS_MAX:
        call.rules.refuse("http-ports")
    exec_form = {name: body[name] for name in ("entrypoint", "cmd") if name in body}
    if exec_form and body.get("args"):
        try:
            agrees = json.loads(body["args"]) == exec_form
        except ValueError:
            agrees = False
        if not agrees:
            call.rules.refuse("args-disagree")


def _references(call: Call, body: dict[str, Any]) -> None:
    account = call.account
    if "templateId" in body:
        call.rules.refuse("unknown-template")
    if (registry := body.get("registry")) and registry not in {r.id for r in account.registries}:
        call.rules.refuse("unknown-registry", id=registry)
    for mount in body.get("mounts", {}).get("network", []):
        live = {v.id for v in account.volumes if v.deleted_at is None}
        if mount["volumeId"] not in live:
            call.rules.refuse("unknown-volume", id=mount["volumeId"])


def _priced(call: Call, body: dict[str, Any]) -> Pod:
    """The pod that this body would be, with its place; nothing is taken yet."""
    account = call.account
    fate = account.fate_of(body)
    mounts = body.get("mounts", {})
    network = dict(mounts["network"][0]) if mounts.get("network") else None
    env = dict(body.get("env", {}))
    if body.get("startSsh") and account.ssh_keys:
        env.setdefault("PUBLIC_KEY", "\n".join(account.ssh_keys))
    if body.get("startJupyter"):
        env.setdefault("JUPYTER_PASSWORD", account.draw(20))
    pod = Pod(
        number=0,
        id=account.draw(),
        key=f"rpa_{account.draw(40)}",
        name=body.get("name", ""),
        image=body.get("image", ""),
        disk=body.get("disk", 20),
        created_at=call.now,
        place=None,
        cloud=body.get("cloud", "SECURE"),
        ports=[str(port) for port in body.get("ports", [])],
        env=env,
        registry=body.get("registry"),
        persistent=dict(mounts["persistent"]) if "persistent" in mounts and not network else None,
        network=network,
        global_network=bool(body.get("globalNetworking", False)),
        fate=fate,
        boot_at=call.now,
    )
    command(pod, body)
    if body.get("cpu"):
        _cpu(call, pod, body["cpu"])
    else:
        _gpu(call, pod, body)
    return pod


def command(pod: Pod, body: dict[str, Any]) -> None:
    """`args` and the exec form show the same thing twice."""
    if "cmd" in body or "entrypoint" in body:
        pod.cmd, pod.entrypoint = body.get("cmd", []), body.get("entrypoint", [])
        given = {name: body[name] for name in ("entrypoint", "cmd") if name in body}
        pod.args = json.dumps(given)
    elif "args" in body:
        pod.args, pod.cmd, pod.entrypoint = body["args"], body["args"].split(), []


def _cpu(call: Call, pod: Pod, wanted: dict[str, Any]) -> None:
    known = [kind for kind in call.account.cpu_types if kind.id == wanted.get("id")]
    if not known:
        call.rules.refuse("unknown-cpu", id=wanted.get("id"))
    kind = known[0] if known else call.account.cpu_types[0]
    pod.vcpus = int(wanted.get("vcpuCount", 2))
    cap = kind.disk_gb_per_vcpu * pod.vcpus
    if pod.disk > cap:
        call.rules.refuse("disk-cap", cap=cap)
    if pod.vcpus > kind.vcpus_max:
        call.rules.refuse("capacity", text=call.account.conduct.capacity_text)
    pod.cpu, pod.ram_gb = kind.id, kind.ram_gb_per_vcpu * pod.vcpus
    pod.rate_cpu = pod.fate.price or kind.price * pod.vcpus


def _gpu(call: Call, pod: Pod, body: dict[str, Any]) -> None:
    account, refuse = call.account, call.rules.refuse
    wanted = body.get("gpu") or {}
    known = [kind for kind in account.gpu_types if kind.id == wanted.get("id")]
    if not known:
        refuse("unknown-gpu", id=wanted.get("id"))
    kind = known[0] if known else account.gpu_types[0]
    if "count" not in wanted:
        refuse("count-missing")
    count = int(wanted.get("count", 1))
    if count > kind.count_max:
        refuse("gpu-max")
    fitting = _fitting(call, kind, count, pod, body)
    pod.place = fitting
    pod.gpu, pod.gpus, pod.gpus_wanted = kind.id, count, count
    pod.vcpus = (fitting.vcpus if fitting else 8) * count
    pod.ram_gb = (fitting.ram_gb if fitting else 30) * count
    pod.rate_gpu = pod.fate.price if pod.fate.price is not None else kind.price(pod.cloud)
    enabled = {center.id for center in account.data_centers if center.global_network}
    if pod.global_network and (
        kind.maker != "NVIDIA" or not fitting or fitting.data_center not in enabled
    ):
        refuse("global-network")


def _fitting(call: Call, kind: GpuType, count: int, pod: Pod, body: dict[str, Any]) -> Place | None:
    account, refuse = call.account, call.rules.refuse
    wanted = body.get("gpu") or {}
    centers = body.get("dataCenterIds", [])
    places = [p for p in account.places if p.gpu == kind.id and p.cloud == pod.cloud]
    if pod.network:
        home = {v.data_center for v in account.volumes if v.id == pod.network["volumeId"]}
        inside = [place for place in places if place.data_center in home]
        if not inside or (centers and not home & set(centers)):
            refuse("volume-place")
        places = inside or places
    free = [
        place
        for place in places
        if place.free >= count
        and (not centers or place.data_center in centers)
        and place.vcpus >= wanted.get("minVcpuCountPerGpu", 0)
        and place.ram_gb >= wanted.get("minRamPerGpu", 0)
        and cuda_fits(place.cuda, wanted.get("allowedCudaVersions"), wanted.get("minCudaVersion"))
    ]
    if not free:
        refuse("capacity", text=account.conduct.capacity_text)
    size = pod.disk + (pod.persistent["size"] if pod.persistent else 0)
    roomy = [place for place in free if place.disk_gb >= size]
    if free and not roomy:
        refuse("capacity-disk")
    return next(iter(roomy or free or places), None)


def cuda_fits(offered: str, exact: list[str] | None, least: str | None) -> bool:
    """Lists match exactly, a minimum compares numbers: 12.11 is above 12.2."""
    if exact and offered not in exact:
        return False
    if least:
        return [int(n) for n in offered.split(".")] >= [int(n) for n in least.split(".")]
    return True


def _funds(call: Call, pod: Pod) -> None:
    account = call.account
    hourly = pod.rate_gpu * pod.gpus + pod.rate_cpu
    if account.balance() < hourly:
        call.rules.refuse("no-funds")
    spending = sum(p.cost() for p in account.live()) + hourly
    if spending > account.conduct.spend_limit:
        call.rules.refuse("spend-limit", limit=account.conduct.spend_limit)


# --- one pod -------------------------------------------------------------------------------------


def listing(call: Call) -> Answer:
    """`GET /v2/pods`."""
    given = call.parameters("list-pods")
    account = call.account
    rows = [pod for pod in account.pods if account.visible(pod)]
    if not given.get("includeClusterPods", False):
        rows = [pod for pod in rows if not pod.cluster]
    held, tail = page(call, "list-pods", rows)
    return Answer(200, {"pods": [account.view(pod) for pod in held], **tail})


def _found(call: Call, id: str, *, ended: bool = False) -> Pod | None:
    account = call.account
    for pod in account.pods:
        if pod.id == id and account.visible(pod) and (ended or pod.ended_at is None):
            return pod
    call.rules.refuse("no-pod")
    return None


def get(call: Call, id: str) -> Answer:
    """`GET /v2/pods/{id}`."""
    pod = _found(call, id, ended=True)
    return Answer(200, call.account.view(pod) if pod else {})


def delete(call: Call, id: str) -> Answer:
    """`DELETE /v2/pods/{id}`."""
    pod = _changeable(call, id)
    if pod:
        call.account.end(pod, "api")
    return Answer(204)


def _changeable(call: Call, id: str) -> Pod | None:
    pod = _found(call, id)
    if pod and pod.cluster:
        call.rules.refuse("cluster-pod")
    return pod


def act(call: Call, id: str) -> Answer:
    """`POST /v2/pods/{id}/action`."""
    action = call.json("pod-action").get("action")
    pod, account = _changeable(call, id), call.account
    if pod is None:
        return Answer(200, {})
    status = pod.status(call.now, account.conduct)
    if action not in ACTIONS[status]:
        call.rules.refuse("action-status", action=action, status=status)
    if pod.locked and action in ("stop", "restart"):
        call.rules.refuse("locked")
    if action == "terminate":
        account.end(pod, "api")
        return Answer(204)
    if action == "stop":
        account.stop(pod)
    elif action == "start":
        lost = pod.broken == "EXITED"
        if pod.stopped and pod.place and (lost or pod.place.free < pod.gpus_wanted):
            call.rules.refuse("host-full")
        account.start(pod)
    else:
        account.reset(pod)
    return Answer(200, account.view(pod))


def update(call: Call, id: str) -> Answer:
    """`PATCH /v2/pods/{id}`: a running pod's container is reset."""
    body = call.json("update-pod")
    pod, account = _changeable(call, id), call.account
    if pod is None:
        return Answer(200, {})
    container_fields(call, body)
    _references(call, {k: v for k, v in body.items() if k in ("templateId", "registry")})
    if "mounts" in body:
        _remount(call, pod, body["mounts"])
    for name in ("name", "image", "disk", "ports", "env", "registry", "locked"):
        if name in body:
            setattr(pod, name, body[name])
    if "globalNetworking" in body:
        pod.global_network = body["globalNetworking"]
    command(pod, body)
    only_labels = body.keys() <= {"name", "locked", "globalNetworking"}
    if pod.status(call.now, account.conduct) == "RUNNING" and not only_labels:
        account.reset(pod)
    return Answer(200, account.view(pod))


def _remount(call: Call, pod: Pod, mounts: dict[str, Any]) -> None:
    refuse = call.rules.refuse
    if "network" in mounts and not mounts["network"]:
        refuse("mount-clear")
    if ("persistent" in mounts and not pod.persistent) or (
        mounts.get("network") and not pod.network
    ):
        refuse("mount-kind")
    for mount in mounts.get("network", []):
        if pod.network and mount["volumeId"] != pod.network["volumeId"]:
            refuse("mount-volume")
        pod.network = dict(mount)
    if "persistent" in mounts:
        if pod.persistent and mounts["persistent"]["size"] < pod.persistent["size"]:
            refuse("mount-shrink")
        pod.persistent = dict(mounts["persistent"])
