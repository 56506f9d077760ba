"""Seeded storms: whatever an account and the control plane's own deaths do, nothing is left behind.

A failing run names its seed; `pytest -k 'runpod-17'` repeats it.
"""

import random
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal

import pytest
from tests.contracts.plane import Plane
from tests.contracts.worlds import RENTED
from tests.control.rig import OPERATOR, TENANT
from tests.wire import faults

from leitstand.boot.program import told
from leitstand.control.jobs import CancelJob
from leitstand.control.leases import Fenced
from leitstand.core.problem import Problem
from leitstand.launch import decode
from leitstand.store import money
from leitstand.store.engine import Database

SAMPLE, FULL = 6, 250
STEPS, CALM_STEPS_MAX, ASK_EVERY = 60, 400, 15
DEATHS = 0.15
"""Of the control plane, before and after each call of a provider."""


class Death(BaseException):
    """The process is gone; no handler of the product may catch it."""


class Mortal:
    """An adapter in a process that may die at its calls."""

    def __init__(self, provider, chance, share):
        self.provider, self.chance, self.share = provider, chance, share

    def __getattr__(self, name):
        inner = getattr(self.provider, name)
        if name not in ("launch", "terminate"):
            return inner

        def call(*given):
            self.point()
            done = inner(*given)
            self.point()
            return done

        return call

    def point(self):
        if self.chance.random() < self.share:
            raise Death


class Storm:
    """One run: a job on a rented machine, in bad weather and then in good."""

    def __init__(self, name, seed, database, folder):
        self.chance = random.Random(seed)
        self.name, self.database, self.folder = name, database, folder
        self.world = RENTED[name](folder)
        self.deaths, self.births = DEATHS, 0
        self.dialled = {}
        self._weather()
        self.plane = self._born()
        self.jobs = []

    def _born(self):
        self.births += 1
        plane = Plane(
            self.database,
            self.folder,
            self.name,
            self.world,
            seed=self.births,
            between=lambda provider: Mortal(provider, self.chance, self.deaths),
        )
        if self.births > 1:
            plane.blobs.held = self.plane.blobs.held
            vars(plane.rented).update(vars(self.plane.rented))
        for worker in self.dialled.values():
            worker.rig = plane
        return plane

    def _weather(self):
        """How the account behaves, and what happens to single machines."""
        draw, world = self.chance, self.world
        conduct = world.account.conduct
        conduct.read_lag = timedelta(seconds=draw.choice([0, 4, 12]))
        conduct.delete_lag = timedelta(seconds=draw.choice([0, 10, 25]))
        conduct.retry_after = draw.random() < 0.5
        fates = [
            {"stuck": world.STARTING},
            {"vanishes_after": timedelta(minutes=draw.randint(1, 15))},
            {"price": Decimal(9)},
            {"gpu": "NVIDIA L4"},
            {"status": "PONDERING"},
            {"ports": False},
            {},
            {},
        ]
        for fate in draw.choices(fates, k=6):
            world.befall(**fate)

    def _fault(self):
        draw, world = self.chance, self.world
        calls = [world.CREATE, world.CREATE, world.LIST, world.END, world.OFFERS, ("", "")]
        call = draw.choice(calls)
        kind = draw.choice(
            [
                faults.lost_before, faults.lost_after, faults.failed_before, faults.failed_after,
                faults.limited, faults.html, faults.truncated, faults.hang,
            ]
        )  # fmt: skip
        more = {"retry_after": draw.choice([None, 3])} if kind is faults.limited else {}
        world.faults.append(kind(*call, times=draw.randint(1, 3), **more))

    def step(self):
        try:
            self.plane.step()
        except Death:
            self.plane = self._born()
        self.plane.later(seconds=self.chance.choice([3, 9, 30]))
        labels = self.world.labels()
        assert len(labels) == len(set(labels)), "rented twice"

    def work(self):
        """Machines that are up dial in; some of them work, some drop their work."""
        for environment in self.world.told():
            spec = decode(told(environment))
            if spec.instance_id not in self.dialled and self.chance.random() < 0.3:
                try:
                    self.dialled[spec.instance_id] = self.plane.dial(spec)
                except Problem:
                    continue
        for worker in list(self.dialled.values()):
            try:
                for lease in worker.claim() if self.chance.random() < 0.3 else ():
                    if self.chance.random() < 0.2:
                        worker.finish(lease, "failed", blame="host")
                    else:
                        worker.work(lease)
            except (Problem, Fenced):
                continue

    def ask(self):
        """People want things, too."""
        with suppress(Problem, Death):
            if self.chance.random() < 0.3 and self.jobs:
                self.plane.run(CancelJob(self.chance.choice(self.jobs).id), OPERATOR)
            else:
                self.jobs.append(self.plane.job(provider=self.name, segments=8))

    def run(self):
        for number in range(STEPS):
            if number % ASK_EVERY == 0:
                self.ask()
            if self.chance.random() < 0.35:
                self._fault()
            self.step()
            self.work()
        self.world.faults.clear()
        self.deaths = 0.0
        self.plane = self._born()
        for job in self.jobs:
            with suppress(Problem):  # it may be done
                self.plane.run(CancelJob(job.id), OPERATOR)
        for _ in range(CALM_STEPS_MAX):
            self.step()
            if not self.world.alive() and set(self.plane.states()) <= {"terminated"}:
                return
        raise AssertionError(f"{self.world.alive()} live, {self.plane.states()}")

    def check_books(self):
        """What was rented at the price that was offered is booked in full."""
        billed = self.world.costs_eur()
        for one in self.plane.there():
            if one.provider_id in billed.keys() - self.world.dearer():
                booked = self.plane.read(lambda conn, id=one.id: money.spent_on(conn, TENANT, id))
                assert booked >= billed[one.provider_id], one.reason


def seeds():
    for name in RENTED:
        for seed in range(FULL):
            marks = [] if seed < SAMPLE else [pytest.mark.full]
            yield pytest.param(name, seed, id=f"{name}-{seed}", marks=marks)


@pytest.mark.parametrize(("name", "seed"), list(seeds()))
def test_after_a_storm_nothing_lives_and_nothing_was_rented_twice(name, seed, sqlite_url, tmp_path):
    with Database.open(sqlite_url, relaxed=True) as database:
        storm = Storm(name, seed, database, tmp_path)
        storm.run()
        for _ in range(10):
            storm.step()
        assert storm.world.alive() == set()
        storm.check_books()
