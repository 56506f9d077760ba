"""Searches of the simulated Vast.ai: slices of machines as rows, and the filters over them."""

from __future__ import annotations

import json
import operator
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tests.wire.vast_account import Account
from tests.wire.vast_call import Answer, Call
from tests.wire.vast_world import HOURS_PER_MONTH, Machine

TYPES = {"ondemand", "on-demand", "bid", "reserved"}
CONTROL = {"order", "type", "limit", "allocated_storage", "disable_bundling"}
OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "neq": operator.ne,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "in": lambda value, wanted: value in wanted,
    "notin": lambda value, wanted: value not in wanted,
}
FILTERS_ALONE: dict[str, Callable[[dict[str, Any]], Any]] = {
    "verified": lambda row: row["verification"] == "verified",
    "datacenter": lambda row: row["hosting_type"] >= 1,
    "geolocation": lambda row: row["geolocation"][-2:],
    "driver_version": lambda row: row["driver_vers"],
}
"""Columns that are compared with something else than the row shows."""


def bundles(call: Call) -> Answer:
    return Answer({"offers": search(call, _query(call))})


def asks(call: Call) -> Answer:
    """The newer form: the same query below `q`."""
    body = call.json("search-asks")
    q = body.get("q")
    return Answer({"success": True, "offers": search(call, q if isinstance(q, dict) else {})})


def gpu_names(call: Call) -> Answer:
    names = sorted({machine.gpu for machine in call.account.machines})
    return Answer({"success": True, "gpu_names": names})


def _query(call: Call) -> dict[str, Any]:
    try:
        query = json.loads(call.body or b"{}")
    except ValueError:
        call.rules.refuse("not-json")
        query = {}
    if not isinstance(query, dict):
        call.rules.refuse("search-object")
        query = {}
    return query


def search(call: Call, query: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows in order, never more than the service gives."""
    kind = query.get("type", "ondemand")
    if kind not in TYPES:
        call.rules.refuse("search-type", type=kind)
    storage = _number(query.get("allocated_storage", 5.0))
    if storage is None or storage < 0:
        call.rules.refuse("search-storage")
        storage = 5.0
    limit = _number(query.get("limit", call.account.conduct.search_rows))
    if limit is None or limit < 1 or limit != int(limit):
        call.rules.refuse("search-limit")
        limit = 1
    rows = offers(call.account, str(kind), Decimal(str(storage)))
    known = _columns(call.account)
    for column, test in query.items():
        if column not in CONTROL:
            if column not in known:
                call.rules.refuse("search-column", column=column)
            rows = _filtered(call, rows, column, test)
    for column, way in reversed(_order(call, query, known)):
        rows.sort(key=lambda row: _sortable(row.get(column)), reverse=way == "desc")
    rows = rows[: int(limit)]
    if "search-rows" not in call.rules.lifted:
        rows = rows[: call.account.conduct.search_rows]
    return rows


def _columns(account: Account) -> set[str]:
    machine = account.machines[0]
    ask, gpus = machine.asks()[0]
    row = offer(account, machine, ask, gpus, "ondemand", Decimal(5))
    return (row.keys() | FILTERS_ALONE.keys()) - {"field_of_a_later_version"}


def _order(call: Call, query: dict[str, Any], known: set[str]) -> list[tuple[str, str]]:
    order = query.get("order", [["score", "desc"]])
    good = isinstance(order, list) and all(
        isinstance(part, list)
        and len(part) == 2
        and part[0] in known
        and part[1] in ("asc", "desc")
        for part in order
    )
    if not good:
        call.rules.refuse("search-order")
        return []
    return [(str(column), str(way)) for column, way in order]


def _sortable(value: Any) -> tuple[bool, Any]:
    return value is not None, value


def _number(value: Any) -> float | None:
    """Numbers come as numbers or as text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None


def _filtered(
    call: Call, rows: list[dict[str, Any]], column: str, test: Any
) -> list[dict[str, Any]]:
    if not isinstance(test, dict) or not test:
        call.rules.refuse("search-value", value=test, column=column)
        return rows
    kept = rows
    for name, wanted in test.items():
        compare = OPERATORS.get(name)
        if compare is None:
            call.rules.refuse("search-operator", operator=name)
            continue
        kept = [row for row in kept if _meets(call, row, column, name, compare, wanted)]
    if column == "id" and "search-id" not in call.rules.lifted:
        return []  # the live service finds nothing by `id`; `ask_contract_id` is the column to ask
    return kept


def _meets(
    call: Call,
    row: dict[str, Any],
    column: str,
    name: str,
    compare: Callable[[Any, Any], bool],
    wanted: Any,
) -> bool:
    alone = FILTERS_ALONE.get(column)
    value = alone(row) if alone else row.get(column)
    many = name in ("in", "notin")
    if many and not isinstance(wanted, list):
        call.rules.refuse("search-value", value=wanted, column=column)
        return True
    try:
        parts = [_like(value, part) for part in (wanted if many else [wanted])]
        return value is not None and compare(value, parts if many else parts[0])
    except (TypeError, ValueError):
        call.rules.refuse("search-value", value=wanted, column=column)
        return True


def _like(value: Any, wanted: Any) -> Any:
    """What was sent, of the column's type: numbers and flags come as text too."""
    if isinstance(value, bool):
        if isinstance(wanted, str):
            if wanted.lower() not in ("true", "false"):
                raise ValueError(wanted)
            return wanted.lower() == "true"
        return bool(wanted)
    if isinstance(value, int | float):
        number = _number(wanted)
        if number is None:
            raise ValueError(wanted)
        return number
    if isinstance(value, str) and not isinstance(wanted, str):
        raise TypeError(wanted)
    return wanted


# --- rows ----------------------------------------------------------------------------------------


def offers(account: Account, kind: str, storage: Decimal) -> list[dict[str, Any]]:
    """Every slice that is offered or rented, of machines that are online."""
    return [
        offer(account, machine, ask, gpus, kind, storage)
        for machine in account.machines
        if machine.online and (machine.ends or account.at) > account.at
        for ask, gpus in machine.asks()
    ]


def offer(
    account: Account, machine: Machine, ask: int, gpus: range, kind: str, storage: Decimal
) -> dict[str, Any]:
    """One row. Prices are for the slice."""
    count = len(gpus)
    share = count / machine.gpus
    ghost = ask in machine.ghosts
    rentable = ghost or account.rentable(machine, gpus)
    min_bid = account.min_bid(machine, gpus)
    base = min_bid if kind == "bid" else machine.dph * count
    hourly = machine.storage * storage / HOURS_PER_MONTH
    total = base + hourly
    ends = machine.ends or account.at
    speed = 60.0 * count * machine.compute_cap / 890
    row: dict[str, Any] = {
        "id": ask,
        "ask_contract_id": ask,
        "machine_id": machine.id,
        "host_id": machine.host_id,
        "bundle_id": ask * 10 + 1,
        "bundled_results": 1,
        "cluster_id": None,
        "gpu_name": machine.gpu,
        "num_gpus": count,
        "gpu_ids": list(gpus),
        "gpu_arch": machine.gpu_arch,
        "gpu_ram": machine.gpu_ram,
        "gpu_total_ram": machine.gpu_ram * count,
        "gpu_frac": share,
        "gpu_mem_bw": 850.0,
        "gpu_lanes": 16,
        "gpu_max_power": 450.0,
        "gpu_max_temp": 90.0,
        "gpu_display_active": False,
        "bw_nvlink": 0.0,
        "pcie_bw": 24.5,
        "pci_gen": 4.0,
        "compute_cap": machine.compute_cap,
        "cuda_max_good": machine.cuda,
        "driver_version": machine.driver,
        "driver_vers": int("".join(part.zfill(3) for part in machine.driver.split("."))),
        "cpu_name": "AMD EPYC 7543",
        "cpu_arch": "amd64",
        "cpu_ghz": 3.7,
        "cpu_cores": machine.cores,
        "cpu_cores_effective": machine.cores_effective * share,
        "cpu_ram": machine.ram_mb,
        "has_avx": 1,
        "disk_space": machine.disk_gb * share,
        "disk_bw": 3200.0,
        "disk_name": "nvme",
        "inet_up": machine.up_mbps,
        "inet_down": machine.down_mbps,
        "inet_up_cost": float(machine.up_cost),
        "inet_down_cost": float(machine.down_cost),
        "storage_cost": float(machine.storage),
        "storage_total_cost": float(hourly),
        "dph_base": float(base),
        "dph_total": float(total),
        "min_bid": float(min_bid),
        "is_bid": kind == "bid",
        "rentable": rentable,
        "rented": not rentable,
        "external": False,
        "reliability": machine.reliability,
        "reliability2": machine.reliability,
        "expected_reliability": machine.reliability,
        "reliability_mult": 0.99,
        "verification": machine.verification,
        "vericode": 1,
        "hosting_type": int(machine.hosting_type),
        "static_ip": machine.static_ip,
        "public_ipaddr": machine.ip,
        "direct_port_count": machine.direct_ports,
        "geolocation": machine.geolocation,
        "geolocode": 826753,
        "dlperf": speed,
        "dlperf_per_dphtotal": speed / float(total),
        "total_flops": 82.0 * count,
        "flops_per_dphtotal": 82.0 * count / float(total),
        "score": machine.reliability * 300 * speed / float(total),
        "duration": (ends - account.at).total_seconds(),
        "start_date": account.at.timestamp(),
        "end_date": ends.timestamp(),
        "vms_enabled": machine.vms,
        "is_vm_deverified": False,
        "resource_type": "gpu",
        "os_version": "22.04",
        "mobo_name": "H12SSL-i",
        "credit_discount_max": float(machine.discount_max),
        "vram_costperhour": float(base) / (machine.gpu_ram * count),
        "platform_fee": 0.0,
        "avail_vol_ask_id": None,
        "avail_vol_dph": None,
        "avail_vol_size": None,
    }
    if account.conduct.extra_fields:
        row["field_of_a_later_version"] = [1, {"a": None}]
    return row
