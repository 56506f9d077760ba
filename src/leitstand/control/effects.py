"""The outbox runner: every call that leaves the process, after its intent was committed.

A launch is never repeated: once begun its outcome is unknown until the provider's answer is
reported or the reconciler finds (or does not find) its label. All other effects are idempotent and
are tried again with growing pauses.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from threading import Lock, Thread
from typing import Any, ClassVar

import structlog

from leitstand.control.commands import Command, Door
from leitstand.control.doubts import Doubts
from leitstand.control.funds import Funds
from leitstand.control.hosts import probed
from leitstand.control.instances import BeginLaunch, Launch, LoseLaunch, ReportLaunch
from leitstand.control.mailbox import Mailbox
from leitstand.control.media import MediumErased
from leitstand.control.question import offer_of
from leitstand.control.transaction import Tx
from leitstand.control.turns import Turns
from leitstand.core import limits
from leitstand.core.access import SYSTEM
from leitstand.core.boot import words
from leitstand.core.instance import Instance
from leitstand.core.job import FUSE
from leitstand.core.offer import OWN_TIER
from leitstand.launch import MANIFEST_VARIABLE
from leitstand.ports import (
    Blobs,
    BootFiles,
    Clock,
    LaunchSpec,
    NoCapacity,
    NoFunds,
    Provider,
    ProviderError,
    RateLimited,
    Rejected,
    Retired,
    Unauthorized,
    Unavailable,
    UnknownOutcome,
    Unwanted,
)
from leitstand.store import attempts, effects, instances, jobs, keys, media
from leitstand.store.effects import Effect

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SettleEffect(Command[None]):
    """An idempotent effect is done, or waits for its next try."""

    effect_id: str
    done: bool
    attempts: int
    error: str | None = None
    retry_after: timedelta | None = None
    action: ClassVar[str] = "effects.report"

    def apply(self, tx: Tx) -> None:
        if self.done:
            effects.set_state(tx.conn, self.effect_id, "done", tx.now, attempted=True)
            return
        doublings = min(self.attempts, limits.EFFECT_PAUSE_DOUBLINGS_MAX)
        pause = self.retry_after or min(timedelta(seconds=2**doublings), limits.PAUSE_MAX)
        effects.set_state(
            tx.conn,
            self.effect_id,
            "intended",
            tx.now,
            attempted=True,
            not_before=tx.now + pause,
            error=self.error,
        )


@dataclass(frozen=True, slots=True)
class WorkerAddress:
    """Where workers dial in and how they recognise it. `near`: what those of this computer dial;
    None: `url` as well."""

    url: str
    ca_sha256: str
    slots: int
    environment: Mapping[str, str] = field(default_factory=dict)
    boot: BootFiles | None = None
    probe_seconds: float = 0.0
    mbit_per_s: float | None = None
    """For machines whose speed is compared with that of others of their GPU."""
    near: str | None = None

    def url_for(self, offer: Mapping[str, Any]) -> str:
        """What the worker of an instance of this offer dials."""
        return self.url if _elsewhere(offer) else self.near or self.url

    def told(self) -> dict[str, str]:
        """The environment, with the digest of what a fresh machine installs."""
        manifest = None if self.boot is None else self.boot.manifest()
        if manifest is None:
            return dict(self.environment)
        digest = hashlib.sha256(manifest).hexdigest()
        return {**self.environment, MANIFEST_VARIABLE: digest}


def _in_a_thread(call: Callable[[], None]) -> None:
    Thread(target=call, name="launch", daemon=True).start()


class Launches:
    """Launch calls under way: several at once, so that no slow one keeps another launch, or an end,
    waiting. `start` makes a call in a thread of its own."""

    def __init__(self, start: Callable[[Callable[[], None]], None] = _in_a_thread) -> None:
        self._start = start
        self._left = limits.LAUNCHES_AT_ONCE
        self._lock = Lock()

    def room(self) -> bool:
        """Whether one more may begin."""
        with self._lock:
            return self._left > 0

    def begin(self, call: Callable[[], None]) -> None:
        """Make the call, and do not wait for it."""
        with self._lock:
            self._left -= 1
        self._start(partial(self._make, call))

    def _make(self, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception as error:  # not kept: its outcome is unknown, and the label will tell
            log.warning("launch.unsettled", error=type(error).__name__)
        finally:
            with self._lock:
                self._left += 1


class EffectRunner:
    """One step: make the calls that are due."""

    def __init__(
        self,
        door: Door,
        providers: Mapping[str, Provider],
        blobs: Blobs,
        address: WorkerAddress,
        clock: Clock,
        launches: Launches | None = None,
        mailbox: Mailbox | None = None,
        doubts: Doubts | None = None,
        barred: Callable[[Instance, datetime], bool] = lambda instance, now: False,
        funds: Funds | None = None,
    ) -> None:
        """`barred`: an offer that was intended may not be taken any more."""
        self._funds = funds
        self._door = door
        self._providers = providers
        self._blobs = blobs
        self._address = address
        self._clock = clock
        self._launches = launches or Launches()
        self._mailbox = mailbox
        self._doubts = doubts
        self._barred = barred

    def step(self, now: datetime) -> None:
        """Run the effects that are due.

        Calls take time, and when a launch call began and ended decides what its absence from a
        listing means; so each effect reads the clock itself.
        """
        due = self._door.database.read(
            lambda conn: effects.due(conn, now, limits.UNITS_PER_STEP_MAX)
        )
        with Turns() as turns:
            for effect in due:
                turns.take(effect.id, partial(self._one, effect))

    def _one(self, effect: Effect) -> None:
        match effect.kind:
            case "launch":
                self._launch(effect)
            case "terminate":
                self._settled(effect, self._terminate)
            case "reap":
                self._settled(effect, self._reap)
            case "erase":
                self._settled(effect, self._erase)
            case "clear":
                self._settled(effect, self._clear)
            case kind:
                raise ValueError(f"unknown effect {kind}")

    def _launch(self, effect: Effect) -> None:
        if not self._launches.room():
            return
        instance = self._door.database.read(
            lambda conn: instances.find(conn, effect.tenant_id, effect.target_id)
        )
        if instance is not None and self._doubted(instance):
            return
        now = self._clock.now()
        barred = instance is not None and self._barred(instance, now)
        launch = self._door.run(BeginLaunch(effect.target_id, effect.id, barred), SYSTEM, now)
        if launch is not None:
            self._launches.begin(partial(self._call, effect, launch))

    def _doubted(self, instance: Instance) -> bool:
        """Whether nothing is launched there for now: its list shows none of what it holds."""
        return bool(self._doubts and self._doubts.of(instance.provider))

    def _call(self, effect: Effect, launch: Launch) -> None:
        """The one call. However long it takes, the reconciler looks by label once it counts as lost,
        and whatever it creates after that is ended: its instance was given up on."""
        instance = launch.instance
        spec = LaunchSpec(
            url=self._address.url_for(instance.offer),
            ca_sha256=self._address.ca_sha256,
            instance_id=instance.id,
            token=launch.token,
            end_by=instance.end_by,
            slots=self._address.slots,
            environment=self._address.told(),
            probe_seconds=self._address.probe_seconds if probed(instance.offer) else 0.0,
            mbit_per_s=self._address.mbit_per_s if _elsewhere(instance.offer) else None,
        )
        try:
            provider, offer = self._provider(instance.provider), offer_of(instance.offer)
            if self._funds and not self._funds.covers(instance.provider, self._clock.now()):
                raise NoFunds("what is left there does not last for what is rented there")
            seen = provider.launch(offer, spec, instance.label)
        except UnknownOutcome as unknown:
            if unknown.seen is None:
                self._lost(effect, unknown)
            else:
                self._report(effect, unknown.seen.provider_id, None)
        except Unwanted as unwanted:
            code = "mismatch" if unwanted.differs else _refusal(unwanted)
            self._report(effect, unwanted.seen.provider_id, code, str(unwanted))
        except ProviderError as refusal:
            self._report(effect, None, _refusal(refusal), str(refusal))
        except Exception as error:
            self._lost(effect, error)
        else:
            self._report(effect, seen.provider_id, None)

    def _provider(self, name: str) -> Provider:
        found = self._providers.get(name)
        if found is None:
            raise Unauthorized(f"{name} is not configured any more")
        return found

    def _report(
        self, effect: Effect, provider_id: str | None, refused: str | None, said: str | None = None
    ) -> None:
        command = ReportLaunch(effect.target_id, effect.id, provider_id, refused, words(said))
        self._door.run(command, SYSTEM, self._clock.now())

    def _lost(self, effect: Effect, error: Exception) -> None:
        """Nothing is known: not even an adapter's own fault proves that nothing was created."""
        name = type(error).__name__
        log.warning("launch.lost", instance=effect.target_id, error=name)
        self._door.run(LoseLaunch(effect.target_id, effect.id, name), SYSTEM, self._clock.now())

    def _settled(self, effect: Effect, call: Callable[[Effect], None]) -> None:
        """One idempotent call. Whatever it raises, it is tried again and the others go on."""
        try:
            call(effect)
        except RateLimited as limited:
            self._later(effect, limited, limited.retry_after)
        except Exception as error:
            self._later(effect, error, None)
        else:
            done = SettleEffect(effect.id, True, effect.attempts)
            self._door.run(done, SYSTEM, self._clock.now())

    def _later(self, effect: Effect, error: Exception, after: timedelta | None) -> None:
        name = type(error).__name__
        log.warning("effect.later", effect=effect.kind, target=effect.target_id, error=name)
        waits = SettleEffect(effect.id, False, effect.attempts, name, after)
        self._door.run(waits, SYSTEM, self._clock.now())

    def _terminate(self, effect: Effect) -> None:
        instance = self._door.database.read(
            lambda conn: instances.find(conn, effect.tenant_id, effect.target_id)
        )
        if instance is not None and instance.provider_id and instance.state != "terminated":
            self._provider(instance.provider).terminate(instance.provider_id)

    def _reap(self, effect: Effect) -> None:
        _, provider, provider_id = effect.key.split("|", 2)
        self._provider(provider).terminate(provider_id)

    def _erase(self, effect: Effect) -> None:
        names = self._door.database.read(lambda conn: _blobs_of(conn, effect))
        self._blobs.delete(names)
        self._empty(effect)
        self._door.database.scrub()
        self._door.run(MediumErased(effect.target_id), SYSTEM, self._clock.now())

    def _clear(self, effect: Effect) -> None:
        """Delete what was derived from the media of an ended job; its report stays for its term."""
        names = self._door.database.read(lambda conn: _derived(conn, effect))
        self._blobs.delete(names)
        self._empty(effect)
        self._door.database.scrub()

    def _empty(self, effect: Effect) -> None:
        """Nor does anything stay in the mailbox that was made of this medium, or for this job."""
        if self._mailbox is not None:
            tried = partial(attempts.ids_on, tenant=effect.tenant_id, target_id=effect.target_id)
            self._mailbox.forget(self._door.database.read(tried))


def _elsewhere(offer: Mapping[str, Any]) -> bool:
    """Whether a machine is reached over a line, as this computer is not."""
    return offer["tier"] != OWN_TIER or bool(offer.get("networked"))


def _refusal(error: ProviderError) -> str:
    """The code of a definite refusal; the reason of the instance that never came to be."""
    match error:
        case NoCapacity():
            return "no-capacity"
        case NoFunds():
            return "no-funds"
        case Unauthorized():
            return "unauthorized"
        case Retired():
            return "provider-retired"
        case RateLimited() | Unavailable():
            return "provider-unavailable"
        case Rejected():
            return "launch-rejected"
        case _:
            return "provider-unavailable"


def _derived(conn: Any, effect: Effect) -> list[str]:
    job = jobs.find(conn, effect.tenant_id, effect.target_id)
    if job is None:
        return []
    key = keys.find(conn, effect.tenant_id, job.key_id)
    names = set(media.objects_of_key(conn, effect.tenant_id, job.key_id))
    fuse = jobs.task_of(conn, effect.tenant_id, job.id, FUSE)
    report = None if fuse is None else attempts.result(conn, fuse.id, 0)
    if report is not None and job.state == "done" and key is not None and key.wrapped is not None:
        names.discard(report.object_id)
    return sorted(names)


def _blobs_of(conn: Any, effect: Effect) -> list[str]:
    found = media.find(conn, effect.tenant_id, [effect.target_id])
    names = [] if not found else media.objects_of_key(conn, effect.tenant_id, found[0].key_id)
    for upload in media.uploads_of(conn, effect.tenant_id, effect.target_id):
        names += upload.part_names()
    return names
