"""What the official RunPod clients are made to do against the simulator."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

from tests.validators.mcp import Mcp
from tests.wire.server import Served

GPU = "NVIDIA GeForce RTX 4090"
BODY: dict[str, Any] = {
    "name": "ls1-abcdefgh-01J0000000000000000000000-29900000",
    "image": "registry.example/worker:1",
    "gpu": {"id": GPU, "count": 1, "minVcpuCountPerGpu": 4, "minRamPerGpu": 16},
    "disk": 100,
    "ports": ["8000/http", "22/tcp"],
    "env": {"LEITSTAND_INSTANCE": "inst_1"},
    "startSsh": True,
}


def by_mcp(mcp: Mcp, served: Served) -> list[tuple[str, bool, Any]]:
    """Every tool of the pod, catalogue, storage and billing surface; tool, success, result."""
    told: list[tuple[str, bool, Any]] = []

    def do(tool: str, **arguments: Any) -> Any:
        ok, result = mcp.call(tool, **arguments)
        told.append((tool, ok, result))
        return result

    def up(seconds: float = 200) -> None:
        served.forward(seconds)

    available = {"include": ["AVAILABILITY"], "product": ["POD"]}
    do("list-gpu-types", **available, count=1, cloud="SECURE", countryCodes=["RO", "CZ"])
    do("get-gpu-type", id=GPU, **available, minCudaVersion="12")
    do("list-gpu-types", include=["AVAILABILITY"])
    do("get-gpu-type", id="NVIDIA Potato")
    do("list-cpu-types", **available, vcpuCount=4)
    do("get-cpu-type", id="cpu3c")
    do("list-data-centers", include=["GPU_AVAILABILITY"], compliance=["GDPR", "ISO_IEC_27001"])
    do("get-data-center", id="EU-RO-1")
    do("update-ssh-keys", body={"keys": ["ssh-ed25519 AAAA test"]})
    do("get-ssh-keys")
    volume = do(
        "create-network-volume", body={"name": "models", "size": 50, "dataCenter": "EU-RO-1"}
    )
    do("update-network-volume", id=volume["id"], body={"size": 60})
    do("get-network-volume", id=volume["id"])
    login = do("create-registry", body={"name": "r", "username": "u", "password": "secret"})
    do("get-registry", id=login["id"])
    do("list-registries")
    network = {"network": [{"volumeId": volume["id"], "path": "/models"}]}
    pod = do("create-pod", body=BODY | {"registry": login["id"], "mounts": network})
    do("create-pod", body=BODY | {"surprise": 1})
    do("create-pod", body=BODY | {"dataCenterIds": ["AP-JP-1"]})
    do("get-pod", id=pod["id"])
    up()
    do("list-pods")
    do("get-pod", id=pod["id"])
    do("stream-pod-logs", podId=pod["id"], tail=10, maxWaitMs=500)
    do("pod-action", id=pod["id"], body={"action": "start"})
    do("pod-action", id=pod["id"], body={"action": "restart"})
    do("pod-action", id=pod["id"], body={"action": "stop"})
    up(3600)
    do("pod-action", id=pod["id"], body={"action": "start"})
    up()
    do("update-pod", id=pod["id"], body={"name": "renamed", "env": {"A": "1"}})
    do("delete-network-volume", id=volume["id"])
    do("delete-registry", id=login["id"])
    do("delete-pod", id=pod["id"])
    do("get-pod", id=pod["id"])
    do("delete-network-volume", id=volume["id"])
    do("delete-registry", id=login["id"])
    do("list-network-volumes")
    do("list-pod-billing", bucketSize="hour", lastN=3, podId=pod["id"])
    do("list-network-volume-billing", bucketSize="hour", lastN=3)
    do("list-billing", bucketSize="day", lastN=1)
    return told


BALANCE = "query { myself { id clientBalance currentSpendPerHr spendLimit } }"
SDK = f"""
import json, sys, runpod
from runpod.api.graphql import run_graphql_query
runpod.api_key = sys.argv[1]
told = {{
    "user": runpod.get_user(),
    "gpus": runpod.get_gpus(),
    "pods": runpod.get_pods(),
    "gone": runpod.get_pod("gone"),
    "balance": run_graphql_query({BALANCE!r}),
}}
try:
    run_graphql_query("query {{ myself {{ shoeSize }} }}")
except runpod.error.QueryError as wrong:
    told["refused"] = str(wrong)
runpod.api_key = "nobody"
try:
    runpod.get_user()
except runpod.error.AuthenticationError as wrong:
    told["unauthorized"] = str(wrong)
print(json.dumps(told))
"""


def by_sdk(python: Path, served: Served) -> str:
    """What the Python SDK prints: JSON of what it read."""
    environment = os.environ | {"RUNPOD_API_BASE_URL": served.url}
    done = subprocess.run(
        [python, "-c", SDK, served.sim.key],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout.splitlines()[-1]
