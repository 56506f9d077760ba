"""Wanted work → instances, and instances → what their providers list.

Every step asks each provider for everything under our label, decides per instance in `core`, and
deals with what has no record. A provider that does not answer changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import structlog
from sqlalchemy import Connection

from leitstand.control.commands import Door
from leitstand.control.doubts import DOUBTED, Doubts
from leitstand.control.hosts import quarantined
from leitstand.control.instances import PACE, IntendInstance, Observe, reap_key
from leitstand.control.jobs import GiveUpJob, NoteWaiting
from leitstand.control.listings import Listings
from leitstand.control.market import Offers
from leitstand.control.money import over_budget
from leitstand.control.orphans import Orphans
from leitstand.control.plan import Planner
from leitstand.control.question import model_bytes, needed, remaining, taken
from leitstand.control.refusals import (
    AS_ASKED,
    NOT_ADMITTED,
    code_of,
    refusals_of,
    rules_of,
    untried,
)
from leitstand.control.turns import Rounds, Turns
from leitstand.core import limits
from leitstand.core.access import SYSTEM
from leitstand.core.board import Board
from leitstand.core.cost import covering, left_in, spelled
from leitstand.core.instance import Action, AskEnd, Instance, Need, decide
from leitstand.core.job import Job
from leitstand.core.machine import NotAllowed
from leitstand.core.offer import OWN_TIER, Offer
from leitstand.core.outlook import Load
from leitstand.core.placement import (
    Placement,
    Ranked,
    Requirements,
    Terms,
    resting,
)
from leitstand.core.problem import Param, Problem
from leitstand.ports import Clock, Provider
from leitstand.store import attempts, effects, instances, jobs, money
from leitstand.store.effects import Effect
from leitstand.store.jobs import Decision, OpenWork
from leitstand.store.rows import Stale

log = structlog.get_logger(__name__)


class Reconciler:
    """One step brings the observed fleet towards the wanted one."""

    def __init__(
        self,
        door: Door,
        providers: Mapping[str, Provider],
        planner: Planner,
        installation: str,
        instances_max: int,
        clock: Clock,
        doubts: Doubts | None = None,
    ) -> None:
        self._door = door
        self._providers = providers
        self._planner = planner
        self._installation = installation
        self._instances_max = instances_max
        self._clock = clock
        self._listings = Listings(providers, installation)
        self._doubts = doubts or Doubts(door, providers)
        self._orphans = Orphans(door, providers)
        self._rounds = Rounds(door.database)
        self._boards: dict[object, tuple[Offers, Board]] = {}

    def step(self, now: datetime) -> timedelta | None:
        """Observe, decide, act; then see that every open job has an instance to serve it. After
        how long it wants to be called again: somebody waits for the proof that an instance is gone.

        Listings take time. `now` lies before them and says how recent they are at least; the clock
        is read again after them, so that two absences are one whole lag apart.
        """
        database = self._door.database
        alive = database.read(instances.alive)
        listings = self._listings.take(now)
        after = self._clock.now()
        wanted = database.read(instances.wanted)
        live = database.read(attempts.live_by_instance)
        self._doubts.look(listings, alive, live, now)
        left_alone = database.read(lambda conn: self._quarantined(conn, alive, now))
        ids = [instance.id for instance in alive]
        launches = database.read(lambda conn: effects.of_kind(conn, "launch", ids))
        ends = database.read(lambda conn: effects.of_kind(conn, "terminate", ids))
        with Turns() as turns:
            for instance in alive:
                seen = self._doubts.proves(instance, listings.get(instance.provider))
                shunned = instance.id in left_alone
                need = _need(instance, wanted, live, launches, quarantined=shunned)
                actions = decide(instance, need, self._listings.says(instance, seen, now), now)
                if actions and not _asked_lately(actions, ends.get(instance.id), now):
                    turns.take(instance.id, partial(self._observe, instance, actions, after))
            turns.take("doubts", partial(self._doubts.tell, after))
            turns.take("orphans", lambda: self._orphans.step(listings, after))
            self._boards.clear()
            for work in self._rounds.next():
                turns.take(work.job.id, partial(self._want, work, now))
        ending = {
            instance.provider
            for instance in alive
            if instance.state == "terminating" or instance.absent_since is not None
        }
        return min(map(self._listings.pace, ending & set(self._providers)), default=None)

    def _quarantined(self, conn: Connection, fleet: list[Instance], now: datetime) -> set[str]:
        """Those that have to leave their machine."""
        tenant = self._door.tenant
        young = [one for one in fleet if one.state in ("booting", "admitting", "ready")]
        return {one.id for one in young if quarantined(conn, tenant, one, now)}

    def _observe(self, instance: Instance, actions: tuple[Action, ...], now: datetime) -> None:
        try:
            self._door.run(Observe(((instance, actions),)), SYSTEM, now)
        except (Stale, NotAllowed):
            log.info("instance.stale", instance=instance.id)

    def _want(self, work: OpenWork, now: datetime) -> None:
        try:
            if self._door.clock_jumped_back():
                self._wait(work.job, "clock-jumped-back", now)
            elif work.ordinary:
                wanted = min(self._instances_max, work.ordinary)
                for _ in range(wanted):
                    if not self._serve(work, wanted, None, now):
                        break
            elif work.fuse is not None:
                self._serve(work, 1, "L", now)
        except Problem as problem:
            self._wait(work.job, problem.code, now, **problem.params)

    def _wait(self, job: Job, code: str, now: datetime, **params: Param) -> None:
        reason = {"code": code, "params": params}
        works = self._door.database.read(lambda conn: jobs.any_task(conn, job.id, ("leased",)))
        told = job.reason or {}
        known = told.get("code") == code and told["params"].get("why") == params.get("why")
        if not known and not works:
            log.warning("job.waits", job=job.id, code=code)
            self._door.run(NoteWaiting(job.id, reason), SYSTEM, now)

    def _serve(self, work: OpenWork, wanted: int, tier: str | None, now: datetime) -> bool:
        """Whether one more instance was intended."""
        database, job = self._door.database, work.job
        serving = [
            instance
            for instance in database.read(lambda conn: instances.serving(conn, job.id))
            if tier is None or instance.tier == tier
        ]
        if len(serving) >= wanted:
            self._held(job, serving, now)
            return False
        if self._lingers(job, now):
            return False
        ended = [
            instance
            for instance in database.read(
                lambda conn: instances.fruitless(conn, job.id, jobs.got_on_at(conn, job))
            )
            if code_of(instance) not in AS_ASKED
        ]
        refusals = refusals_of(ended)
        no_more = self._no_more(ended, len(refusals))
        if no_more is not None:
            if not serving:
                self._give_up(job, no_more, now)
            return False
        decision = database.read(lambda conn: jobs.decision(conn, job.tenant_id, job.decision_id))
        if decision is None:
            return False
        try:
            chosen = self._offer(work, decision, ended, wanted - len(serving), tier, now)
            if chosen is not None:
                self._intend(job, chosen, wanted, tier, now)
            return chosen is not None
        except Problem as problem:
            if problem.code != "over-budget":
                raise
            self._short(job, problem, bool(serving), now)
            return False

    def _lingers(self, job: Job, now: datetime) -> bool:
        """Whether one that vanished may still run: nobody has answered yet that it is ended."""
        read, tenant = self._door.database.read, job.tenant_id
        asked = read(lambda conn: effects.open_keys(conn, "reap"))
        if not asked:
            return False
        return any(
            one.end_by > now
            and one.tier != OWN_TIER
            and reap_key(one.provider, one.provider_id or "") in asked
            for one in read(lambda conn: instances.of_job(conn, tenant, job.id))
        )

    def _held(self, job: Job, serving: list[Instance], now: datetime) -> None:
        """Say why what was intended is not launched."""
        held = [one.provider for one in serving if one.state == "intended"]
        doubted = next((name for name in held if self._doubts.of(name)), None)
        if doubted is not None:
            self._wait(job, DOUBTED, now, provider=doubted, count=self._doubts.of(doubted))

    def _no_more(self, ended: list[Instance], refused: int) -> dict[str, Any] | None:
        """Why nothing more is launched for a job, from what was in vain since it last got on."""
        turned_away = [one.reason for one in ended if code_of(one) in NOT_ADMITTED]
        if len(turned_away) >= limits.ADMISSIONS_REFUSED_MAX * self._instances_max:
            return turned_away[-1]
        stayed_not = len(ended) - refused
        if (
            stayed_not >= limits.LAUNCHES_PER_JOB_MAX * self._instances_max
            or refused >= limits.REFUSALS_PER_JOB_MAX
        ):
            return {"code": "no-instance-stays", "params": {"launches": len(ended)}}
        return None

    def _offer(
        self,
        work: OpenWork,
        decision: Decision,
        ended: list[Instance],
        shares: int,
        tier: str | None,
        now: datetime,
    ) -> Ranked | None:
        """The best offer by the rules of the plan, those excepted that were refused just now; a
        machine that never came to work is tried again only where there is no other. Raises Problem
        `over-budget` when money is all that is missing."""
        job = work.job
        want = needed(decision.inputs, tier)
        only = decision.inputs.get("provider") if tier is None else None
        offers, board = self._asked(want, only, model_bytes(decision.inputs), now)
        awake, refused = resting(offers.found, refusals_of(ended), now)
        doubted = next((o.provider for o in awake if self._doubts.of(o.provider)), None)
        if doubted is not None:
            awake, refused = [o for o in awake if not self._doubts.of(o.provider)], DOUBTED
        free = self._free(awake)
        if refused is not None or len(free) < len(awake):
            awake = free
            board = self._planner.board(awake, want, now)
        planned = self._door.database.read(lambda conn: jobs.ordinary_tasks(conn, job.id))
        load = remaining(decision.inputs, work.ordinary / max(planned, 1))
        budgets = self._planner.budgets(job.id, job.budget_cap, now)
        terms = replace(
            Terms(now, job.deadline_at, left_in(budgets), shares),
            own_first=bool(decision.inputs.get("own_first")),
            burst=self._planner.rules.burst,
        )
        fresh = untried(awake, ended)
        if len(fresh) < len(awake):
            other = _placed(self._planner.board(fresh, want, now), load, terms)
            if other.chosen is not None:
                return other.chosen
        placed = _placed(board, load, terms)
        if placed.chosen is not None:
            return placed.chosen
        needs = [Decimal(why.needs) for _, why in placed.rejected if why.rule == "budget"]
        short = covering(budgets, min(needs)) if needs else None
        if doubted is not None:
            self._wait(job, DOUBTED, now, provider=doubted, count=self._doubts.of(doubted))
        elif refused is not None:
            self._wait(job, refused, now)
        elif offers.silent and (short is not None or not offers.found):
            self._wait(job, "provider-unavailable", now)
        elif short is not None:
            raise over_budget(short, min(needs))
        else:
            fell = board.fell + Counter(why.rule for _, why in placed.rejected)
            self._wait(job, "no-offer", now, rejected=len(awake), why=rules_of(fell))
        return None

    def _free(self, offers: list[Offer]) -> list[Offer]:
        """Those that no instance of ours was made of: a slice of a machine is rented once."""
        alive = self._door.database.read(instances.alive)
        taken = {
            (one.provider, one.offer["offer_id"])
            for one in alive
            if one.offer.get("host") and one.tier != OWN_TIER
        }
        if not taken:
            return offers
        return [offer for offer in offers if (offer.provider, offer.offer_id) not in taken]

    def _asked(
        self, want: Requirements, only: str | None, models: Mapping[str, int], now: datetime
    ) -> tuple[Offers, Board]:
        """What is offered for a need; jobs of one step share the answer."""
        key = want, only, frozenset(models) if self._planner.keeps_volumes else None
        if key not in self._boards:
            offers = self._planner.offers(want, only, now, models)
            self._boards[key] = offers, self._planner.board(offers.found, want, now)
        return self._boards[key]

    def _intend(
        self, job: Job, chosen: Ranked, wanted: int, tier: str | None, now: datetime
    ) -> None:
        command = IntendInstance(
            job.id,
            taken(chosen),
            chosen.end_by,
            dict(self._planner.rules.budgets),
            self._installation,
            wanted,
            tier,
        )
        self._door.run(command, SYSTEM, now)

    def _short(self, job: Job, problem: Problem, served: bool, now: datetime) -> None:
        """Money that another reservation may give back is waited for; money that is spent is not."""
        if served:
            return
        read, tenant = self._door.database.read, job.tenant_id
        cost = spelled(read(lambda conn: money.spent(conn, tenant, job.id)))
        short = Problem(problem.code, problem.exit, **{**problem.params, "cost_eur": cost})
        if read(lambda conn: money.held(conn, tenant)) > 0:
            raise short
        self._give_up(job, {"code": short.code, "params": dict(short.params)}, now)

    def _give_up(self, job: Job, reason: dict[str, Any], now: datetime) -> None:
        self._door.run(GiveUpJob(job.id, reason), SYSTEM, now)


def _placed(board: Board, load: Load, terms: Terms) -> Placement:
    """The best offer that keeps the deadline; where none does, the best firm one, because late is
    better than never."""
    placed = board.place(load, terms)
    if placed.chosen is not None or terms.due_at is None:
        return placed
    return board.place(load, replace(terms, due_at=None), firm=True)


def _asked_lately(actions: tuple[Action, ...], end: Effect | None, now: datetime) -> bool:
    """Whether all there is to do is to repeat an ask that is under way or was just made."""
    if actions != (AskEnd(),) or end is None:
        return False
    return end.state != "done" or now - end.updated_at < PACE


def _need(
    instance: Instance,
    wanted: set[str],
    live: dict[str, int],
    launches: dict[str, Effect],
    *,
    quarantined: bool,
) -> Need:
    launch = launches.get(instance.id)
    return Need(
        wanted=instance.id in wanted,
        live_attempts=live.get(instance.id, 0),
        launch="none" if launch is None else launch.state,
        launch_over_at=None if launch is None else launch.not_before or launch.updated_at,
        quarantined=quarantined,
    )
