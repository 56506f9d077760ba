"""Instances of the simulated Vast.ai: the list, one of them, and what is done to it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.wire.vast_account import Increase
from tests.wire.vast_boot import restart
from tests.wire.vast_call import Answer, Call, Result, place, token
from tests.wire.vast_contract import Contract
from tests.wire.vast_offers import OPERATORS

STORED = {"id", "label", "actual_status", "gpu_name", "verification"}
"""What a list can be filtered and ordered by; computed columns give 400."""

PAGE_MAX = 25
COMMANDS = {"ls", "rm", "du"}
BID_MIN, BID_MAX = Decimal("0.001"), Decimal(32)


# --- reading -------------------------------------------------------------------------------------


def listing(call: Call) -> Answer:
    """A page. `total_instances` and `label_counts` are of the whole account."""
    limit = call.number("limit", "list-limit", PAGE_MAX, PAGE_MAX)
    start = place(call, "instances", "list-token")
    account = call.account
    rows = [c.row(call.now, account.conduct, account.credit) for c in account.known()]
    found = _filtered(call, rows)
    for column, way in reversed(_order(call)):
        found.sort(key=lambda row: _sortable(row.get(column)), reverse=way == "desc")
    page = found[start : start + limit]
    counts: dict[str, int] = {}
    for row in rows:
        label = str(row.get("label") or "")
        counts[label] = counts.get(label, 0) + 1
    more = start + limit < len(found)
    wanted = call.parameter("select_cols", "list-columns", list, ["*"])
    told = {
        "success": True,
        "instances": [_columns(row, wanted) for row in page],
        "instances_found": len(found),
        "total_instances": len(rows),
        "label_counts": counts,
        "next_token": token("instances", start + limit) if more else None,
    }
    return Answer(told)


def _sortable(value: Any) -> tuple[bool, Any]:
    return value is not None, value


def _filtered(call: Call, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    filters = call.parameter("select_filters", "list-filters", dict, {})
    kept = rows
    for column, test in filters.items():
        if column not in STORED:
            call.rules.refuse("list-column", column=column)
        if not isinstance(test, dict) or not test.keys() <= OPERATORS.keys():
            call.rules.refuse("list-filters")
            continue
        for name, wanted in test.items():
            if name in ("in", "notin") and not isinstance(wanted, list):
                call.rules.refuse("list-filters")
                continue
            kept = [row for row in kept if _meets(row.get(column), name, wanted)]
    return kept


def _meets(value: Any, name: str, wanted: Any) -> bool:
    try:
        return OPERATORS[name](value, wanted)
    except TypeError:
        return False


def _order(call: Call) -> list[tuple[str, str]]:
    order = call.parameter("order_by", "list-order", list, [{"col": "id", "dir": "asc"}])
    found = []
    for part in order:
        if not isinstance(part, dict) or part.get("dir", "asc") not in ("asc", "desc"):
            call.rules.refuse("list-order")
            continue
        if part.get("col") not in STORED:
            call.rules.refuse("list-column", column=part.get("col"))
        found.append((str(part.get("col")), str(part.get("dir", "asc"))))
    return found


def _columns(row: dict[str, Any], wanted: list[Any]) -> dict[str, Any]:
    """Unknown columns come back null."""
    if "*" in wanted:
        return row
    return {str(name): row.get(str(name)) for name in wanted}


def old_list(call: Call) -> Answer:
    call.rules.refuse("old-list")
    return listing(call)


def get(call: Call, id: int) -> Answer:
    contract = call.account.find(id)
    if contract is None or not contract.live:
        if call.account.conduct.absent == "null":
            return Answer({"instances": None})
        call.rules.refuse("no-instance", id=id)
        raise LookupError(id)
    row = contract.row(call.now, call.account.conduct, call.account.credit)
    return Answer({"instances": row})


def contract_of(call: Call, id: int) -> Contract:
    contract = call.account.find(id)
    if contract is None or not contract.live:
        call.rules.refuse(call.account.conduct.gone, id=id)
        raise LookupError(id)
    return contract


# --- doing ---------------------------------------------------------------------------------------


def update(call: Call, id: int) -> Answer:
    """Start, stop or label."""
    body = call.json("update")
    if not body.keys() & {"state", "label"}:
        call.rules.refuse("nothing-to-do")
    contract = contract_of(call, id)
    if "label" in body:
        contract.label = body["label"]
    return _state(call, contract, body.get("state"))


def _state(call: Call, contract: Contract, state: Any) -> Answer:
    if state == "stopped":
        call.account.stop(contract)
    if state == "running":
        if contract.ended:
            call.rules.refuse("ended", id=contract.id)
        if call.account.credit <= 0:
            call.rules.refuse("start-credit")
        if not call.account.start(contract):
            msg = "Required resources are currently unavailable, state change queued."
            return Answer({"success": False, "error": "resources_unavailable", "msg": msg})
    return Answer({"success": True})


def bulk_update(call: Call) -> Answer:
    body = call.json("bulk-update")
    answers = [_state(call, contract_of(call, id), body["state"]) for id in body["ids"]]
    return next((one for one in answers if not one.payload["success"]), Answer({"success": True}))


def destroy(call: Call, id: int) -> Answer:
    call.json("empty")
    call.account.destroy(contract_of(call, id))
    return Answer({"success": True})


def bulk_destroy(call: Call) -> Answer:
    for id in call.json("bulk-destroy")["instance_ids"]:
        call.account.destroy(contract_of(call, id))
    return Answer({"success": True})


def reboot(call: Call, id: int) -> Answer:
    return _restart(call, id, "rebooting")


def recycle(call: Call, id: int) -> Answer:
    return _restart(call, id, "recycling")


def _restart(call: Call, id: int, stage: str) -> Answer:
    call.json("empty")
    contract = contract_of(call, id)
    if contract.stage != "running":
        call.rules.refuse("not-running", id=id)
    restart(call.account, contract, stage)
    return Answer({"success": True})


def bid(call: Call, id: int) -> Answer:
    body = call.json("bid")
    contract = contract_of(call, id)
    if not contract.is_bid:
        call.rules.refuse("not-bid", id=id)
    price = Decimal(str(body["price"]))
    if not BID_MIN <= price <= BID_MAX * len(contract.gpus):
        call.rules.refuse("bid-price")
    contract.dph = price
    call.account.arrange(contract.machine)
    return Answer({"success": True})


# --- results -------------------------------------------------------------------------------------


def request_logs(call: Call, id: int) -> Answer:
    body = call.json("logs")
    tail = str(body.get("tail") or "1000")
    if not (tail.isascii() and tail.isdigit()):
        call.rules.refuse("log-tail")
        tail = "1000"
    contract = contract_of(call, id)
    lines = [line for line in contract.lines if str(body.get("filter") or "") in line]
    if body.get("daemon_logs"):
        lines = [contract.message] if contract.message else []
    return _result(call, "\n".join(lines[-int(tail) :]) + "\n")


def command(call: Call, id: int) -> Answer:
    text = str(call.json("command").get("command"))
    program = text.partition(" ")[0]
    if program not in COMMANDS:
        call.rules.refuse("command", command=program)
    contract = contract_of(call, id)
    if contract.stage != "running":
        call.rules.refuse("not-running", id=id)
    return _result(call, f"{text}\n")


def _result(call: Call, text: str) -> Answer:
    name = f"{len(call.results) + 1:08d}"
    call.results[name] = Result(text, call.account.conduct.log_polls)
    return Answer({"success": True, "result_url": f"{call.origin}/results/{name}"})


def result(call: Call, id: int) -> Answer:
    """Lies at a store of files, which wants no key and has nothing at first."""
    if "authorization" in call.headers:
        call.rules.refuse("result-key")
    found = call.results.get(f"{id:08d}")
    if found is None or found.polls > 0:
        if found:
            found.polls -= 1
        call.rules.refuse("result-early")
    return Answer(text=found.text if found else "")


# --- dearer after the end ------------------------------------------------------------------------


def increases(call: Call) -> Answer:
    rows = [_increase(one) for one in call.account.increases if not one.accepted]
    told = {"count": len(rows), "truncated": False, "pending_price_increases": rows}
    return Answer({"success": True} | told)


def _increase(one: Increase) -> dict[str, Any]:
    contract = one.contract
    disk = contract.storage * contract.disk_gb
    old = {"gpu": contract.dph / 3600, "disk_ram": disk / 720 / 3600}
    new = old | {"gpu": one.dph / 3600}
    row: dict[str, Any] = {
        "pending_price_increase_id": one.id,
        "contract_id": contract.id,
        "host_id": contract.machine.host_id,
        "contract_end_date": contract.ends_at.timestamp(),
        "ask_end_date": one.until.timestamp(),
        "created_at": one.created_at.timestamp(),
    }
    for when, costs in (("old", old), ("new", new)):
        row |= {f"{when}_{name}_costpersec": float(cost) for name, cost in costs.items()}
        row |= {f"{when}_bwu_cost": float(contract.up_cost), f"{when}_platform_fee": None}
        row |= {f"{when}_bwd_cost": float(contract.down_cost)}
    return row


def accept_increase(call: Call) -> Answer:
    one = _pending(call)
    one.accepted = True
    return _settled(one)


def reject_increase(call: Call) -> Answer:
    one = _pending(call)
    call.account.increases.remove(one)
    return _settled(one)


def _pending(call: Call) -> Increase:
    id = call.json("price-increase").get("pending_price_increase_id")
    for one in call.account.increases:
        if one.id == id and not one.accepted and one.contract.live:
            return one
    call.rules.refuse("no-increase")
    raise LookupError(id)


def _settled(one: Increase) -> Answer:
    told = {"pending_price_increase_id": one.id, "contract_id": one.contract.id}
    return Answer({"success": True} | told)


def ssh_keys(call: Call) -> Answer:
    """No keys are an error, not an empty list."""
    keys = call.account.ssh_keys
    if not keys:
        call.rules.refuse("no-ssh-keys")
    return Answer([{"id": index + 1, "ssh_key": key} for index, key in enumerate(keys)])


def add_ssh_key(call: Call) -> Answer:
    key = str(call.json("ssh-key").get("ssh_key"))
    call.account.ssh_keys.append(key)
    return Answer({"success": True, "key": {"id": len(call.account.ssh_keys), "ssh_key": key}})


def no_volumes(call: Call) -> Answer:
    """Volumes are bound to one machine and not simulated."""
    return Answer({"success": True, "volumes": []})
