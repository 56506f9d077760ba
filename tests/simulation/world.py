"""A control plane in a hostile world: one seed decides every fault, every delay and every wish.

The control plane is the real one below HTTP over the real store. The provider lies within its
contract, workers die, hang and repeat themselves, people hold, resume and cancel, the clock jumps,
and the control plane itself is dropped and built anew between any two calls.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from leitstand.control.audit import verify
from leitstand.control.jobs import CancelJob, HoldJob, ResumeJob
from leitstand.control.leases import Fenced
from leitstand.core.job import Job
from leitstand.core.machine import NotAllowed
from leitstand.core.placement import Offer
from leitstand.core.problem import Problem
from leitstand.ports import (
    LaunchSpec,
    NoCapacity,
    NoFunds,
    ProviderError,
    RateLimited,
    Rejected,
    Seen,
    Status,
    Unauthorized,
    Unavailable,
    UnknownOutcome,
)
from leitstand.store import attempts, jobs, money, tables
from leitstand.store.engine import Database
from leitstand.store.rows import Stale
from tests.control.rig import START, TENANT, Rented, Rig, Verifier, Worker

EXPECTED = (Problem, Fenced, Stale, NotAllowed)
"""What a worker or a person may be answered in a hostile world."""
REFUSALS: tuple[Callable[[], ProviderError], ...] = (
    lambda: NoCapacity("gone"),
    lambda: NoFunds("empty"),
    lambda: Unauthorized("key"),
    lambda: Unavailable("down"),
    lambda: RateLimited("slow down", timedelta(seconds=3)),
    lambda: Rejected("bad"),
)


@dataclass
class Hostile(Rented):
    """A provider that does everything its contract allows. `calm` ends all faults."""

    dice: random.Random = field(default_factory=random.Random)
    calm: bool = False
    serial: int = 0
    clock: Callable[[], datetime] = field(default=lambda: START)
    made: dict[str, datetime] = field(default_factory=dict)
    gone: dict[str, tuple[datetime, Seen]] = field(default_factory=dict)

    def _may(self, share: float) -> bool:
        return not self.calm and self.dice.random() < share

    def launch(self, offer: Offer, spec: LaunchSpec, label: str) -> Seen:
        self.launches += 1
        if self._may(0.15):
            refusal = self.dice.choice(REFUSALS)
            raise refusal()
        if self._may(0.08):
            raise UnknownOutcome("lost before")
        seen = self.create(spec, label)
        if self._may(0.05):
            self.create(spec, label)
        if self._may(0.08):
            raise UnknownOutcome("lost after", seen if self.dice.random() < 0.3 else None)
        if self._may(0.04):
            raise ValueError("an adapter's own fault")
        return seen

    def create(self, spec: LaunchSpec, label: str) -> Seen:
        self.serial += 1
        seen = Seen(f"p{self.serial}", label, Status.RUNNING)
        self.running[seen.provider_id] = seen
        self.made[seen.provider_id] = self.clock()
        self.specs[label] = spec
        return seen

    def _end(self, provider_id: str) -> None:
        seen = self.running.pop(provider_id, None)
        if seen is not None:
            self.gone[provider_id] = (self.clock(), seen)

    def _stale(self) -> list[Seen]:
        """What a listing may show that is up to `listing_lag` old."""
        now = self.clock()
        found = [
            seen
            for provider_id, seen in self.running.items()
            if now - self.made.get(provider_id, START) >= self.listing_lag
            or self.dice.random() < 0.5
        ]
        return found + [
            seen
            for at, seen in self.gone.values()
            if timedelta(0) <= now - at < self.listing_lag and self.dice.random() < 0.5
        ]

    def list(self) -> Iterable[Seen]:
        if self._may(0.1):
            raise self.dice.choice((Unavailable("down"), RateLimited("no"), OSError("reset")))
        found = self._stale()
        self.dice.shuffle(found)
        if self._may(0.1):
            found += found[:1]
        if self._may(0.1):
            found = [Seen(s.provider_id, s.label, Status.UNKNOWN) for s in found]
        return found

    def terminate(self, provider_id: str) -> None:
        self.ends.append(provider_id)
        if self._may(0.15):
            raise self.dice.choice((Unavailable("down"), RateLimited("no"), ValueError("odd")))
        if not self._may(0.3):
            self._end(provider_id)

    def suffer(self) -> None:
        """An instance vanishes, stops, or is joined by one that nobody asked for."""
        if self.running and self._may(0.02):
            self._end(self.dice.choice(sorted(self.running)))
        if self.running and self._may(0.01):
            victim = self.dice.choice(sorted(self.running))
            seen = self.running[victim]
            self.running[victim] = Seen(victim, seen.label, Status.STOPPED)
        if self._may(0.005):
            label = "ls1-test1234-01ARZ3NDEKTSV4RRFFQ69G5FAV-29923623"
            self.serial += 1
            self.running[f"p{self.serial}"] = Seen(f"p{self.serial}", label, Status.RUNNING)


class World:
    """One seeded history. `step` is a second or so; `settle` ends all faults and waits."""

    def __init__(self, database: Database, folder: Path, seed: int, *, planes: int = 1) -> None:
        self.seed = seed
        self.dice = random.Random(seed)
        self.database = database
        self.folder = folder
        self.settings: dict[str, Any] = {
            "instances_max": self.dice.choice((1, 1, 2, 3)),
            "segments_per_task": self.dice.choice((1, 2, 4)),
        }
        budget = self.dice.choice((None, None, "3.00", "0.80"))
        self.settings["budgets"] = {"job": None, "month": budget, "total": None}
        self.budget = None if budget is None else Decimal(budget)
        self.rig = Rig(database, folder, seed=seed, **self.settings)
        self.rented = Hostile(dice=random.Random(seed + 1))
        self.true_time = START
        self.set_back = timedelta(0)
        self.rented.clock = lambda: self.true_time
        self.rented.listing_lag = timedelta(seconds=self.dice.choice((0, 0, 3, 10)))
        self.builds = 0
        self._adopt(self.rig)
        self.workers: dict[str, Worker] = {}
        self.leases: list[tuple[Worker, dict[str, Any]]] = []
        self.late: list[Callable[[], object]] = []
        self.jobs: list[Job] = []
        self.cancelled: set[str] = set()

    def _adopt(self, rig: Rig) -> None:
        providers = rig.reconciler._providers
        assert isinstance(providers, dict)
        providers["rented"] = self.rented
        rig.rented = self.rented

    def rebuild(self) -> None:
        """The control plane dies and another one starts over the same store, keys and blobs."""
        self.builds += 1
        old = self.rig
        self.rig = Rig(
            self.database, self.folder, seed=self.seed + 1_000 * self.builds, **self.settings
        )
        self.rig.time = old.time
        self.rig.blobs = old.blobs
        for part in (self.rig.effects, self.rig.dispatcher, self.rig.upkeep):
            part._blobs = old.blobs
        self._adopt(self.rig)
        for worker in self.workers.values():
            worker.rig = self.rig

    def try_(self, act: Callable[[], Any]) -> Any:
        """What an answer to a worker or a person may be: a reply, or one of the expected refusals."""
        try:
            return act()
        except EXPECTED:
            return None

    # one step

    def step(self) -> None:
        dice, rig = self.dice, self.rig
        if len(self.jobs) < 4 and dice.random() < 0.1:
            self._new_job()
        self.rented.suffer()
        self._people()
        for step in dice.sample(steps(rig), dice.randint(1, 5)):
            step(rig.time)
        self._work()
        if dice.random() < 0.03:
            self.rebuild()
        self._pass(self._pause())

    def _pass(self, seconds: float) -> None:
        """Time passes; where `seconds` is negative the plane's clock is set back and none does."""
        self.rig.time += timedelta(seconds=seconds)
        self.true_time += timedelta(seconds=max(seconds, 0.0))
        self.set_back += timedelta(seconds=max(-seconds, 0.0))

    def _pause(self) -> float:
        roll = self.dice.random()
        if self.rented.calm or roll < 0.9:
            return self.dice.choice((0.2, 1.0, 2.0, 5.0))
        if roll < 0.98:
            return self.dice.choice((30.0, 61.0, 130.0))
        return self.dice.choice((900.0, 1_500.0, -3.0, -30.0))

    def _new_job(self) -> None:
        wish = {"segments": self.dice.randint(1, 5), "media": self.dice.randint(1, 3)}
        case = self.dice.choice(("inbox", "K-2031"))
        made = self.try_(lambda: self.rig.job(case=case, **wish))
        if made is not None:
            self.jobs.append(made)

    def _people(self) -> None:
        if not self.jobs:
            return
        job = self.dice.choice(self.jobs)
        roll = self.dice.random()
        if roll < 0.02:
            self.try_(lambda: self.rig.run(HoldJob(job.id)))
        elif roll < 0.06:
            self.try_(lambda: self.rig.run(ResumeJob(job.id)))
        elif roll < 0.065 and self.try_(lambda: self.rig.run(CancelJob(job.id))) is not None:
            self.cancelled.add(job.id)

    # workers

    def _work(self) -> None:
        for label, spec in self.rented.specs.items():
            there = any(s.label == label for s in self.rented.running.values())
            if there and label not in self.workers:
                self.workers[label] = Worker(self.rig, spec)
            if not there and label in self.workers and not self.rented.calm:
                continue
            if label in self.workers and there:
                self._one(self.workers[label])
        for worker, lease in list(self.leases):
            self._attempt(worker, lease)
        for again in [self.late.pop() for _ in range(min(2, len(self.late)))]:
            self.try_(again)

    def _one(self, worker: Worker) -> None:
        if not self.rented.calm and self.dice.random() < 0.2:
            return
        self.try_(worker.enrol)
        self.try_(worker.admit)
        held = [lease for w, lease in self.leases if w is worker]
        if len(held) < 2:
            lost = not self.rented.calm and self.dice.random() < 0.1
            claimed = self.try_(lambda: worker.claim(self.dice.randint(1, 2), lost=lost))
            for lease in claimed or []:
                self.leases.append((worker, lease))

    def _attempt(self, worker: Worker, lease: dict[str, Any]) -> None:
        """Some progress of one attempt, or a fault of its worker."""
        roll = 1.0 if self.rented.calm else self.dice.random()
        label = next(name for name, w in self.workers.items() if w is worker)
        if not any(s.label == label for s in self.rented.running.values()):
            self.late.append(lambda: worker.finish(lease))
            self.leases.remove((worker, lease))
            return
        if roll < 0.15:
            return
        verdict = self.try_(lambda: worker.beat(lease, self.dice.randint(0, 1_000)))
        if roll < 0.2 or verdict in (None, "stop", "fenced"):
            for segment in lease["segments"]:
                self.late.append(partial(worker.result, lease, segment["number"]))
            self.leases.remove((worker, lease))
            return
        if roll < 0.24:
            blame = self.dice.choice(("item", "host", "model", "us", "unknown"))
            self.try_(lambda: worker.finish(lease, "failed", blame=blame))
            self.leases.remove((worker, lease))
            return
        if self.try_(lambda: worker.key(lease)) is not None and self.dice.random() < 0.1:
            self.try_(lambda: worker.key(lease))
        for segment in lease["segments"]:
            number = segment["number"]
            self.try_(partial(worker.result, lease, number))
            if verdict == "hold":
                self.try_(lambda: worker.finish(lease, "held"))
                self.leases.remove((worker, lease))
                return
            if not self.rented.calm and self.dice.random() < 0.3:
                return
        self.try_(lambda: worker.finish(lease, "held" if verdict == "hold" else "done"))
        if self.dice.random() < 0.2:
            self.try_(lambda: worker.finish(lease))
        self.leases.remove((worker, lease))

    # the end

    def settle(self, most: int) -> None:
        """Faults end, people resume what is held and cancel what no budget covers; then everything
        has to come to rest."""
        self.rented.calm = True
        self.rebuild()
        for number in range(most):
            if number % 20 == 0:
                for job in self.jobs:
                    self.try_(partial(self._resume, job.id))
            rig = self.rig
            for step in steps(rig):
                step(rig.time)
            self._work()
            self._pass(1 if number % 10 else 30)
            if number > 30 and self.at_rest():
                return

    def _resume(self, job_id: str) -> None:
        job = self.rig.read(lambda c: jobs.find(c, TENANT, job_id))
        if job.state == "held" and (job.reason or {}).get("code") == "over-budget":
            self.rig.run(CancelJob(job_id))
            self.cancelled.add(job_id)
        else:
            self.rig.run(ResumeJob(job_id))

    def at_rest(self) -> bool:
        """No open job, no instance, nothing to do."""
        open_jobs = self.rig.read(
            lambda c: jobs.count_in(c, ("planned", "waiting", "running", "held"))
        )
        waiting = self.rig.read(
            lambda c: c.execute(
                tables.effects.select().where(tables.effects.c.state != "done")
            ).first()
        )
        standing = set(self.rig.instance_states()) - {"terminated"}
        return not (open_jobs or standing or self.rented.running) and waiting is None

    # what must hold

    def check(self) -> None:
        """The invariants that hold between any two steps."""
        rows = self.rig.read(_snapshot)
        live: dict[str, int] = {}
        for attempt in rows["attempts"]:
            if attempt.state == "live":
                live[attempt.task_id] = live.get(attempt.task_id, 0) + 1
        assert all(count == 1 for count in live.values()), "I5: two live attempts of a task"
        leased = {task.id for task in rows["tasks"] if task.state == "leased"}
        assert set(live) == leased, "a lease without its attempt, or the other way round"
        pairs = [(result.task_id, result.segment) for result in rows["results"]]
        assert len(pairs) == len(set(pairs)), "I4: a segment has two results"
        ends = {attempt.id: attempt.ended_at for attempt in rows["attempts"]}
        for result in rows["results"]:
            over = ends[result.attempt_id]
            late = over is not None and result.created_at > over + self.set_back
            assert not late, "I4: a late attempt was not fenced"
        standing = {i.id for i in rows["instances"] if i.state != "terminated"}
        ended = {i.provider_id for i in rows["instances"] if i.state == "terminated"}
        assert not ended & set(self.rented.running), "I1: called terminated, and it runs"
        held = {r.instance_id for r in rows["reservations"] if r.state == "held"}
        assert held == standing, "money is held for exactly the instances that are not gone"
        if self.budget is not None:
            end_by = {i.id: i.end_by for i in rows["instances"]}
            spent = sum((_in_term(c, end_by[c.instance_id]) for c in rows["charges"]), Decimal(0))
            reserved = sum(
                (r.amount for r in rows["reservations"] if r.state == "held"), Decimal(0)
            )
            assert spent + reserved <= self.budget + Decimal("0.0001"), "I2: over budget"

    def check_end(self) -> None:
        """What holds once the faults have ended and the system had its time."""
        self.check()
        states = {job.id: self.rig.job_state(job) for job in self.jobs}
        assert set(states.values()) <= {"done", "failed", "cancelled"}, f"I3, I14: {states}"
        for job in self.jobs:
            found = self.rig.read(lambda c, job=job: jobs.find(c, TENANT, job.id))
            assert found.state != "failed" or found.reason, "a failed job says why"
            tasks = self.rig.read(lambda c, job=job: jobs.tasks_of(c, TENANT, job.id))
            assert {t.state for t in tasks} <= {"done", "failed", "cancelled"}
        assert self.rented.running == {}, "I1: an instance is left"
        assert set(self.rig.instance_states()) <= {"terminated"}
        assert self.rig.read(lambda conn: money.held(conn, TENANT)) == 0
        assert self.rig.read(attempts.live_by_instance) == {}
        verdict = self.rig.read(lambda c: verify(c, Verifier(self.rig.signer.verifier_key)))
        assert verdict.faults == [], "I9"
        due = self.rig.read(lambda c: c.execute(tables.media.select()).all())
        for medium in due:
            overdue = medium.erase_after is not None and medium.erase_after < self.rig.time
            assert not overdue or medium.state in ("erasing", "erased"), "I11"


def steps(rig: Rig) -> list[Callable[[datetime], object]]:
    """The steps of a control plane in the order that a quiet second has them."""
    return [
        rig.dispatcher.step,
        rig.reconciler.step,
        rig.effects.step,
        rig.upkeep.step,
        rig.sequencer.step,
    ]


def _in_term(charge: Any, end_by: datetime) -> Decimal:
    """What of a charge was for time that was reserved. A provider that does not answer keeps an
    instance beyond its term, and no budget can prevent that."""
    period = charge.to_at - charge.from_at
    late = min(period, max(charge.to_at - end_by, timedelta(0)))
    amount: Decimal = charge.amount
    return amount - amount * Decimal(late / period) if late else amount


def _snapshot(conn: Any) -> dict[str, list[Any]]:
    names = ("attempts", "tasks", "results", "instances", "reservations", "charges")
    return {name: list(conn.execute(tables.metadata.tables[name].select()).all()) for name in names}
