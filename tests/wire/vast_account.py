"""The state behind the simulated Vast.ai: machines, contracts, money, and what happens when.

Time passes in `settle` alone, from one event to the next, so that every amount is exact.
"""

from __future__ import annotations

import hashlib
import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from typing import Any

from tests.wire.vast_boot import boot
from tests.wire.vast_contract import Contract
from tests.wire.vast_world import (
    BID_STEP,
    Conduct,
    Drift,
    Fate,
    Machine,
    Other,
    market,
)

EARLY_END_FEE = Decimal("0.05")
MICRO = timedelta(microseconds=1)


@dataclass(slots=True)
class Increase:
    """A host asks for more, should the contract go on after its end."""

    id: int
    contract: Contract
    dph: Decimal
    until: datetime
    created_at: datetime
    accepted: bool = False


@dataclass
class Account:
    """One customer. Tests push it about: fates, machines, others, credit."""

    at: datetime
    credit: Decimal = Decimal(100)
    machines: list[Machine] = field(default_factory=market)
    conduct: Conduct = field(default_factory=Conduct)
    fates: list[Fate] = field(default_factory=list)
    contracts: list[Contract] = field(default_factory=list)
    others: list[Other] = field(default_factory=list)
    increases: list[Increase] = field(default_factory=list)
    ssh_keys: list[str] = field(default_factory=list)
    templates: dict[str, str] = field(default_factory=lambda: {"0f1e2d3c": "vastai/base"})
    payments: list[tuple[datetime, Decimal]] = field(default_factory=list)
    broke: bool = False

    def __post_init__(self) -> None:
        self._events: list[tuple[datetime, int, Callable[[], None]]] = []
        self._numbers = itertools.count(1)
        self._ids = itertools.count(31_000_001, 7)
        self.payments.append((self.at, self.credit))
        for number, machine in enumerate(self.machines):
            if machine.ends is None:
                machine.ends = self.at + timedelta(days=20 + number % 30)

    # --- time ------------------------------------------------------------------------------------

    def later(self, delay: timedelta, what: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.at + delay, next(self._numbers), what))

    def settle(self, now: datetime) -> None:
        """Everything that happens up to now, in order."""
        while True:
            due = self._events[0][0] if self._events else now
            moment = max(self.at, min(now, due, self._money_break(now)))
            self._accrue(moment)
            if self.credit <= 0 and not self.broke:
                self._stop_everything()
            elif self._events and self._events[0][0] <= moment:
                heapq.heappop(self._events)[2]()
            elif moment >= now:
                return

    def _money_break(self, now: datetime) -> datetime:
        """When the credit, or what a contract has prepaid, is used up."""
        ends = [now]
        burn = Decimal(0)
        for contract in self.live():
            for item, rate in contract.rates(self.conduct).items():
                if item == "gpu" and contract.prepaid:
                    ends.append(self._after(contract.prepaid, rate))
                else:
                    burn += rate
        if self.credit > 0 and burn:
            ends.append(self._after(self.credit, burn))
        return min(ends)

    def _after(self, amount: Decimal, rate: Decimal) -> datetime:
        if not rate:
            return datetime.max.replace(tzinfo=self.at.tzinfo)
        micros = (amount / rate * 1_000_000).to_integral_value(ROUND_CEILING)
        return self.at + min(int(micros), 10**15) * MICRO

    def _accrue(self, moment: datetime) -> None:
        """Charges by the day, each at the rates of now."""
        while self.at < moment:
            midnight = self.at.replace(hour=0, minute=0, second=0, microsecond=0)
            until = min(moment, midnight + timedelta(days=1))
            seconds = Decimal((until - self.at) // MICRO) / 1_000_000
            for contract in self.live():
                for item, rate in contract.rates(self.conduct).items():
                    if rate:
                        amount = rate * seconds
                        self.credit -= contract.charge(self.at.date(), item, amount)
            self.at = until

    # --- contracts -------------------------------------------------------------------------------

    def live(self) -> list[Contract]:
        return [contract for contract in self.contracts if contract.live]

    def known(self) -> list[Contract]:
        """What lists show: not yet those just created, still those just destroyed."""
        lag = self.conduct.delete_lag
        return [
            contract
            for contract in self.contracts
            if (contract.visible_at or contract.created_at) <= self.at
            and (contract.destroyed_at is None or self.at < contract.destroyed_at + lag)
        ]

    def find(self, id: int) -> Contract | None:
        return next((contract for contract in self.known() if contract.id == id), None)

    def ask(self, id: int) -> tuple[Machine, range] | None:
        """The machine and GPUs of an offer, whether or not it can be rented."""
        for machine in self.machines:
            for ask, gpus in machine.asks():
                if ask == id:
                    return machine, gpus
        return None

    def rentable(self, machine: Machine, gpus: range) -> bool:
        """Nobody holds it on demand. Bids give way."""
        held = {
            gpu
            for claim in self.claims()
            if claim.machine is machine and self._on_demand(claim)
            for gpu in claim.gpus
        }
        ends = machine.ends or self.at
        return machine.online and not held & set(gpus) and ends > self.at

    def claims(self) -> list[Other | Contract]:
        """Whoever is on a machine or would be."""
        return [*self.others, *self.live()]

    def min_bid(self, machine: Machine, gpus: range) -> Decimal:
        """What wins now: the floor, or a step above the best bid on any of the GPUs."""
        best = machine.bid_floor * len(gpus)
        for claim in self.claims():
            if claim.machine is machine and set(claim.gpus) & set(gpus):
                price = claim.bid if isinstance(claim, Other) else self._bid(claim)
                if price is not None:
                    best = max(best, price + BID_STEP)
        return best

    def _bid(self, contract: Contract) -> Decimal | None:
        return contract.dph if contract.is_bid and contract.granted else None

    def _on_demand(self, claim: Other | Contract) -> bool:
        if isinstance(claim, Other):
            return claim.bid is None
        return claim.granted and not claim.is_bid

    def rent(self, ask: int, body: dict[str, Any], bid: Decimal | None = None) -> Contract:
        """A new contract; whether it gets its GPUs is seen at once."""
        found = self.ask(ask)
        assert found
        machine, gpus = found
        fate = self._fate(body, machine)
        usual = machine.dph * len(gpus)
        number = next(self._ids)
        contract = Contract(
            id=number,
            machine=machine,
            gpus=gpus,
            body=body,
            created_at=self.at,
            ends_at=machine.ends or self.at + timedelta(days=30),
            dph=fate.dph if fate.dph is not None else usual if bid is None else bid,
            is_bid=bid is not None and not fate.on_demand,
            disk_gb=Decimal(str(body.get("disk") or 8)),
            storage=machine.storage,
            up_cost=machine.up_cost,
            down_cost=machine.down_cost,
            key=hashlib.sha256(f"container {number}".encode()).hexdigest(),
            fate=fate,
            label=body.get("label"),
            visible_at=self.at + self.conduct.read_lag,
        )
        if fate.on_demand:
            contract.dph = usual
        self.contracts.append(contract)
        self.later(contract.ends_at - self.at, lambda: self._end(contract))
        if fate.exits_after is not None:
            self.later(fate.exits_after, lambda: self._exit(contract))
        if fate.vanishes_after is not None:
            self.later(fate.vanishes_after, lambda: self.destroy(contract))
        if fate.refused or body.get("target_state") == "stopped":
            contract.wants = contract.intended = "stopped"
            contract.stage = "stopped"
        self.arrange(machine)
        return contract

    def _fate(self, body: dict[str, Any], machine: Machine) -> Fate:
        for fate in self.fates:
            if fate.times > 0 and fate.meets(body, machine):
                fate.times -= 1
                return fate
        return Fate()

    def start(self, contract: Contract) -> bool:
        """Whether it can have its GPUs now; if not, the start is queued."""
        contract.wants = contract.intended = "running"
        contract.stale = (contract.stage, self.at + self.conduct.stale_status)
        self.arrange(contract.machine)
        return contract.granted

    def stop(self, contract: Contract) -> None:
        """Also takes back a queued start."""
        contract.stale = (contract.stage, self.at + self.conduct.stale_status)
        contract.wants = contract.intended = "stopped"
        self._down(contract)
        self.arrange(contract.machine)

    def destroy(self, contract: Contract) -> None:
        if not contract.live:
            return
        day = self.at.date()
        if contract.prepaid:
            fee = contract.prepaid * EARLY_END_FEE
            if contract.discount < 1:
                fee += contract.discounted * contract.discount / (1 - contract.discount)
            fee = min(fee, contract.prepaid)
            self.credit += contract.prepaid - fee
            contract.prepaid = Decimal(0)
            contract.charge(day, "fee", fee)
        self._down(contract)
        contract.destroyed_at = self.at
        self.arrange(contract.machine)

    def traffic(self, contract: Contract, up_gb: str = "0", down_gb: str = "0") -> None:
        """Bytes that went through, charged at once."""
        for item, size, price in (
            ("bwu", up_gb, contract.up_cost),
            ("bwd", down_gb, contract.down_cost),
        ):
            amount = Decimal(size) * price
            if amount:
                self.credit -= contract.charge(self.at.date(), item, amount)

    def _exit(self, contract: Contract) -> None:
        """The container ends by itself; its GPUs stay reserved but are not active."""
        if contract.live and contract.stage == "running":
            contract.run += 1
            contract.stage, contract.running_since = "exited", None

    def _end(self, contract: Contract) -> None:
        """The contract runs out, unless the host has extended it."""
        if not contract.live or contract.ended:
            return
        accepted = [i for i in self.increases if i.contract is contract and i.accepted]
        if accepted and accepted[0].until > self.at:
            contract.dph, contract.ends_at = accepted[0].dph, accepted[0].until
            self.increases.remove(accepted[0])
        if contract.ends_at > self.at:
            self.later(contract.ends_at - self.at, lambda: self._end(contract))
            return
        contract.ended = True
        contract.wants = contract.intended = "stopped"
        self._down(contract)
        self.arrange(contract.machine)
        self.later(self.conduct.ended_kept, lambda: self.destroy(contract))

    def _stop_everything(self) -> None:
        """Credit is used up: instances are stopped, and their disks go on billing."""
        self.broke = True
        for contract in self.live():
            contract.wants = contract.intended = "stopped"
            self._down(contract)
        for machine in self.machines:
            self.arrange(machine)
        delay = self.conduct.deletes_without_credit_after
        if delay is not None:
            self.later(delay, self._delete_everything)

    def _delete_everything(self) -> None:
        if self.credit <= 0:
            for contract in self.live():
                self.destroy(contract)

    def pay(self, amount: Decimal) -> None:
        self.credit += amount
        self.payments.append((self.at, amount))
        self.broke = self.broke and self.credit <= 0

    # --- machines --------------------------------------------------------------------------------

    def arrange(self, machine: Machine) -> None:
        """Who holds which GPUs: on demand before bids, among bids the highest."""
        if not machine.online:
            return
        claims: list[Other | Contract] = [o for o in self.others if o.machine is machine]
        claims += [c for c in self.live() if c.machine is machine and c.wants == "running"]
        free = set(range(machine.gpus))
        for claim in sorted(claims, key=self._rank):
            if isinstance(claim, Contract) and claim.is_bid:
                enough = claim.dph >= machine.bid_floor * len(claim.gpus)
            else:
                enough = True
            won = enough and set(claim.gpus) <= free
            if won:
                free -= set(claim.gpus)
            if isinstance(claim, Contract) and won != claim.granted:
                boot(self, claim) if won else self._outbid(claim)

    def _rank(self, claim: Other | Contract) -> tuple[int, Decimal, int]:
        if self._on_demand(claim):
            return 0, Decimal(0), claim.order if isinstance(claim, Other) else claim.id
        price = claim.bid if isinstance(claim, Other) else claim.dph if claim.is_bid else None
        if price is None:
            return 1, Decimal(0), claim.id if isinstance(claim, Contract) else 0
        return 2, -price, claim.order if isinstance(claim, Other) else claim.id

    def _outbid(self, contract: Contract) -> None:
        self._down(contract)
        contract.intended = self.conduct.outbid_intended

    def _down(self, contract: Contract) -> None:
        contract.run += 1
        contract.granted = False
        contract.running_since = None
        contract.message = ""
        contract.stage = "exited" if contract.runs else "stopped"

    def other(self, ask: int, bid: Decimal | None = None, still_shown: bool = False) -> Other:
        """Somebody else rents an offer, or bids for it."""
        found = self.ask(ask)
        assert found
        machine, gpus = found
        assert bid is not None or self.rentable(machine, gpus), "held on demand already"
        claim = Other(machine, gpus, bid, next(self._numbers))
        if still_shown:
            machine.ghosts.add(ask)
        self.others.append(claim)
        self.arrange(machine)
        return claim

    def leave(self, claim: Other) -> None:
        self.others.remove(claim)
        self.arrange(claim.machine)

    def offline(self, machine: Machine) -> None:
        machine.online = False
        for contract in self.live():
            if contract.machine is machine and contract.stage != "running":
                contract.run += 1

    def online(self, machine: Machine) -> None:
        """Back again; what was booting boots anew."""
        machine.online = True
        for contract in self.live():
            if contract.machine is machine and contract.granted and contract.stage != "running":
                boot(self, contract)
        self.arrange(machine)

    def floor(self, machine: Machine, bid_floor: Decimal) -> None:
        machine.bid_floor = bid_floor
        self.arrange(machine)

    def drift(self, drift: Drift) -> None:
        """Prices move from now on; contracts keep theirs."""
        move = drift.moves()

        def step() -> None:
            for machine in self.machines:
                move(machine)
                self.arrange(machine)
            self.later(drift.every, step)

        self.later(drift.every, step)
