"""Instances under our label that no record stands for: each gets one, so that its end is seen to and
its cost is booked, on the installation and not on a job.

They are found where a provider lists them, in the notes of `leitstand reap`, and in bills that name
labels.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any, ClassVar

import structlog
from ulid import ULID

from leitstand.control import money
from leitstand.control.commands import Command, Door
from leitstand.control.instances import PROVIDER_ID_CHARACTERS_MAX, one
from leitstand.control.question import plain
from leitstand.control.transaction import Tx
from leitstand.control.turns import Turns
from leitstand.core import label, limits
from leitstand.core.access import SYSTEM
from leitstand.core.instance import INSTANCE
from leitstand.core.offer import TIERS, Offer
from leitstand.core.rented import Billed, Stray
from leitstand.launch import LABEL_PREFIX
from leitstand.ports import Books, Provider
from leitstand.store import instances

log = structlog.get_logger(__name__)

ORPHAN = "orphan"
"""The reason that such a record bears."""
LABEL_CHARACTERS = 48
PRICE_MAX = Decimal(10_000)


@dataclass(frozen=True, slots=True)
class RecordStrays(Command[int]):
    """What was there without a record, as bills or notes tell. How many of it were new."""

    strays: tuple[Stray, ...]
    action: ClassVar[str] = "instances.observe"

    def apply(self, tx: Tx) -> int:
        return sum(record(tx, stray) for stray in self.strays)


def record(tx: Tx, stray: Stray) -> bool:
    """A record of a stray that is being ended; False where it has one already, or its launch may be
    under way. Its time counts from the intent that its label names."""
    if len(stray.provider_id) > PROVIDER_ID_CHARACTERS_MAX:
        return False
    if instances.of_provider(tx.conn, stray.provider, stray.provider_id, stray.label):
        return False
    instance_id = tx.new_id("instance")
    said = label.read(stray.label)
    price = _price(stray.price_eur_per_hour)
    since = _since(stray, said, tx.now)
    offer = _offer(stray, price if stray.until is None else Decimal(0))
    row = {
        **tx.born(instance_id, "instance"),
        "created_at": since,
        "state": "terminating",
        "provider": stray.provider,
        "provider_id": stray.provider_id,
        "label": _own_label(stray),
        "offer": plain(offer),
        "price": offer.price_eur_per_hour,
        "reason": {"code": ORPHAN, "params": {}},
        "end_by": tx.now if said is None else said.end_by,
        "ready_by": tx.now,
        "tier": offer.tier,
        "region": offer.region,
        **dict.fromkeys(
            ("ready_at", "token_hash", "certificate_serial", "hpke_public", "facts"),
        ),
        **dict.fromkeys(("absent_since", "last_seen_at", "shown_at", "ended_at")),
        "bill_final_at": None,
    }
    tx.create(INSTANCE, [row])
    if stray.until is not None:
        money.charge_period(tx, one(tx, instance_id), since, min(stray.until, tx.now), price)
    tx.effect("terminate", instance_id)
    tx.event(instance_id, "alarm", id=instance_id, code=ORPHAN, provider=stray.provider)
    log.warning("instance.orphan", instance=instance_id, provider=stray.provider)
    return True


class Strays:
    """One step: look for strays where no list of a provider shows them any more. `noted` are those
    that `leitstand reap` ended."""

    def __init__(
        self,
        door: Door,
        providers: Mapping[str, Provider],
        installation: str,
        noted: Callable[[], Sequence[Stray]] = lambda: (),
    ) -> None:
        self._door = door
        self._ours = f"{LABEL_PREFIX}{installation}-"
        self._noted = noted
        self._books: dict[str, Books] = {
            name: account
            for name, provider in providers.items()
            if (account := getattr(provider, "account", None)) is not None
        }
        self._asked_at: dict[str, datetime] = {}

    def step(self, now: datetime) -> None:
        """Record what is found."""
        with Turns() as turns:
            turns.take("notes", lambda: self._record(self._noted(), now))
            for name, books in self._books.items():
                asked_at = self._asked_at.get(name)
                fresh = asked_at is not None and (
                    timedelta(0) <= now - asked_at < limits.BILLS_LATE_EVERY
                )
                if books.labelled and not fresh:
                    self._asked_at[name] = now
                    turns.take(name, partial(self._billed, name, books, now))

    def _billed(self, name: str, books: Books, now: datetime) -> None:
        try:
            rows = list(books.billed(now - limits.BILL_LAST_AFTER, now))
        except Exception as error:
            log.warning("bills.silent", provider=name, error=type(error).__name__)
            return
        first: dict[str, Billed] = {}
        for row in rows:
            if (row.label or "").startswith(self._ours):
                before = first.get(row.provider_id)
                if before is None or row.from_at < before.from_at:
                    first[row.provider_id] = row
        found = [
            Stray(
                name, row.provider_id, row.label or "", None, row.from_at, row.from_at
            ).at_rate_of(row.paid)
            for row in first.values()
        ]
        self._record(found, now)

    def _record(self, strays: Sequence[Stray], now: datetime) -> None:
        def unknown(conn: Any) -> tuple[Stray, ...]:
            return tuple(
                stray
                for stray in strays
                if not instances.of_provider(conn, stray.provider, stray.provider_id, stray.label)
            )

        fresh = self._door.database.read(unknown) if strays else ()
        if fresh:
            self._door.run(RecordStrays(fresh), SYSTEM, now)


def _since(stray: Stray, said: label.Label | None, now: datetime) -> datetime:
    """When it came to be, as far as anybody knows; never longer ago than bills are asked for."""
    since = stray.since
    if since is None and said is not None:
        try:
            since = ULID.from_str(said.instance_id.split("_", 1)[1]).datetime
        except ValueError:
            since = None
    return min(now, max(since or now, now - limits.BILL_LAST_AFTER))


def _own_label(stray: Stray) -> str:
    """No record of an instance has it, and no launch will."""
    mark = hashlib.sha256(f"{stray.provider}|{stray.provider_id}".encode()).hexdigest()[:15]
    return f"{stray.label[:LABEL_CHARACTERS]}~{mark}"


def _price(text: str | None) -> Decimal:
    """What a provider says is hostile input; 0 where it says nothing, and its bill has the word."""
    try:
        price = Decimal(text or 0)
    except InvalidOperation:
        return Decimal(0)
    return price if price.is_finite() and 0 <= price <= PRICE_MAX else Decimal(0)


def _offer(stray: Stray, price: Decimal) -> Offer:
    """Nothing is known of the offer that it was made of."""
    return Offer(
        provider=stray.provider,
        offer_id="",
        accelerator="",
        gpu=stray.gpu,
        gpus=0,
        vram_gib=0.0,
        cuda=None,
        compute_capability=None,
        driver=None,
        cores=0,
        ram_gib=0.0,
        disk_gib=0.0,
        down_mbit_per_s=None,
        tier=TIERS[-1],
        region=stray.region,
        host=None,
        price_eur_per_hour=price,
        usd_eur=None if stray.usd_eur is None else Decimal(stray.usd_eur),
        usd_eur_date=stray.usd_eur_date,
    )
