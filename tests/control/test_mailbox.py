"""The second route of results: what is left in the mailbox counts as if it had been handed in, once,
and only what its worker wrote."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from leitstand.control.leases import Fenced
from leitstand.control.media import EraseMedia
from leitstand.core import letter as letters
from leitstand.core import limits
from leitstand.core.letter import Letter, name_of, pack, to_sign
from leitstand.core.problem import Exit, Problem
from leitstand.security.ca import Authority, WorkerCredentials
from leitstand.store import attempts, jobs, tables
from leitstand.store.engine import Database
from tests.control.rig import TENANT, MemoryBlobs, Rig, Worker, serve

EC_KEY, VERSION_3 = bytes.fromhex("06072a8648ce3d0201"), bytes.fromhex("a003020102")
"""Of a certificate, as DER: the algorithm of its key, and its version (RFC 5280, 5480)."""


@pytest.fixture
def rig(sqlite_url: str, tmp_path: Path) -> Iterator[Rig]:
    with Database.open(sqlite_url, relaxed=True) as database:
        yield Rig(database, tmp_path, mailbox=True)


def at_work(rig: Rig, segments: int = 2) -> tuple[Worker, dict[str, Any]]:
    """A worker with the key of its one lease, which from here on hears nothing more."""
    rig.job(segments=segments)
    worker = serve(rig)
    (lease,) = worker.claim()
    addressed(rig, lease)
    worker.key(lease)
    return worker, lease


def addressed(rig: Rig, lease: dict[str, Any]) -> dict[str, str]:
    """The addresses that the route tells with a lease."""
    assert rig.mailbox is not None
    numbers = [segment["number"] for segment in lease["segments"]]
    return rig.mailbox.addresses(lease["attempt"], numbers, lease["lease_seconds"])


def results(rig: Rig) -> list[tuple[str, int, bytes]]:
    """Attempt, segment and bytes of every committed result."""
    rows = rig.read(lambda conn: conn.execute(tables.results.select()).all())
    return sorted((row.attempt_id, row.segment, rig.blobs.held[row.object_id]) for row in rows)


def letters_left(rig: Rig) -> list[str]:
    return list(rig.blobs.names(letters.MAILBOX))


def surplus(rig: Rig) -> set[str]:
    """Blobs that no row names."""
    named = set(rig.read(lambda conn: conn.execute(tables.objects.select()).scalars().all()))
    return set(rig.blobs.held) - named


def attempt_of(rig: Rig, lease: dict[str, Any]) -> Any:
    (found,) = rig.read(lambda conn: attempts.find(conn, TENANT, [lease["attempt"]]))
    return found


def task_of(rig: Rig, lease: dict[str, Any]) -> Any:
    return rig.read(lambda conn: jobs.task(conn, TENANT, lease["task"]["id"]))


def look(rig: Rig) -> None:
    """The dispatch step, once the mailbox is due."""
    rig.later(seconds=limits.MAILBOX_EVERY.total_seconds())
    rig.dispatcher.step(rig.time)


def test_what_was_left_is_taken_as_if_it_had_been_handed_in(rig: Rig) -> None:
    worker, lease = at_work(rig)
    worker.result(lease, 0)
    worker.leave(lease, 1, gap=True)
    look(rig)
    own = lease["attempt"]
    assert results(rig) == [(own, 0, b"result 0"), (own, 1, b"result 1")]
    rows = rig.read(lambda conn: conn.execute(tables.results.select()).all())
    assert {row.segment: row.gap for row in rows} == {0: False, 1: True}
    assert (letters_left(rig), surplus(rig)) == ([], set())


def test_a_task_that_lacks_nothing_is_done_although_its_worker_cannot_say_so(rig: Rig) -> None:
    worker, lease = at_work(rig)
    for number in (0, 1):
        worker.leave(lease, number)
    look(rig)
    assert attempt_of(rig, lease).state == "done"
    assert task_of(rig, lease).state == "done"
    worker.finish(lease)  # the line came back: saying it after all changes nothing
    assert attempt_of(rig, lease).state == "done"


def test_whoever_is_lost_after_the_last_result_is_not_replaced(rig: Rig) -> None:
    worker, lease = at_work(rig)
    worker.result(lease, 0)
    worker.result(lease, 1)
    rig.later(seconds=limits.LEASE.total_seconds())
    rig.dispatcher.step(rig.time)
    assert attempt_of(rig, lease).state == "lost"
    assert task_of(rig, lease).state == "done"


def test_left_twice_and_handed_in_as_well_is_one_result(rig: Rig) -> None:
    worker, lease = at_work(rig)
    worker.result(lease, 0)
    before = results(rig)
    for _ in range(2):
        worker.leave(lease, 0)
        look(rig)
        assert (letters_left(rig), surplus(rig)) == ([], set())
    assert results(rig) == before
    worker.leave(lease, 1)
    look(rig)
    assert worker.result(lease, 1) is False


def test_after_hours_without_a_control_plane_nothing_is_done_again(rig: Rig) -> None:
    worker, lease = at_work(rig)
    for number in (0, 1):
        worker.leave(lease, number)
    rig.later(hours=2)
    with pytest.raises(Fenced):
        worker.result(lease, 0)  # by the first route it is too late
    rig.rented.running.clear()  # the instance has ended itself
    rig.step(4)
    assert attempt_of(rig, lease).state == "done"
    assert task_of(rig, lease).state == "done"
    assert len(results(rig)) == 2


def test_what_of_a_task_was_left_is_not_done_again(rig: Rig) -> None:
    worker, lease = at_work(rig)
    worker.leave(lease, 1)
    look(rig)
    assert attempt_of(rig, lease).expires_at == attempt_of(rig, lease).created_at + limits.LEASE
    rig.later(seconds=limits.LEASE.total_seconds())
    rig.step(3)
    again = Worker.newest(rig)
    leases = (again if again.id == worker.id else again.ready()).claim()
    assert [segment["number"] for lease in leases for segment in lease["segments"]] == [0]


def test_a_letter_of_an_attempt_that_was_given_up_changes_nothing(rig: Rig) -> None:
    worker, lease = at_work(rig)
    rig.later(seconds=limits.LEASE.total_seconds())
    rig.dispatcher.step(rig.time)
    assert attempt_of(rig, lease).state == "lost"
    (fresh,) = worker.claim()
    assert fresh["fence"] > lease["fence"]
    worker.leave(lease, 0)
    look(rig)
    assert (results(rig), letters_left(rig), surplus(rig)) == ([], [], set())
    assert attempt_of(rig, fresh).state == "live"


def forgeries(rig: Rig, worker: Worker, lease: dict[str, Any], other: Path) -> Iterable[bytes]:
    """Letters that lie where a letter for segment 0 of this attempt belongs, none written by its
    worker."""
    good = worker.letter(lease, 0)
    said = to_sign(good.attempt, good.fence, 0, good.gap, good.body)

    def certified(authority: Authority, instance: str, hours: float = 0) -> Letter:
        key = WorkerCredentials.generate()
        at = rig.time + timedelta(hours=hours)
        pem = authority.sign_instance(key.csr_pem(instance), instance, at)
        return replace(good, certificate_pem=pem, signature=key.sign(said))

    stranger = WorkerCredentials.generate()
    yield pack(replace(good, signature=stranger.sign(said)))
    yield pack(replace(good, body=b"another result"))
    yield pack(good)[:-1] + b"!"
    yield pack(replace(good, fence=good.fence + 1))
    yield pack(replace(good, gap=not good.gap))
    yield pack(worker.letter(lease, 1))
    yield pack(replace(good, certificate_pem=rig.authority.certificate_pem))
    yield pack(replace(good, certificate_pem=b"none"))
    yield pack(certified(Authority.open(other, rig.time), worker.id))
    yield pack(certified(rig.authority, "instance_other"))
    yield pack(certified(rig.authority, worker.id, hours=-5))
    yield pack(certified(rig.authority, worker.id, hours=5))
    yield pack(replace(good, signature=worker.credentials.sign(good.body)))
    der = ssl.PEM_cert_to_DER_cert(good.certificate_pem.decode())
    for known, unknown in ((EC_KEY, EC_KEY[:-1] + b"\x7f"), (VERSION_3, VERSION_3[:-1] + b"\x01")):
        assert known in der
        pem = ssl.DER_cert_to_PEM_cert(der.replace(known, unknown)).encode()
        yield pack(replace(good, certificate_pem=pem))
    yield from (b"", b"\n", b"{}\n", b"[" * 9_000 + b"\n", b"x" * 100_000, b"\xff\n", b"1\n")
    yield pack(good).replace(b'"v":1', b'"v":2')
    yield pack(good).replace(b'"segment":0', b'"segment":true')
    yield pack(good).replace(b'"fence":1', b'"fence":1e9')
    yield bytes(limits.RESULT_BYTES_MAX + letters.HEADER_BYTES_MAX + 1)


def test_only_the_worker_of_the_attempt_can_write_a_letter(rig: Rig, tmp_path: Path) -> None:
    worker, lease = at_work(rig)
    before = attempt_of(rig, lease)
    for number, forged in enumerate(forgeries(rig, worker, lease, tmp_path / "other")):
        rig.blobs.held[name_of(lease["attempt"], 0)] = forged
        rig.mailbox.collect(rig.time, urgent=True)
        assert (results(rig), letters_left(rig), surplus(rig)) == ([], [], set()), number
    assert attempt_of(rig, lease) == before
    worker.leave(lease, 0)
    rig.mailbox.collect(rig.time, urgent=True)
    assert len(results(rig)) == 1


def test_what_is_no_letter_goes_and_what_does_not_lie_as_one_is_left_alone(rig: Rig) -> None:
    at_work(rig)
    foreign = ["mailbox/stray", "mailbox/attempt_1/0", "mailbox/a/b/c", "mailbox/a b", "mailbox/ä"]
    for name in [*foreign, name_of(f"attempt_{'0' * 26}", 0)]:
        rig.blobs.held[name] = b"?"
    look(rig)
    assert letters_left(rig) == foreign


def test_a_segment_that_the_task_does_not_have_is_refused(rig: Rig) -> None:
    worker, lease = at_work(rig)
    worker.leave(lease, 7)
    look(rig)
    assert (results(rig), letters_left(rig), surplus(rig)) == ([], [], set())


def test_a_letter_that_cannot_be_kept_now_stays(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    worker, lease = at_work(rig)
    left = worker.leave(lease, 0)

    def full(self: MemoryBlobs, name: str, body: Iterable[bytes]) -> None:
        raise Problem("blobs-full", Exit.FAILED, where="memory")

    with monkeypatch.context() as patch:
        patch.setattr(MemoryBlobs, "put", full)
        with pytest.raises(Problem, match="blobs-full"):
            look(rig)
        assert letters_left(rig) == [left]
    look(rig)
    assert len(results(rig)) == 1


def test_killed_between_taking_a_letter_and_removing_it(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, lease = at_work(rig, segments=1)
    worker.leave(lease, 0)

    def killed(self: MemoryBlobs, names: Iterable[str]) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(MemoryBlobs, "delete", killed)
        with pytest.raises(KeyboardInterrupt):
            look(rig)
    assert len(letters_left(rig)) == 1
    look(rig)
    assert (len(results(rig)), letters_left(rig), surplus(rig)) == (1, [], set())
    assert attempt_of(rig, lease).state == "done"


def test_a_lease_is_not_given_up_while_nobody_can_look(rig: Rig) -> None:
    worker, lease = at_work(rig, segments=1)
    worker.leave(lease, 0)
    rig.blobs.silent = True
    rig.later(seconds=limits.LEASE.total_seconds())
    with pytest.raises(Problem, match="blobs-unavailable"):
        rig.dispatcher.step(rig.time)
    assert attempt_of(rig, lease).state == "live"
    rig.blobs.silent = False
    look(rig)
    assert (len(results(rig)), attempt_of(rig, lease).state) == (1, "done")


def test_but_not_for_ever(rig: Rig) -> None:
    _, lease = at_work(rig)
    rig.blobs.silent = True
    rig.later(seconds=limits.LEASE.total_seconds())
    for _ in range(2):
        with pytest.raises(Problem, match="blobs-unavailable"):
            rig.dispatcher.step(rig.time)
        rig.later(seconds=limits.MAILBOX_WAIT.total_seconds())
    assert attempt_of(rig, lease).state == "lost"


def test_erasure_empties_the_mailbox_and_what_comes_after_it_goes(rig: Rig) -> None:
    job = rig.job(case="K-1")
    worker = serve(rig)
    (lease,) = worker.claim()
    addressed(rig, lease)
    worker.work(lease)
    rig.step()
    worker.work_all()
    rig.step(2)
    assert rig.job_state(job) == "done"
    medium = lease["task"]["medium"]
    rig.run(EraseMedia((medium,)))
    worker.leave(lease, 0)
    of_another = name_of(f"attempt_{'0' * 26}", 0)
    rig.blobs.held[of_another] = b"?"
    rig.effects.step(rig.time)
    assert letters_left(rig) == [of_another]
    worker.leave(lease, 0)
    look(rig)
    assert letters_left(rig) == []


def test_addresses_are_for_the_next_segments_and_last_as_long_as_the_lease(rig: Rig) -> None:
    _, lease = at_work(rig, segments=4)
    attempt, seconds = lease["attempt"], int(lease["lease_seconds"])
    assert addressed(rig, lease) == {
        str(number): f"memory:mailbox/{attempt}/{number}?{seconds}" for number in range(4)
    }
    assert rig.mailbox is not None
    many = rig.mailbox.addresses(attempt, range(3, 1000), 0.2)
    assert list(many) == [str(number) for number in range(3, 3 + limits.MAILBOX_AHEAD)]
    assert many["3"].endswith("?1")


def test_without_addresses_there_is_no_mailbox(sqlite_url: str, tmp_path: Path) -> None:
    with Database.open(sqlite_url, relaxed=True) as database:
        assert Rig(database, tmp_path).mailbox is None


def test_an_idle_mailbox_is_looked_into_once_an_hour(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[str | None] = []
    names = MemoryBlobs.names

    def counted(self: MemoryBlobs, under: str | None = None) -> Iterator[str]:
        looks.append(under)
        return names(self, under)

    monkeypatch.setattr(MemoryBlobs, "names", counted)
    for _ in range(3 * 60):
        rig.dispatcher.step(rig.time)
        rig.later(minutes=1)
    assert len(looks) == 4  # at the start, a minute later, and every hour from then
