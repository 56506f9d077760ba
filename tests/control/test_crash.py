"""F1, F2: the control plane dies before and after every commit and every call of the main path.

A death is an exception that nothing catches, and a new control plane over the same database, keys,
blobs and provider. The worker lives on, as it does in another process, and tries its calls again.
Whatever the point of death, everything comes to the same end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from leitstand.control.audit import verify
from leitstand.control.leases import Fenced
from leitstand.core.letter import MAILBOX
from leitstand.core.problem import Problem
from leitstand.ports import ProviderError
from leitstand.store import attempts, jobs, media, money, tables
from leitstand.store.engine import Database
from tests.control.rig import TENANT, MemoryBlobs, Rented, Rig, Verifier, Worker

ROUNDS_MAX = 200
SAMPLED = 7
"""Of the points of the main path every so manieth in the normal run, all with `--full`."""


class Death(BaseException):
    """The process is gone; no handler of the product may catch it."""


class Fate:
    """Counts the points of a run and dies at one of them, and (F2) a second time soon after."""

    def __init__(self, at: int | None, again: int | None = None) -> None:
        self.at = at
        self.again = again
        self.points: list[str] = []
        self.deaths = 0

    def point(self, name: str) -> None:
        self.points.append(name)
        if len(self.points) - 1 == self.at:
            self.deaths += 1
            if self.again is not None:
                self.at, self.again = len(self.points) - 1 + self.again, None
            raise Death(name)


class Mortal:
    """A database whose writes are points: before the transaction, and after its commit."""

    def __init__(self, database: Database, fate: Fate) -> None:
        self._database = database
        self._fate = fate

    def write(self, work: Callable[[Any], Any]) -> Any:
        self._fate.point("before commit")
        done = self._database.write(work)
        self._fate.point("after commit")
        return done

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)


class MortalRented(Rented):
    """A provider whose calls are points: before they reach it, and after their effect."""

    fate: Fate

    def launch(self, *given: Any) -> Any:
        self.fate.point("before launch")
        seen = super().launch(*given)
        self.fate.point("after launch")
        return seen

    def terminate(self, provider_id: str) -> None:
        self.fate.point("before terminate")
        super().terminate(provider_id)
        self.fate.point("after terminate")


class MortalBlobs(MemoryBlobs):
    fate: Fate

    def names(self, under: str | None = None) -> Iterator[str]:
        self.fate.point("before names")
        return super().names(under)

    def put(self, name: str, body: Any) -> None:
        self.fate.point("before put")
        super().put(name, body)
        self.fate.point("after put")

    def delete(self, names: Any) -> None:
        self.fate.point("before delete")
        super().delete(names)
        self.fate.point("after delete")


class Run:
    """The main path with a fate. `cut`: a worker hears nothing after its first beat, and all that
    it makes comes by the mailbox."""

    def __init__(self, database: Database, folder: Path, fate: Fate, *, cut: bool = False) -> None:
        self.cut = cut
        self.database = database
        self.folder = folder
        self.fate = fate
        self.rented = MortalRented()
        self.rented.fate = fate
        self.blobs = MortalBlobs(addressed=cut)
        self.blobs.fate = fate
        self.births = 0
        self.workers: dict[str, Worker] = {}
        fate_at, fate.at = fate.at, None
        self.rig = self._born()
        self.job = self.rig.job(segments=3, media=1)
        fate.points.clear()
        fate.at = fate_at

    def _born(self) -> Rig:
        mortal: Any = Mortal(self.database, self.fate)
        rig = Rig(mortal, self.folder, seed=self.births, segments_per_task=2, mailbox=self.cut)
        providers: Any = rig.reconciler._providers
        providers["rented"] = rig.rented = self.rented
        rig.blobs = self.blobs
        for part in (rig.effects, rig.dispatcher, rig.upkeep):
            part._blobs = self.blobs
        if rig.mailbox is not None:
            rig.mailbox._blobs = self.blobs
        if self.births:
            rig.time = self.rig.time
        self.births += 1
        for worker in self.workers.values():
            worker.rig = rig
        return rig

    def alive(self, act: Callable[[], Any]) -> Any:
        """Do it; when the plane dies of it, start another one. Workers take every refusal."""
        try:
            return act()
        except Death:
            self.rig = self._born()
        except (Problem, Fenced, ProviderError):
            pass
        return None

    def to_the_end(self) -> None:
        for _ in range(ROUNDS_MAX):
            for name in ("dispatcher", "reconciler", "effects", "upkeep", "sequencer"):
                self.alive(partial(self._step, name))
            for label, spec in list(self.rented.specs.items()):
                if any(seen.label == label for seen in self.rented.running.values()):
                    self._work(label, spec)
            self.rig.later(seconds=31 if self.fate.deaths else 1)
            if self._at_rest():
                return
        raise AssertionError("it did not come to rest")

    def _step(self, name: str) -> None:
        getattr(self.rig, name).step(self.rig.time)

    def _work(self, label: str, spec: Any) -> None:
        worker = self.workers.setdefault(label, Worker(self.rig, spec))
        worker.rig = self.rig
        self.alive(worker.enrol)
        if worker.certificate:
            self.alive(worker.admit)
        for lease in self.alive(worker.claim) or []:
            self._attempt(worker, lease)

    def _attempt(self, worker: Worker, lease: dict[str, Any]) -> None:
        for act in self._acts(worker, lease):
            before = self.fate.deaths
            self.alive(act)
            if self.fate.deaths != before:
                self.alive(act)

    def _acts(self, worker: Worker, lease: dict[str, Any]) -> Iterator[Callable[[], Any]]:
        yield lambda: worker.key(lease)
        yield lambda: worker.beat(lease, 1)
        for segment in lease["segments"]:
            hand_in = worker.leave if self.cut else worker.result
            yield partial(hand_in, lease, segment["number"])
        if not self.cut:
            yield lambda: worker.finish(lease)

    def _at_rest(self) -> bool:
        if self.rented.running or self.rig.job_state(self.job) != "done":
            return False
        found = self.rig.read(lambda conn: media.of_job(conn, TENANT, self.job.id))
        standing = set(self.rig.instance_states()) - {"terminated"}
        waiting = self.rig.read(lambda conn: verify(conn, self._verifier()).waiting)
        return not standing and not waiting and {m.state for m in found} == {"erased"}

    def _verifier(self) -> Verifier:
        return Verifier(self.rig.signer.verifier_key)

    def check(self) -> None:
        rig = self.rig
        assert rig.job_state(self.job) == "done"
        results = rig.read(lambda conn: attempts.results_of_job(conn, TENANT, self.job.id))
        pairs = [(result.task_id, result.segment) for result in results]
        assert len(pairs) == len(set(pairs)) == 4, "I4"
        assert [name for name in self.blobs.held if name.startswith(MAILBOX)] == []
        assert rig.read(attempts.live_by_instance) == {}, "I5"
        assert self.rented.running == {}, "I1"
        assert set(rig.instance_states()) == {"terminated"}
        assert rig.read(lambda conn: money.held(conn, TENANT)) == 0
        tasks = rig.read(lambda conn: jobs.tasks_of(conn, TENANT, self.job.id))
        assert {task.state for task in tasks} == {"done"}
        tried = Counter(row.task_id for row in rig.read(attempts_made))
        assert max(tried[task.id] for task in tasks) <= 5
        assert rig.read(lambda conn: verify(conn, self._verifier())).faults == [], "I9"


def attempts_made(conn: Connection) -> list[Any]:
    return list(conn.execute(tables.attempts.select()))


def lived(
    database: Database, folder: Path, at: int | None, again: int | None = None, *, cut: bool = False
) -> Run:
    run = Run(database, folder, Fate(at, again), cut=cut)
    try:
        run.to_the_end()
        run.check()
    except BaseException as error:
        error.add_note(f"died at point {at}: {run.fate.points[at or 0]}")
        raise
    return run


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The points of an undisturbed run."""
    return undisturbed(tmp_path_factory.mktemp("undisturbed"))


@pytest.fixture(scope="module")
def points_cut(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Those of one in which all results come by the mailbox."""
    return undisturbed(tmp_path_factory.mktemp("cut"), cut=True)


def undisturbed(folder: Path, *, cut: bool = False) -> list[str]:
    with Database.open(f"sqlite:///{folder}/leitstand.db", relaxed=True) as database:
        database.migrate()
        return lived(database, folder, None, cut=cut).fate.points


def each(
    points: list[str], folder: Path, step: int, again: int | None, *, cut: bool = False
) -> None:
    for at in range(0, len(points), step):
        place = folder / str(at)
        place.mkdir()
        with Database.open(f"sqlite:///{place}/leitstand.db", relaxed=True) as database:
            database.migrate()
            run = lived(database, place, at, again, cut=cut)
            assert run.fate.deaths >= 1


def test_the_main_path_has_points_of_every_kind(points: list[str]) -> None:
    kinds = {"commit", "launch", "terminate", "put", "delete", "names"}
    assert {point.split()[1] for point in points} == kinds
    assert len(points) > 100


def test_f1_a_death_at_some_points_changes_nothing(points: list[str], tmp_path: Path) -> None:
    each(points, tmp_path, SAMPLED, None)


def test_f1_nor_where_all_results_come_by_the_mailbox(
    points_cut: list[str], tmp_path: Path
) -> None:
    assert points_cut.count("before names") > 3
    each(points_cut, tmp_path, 3 * SAMPLED, None, cut=True)


@pytest.mark.full
@pytest.mark.parametrize("again", [None, 1])
def test_f1_nor_at_every_point_there(
    points_cut: list[str], tmp_path: Path, again: int | None
) -> None:
    each(points_cut, tmp_path, 1, again, cut=True)


def test_f1_a_death_on_postgresql_changes_nothing(postgresql_url: str, tmp_path: Path) -> None:
    with Database.open(postgresql_url) as database:
        lived(database, tmp_path, 20)


@pytest.mark.full
def test_f1_a_death_at_every_point_changes_nothing(points: list[str], tmp_path: Path) -> None:
    each(points, tmp_path, 1, None)


@pytest.mark.full
@pytest.mark.parametrize("again", [1, 2, 5])
def test_f2_a_second_death_during_recovery_changes_nothing(
    points: list[str], tmp_path: Path, again: int
) -> None:
    each(points, tmp_path, 2, again)
