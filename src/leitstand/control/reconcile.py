"""Wanted work → instances, and instances → what their providers list.

Every step asks each provider for everything under our label, decides per instance in `core`, and
deals with what has no record. A provider that does not answer changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, ClassVar

import structlog

from leitstand.control.commands import Command, Door
from leitstand.control.instances import IntendInstance, Observe
from leitstand.control.jobs import FailJob
from leitstand.control.plan import Planner, plain
from leitstand.control.transaction import Tx
from leitstand.core import limits
from leitstand.core.access import SYSTEM
from leitstand.core.instance import Action, Instance, Listing, Need, decide
from leitstand.core.job import FUSE, TASK, Job
from leitstand.core.placement import Requirements, combined, place
from leitstand.core.problem import Problem
from leitstand.launch import LABEL_PREFIX
from leitstand.ports import Provider, ProviderError, Seen
from leitstand.store import attempts, effects, instances, jobs
from leitstand.store.effects import Effect
from leitstand.store.rows import Stale

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ReapOrphans(Command[None]):
    """End instances that carry our label and have no living record."""

    orphans: tuple[tuple[str, str], ...]
    """Provider and provider id."""
    action: ClassVar[str] = "instances.observe"

    def apply(self, tx: Tx) -> None:
        for provider, provider_id in self.orphans:
            target = provider_id[:40]
            tx.effect("reap", target, key=f"reap|{provider}|{provider_id}")


class Reconciler:
    """One step brings the observed fleet towards the wanted one."""

    def __init__(
        self,
        door: Door,
        providers: Mapping[str, Provider],
        planner: Planner,
        installation: str,
        instances_max: int,
    ) -> None:
        self._door = door
        self._providers = providers
        self._planner = planner
        self._installation = installation
        self._instances_max = instances_max

    def step(self, now: datetime) -> None:
        """Observe, decide, act; then see that every open job has an instance to serve it."""
        database = self._door.database
        alive = database.read(instances.alive)
        listings = self._listings()
        wanted = database.read(instances.wanted)
        live = database.read(attempts.live_by_instance)
        launches = database.read(effects.launches)
        for instance in alive:
            seen = listings.get(instance.provider)
            need = _need(instance, wanted, live, launches)
            actions = decide(instance, need, self._listing(instance, seen, now), now)
            if actions:
                self._observe(instance, actions, now)
        self._orphans(alive, listings, now)
        self._want(now)

    def _listings(self) -> dict[str, dict[str, Seen]]:
        found: dict[str, dict[str, Seen]] = {}
        ours = f"{LABEL_PREFIX}{self._installation}-"
        for name, provider in self._providers.items():
            try:
                listed = [seen for seen in provider.list() if seen.label.startswith(ours)]
            except ProviderError as error:
                log.warning("provider.silent", provider=name, error=type(error).__name__)
                continue
            found[name] = {seen.label: seen for seen in listed}
        return found

    def _listing(
        self, instance: Instance, listed: dict[str, Seen] | None, now: datetime
    ) -> Listing | None:
        if listed is None:
            return None
        seen = listed.get(instance.label)
        lag = self._providers[instance.provider].listing_lag
        if seen is None:
            return Listing(now, lag, None, None)
        return Listing(now, lag, seen.provider_id, seen.status.value)

    def _observe(self, instance: Instance, actions: tuple[Action, ...], now: datetime) -> None:
        try:
            self._door.run(Observe(((instance, actions),)), SYSTEM, now)
        except Stale:
            log.info("instance.stale", instance=instance.id)

    def _orphans(
        self, alive: list[Instance], listings: dict[str, dict[str, Seen]], now: datetime
    ) -> None:
        known = {instance.label for instance in alive}
        orphans = tuple(
            (name, seen.provider_id)
            for name, listed in listings.items()
            for label, seen in listed.items()
            if label not in known
        )
        if orphans:
            log.warning("instance.orphans", count=len(orphans))
            self._door.run(ReapOrphans(orphans), SYSTEM, now)

    def _want(self, now: datetime) -> None:
        database = self._door.database
        for job in database.read(
            lambda conn: jobs.in_states(conn, jobs.OPEN, limits.UNITS_PER_STEP_MAX)
        ):
            tasks = database.read(partial(jobs.tasks_of, tenant=job.tenant_id, job_id=job.id))
            open_tasks = [t for t in tasks if t.state in ("queued", "leased")]
            ordinary = [t for t in open_tasks if t.pipeline != FUSE]
            if ordinary:
                self._serve(job, min(self._instances_max, len(ordinary)), None, now)
            elif any(t.pipeline == FUSE and t.state not in TASK.final for t in tasks):
                self._serve(job, 1, "L", now)

    def _serve(self, job: Job, wanted: int, tier: str | None, now: datetime) -> None:
        database = self._door.database
        serving = [
            instance
            for instance in database.read(lambda conn: instances.serving(conn, job.id))
            if tier is None or instance.tier == tier
        ]
        if len(serving) >= wanted:
            return
        refused = database.read(lambda conn: instances.not_admitted(conn, job.id))
        if len(refused) >= limits.ADMISSIONS_REFUSED_MAX:
            self._door.run(FailJob(job.id, refused[-1]), SYSTEM, now)
            return
        launched = database.read(lambda conn: instances.launches_of(conn, job.id))
        if launched >= limits.LAUNCHES_PER_JOB_MAX * self._instances_max:
            reason = {"code": "no-instance-stays", "params": {"launches": launched}}
            self._door.run(FailJob(job.id, reason), SYSTEM, now)
            return
        decision = database.read(lambda conn: jobs.decision(conn, job.tenant_id, job.decision_id))
        if decision is None:
            return
        want = _requirements(decision.inputs, tier)
        offers, _ = self._planner.offers(
            want, decision.inputs.get("provider") if tier is None else None
        )
        placed = place(offers, want, now, lambda _: 0.0)
        if placed.chosen is None:
            log.warning("job.no_offer", job=job.id, offers=len(offers))
            return
        offer = placed.chosen.offer
        command = IntendInstance(
            job.id,
            plain(offer),
            self._planner.end_by(offer, now).isoformat(),
            str(placed.chosen.worst_eur),
            dict(self._planner.rules.budgets),
            self._installation,
            wanted,
            tier,
        )
        try:
            self._door.run(command, SYSTEM, now)
        except Problem as problem:
            if problem.code != "over-budget":
                raise
            reason = {"code": problem.code, "params": dict(problem.params)}
            self._door.run(FailJob(job.id, reason), SYSTEM, now)


def _need(
    instance: Instance,
    wanted: set[str],
    live: dict[str, int],
    launches: dict[str, Effect],
) -> Need:
    launch = launches.get(instance.id)
    return Need(
        wanted=instance.id in wanted,
        live_attempts=live.get(instance.id, 0),
        launch="none" if launch is None else launch.state,
        launch_asked_at=None if launch is None else launch.updated_at,
    )


def _requirements(inputs: dict[str, Any], tier: str | None) -> Requirements:
    wants = inputs["requirements"]
    chosen = [wants[FUSE]] if tier == "L" else [w for n, w in wants.items() if n != FUSE]
    return combined([_parse(want) for want in chosen])


def _parse(document: dict[str, Any]) -> Requirements:
    values = dict(document)
    values["regions"] = tuple(values["regions"])
    values["end_by"] = None
    values["price_max_eur_per_hour"] = None
    return Requirements(**values)
