"""Commands on instances: intent, launch, enrolment, admission, drain, and observed absence."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

import structlog

from leitstand.control import money
from leitstand.control.commands import Command
from leitstand.control.hosts import note_move, ready_deadline
from leitstand.control.losses import lose
from leitstand.control.transaction import RESERVATION, Change, Tx
from leitstand.control.volumes import without_taken
from leitstand.core import limits
from leitstand.core.cost import rate_of, worst_case
from leitstand.core.instance import (
    INSTANCE,
    WILL_NOT_END,
    Action,
    Adopt,
    Alarm,
    AskEnd,
    Instance,
    Move,
    NoteAbsent,
    NotePresent,
    NoteShown,
    label,
)
from leitstand.core.job import Job
from leitstand.core.offer import OWN_TIER
from leitstand.core.problem import Exit, Problem
from leitstand.store import attempts, effects, instances, jobs

log = structlog.get_logger(__name__)

PROVIDER_ID_CHARACTERS_MAX = 90
"""What a provider answers is hostile input: no id of ours is longer, and an effect's key is 120."""
PACE = timedelta(seconds=1)
"""Shortest time between two asks for the same end."""


def intend(
    tx: Tx,
    job: Job,
    offer: dict[str, Any],
    until: datetime,
    budgets: Mapping[str, str | None],
    installation: str,
) -> Instance:
    """Write the intent, the reservation and the launch effect: nothing is rented without them.

    What is checked against the budgets is what gets reserved. Raises Problem `over-budget`.
    """
    amount = worst_case(rate_of(offer), Decimal(offer["minimum_eur"]), tx.now, until)
    amount += Decimal(offer.get("traffic_eur") or 0)
    money.check_covered(tx, job, amount, budgets)
    offer = without_taken(tx, offer)
    instance_id = tx.new_id("instance")
    row = {
        **tx.born(instance_id, "instance"),
        "provider": offer["provider"],
        "provider_id": None,
        "label": label(installation, instance_id, until),
        "offer": offer,
        "price": Decimal(offer["price_eur_per_hour"]),
        "reason": None,
        "end_by": until,
        "ready_by": tx.now + ready_deadline(tx, offer),
        "ready_at": None,
        "token_hash": None,
        "certificate_serial": None,
        "hpke_public": None,
        "tier": offer["tier"],
        "region": offer["region"],
        "facts": None,
        "absent_since": None,
        "last_seen_at": None,
        "shown_at": None,
        "ended_at": None,
        "bill_final_at": None,
    }
    tx.create(INSTANCE, [row])
    held = {
        **tx.born(None, "reservation"),
        "job_id": job.id,
        "instance_id": instance_id,
        "amount": amount,
    }
    tx.create(RESERVATION, [held])
    tx.effect("launch", instance_id)
    tell(tx, job.id, one(tx, instance_id))
    return one(tx, instance_id)


@dataclass(frozen=True, slots=True)
class IntendInstance(Command[Instance | None]):
    """The reconciler found a job without an instance that serves it, and an offer. Raises Problem
    `over-budget`."""

    job_id: str
    offer: dict[str, Any]
    end_by: datetime
    budgets: Mapping[str, str | None]
    installation: str
    wanted: int = 1
    tier: str | None = None
    action: ClassVar[str] = "instances.want"

    def apply(self, tx: Tx) -> Instance | None:
        job = jobs.find(tx.conn, tx.tenant, self.job_id, lock=True)
        if job is None or job.state not in jobs.OPEN:
            return None
        serving = [
            instance
            for instance in instances.serving(tx.conn, job.id)
            if self.tier is None or instance.tier == self.tier
        ]
        if len(serving) >= self.wanted:
            return None
        made = intend(tx, job, self.offer, self.end_by, self.budgets, self.installation)
        tell_waiting(tx, job, None)
        return made


@dataclass(frozen=True, slots=True)
class Launch:
    """What the effect runner needs for the provider call."""

    instance: Instance
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class BeginLaunch(Command[Launch | None]):
    """The launch call is about to be made: from here on its outcome is unknown until reported. An
    intent that waited too long, or whose offer is `barred` by now, is given up instead: the
    reconciler intends afresh, by the rules and prices of the day."""

    instance_id: str
    effect_id: str
    barred: bool = False
    action: ClassVar[str] = "instances.launch"

    def apply(self, tx: Tx) -> Launch | None:
        instance = one(tx, self.instance_id)
        if instance.state != "intended":
            launch = effects.by_key(tx.conn, f"launch:{instance.id}")
            if launch is not None and launch.state == "intended":
                effects.set_state(tx.conn, self.effect_id, "done", tx.now)
            return None
        if tx.clock_jumped_back:
            return None
        late = tx.now - instance.created_at > limits.INTENT_MAX
        if self.barred or late or tx.now >= min(instance.ready_by, instance.end_by):
            effects.set_state(tx.conn, self.effect_id, "done", tx.now)
            finish(tx, instance, "unwanted", _reason("unwanted"))
            return None
        token = tx.ids.draw(32).hex()
        own = instance.tier == OWN_TIER
        over = tx.now + (limits.LAUNCH_CALL_MAX_OWN if own else limits.LAUNCH_CALL_MAX)
        effects.set_state(
            tx.conn, self.effect_id, "unknown", tx.now, attempted=True, not_before=over
        )
        move_one(tx, instance, "launch", token_hash=token_hash(token))
        job = money.reservation_job(tx, instance.id)
        if job is not None:
            tell_waiting(tx, job, None)
        return Launch(one(tx, self.instance_id), token)


@dataclass(frozen=True, slots=True)
class LoseLaunch(Command[None]):
    """The launch call ended without an answer: from now on the listing decides."""

    instance_id: str
    effect_id: str
    error: str
    action: ClassVar[str] = "effects.report"

    def apply(self, tx: Tx) -> None:
        if one(tx, self.instance_id).state == "launching":
            effects.set_state(
                tx.conn, self.effect_id, "unknown", tx.now, not_before=tx.now, error=self.error
            )


@dataclass(frozen=True, slots=True)
class ReportLaunch(Command[None]):
    """What the provider answered: its id, or a refusal, or both: what came to be is not wanted, and
    ends in the same step."""

    instance_id: str
    effect_id: str
    provider_id: str | None
    refused: str | None = None
    said: str | None = None
    action: ClassVar[str] = "effects.report"

    def apply(self, tx: Tx) -> None:
        instance = one(tx, self.instance_id)
        if instance.state != "launching":
            return
        effects.set_state(tx.conn, self.effect_id, "done", tx.now, error=self.refused)
        if self.provider_id is None:
            finish(tx, instance, "refused", _reason(self.refused, self.said))
            return
        move_one(tx, instance, "launched", provider_id=self.provider_id, last_seen_at=tx.now)
        if self.refused is not None:
            move_one(tx, one(tx, instance.id), "end", reason=_reason(self.refused, self.said))
            tx.effect("terminate", instance.id)


@dataclass(frozen=True, slots=True)
class Observe(Command[int]):
    """Apply the reconciler's actions. Each was decided on a row that may have moved since: what was
    decided about another state is dropped, and the next step looks again."""

    actions: tuple[tuple[Instance, tuple[Action, ...]], ...]
    action: ClassVar[str] = "instances.observe"

    def apply(self, tx: Tx) -> int:
        count = 0
        for seen, actions in self.actions:
            for act in actions:
                instance = one(tx, seen.id)
                if instance.state == seen.state:
                    self._one(tx, instance, act)
                    count += 1
        return count

    def _one(self, tx: Tx, instance: Instance, act: Action) -> None:
        match act:
            case Move("absent" | "never_created" | "unwanted" as event, code):
                _settle_launch(tx, instance)
                finish(tx, instance, event, _reason(code))
            case Move("end", code, said):
                move_one(tx, instance, "end", reason=_reason(code, said) or instance.reason)
                tx.effect("terminate", instance.id)
            case Move("stopped", code):
                lose(tx, attempts.live_of_instance(tx.conn, instance.id), "instance-lost")
                move_one(tx, instance, "stopped", reason=_reason(code) or instance.reason)
            case Move(event, code):
                move_one(tx, instance, event, reason=_reason(code))
            case Adopt(provider_id):
                _settle_launch(tx, instance)
                move_one(tx, instance, "launched", provider_id=provider_id, last_seen_at=tx.now)
            case NoteAbsent():
                tx.set("instance", instance.id, absent_since=tx.now)
            case NotePresent():
                tx.set("instance", instance.id, absent_since=None, last_seen_at=tx.now)
            case NoteShown():
                tx.set("instance", instance.id, shown_at=tx.now)
            case AskEnd():
                tx.effect("terminate", instance.id, after=PACE)
            case Alarm(code):
                raise_alarm(tx, instance, code)


@dataclass(frozen=True, slots=True)
class DrainInstance(Command[Instance]):
    """A person wants this instance to finish its segments and end."""

    instance_id: str
    action: ClassVar[str] = "instances.drain"

    def apply(self, tx: Tx) -> Instance:
        instance = one(tx, self.instance_id)
        if instance.state == "ready":
            move_one(tx, instance, "drain", reason={"code": "asked", "params": {}})
        elif instance.state == "intended":
            finish(tx, instance, "unwanted", {"code": "asked", "params": {}})
        elif instance.state == "launching":
            raise Problem("instance-launching", Exit.FAILED, instance=instance.id)
        elif instance.state in ("booting", "admitting", "paused", "resuming"):
            move_one(tx, instance, "end", reason={"code": "asked", "params": {}})
            tx.effect("terminate", instance.id)
        return one(tx, self.instance_id)


def finish(tx: Tx, instance: Instance, event: str, reason: dict[str, Any] | None) -> None:
    """An instance is gone: book its time, free its money, lose its attempts. One that never was
    costs nothing."""
    if event == "absent":
        money.settle(tx, instance)
        if instance.provider_id is not None and instance.state != "terminating":
            end_all_the_same(tx, instance.provider, instance.provider_id)
    was = instance.reason or {}
    told = was.get("before") if was.get("code") == WILL_NOT_END else instance.reason
    lose(tx, attempts.live_of_instance(tx.conn, instance.id), "instance-lost")
    move_one(tx, instance, event, reason=reason or told, ended_at=tx.now, token_hash=None)
    money.free(tx, instance)


def end_all_the_same(tx: Tx, provider: str, provider_id: str) -> None:
    """See that nothing is left of what no record stands for, or no longer: absent is success."""
    if len(provider_id) <= PROVIDER_ID_CHARACTERS_MAX:
        target = hashlib.sha256(provider_id.encode()).hexdigest()[:40]
        tx.effect("reap", target, key=reap_key(provider, provider_id), after=PACE)


def reap_key(provider: str, provider_id: str) -> str:
    """The key of the call that ends what has no record, or no longer."""
    return f"reap|{provider}|{provider_id}"


def raise_alarm(tx: Tx, instance: Instance, code: str) -> None:
    """Tell people, and keep telling: it stands as the reason until the instance is gone."""
    job = money.reservation_job(tx, instance.id)
    reason = {"code": code, "params": {"provider": instance.provider}, "before": instance.reason}
    tx.set("instance", instance.id, reason=reason)
    told = {"id": instance.id, "code": code, "provider": instance.provider}
    tx.event(instance.id if job is None else job.id, "alarm", **told)
    log.error("instance.alarm", instance=instance.id, code=code, provider=instance.provider)


def move_one(tx: Tx, instance: Instance, event: str, **values: Any) -> None:
    """One instance's state change, told to the streams of its job and to its machine's record."""
    note_move(tx, instance, event, values.get("reason"))
    tx.move(INSTANCE, event, [Change(instance, values)])
    moved = one(tx, instance.id)
    job = money.reservation_job(tx, instance.id)
    tell(tx, instance.id if job is None else job.id, moved)


def tell_waiting(tx: Tx, job: Job, reason: dict[str, Any] | None) -> None:
    """Why a job waits, for people: no state, so no entry. None when it no longer does."""
    if job.state == "waiting" and job.reason != reason:
        tx.set("job", job.id, reason=reason)
        tx.event(job.id, "job", state=job.state, reason=reason)


def tell(tx: Tx, subject: str, instance: Instance) -> None:
    """The event that progress streams show for an instance."""
    tx.event(
        subject,
        "instance",
        id=instance.id,
        state=instance.state,
        reason=instance.reason,
        provider=instance.provider,
        seconds=round((tx.now - instance.created_at).total_seconds(), 3),
    )


def one(tx: Tx, instance_id: str) -> Instance:
    """An instance by id. Raises Problem `unknown-instance`."""
    found = instances.find(tx.conn, tx.tenant, instance_id, lock=tx.writes)
    if found is None:
        raise Problem("unknown-instance", Exit.USAGE, instance=instance_id)
    return found


def token_hash(token: str) -> str:
    """How a one-time token is stored."""
    return hashlib.sha256(token.encode()).hexdigest()


def _settle_launch(tx: Tx, instance: Instance) -> None:
    """What became of its launch is known, or can matter no more."""
    launch = effects.by_key(tx.conn, f"launch:{instance.id}")
    if launch is not None and launch.state == "unknown":
        effects.set_state(tx.conn, launch.id, "done", tx.now)


def _reason(code: str | None, said: str | None = None) -> dict[str, Any] | None:
    """`said`: in the provider's words."""
    params = {} if said is None else {"said": said}
    return None if code is None else {"code": code, "params": params}
