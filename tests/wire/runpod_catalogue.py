"""RunPod REST v2: the catalogue. Levels of stock, never counts, and no reservation."""

from __future__ import annotations

from typing import Any

from tests.wire.runpod_call import Answer, Call
from tests.wire.runpod_pods import cuda_fits
from tests.wire.runpod_world import CpuType, DataCenter, GpuType, Place

LEVELS = ("NONE", "LOW", "MEDIUM", "HIGH")


def _best(levels: list[str]) -> str:
    return max(levels, key=LEVELS.index, default="NONE")


def _expanded(call: Call, given: dict[str, Any], filters: tuple[str, ...]) -> bool:
    """Whether availability was asked for; its parameters go together, either way round."""
    asked = "include" in given
    if asked and "product" not in given:
        call.rules.refuse("include-without-product")
    for name in filters:
        if name in given and not asked:
            call.rules.refuse("filter-without-include", parameter=name)
    return asked


def gpus(call: Call) -> Answer:
    """`GET /v2/catalog/gpus`."""
    given = _gpu_query(call)
    rows = [_gpu(call, kind, given) for kind in call.account.gpu_types]
    if "countryCodes" in given:
        rows = [row for row in rows if "dataCenters" in row]
    return Answer(200, {"gpus": rows})


def gpu(call: Call, id: str) -> Answer:
    """`GET /v2/catalog/gpus/{id}`."""
    given = _gpu_query(call)
    for kind in call.account.gpu_types:
        if kind.id == id:
            return Answer(200, _gpu(call, kind, given))
    call.rules.refuse("no-gpu-type")
    return Answer(200, {})


def _gpu_query(call: Call) -> dict[str, Any]:
    given = call.parameters("list-gpus")
    filters = ("product", "count", "cloud", "countryCodes", "cudaVersions", "minCudaVersion")
    _expanded(call, given, filters)
    if "cudaVersions" in given and "minCudaVersion" in given:
        call.rules.refuse("cuda-twice-in-query")
    return given


def _gpu(call: Call, kind: GpuType, given: dict[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": kind.id,
        "name": kind.name,
        "pool": kind.pool,
        "manufacturer": kind.maker,
        "memory": kind.memory,
        "secure": kind.secure is not None,
        "community": kind.community is not None,
        "price": {
            "secure": float(kind.secure or 0),
            # a price may be present although the type is not sold there
            "community": float(kind.community or kind.secure or 0),
        },
        "maxCount": {
            "secure": kind.count_max if kind.secure else 0,
            "community": kind.count_max if kind.community else 0,
        },
    }
    if call.account.conduct.extra_fields:
        row["cudaCores"] = 10_240
    if "include" in given:
        row |= _availability(call, kind, given)
    return row


def _availability(call: Call, kind: GpuType, given: dict[str, Any]) -> dict[str, Any]:
    account = call.account
    cloud, count = given.get("cloud", "SECURE"), given.get("count", 1)
    countries = given.get("countryCodes")
    centers = {c.id: c for c in account.data_centers if not countries or c.country in countries}
    every = [p for p in account.places if p.gpu == kind.id and p.cloud == cloud]
    places = [
        p
        for p in every
        if p.data_center in centers
        and cuda_fits(p.cuda, given.get("cudaVersions"), _full(given.get("minCudaVersion")))
    ]
    row: dict[str, Any] = {"availability": _best([p.level(count) for p in places])}
    if places and cloud == "SECURE" and row["availability"] != "NONE":
        row["dataCenters"] = _by_center(places, count, centers)
    elif countries and row["availability"] != "NONE":
        row["dataCenters"] = []
    if kind.maker == "NVIDIA":
        versions = sorted({p.cuda for p in every})
        wanted = given.get("cudaVersions") or versions
        row["cudaVersions"] = [
            {
                "version": version,
                "available": any(p.cuda == version and p.free >= count for p in places),
            }
            for version in versions
            if version in wanted
        ]
    return row


def _full(version: str | None) -> str | None:
    """A bare major means any release of it."""
    return version if version is None or "." in version else f"{version}.0"


def _by_center(
    places: list[Place], count: int, centers: dict[str, DataCenter]
) -> list[dict[str, Any]]:
    found: dict[str, list[str]] = {}
    for place in places:
        found.setdefault(place.data_center, []).append(place.level(count))
    return [
        {"id": id, "name": centers[id].name, "availability": _best(levels)}
        for id, levels in found.items()
    ]


def cpus(call: Call) -> Answer:
    """`GET /v2/catalog/cpus`."""
    given = _cpu_query(call)
    return Answer(200, {"cpus": [_cpu(kind, given) for kind in call.account.cpu_types]})


def cpu(call: Call, id: str) -> Answer:
    """`GET /v2/catalog/cpus/{id}`."""
    given = _cpu_query(call)
    for kind in call.account.cpu_types:
        if kind.id == id:
            return Answer(200, _cpu(kind, given))
    call.rules.refuse("no-cpu-type")
    return Answer(200, {})


def _cpu_query(call: Call) -> dict[str, Any]:
    given = call.parameters("list-cpus")
    _expanded(call, given, ("product", "vcpuCount"))
    if (count := given.get("vcpuCount", 2)) & (count - 1):
        call.rules.refuse("vcpu-power-in-query")
    return given


def _cpu(kind: CpuType, given: dict[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": kind.id,
        "name": kind.name,
        "minVcpu": 2,
        "maxVcpu": kind.vcpus_max,
        "ramMultiplier": kind.ram_gb_per_vcpu,
        "price": {"secure": float(kind.price)},
    }
    if "include" in given:
        row["availability"] = "HIGH" if given.get("vcpuCount", 2) <= kind.vcpus_max else "NONE"
    return row


def data_centers(call: Call) -> Answer:
    """`GET /v2/catalog/datacenters`."""
    given = call.parameters("list-data-centers")
    rows = []
    for center in call.account.data_centers:
        if "regions" in given and center.region not in given["regions"]:
            continue
        if not set(given.get("networkVolumeTypes", [])) <= set(center.volume_types):
            continue
        if not set(given.get("compliance", [])) <= set(center.compliance):
            continue
        if given.get("globalNetwork", center.global_network) != center.global_network:
            continue
        rows.append(_center(call, center, given))
    return Answer(200, {"dataCenters": rows})


def data_center(call: Call, id: str) -> Answer:
    """`GET /v2/catalog/datacenters/{id}`."""
    given = call.parameters("list-data-centers")
    for center in call.account.data_centers:
        if center.id == id:
            return Answer(200, _center(call, center, given))
    call.rules.refuse("no-data-center")
    return Answer(200, {})


def _center(call: Call, center: DataCenter, given: dict[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": center.id,
        "name": center.name,
        "region": center.region,
        "countryCode": center.country,
        "compliance": list(center.compliance),
        "networkVolumeTypes": list(center.volume_types),
        "globalNetwork": center.global_network,
    }
    account = call.account
    if "GPU_AVAILABILITY" in given.get("include", []):
        row["gpuAvailability"] = [
            {
                "id": kind.id,
                "name": kind.name,
                "availability": _best(
                    [
                        p.level(1)
                        for p in account.places
                        if p.gpu == kind.id and p.cloud == "SECURE" and p.data_center == center.id
                    ]
                ),
            }
            for kind in account.gpu_types
        ]
    if "CPU_AVAILABILITY" in given.get("include", []):
        row["cpuAvailability"] = [
            {"id": kind.id, "name": kind.name, "availability": "HIGH"} for kind in account.cpu_types
        ]
    return row
