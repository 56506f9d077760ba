"""`PUT /api/v0/asks/{id}/`: everything that a create can be refused for, in order."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from tests.wire.vast_call import Answer, Call

RUNTYPES = {
    "ssh", "ssh_proxy", "ssh_direct", "ssh_direc", "jupyter", "jupyter_proxy", "jupyter_direct",
    "jupyter_direc", "args",
}  # fmt: skip
"""Also several of them with spaces between; `direc` is what official clients send."""

ENV_VALUE, ENV_ALL, SCRIPT, PORTS = 256, 32768, 4096, 64
PRICE_MIN, PRICE_MAX = Decimal("0.001"), Decimal(128)
PORT = re.compile(r"-p (\d{1,5}):(\d{1,5})(/tcp|/udp)?")
LOGIN = re.compile(r"-u \S+ -p \S+ \S+")


def create(call: Call, id: int) -> Answer:
    """Rents an offer, or says why not; sometimes says no and has rented all the same."""
    body = call.json("create", apart=["env"])
    _content(call, body)
    _environment(call, body.get("env"))
    price = body.get("price")
    bid = None if price is None else Decimal(str(price))
    if bid is not None and not PRICE_MIN <= bid <= PRICE_MAX:
        call.rules.refuse("price")
    account = call.account
    if body.get("vm") and not account.ssh_keys:
        call.rules.refuse("vm-key")
    if account.credit <= 0:
        call.rules.refuse("credit")
    running = body.get("target_state", "running") == "running"
    strict = body.get("cancel_unavail", bid is None and running)
    found = account.ask(id)
    if found is None:
        _refuse_ask(call, id, strict)
        raise LookupError(id)
    machine, gpus = found
    if machine.own_host_only:
        call.rules.refuse("host-own")
    if not account.rentable(machine, gpus) and (strict or id not in machine.ghosts):
        _refuse_ask(call, id, strict)
    disk = float(body.get("disk") or 8)
    if disk > machine.disk_gb * len(gpus) / machine.gpus:
        call.rules.refuse("disk-space", disk=machine.disk_gb * len(gpus) / machine.gpus)
    if bid is not None and strict and bid < account.min_bid(machine, gpus):
        _refuse_ask(call, id, strict)
    contract = account.rent(id, body, bid)
    told: dict[str, Any] = {"success": True, "new_contract": contract.id}
    told["instance_api_key"] = contract.key
    if contract.fate.refused or (running and not contract.granted):
        contract.intended = "stopped"
        if not contract.is_bid:
            contract.wants = "stopped"  # a bid stays in the race, and may win later
        msg = "Required resources are currently unavailable."
        told |= {"success": False, "error": "resources_unavailable", "msg": msg}
        return Answer(told, call.account.conduct.refused_status)
    return Answer(told)


def _refuse_ask(call: Call, id: int, strict: bool) -> None:
    rule = call.account.conduct.no_ask or ("no-ask-410" if strict else "no-ask-404")
    call.rules.refuse(rule, ask=id)


def _content(call: Call, body: dict[str, Any]) -> None:
    template = body.get("template_hash_id")
    if not body.get("image") and not template:
        call.rules.refuse("no-image")
    if template and template not in call.account.templates:
        call.rules.refuse("no-template")
    runtype = body.get("runtype")
    if isinstance(runtype, str) and not (runtype and set(runtype.split(" ")) <= RUNTYPES):
        call.rules.refuse("runtype", runtype=runtype)
    args = body.get("args")
    size = sum(len(str(arg)) for arg in args) if isinstance(args, list) else 0
    size += len(str(body.get("args_str") or "")) + len(str(body.get("onstart") or ""))
    if size > SCRIPT:
        call.rules.refuse("script-size")
    login = body.get("image_login")
    if login and not LOGIN.fullmatch(str(login)):
        call.rules.refuse("login-form")


def _environment(call: Call, env: Any) -> None:
    """An object is applied; a string of docker flags is taken and not applied."""
    if env is None or isinstance(env, str):
        return
    if not isinstance(env, dict):
        call.rules.refuse("env-type")
        return
    if any(not isinstance(value, str) or len(value) > ENV_VALUE for value in env.values()):
        call.rules.refuse("env-value")
    if sum(len(name) + len(str(value)) for name, value in env.items()) > ENV_ALL:
        call.rules.refuse("env-size")
    ports = [name for name in env if name.startswith("-p")]
    for port in ports:
        match = PORT.fullmatch(port)
        if not match or not all(1 <= int(part) <= 70100 for part in match.groups()[:2]):
            call.rules.refuse("env-port", port=port)
    if len(ports) > PORTS:
        call.rules.refuse("env-ports")
