"""The outbox runner: every call that leaves the process, after its intent was committed.

A launch is never repeated: once begun its outcome is unknown until the provider's answer is
reported or the reconciler finds (or does not find) its label. All other effects are idempotent and
are tried again with growing pauses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from leitstand.control.commands import Command, Door
from leitstand.control.instances import BeginLaunch, ReportLaunch
from leitstand.control.media import MediumErased
from leitstand.control.transaction import Tx
from leitstand.core import limits
from leitstand.core.access import SYSTEM
from leitstand.core.placement import Offer
from leitstand.core.problem import Problem
from leitstand.ports import (
    Blobs,
    LaunchSpec,
    NoCapacity,
    NoFunds,
    Provider,
    ProviderError,
    RateLimited,
    Rejected,
    Unauthorized,
    Unavailable,
    UnknownOutcome,
)
from leitstand.store import effects, instances, media
from leitstand.store.effects import Effect

PAUSE_MAX = timedelta(minutes=5)


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
        pause = self.retry_after or min(timedelta(seconds=2**self.attempts), PAUSE_MAX)
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
    """Where workers dial in and how they recognise it."""

    url: str
    ca_sha256: str
    slots: int
    environment: Mapping[str, str]


class EffectRunner:
    """One step: make the calls that are due."""

    def __init__(
        self,
        door: Door,
        providers: Mapping[str, Provider],
        blobs: Blobs,
        address: WorkerAddress,
    ) -> None:
        self._door = door
        self._providers = providers
        self._blobs = blobs
        self._address = address

    def step(self, now: datetime) -> datetime | None:
        """Run due effects; returns when the next one is due."""
        due = self._door.database.read(
            lambda conn: effects.due(conn, now, limits.UNITS_PER_STEP_MAX)
        )
        for effect in due:
            match effect.kind:
                case "launch":
                    self._launch(effect, now)
                case "terminate":
                    self._settled(effect, now, self._terminate)
                case "reap":
                    self._settled(effect, now, self._reap)
                case "erase":
                    self._settled(effect, now, self._erase)
                case kind:
                    raise ValueError(f"unknown effect {kind}")
        return self._door.database.read(effects.earliest)

    def _launch(self, effect: Effect, now: datetime) -> None:
        launch = self._door.run(BeginLaunch(effect.target_id, effect.id), SYSTEM, now)
        if launch is None:
            return
        instance = launch.instance
        spec = LaunchSpec(
            url=self._address.url,
            ca_sha256=self._address.ca_sha256,
            instance_id=instance.id,
            token=launch.token,
            end_by=instance.end_by,
            slots=self._address.slots,
            environment=self._address.environment,
        )
        offer = offer_of(instance.offer)
        try:
            seen = self._providers[instance.provider].launch(offer, spec, instance.label)
        except UnknownOutcome as unknown:
            if unknown.seen is not None:
                self._report(effect, instance.id, unknown.seen.provider_id, None, now)
            return
        except NoCapacity:
            self._report(effect, instance.id, None, "no-capacity", now)
        except NoFunds:
            self._report(effect, instance.id, None, "no-funds", now)
        except Unauthorized:
            self._report(effect, instance.id, None, "unauthorized", now)
        except (RateLimited, Unavailable):
            self._report(effect, instance.id, None, "provider-unavailable", now)
        except Rejected:
            self._report(effect, instance.id, None, "launch-rejected", now)
        else:
            self._report(effect, instance.id, seen.provider_id, None, now)

    def _report(
        self, effect: Effect, instance_id: str, provider_id: str | None, refused: str | None,
        now: datetime,
    ) -> None:  # fmt: skip
        command = ReportLaunch(instance_id, effect.id, provider_id, refused)
        self._door.run(command, SYSTEM, now)

    def _settled(self, effect: Effect, now: datetime, call: Any) -> None:
        try:
            call(effect, now)
        except RateLimited as limited:
            self._later(effect, now, limited, limited.retry_after)
        except (ProviderError, Problem, OSError) as error:
            self._later(effect, now, error, None)
        else:
            done = SettleEffect(effect.id, True, effect.attempts)
            self._door.run(done, SYSTEM, now)

    def _later(
        self, effect: Effect, now: datetime, error: Exception, after: timedelta | None
    ) -> None:
        waits = SettleEffect(effect.id, False, effect.attempts, type(error).__name__, after)
        self._door.run(waits, SYSTEM, now)

    def _terminate(self, effect: Effect, now: datetime) -> None:
        instance = self._door.database.read(
            lambda conn: instances.find(conn, effect.tenant_id, effect.target_id)
        )
        if instance is not None and instance.provider_id and instance.state != "terminated":
            self._providers[instance.provider].terminate(instance.provider_id)

    def _reap(self, effect: Effect, now: datetime) -> None:
        _, provider, provider_id = effect.key.split("|", 2)
        self._providers[provider].terminate(provider_id)

    def _erase(self, effect: Effect, now: datetime) -> None:
        names = self._door.database.read(lambda conn: _blobs_of(conn, effect))
        self._blobs.delete(names)
        self._door.run(MediumErased(effect.target_id), SYSTEM, now)


def _blobs_of(conn: Any, effect: Effect) -> list[str]:
    found = media.find(conn, effect.tenant_id, [effect.target_id])
    names = [] if not found else media.objects_of_key(conn, effect.tenant_id, found[0].key_id)
    for upload in media.uploads_of(conn, effect.tenant_id, effect.target_id):
        names += [part_name(upload.id, number) for number in range(len(upload.part_sha256))]
    return names


def part_name(upload_id: str, number: int) -> str:
    """Blob name of one part of an upload that is not complete."""
    return f"{upload_id}.{number}"


def offer_of(document: Mapping[str, Any]) -> Offer:
    """An offer from its stored document."""

    money = ("price_eur_per_hour", "minimum_eur", "storage_eur_per_hour")
    values: dict[str, Any] = {k: Decimal(v) if k in money else v for k, v in document.items()}
    return Offer(**values)
