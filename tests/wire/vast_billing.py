"""Money of the simulated Vast.ai: the user, charges, payments, prepayment, and the invoice of tests."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.wire.vast_account import Account
from tests.wire.vast_call import Answer, Call, place, token, usd
from tests.wire.vast_contract import Contract
from tests.wire.vast_instances import contract_of
from tests.wire.vast_rules import PERMISSIONS
from tests.wire.vast_world import HOURS_PER_MONTH

CHARGES_MAX = 500
TYPES = {"instance", "volume", "serverless"}
DAY = timedelta(days=1)


def user(call: Call) -> Answer:
    account = call.account
    told = {
        "id": 4711,
        "email": "renter@example.org",
        "username": "renter",
        "credit": usd(account.credit),
        "balance": 0.0,
        "can_pay": True,
        "ssh_key": account.ssh_keys[0] if account.ssh_keys else None,
        "billaddress_country": "DE",
        "balance_threshold": 1.0,
    }
    return Answer(told)


def charges(call: Call) -> Answer:
    """What each contract cost on each day whose midnight lies in the period, with its items and
    label."""
    filters = call.parameter("select_filters", "charges-day", dict, {})
    day = filters.get("day")
    if not _period(day):
        call.rules.refuse("charges-day")
        day = {"gte": 0, "lte": call.now.timestamp()}
    kinds = (filters.get("type") or {}).get("in", ["instance"])
    if not set(kinds) <= TYPES:
        call.rules.refuse("charges-type")
    limit = call.number("limit", "charges-limit", 20, CHARGES_MAX)
    start = place(call, "charges", "charges-token")
    rows = []
    for contract in call.account.contracts:
        for at in sorted({at for at, _ in contract.ledger}):
            midnight = datetime(at.year, at.month, at.day, tzinfo=UTC)
            inside = day["gte"] <= midnight.timestamp() <= day["lte"]
            known = midnight <= call.now - call.account.conduct.charges_lag
            if inside and known and "instance" in kinds:
                rows.append(_charge(contract, at, midnight, call.now))
    rows.sort(key=lambda row: row["start"], reverse=call.query.get("latest_first") == "true")
    return Answer(_page("charges", rows, start, limit))


def _period(day: Any) -> bool:
    return isinstance(day, dict) and all(
        isinstance(day.get(edge), int | float) and not isinstance(day.get(edge), bool)
        for edge in ("gte", "lte")
    )


def _charge(contract: Contract, at: date, midnight: datetime, now: datetime) -> dict[str, Any]:
    start = max(midnight, contract.created_at).timestamp()
    end = min(midnight + DAY, contract.destroyed_at or now, now).timestamp()
    items = [
        {"type": item, "amount": usd(amount), "start": start, "end": end, "items": []}
        | {"source": None, "description": item, "metadata": {}}
        for (when, item), amount in sorted(contract.ledger.items())
        if when == at
    ]
    amount = sum((a for (when, _), a in contract.ledger.items() if when == at), Decimal(0))
    return {
        "start": start,
        "end": end,
        "type": "instance",
        "source": f"instance-{contract.id}",
        "description": f"Instance {contract.id}",
        "amount": usd(amount),
        "metadata": {"label": contract.label, "machine_id": contract.machine.id},
        "items": items,
    }


def _page(owner: str, rows: list[dict[str, Any]], start: int, limit: int) -> dict[str, Any]:
    more = start + limit < len(rows)
    return {
        "success": True,
        "results": rows[start : start + limit],
        "count": len(rows[start : start + limit]),
        "total": len(rows),
        "next_token": token(owner, start + limit) if more else None,
    }


def invoices(call: Call) -> Answer:
    """What was paid in."""
    rows: list[dict[str, Any]] = [
        {
            "id": number,
            "type": "payment",
            "source": None,
            "service": "stripe_payments",
            "description": "credit",
            "start": at.timestamp(),
            "end": at.timestamp(),
            "amount": usd(amount),
            "items": [],
            "metadata": {},
        }
        for number, (at, amount) in enumerate(call.account.payments, 1)
    ]
    limit = call.number("limit", "charges-limit", 20, CHARGES_MAX)
    return Answer(_page("invoices", rows, place(call, "invoices", "charges-token"), limit))


def prepay(call: Call, id: int) -> Answer:
    """Pays GPU time ahead, cheaper the longer: 0.2 for a month, 0.3 for three, 0.4 at most."""
    amount = Decimal(str(call.json("prepay")["amount"]))
    contract = contract_of(call, id)
    account = call.account
    if contract.is_bid:
        call.rules.refuse("prepay-bid")
    if amount <= 0:
        call.rules.refuse("prepay-amount")
    if amount > account.credit:
        call.rules.refuse("prepay-credit")
    account.credit -= amount
    contract.prepaid += amount
    months = contract.prepaid / (contract.dph * HOURS_PER_MONTH)
    contract.discount = min(_discount(months), contract.machine.discount_max)
    told = {"timescale": float(months), "discount_rate": float(contract.discount)}
    return Answer({"success": True} | told)


def _discount(months: Decimal) -> Decimal:
    if months < 1:
        return Decimal("0.2") * months
    if months < 3:
        return Decimal("0.2") + Decimal("0.05") * (months - 1)
    return min(Decimal("0.4"), Decimal("0.3") + Decimal("0.02") * (months - 3))


def api_key(call: Call) -> Answer:
    """A key with fewer permissions."""
    body = call.json("api-key")
    granted: set[str] = set()
    api = body.get("permissions", {}).get("api", {})
    for permission in api:
        if permission not in PERMISSIONS:
            call.rules.refuse("permission", permission=permission)
        granted.add(permission)
    key = f"{len(call.keys):064d}"
    call.keys[key] = frozenset(granted)
    return Answer({"success": True, "id": len(call.keys), "key": key})


def invoice(account: Account) -> dict[int, Decimal]:
    """For tests: what each contract has cost so far, in USD."""
    return {contract.id: contract.cost() for contract in account.contracts}
