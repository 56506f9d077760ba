"""A control plane with a real adapter over a simulated account, in a storm: one seed decides all.

The `Weather` is between plane and account, and at the account; the plane dies before and after any
call, most of all one with an effect, and any commit. Then it is calm, and everything has to end.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx

from leitstand.boot.program import told
from leitstand.control.bills import Bills
from leitstand.control.jobs import CancelJob
from leitstand.control.leases import Fenced
from leitstand.core.instance import WILL_NOT_END
from leitstand.core.machine import NotAllowed
from leitstand.core.placement import Requirements
from leitstand.core.problem import Problem
from leitstand.launch import MANIFEST_VARIABLE, decode
from leitstand.providers.runpod import LABEL
from leitstand.store import instances, jobs, money, tables
from leitstand.store.engine import Database
from leitstand.store.rows import Stale
from tests.contracts.worlds import EUR_PER_USD, RENTED
from tests.control.rig import GOOD, TENANT, Rig, Worker
from tests.simulation.weather import Weather
from tests.wire import faults

EXPECTED = (Problem, Fenced, Stale, NotAllowed)
ENDING = ("draining", "paused", "terminating", "terminated")
CENT = Decimal("0.01")
INSTALLATION = "ls1-test1234-"


class Death(BaseException):
    """The process is gone; no handler of the product may catch it."""


class Mortal:
    """A database at whose writes the plane may die: before the transaction, and after its commit."""

    def __init__(self, database: Database, die: Callable[[], None]) -> None:
        self._database = database
        self._die = die

    def write(self, work: Callable[[Any], Any]) -> Any:
        self._die()
        done = self._database.write(work)
        self._die()
        return done

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)


class Deadly(httpx.BaseTransport):
    """A line at whose calls the plane may die: before the call, and after it had its effect. A call
    that changes something takes a second, so that nothing begins and ends in the same moment."""

    def __init__(self, world: Any, die: Callable[[float], None]) -> None:
        self._world, self._line = world, world.transport
        self._die = die

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        more = 1 if request.method == "GET" else 10
        self._die(more)
        reply: httpx.Response = self._line.handle_request(request)
        if request.method != "GET":
            self._world.forward(seconds=1)
        self._die(more)
        return reply


class Plane(Rig):
    """A control plane on the clock of a simulated account."""

    def __init__(self, database: Any, folder: Path, world: Any, name: str, **rest: Any) -> None:
        self.world = world
        super().__init__(database, folder, told={MANIFEST_VARIABLE: "0" * 64}, **rest)
        self.bills = Bills(self.door, {name: rest["more"][name]})

    @property
    def time(self) -> Any:
        return self.world.clock.at

    @time.setter
    def time(self, at: Any) -> None:
        """A process that starts does not turn the clock back."""
        self.world.forward(seconds=max(0.0, (at - self.time).total_seconds()))


class Storm:
    """One seeded history. `step` is some seconds; `settle` ends all faults and waits for the end."""

    def __init__(self, database: Database, folder: Path, seed: int) -> None:
        self.seed, self.folder, self.database = seed, folder, database
        self.dice = random.Random(seed)
        self.name = self.dice.choice(sorted(RENTED))
        self.world = RENTED[self.name](folder)
        self.calm = True
        self.births = self.deaths = 0
        self.most = self.dice.choice((1, 1, 2, 3))
        self._conditions()
        signed = folder / "signed.pdf"
        signed.write_text("signed")
        self.settings = self.world.settings | {"agreement_file": str(signed)}
        self.settings |= {"bids": self.dice.choice(("yes", "no"))}
        self.foreign = {self.world.plant("ls1-notours1-A-1")}
        self.made: Counter[str] = Counter()
        self.workers: dict[str, Worker] = {}
        self.dull: set[str] = set()
        self.weather = Weather(self.name, self.world, self.dice, self._offers, self._ours)
        self.blobs: Any = None
        self.rented: Any = None
        self.plane = self._born()
        self.jobs = [self.plane.job(provider=self.name, media=self.dice.randint(1, 3))]
        self.calm = False

    def _conditions(self) -> None:
        """How this account behaves all the time, within what its adapter says of it."""
        conduct, dice = self.world.account.conduct, self.dice
        conduct.read_lag = timedelta(seconds=dice.choice((0, 3, 8, 20)))
        conduct.delete_lag = timedelta(seconds=dice.choice((0, 2, 10, 20)))
        conduct.retry_after = dice.random() < 0.5
        self.world.account.credit = Decimal(10_000)

    def _born(self) -> Plane:
        """A process starts over the same database, keys, blobs and account."""
        self.births += 1
        world = self.world
        adapter = world.ADAPTER(
            self.settings, Deadly(world, self._die), world.clock.monotonic, world.sleep
        )
        plane = Plane(
            Mortal(self.database, self._die),
            self.folder,
            world,
            self.name,
            more={self.name: adapter},
            seed=self.seed + 1000 * self.births,
            instances_max=self.most,
        )
        if self.blobs is None:
            self.blobs, self.rented = plane.blobs, plane.rented
        plane.blobs = self.blobs
        for part in (plane.effects, plane.dispatcher, plane.upkeep):
            part._blobs = self.blobs
        providers = plane.reconciler._providers
        assert isinstance(providers, dict)
        providers["rented"] = plane.rented = self.rented
        for worker in self.workers.values():
            worker.rig = plane
        return plane

    def _die(self, more: float = 1) -> None:
        if not self.calm and self.dice.random() < 0.004 * more:
            self.deaths += 1
            raise Death

    # one step

    def step(self) -> None:
        """Some steps of the plane in some order, what goes wrong with them, and what workers do."""
        dice = self.dice
        try:
            if not self.calm:
                self._trouble()
        except Death:
            self.plane = self._born()
        plane = self.plane
        parts: list[Callable[[Any], object]] = [
            plane.dispatcher.step,
            plane.reconciler.step,
            plane.effects.step,
            plane.upkeep.step,
            plane.sequencer.step,
        ]
        if not self.calm:
            parts = dice.sample(parts, dice.randint(2, 5))
        try:
            for part in parts:
                part(plane.time)
            self._work()
        except Death:
            self.plane = self._born()
        self.world.forward(seconds=dice.choice((1, 2, 5, 9, 20)))
        self.check()

    def _trouble(self) -> None:
        dice = self.dice
        self.weather.bring()
        if dice.random() < 0.05 and len(self.jobs) < 4:
            made = self._try(lambda: self.plane.job(provider=self.name))
            if made is not None:
                self.jobs.append(made)
        if dice.random() < 0.02:
            job = dice.choice(self.jobs)
            self._try(lambda: self.plane.run(CancelJob(job.id)))

    def _offers(self) -> Any:
        provider = self.plane.reconciler._providers[self.name]
        try:
            return provider.offers(Requirements(disk_gib=1.0))
        except (Death, Exception):
            return ()

    # workers

    def _work(self) -> None:
        for environment in self.world.told():
            spec = decode(told(environment))
            if spec.instance_id not in self.workers:
                self.workers[spec.instance_id] = Worker(self.plane, spec)  # type: ignore[arg-type]
                if not self.calm and self.dice.random() < 0.2:
                    self.dull.add(spec.instance_id)
        there = {decode(told(e)).instance_id for e in self.world.told()}
        for instance_id in sorted(there - self.dull):
            self._one(self.workers[instance_id], self._measured(instance_id))
        for label, spec in self.rented.specs.items():
            if any(s.label == label for s in self.rented.running.values()):
                if label not in self.workers:
                    self.workers[label] = Worker(self.plane, spec)
                self._one(self.workers[label], GOOD)

    def _measured(self, instance_id: str) -> dict[str, Any]:
        found = self.plane.read(lambda c: instances.find(c, TENANT, instance_id))
        if found is None:
            return GOOD
        gpus = [{"name": f"NVIDIA {found.offer['gpu']}", "vram_gib": found.offer["vram_gib"]}]
        return GOOD | {"facts": {"cores": 4, "gpus": gpus}}

    def _one(self, worker: Worker, measured: dict[str, Any]) -> None:
        if not self.calm and self.dice.random() < 0.4:
            return
        self._try(worker.enrol)
        self._try(lambda: worker.admit(measured))
        for lease in self._try(worker.claim) or ():
            if self.calm or self.dice.random() < 0.7:
                self._try(lambda lease=lease: worker.work(lease))

    def _try(self, act: Callable[[], Any]) -> Any:
        try:
            return act()
        except EXPECTED:
            return None

    # an hour without ends

    def refuse_ends(self, term: timedelta) -> None:
        """Everybody wants an end, and the provider refuses each for so long; then it obeys."""
        world, self.calm = self.world, True
        world.faults.clear()
        world.account.fates.clear()
        made = None
        for _ in range(400):
            if made is None:  # a provider that set a limit is not asked before it is over
                made = self._try(lambda: self.plane.job(provider=self.name))
                self.jobs += [made] if made else []
            if self._ours() - self._doomed():
                break
            self.step()
        until = world.clock.now() + term
        world.faults.append(faults.failed_before(*world.END, until=until))
        for job in self.jobs:
            self._try(lambda job=job: self.plane.run(CancelJob(job.id)))
        alive = self._ours() - self._doomed()
        assert alive
        while world.clock.now() < until - timedelta(minutes=1):
            self.step()
            world.forward(seconds=20)
            assert alive <= self._ours()
        alarms = self.plane.read(lambda c: c.execute(tables.events.select()).all())
        assert [one for one in alarms if one.kind == "alarm"], "nobody was told"
        reasons = {self._reason(one) for one in alive}
        assert reasons == {WILL_NOT_END}, reasons

    def _doomed(self) -> set[str]:
        """Who will vanish without anybody's doing."""
        account = self.world.account
        every = account.pods if self.name == "runpod" else account.contracts
        return {str(one.id) for one in every if one.fate.vanishes_after}

    def _reason(self, provider_id: str) -> str | None:
        known = self.plane.read(lambda c: instances.page(c, TENANT, None, 10_000))
        found = next(one for one in known if one.provider_id == provider_id)
        return None if found.reason is None else str(found.reason["code"])

    # the end

    def settle(self, most: int) -> None:
        """It is calm; everything has to come to rest, and the bills come in."""
        self.calm = True
        self.world.faults.clear()
        self.world.account.fates.clear()
        for number in range(most):
            self.step()
            self.world.forward(seconds=20)
            if number > 10 and self.at_rest():
                break
        for _ in range(4):
            self.world.forward(hours=9)
            self.plane.bills.step(self.plane.time)

    def at_rest(self) -> bool:
        waits = jobs.OPEN + ("planned",)
        open_jobs = self.plane.read(lambda c: jobs.count_in(c, waits))
        standing = set(self.plane.instance_states()) - {"terminated"}
        return not (open_jobs or standing or self._calls())

    def _calls(self) -> list[str]:
        """Calls that are still to be made."""
        query = tables.effects.select().where(tables.effects.c.state != "done")
        left = self.plane.read(lambda c: c.execute(query).all())
        return [one.key for one in left if one.kind in ("launch", "terminate", "reap")]

    # what must hold

    def _ours(self) -> set[str]:
        return set(self.world.alive()) - self.foreign

    def check(self) -> None:
        """Between any two steps."""
        alive = set(self.world.alive())
        assert self.foreign <= alive, "an instance of somebody else was ended"
        known = self.plane.read(lambda c: instances.page(c, TENANT, None, 10_000))
        rows = {one.provider_id: one for one in known if one.provider_id}
        ended = {pid for pid, one in rows.items() if one.state == "terminated"}
        assert not ended & alive, "called terminated, and it lives"
        labels = Counter(self.labels().values())
        twice = {label for label, count in labels.items() if count > 1}
        assert not twice, f"rented twice: {twice}"
        states = {one.label: one for one in known}
        at_work: Counter[str] = Counter()
        for provider_id, label in self.labels().items():
            record = states.get(label)
            assert record is not None, "an instance without an intent"
            if provider_id in alive:
                assert record.state != "terminated", f"given up on, and it lives: {record}"
                if record.state not in ENDING:
                    at_work[self._job(record.id)] += 1
        assert all(n <= self.most for n in at_work.values()), f"more than wanted: {at_work}"

    def _job(self, instance_id: str) -> str:
        found = self.plane.read(lambda c: money.reservation_of(c, instance_id))
        return "" if found is None else found.job_id

    def labels(self) -> dict[str, str]:
        """Label by provider id of everything that was ever made for us."""
        return {one: label for one, (label, _) in self._books().items()}

    def _books(self) -> dict[str, tuple[str, Decimal]]:
        """Label and cost in euros of everything that was ever made for us, by the account itself."""
        account = self.world.account
        if self.name == "runpod":
            bill = account.invoice(self.world.clock.now())
            rows = [(pod.id, pod.env.get(LABEL, ""), bill[pod.id]) for pod in account.pods]
        else:
            rows = [(str(c.id), c.body.get("label") or "", c.cost()) for c in account.contracts]
        return {
            one: (label, usd * EUR_PER_USD)
            for one, label, usd in rows
            if label.startswith(INSTALLATION)
        }

    def check_end(self) -> None:
        self.check()
        assert self._ours() == set(), "an instance is left alive"
        assert set(self.plane.instance_states()) <= {"terminated"}
        states = {job.id: self.plane.job_state(job) for job in self.jobs}
        assert set(states.values()) <= {"done", "held", "failed", "cancelled"}, states
        assert self.plane.read(lambda c: money.held(c, TENANT)) == 0
        assert self._calls() == []
        for provider_id, (_, billed) in self._books().items():
            booked = self.booked(provider_id)
            assert abs(booked - billed) < CENT, f"{provider_id}: booked {booked}, billed {billed}"

    def booked(self, provider_id: str) -> Decimal:
        known = self.plane.read(lambda c: instances.page(c, TENANT, None, 10_000))
        ids = [one.id for one in known if one.provider_id == provider_id]
        return sum(
            (self.plane.read(lambda c, i=i: money.spent_on(c, TENANT, i)) for i in ids), Decimal(0)
        )
