"""What goes wrong in a storm between a control plane and a simulated account, and at the account.

Calls are refused, lost, limited and answered with something else; lists lack rows; prices drift;
machines never come up, vanish, stop, start late by themselves, or are not what was offered.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from tests.wire import faults
from tests.wire.faults import Fault

SHARE = 0.15
"""By so much, up or down, a price moves at once."""
REFUSALS: dict[str, tuple[tuple[int, dict[str, Any]], ...]] = {
    "runpod": (
        (400, {"title": "Bad Request", "detail": "There are no instances currently available."}),
        (400, {"title": "Bad Request", "detail": "a reason that nobody knows"}),
        (402, {"title": "Payment Required", "detail": "insufficient balance"}),
        (409, {"title": "Conflict", "detail": "try again"}),
        (422, {"title": "Unprocessable Entity", "detail": "validation failed", "errors": ["$.x"]}),
    ),
    "vast": (
        (410, {"success": False, "error": "no_such_ask", "msg": "no longer available"}),
        (400, {"success": False, "error": "invalid_args", "msg": "a reason that nobody knows"}),
        (400, {"success": False, "error": "insufficient_credit", "msg": "lacks credit"}),
        (409, {"success": False, "error": "conflict", "msg": "try again"}),
    ),
}
"""Creates that are refused, in words known and unknown; nothing is made."""


class Weather:
    """`bring` some trouble. `offers` reads what can be rented, `ours` who of ours lives."""

    def __init__(
        self,
        name: str,
        world: Any,
        dice: random.Random,
        offers: Callable[[], Iterable[Any]],
        ours: Callable[[], set[str]],
    ) -> None:
        self.name, self.world, self.dice = name, world, dice
        self.offers, self.ours = offers, ours
        self.last_partial = False

    def bring(self) -> None:
        """The trouble of one step."""
        dice, world = self.dice, self.world
        world.faults[:] = [f for f in world.faults if f.times > 0 or f.until is not None]
        if dice.random() < 0.35 and len(world.faults) < 3:
            world.faults.append(self._fault())
        elif dice.random() < 0.1:
            self._partial()
        if dice.random() < 0.15:
            self._fate()
        if dice.random() < 0.2:
            self._drift()
        alive = sorted(self.ours())
        if alive and dice.random() < 0.03:
            world.interrupt(dice.choice(alive))
        if alive and dice.random() < 0.05:
            self._start_late(dice.choice(alive))

    def _fault(self) -> Fault:
        dice, world = self.dice, self.world
        where = dice.choice((world.CREATE, world.CREATE, world.LIST, world.END, world.OFFERS))
        kind = dice.randrange(14)
        times = dice.choice((1, 1, 2, 4))
        match kind:
            case 0:
                return faults.lost_before(*where, times=times)
            case 1 | 2:
                return faults.lost_after(*where, times=times)
            case 3:
                return faults.failed_before(*where, times=times)
            case 4 | 5:
                return faults.failed_after(*where, times=times)
            case 6:
                return faults.limited(*where, dice.choice((None, 3, 20)), times=times)
            case 7:
                return faults.html(*where, times=times)
            case 8:
                return faults.truncated(*where, times=times)
            case 9:
                return faults.shape(*where, payload=dice.choice(({}, [], None)), times=times)
            case 10:
                return faults.hang(*where, times=times)
            case 11 | 12:
                status, told = dice.choice(REFUSALS[self.name])
                return faults.replaced(*world.CREATE, status, told, effect=False, times=times)
            case _:
                seconds = dice.choice((20, 90, 400))
                return faults.outage(world.clock.now() + timedelta(seconds=seconds), 503)

    def _partial(self) -> None:
        """The next list lacks a row. No list of this account is wrong for as long as its lag."""
        if self.last_partial:
            self.last_partial = False
            return
        self.last_partial = True
        self.world.faults.append(faults.rewritten(*self.world.LIST, rewrite=_without_one))

    def _fate(self) -> None:
        dice, world = self.dice, self.world
        minutes = timedelta(minutes=dice.randint(1, 12))
        match dice.randrange(8):
            case 0:
                world.befall(stuck=world.STARTING)
            case 1:
                world.befall(vanishes_after=minutes)
            case 2:
                world.befall(price=Decimal(9))
            case 3:
                world.befall(status="a word that nobody knows")
            case 4:
                world.befall(nulls=tuple(dice.sample(world.NULLS, 2)))
            case 5:
                world.befall_otherwise()
            case 6:
                world.befall(ports=False)
            case 7:
                offers = list(self.offers())
                if offers:
                    world.sell_out(dice.choice(offers))

    def _drift(self) -> None:
        """Prices move, so that a create may cost other than the search said. What is rented keeps
        its price, except that a bid may be outbid by the new floor."""
        account, dice = self.world.account, self.dice

        def moved(price: Decimal | None) -> Decimal | None:
            factor = Decimal(str(round(1 + dice.uniform(-SHARE, SHARE), 3)))
            return None if price is None else (price * factor).quantize(Decimal("0.0001"))

        if self.name == "runpod":
            account.gpu_types = tuple(
                replace(one, secure=moved(one.secure), community=moved(one.community))
                for one in account.gpu_types
            )
            return
        for machine in account.machines:
            machine.dph = moved(machine.dph)
            account.floor(machine, moved(machine.bid_floor))

    def _start_late(self, provider_id: str) -> None:
        """A start that nobody waits for any more is carried out after all, and bills."""
        account = self.world.account
        if self.name == "runpod":
            pod = account.pod(provider_id)
            if pod.stopped and pod.place and pod.place.free >= pod.gpus_wanted:
                account.start(pod)
            return
        contract = next(one for one in account.live() if str(one.id) == provider_id)
        contract.wants = "running"
        account.arrange(contract.machine)


def _without_one(page: Any) -> Any:
    for name in ("pods", "instances"):
        rows = page.get(name) if isinstance(page, dict) else None
        if rows:
            page[name] = rows[:-1]
    return page
