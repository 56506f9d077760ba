"""From an accepted contract to a running container, stage by stage."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from tests.wire.vast_contract import Contract
from tests.wire.vast_world import Machine

if TYPE_CHECKING:
    from tests.wire.vast_account import Account

Step = Callable[["Account", Contract], None]


def boot(account: Account, contract: Contract) -> None:
    contract.granted = True
    contract.run += 1
    if contract.intended == "stopped" and contract.wants == "running":
        contract.intended = "running"
    contract.stage = "loading" if contract.runs else None
    delay = account.conduct.created if contract.runs else account.conduct.accepted
    step = running if contract.runs else created
    then(account, contract, delay, step)


def then(account: Account, contract: Contract, delay: timedelta, step: Step) -> None:
    run = contract.run

    def happen() -> None:
        if contract.run == run and contract.live and contract.machine.online:
            step(account, contract)

    account.later(delay, happen)


def created(account: Account, contract: Contract) -> None:
    if contract.fate.stuck == "null":
        return
    contract.stage = "created"
    if contract.fate.oci:
        contract.fail_oci()
    elif contract.fate.stuck != "created":
        then(account, contract, account.conduct.created, loading)


def loading(account: Account, contract: Contract) -> None:
    contract.stage = "loading"
    contract.message = f"{contract.body.get('image')}: Pulling from registry"
    if contract.fate.stuck != "loading":
        then(account, contract, pull(account, contract.machine), pulled)


def pull(account: Account, machine: Machine) -> timedelta:
    """How long the image takes to come."""
    return timedelta(seconds=account.conduct.image_gb * 8000 / machine.down_mbps)


def pulled(account: Account, contract: Contract) -> None:
    if account.conduct.pull_is_traffic:
        account.traffic(contract, down_gb=str(account.conduct.image_gb))
    running(account, contract)


def running(account: Account, contract: Contract) -> None:
    contract.stage = "running"
    contract.runs += 1
    contract.running_since = account.at
    contract.message = f"success, running {contract.body.get('image')}"
    contract.lines.append(f"{account.at.isoformat()} container started")


def restart(account: Account, contract: Contract, stage: str) -> None:
    """`rebooting` keeps the container, `recycling` pulls the image again."""
    contract.run += 1
    contract.stage, contract.running_since = stage, None
    step = running if stage == "rebooting" else loading
    then(account, contract, account.conduct.reboot, step)
