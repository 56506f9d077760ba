"""The ledger as an auditor meets it: what was changed behind its back is found."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Connection

from leitstand.control.audit import Fault, Verdict, verify
from leitstand.control.cases import OpenCase
from leitstand.control.jobs import HoldJob, ReadReport, ResumeJob, RetainReports
from leitstand.control.media import MediumIdentity
from leitstand.control.transaction import _TABLES as NOUNS
from leitstand.control.volumes import KeepVolumes
from leitstand.core.access import SYSTEM, Actor
from leitstand.core.ledger import leaf_hash, read_leaf
from leitstand.core.problem import Problem
from leitstand.core.rented import Volume
from leitstand.core.volume import Intend
from leitstand.store import ledger, tables
from leitstand.store.engine import Database
from tests.control.rig import Rig, Verifier, serve, to_the_end

LEAF = dict.fromkeys(("at", "type", "actor", "subject"), "x") | {
    "case": None,
    "version": 1,
    "before": None,
    "after": "open",
    "row": None,
}


def audit(rig: Rig) -> Verdict:
    return rig.read(lambda conn: verify(conn, Verifier(rig.signer.verifier_key)))


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE jobs SET state = 'failed'", "row-changed"),
        ("UPDATE instances SET version = version + 1", "row-changed"),
        ("UPDATE keys SET destroyed_at = 1 WHERE kind = 'case'", "row-changed"),
        ("UPDATE entries SET leaf = CAST('{}' AS BLOB) WHERE position = 3", "entry-changed 3"),
        ("DELETE FROM entries WHERE position = 3", "entry-missing 3"),
        ("UPDATE heads SET root = 'x'", "head-differs"),
        ("UPDATE heads SET note = replace(note, '—', '-')", "head-signature"),
        ("DELETE FROM heads", "head-missing 0"),
        ("DELETE FROM heads WHERE size = (SELECT max(size) FROM heads)", "head-missing"),
        (
            "DELETE FROM entries WHERE position = (SELECT max(position) FROM entries)",
            "head-beyond",
        ),
        ("DELETE FROM results WHERE segment = 1", "row-gone"),
        ("UPDATE charges SET amount = 1", "row-changed"),
        ("UPDATE charges SET to_at = to_at + 1", "row-changed"),
        ("DELETE FROM charges", "row-gone"),
        ("UPDATE results SET object_id = (SELECT min(id) FROM objects)", "row-changed"),
        ("UPDATE decisions SET verdict = '{}'", "row-changed"),
        ("UPDATE instances SET price = 0", "row-changed"),
        ("UPDATE instances SET end_by = end_by + 1", "row-changed"),
        ("UPDATE cases SET data_class = 0", "row-changed"),
        ("UPDATE jobs SET budget_cap = 1", "row-changed"),
        ("UPDATE instances SET last_seen_at = 1", None),
        ("UPDATE entries SET leaf = replace(leaf, 'a', 'b') WHERE position = 3", "entry-changed 3"),
        ("UPDATE entries SET leaf = 5 WHERE position = 3", "entry-changed 3"),
        ("UPDATE heads SET note = X'00'", "head-signature"),
        ("UPDATE decisions SET verdict = X'ff'", "row-changed"),
        ("UPDATE keys SET destroyed_at = 'x' WHERE kind = 'case'", "row-changed"),
    ],
)
def test_p4_a_change_behind_the_ledgers_back_is_found(
    rig: Rig, statement: str, fault: str | None
) -> None:
    rig.job()
    to_the_end(rig, serve(rig))
    rig.database.write(lambda c: c.exec_driver_sql(statement))
    faults = audit(rig).faults
    assert (fault is None) is (faults == [])
    if fault is not None:
        assert any(f"{found.code} {found.place}".startswith(fault) for found in faults), faults


def other(table: str, name: str, which: str = "max") -> str:
    """A statement that gives the newest or oldest row what another row of that table has."""
    query = f"SELECT x.{name} FROM {table} x WHERE x.{name} <> {table}.{name} LIMIT 1"
    return f"UPDATE {table} SET {name} = ({query}) WHERE id = (SELECT {which}(id) FROM {table})"


ACCESS = (
    *(f"UPDATE {table} SET tenant_id = 'other'" for table in ledger.RECORDED),
    *(other("media", name) for name in ("case_id", "key_id")),
    *(other("tasks", name, "min") for name in ("job_id", "medium_id", "pipeline")),
    "UPDATE tasks SET tier_min = 'D'",
    "UPDATE tasks SET first_segment = first_segment - 1",
    "UPDATE tasks SET last_segment = last_segment + 1",
    "UPDATE tasks SET input_object_id = (SELECT min(id) FROM objects)",
    other("attempts", "instance_id"),
    "UPDATE attempts SET fence = fence + 1",
    "UPDATE attempts SET key_released_at = NULL",
    *(other("keys", name) for name in ("kind", "owner_id")),
    *(other("reservations", name) for name in ("job_id", "instance_id")),
    "DELETE FROM job_media",
    "UPDATE job_media SET place = place + 1",
    "UPDATE job_media SET medium_id = (SELECT max(id) FROM media)",
)


@pytest.mark.parametrize(
    ("noun", "column"),
    [
        (noun, column)
        for noun, table in NOUNS.items()
        for column in ("state", "version", *ledger.RECORDED[table.name])
    ],
)
def test_p4_nothing_that_an_entry_vouches_for_is_written_without_one(
    rig: Rig, noun: str, column: str
) -> None:
    with pytest.raises(ValueError, match=f"{column} need"):
        rig.database.write(lambda c: rig.door.look(rig.time, c).set(noun, "x", **{column: None}))


def test_p4_a_change_of_who_may_see_what_is_found(rig: Rig) -> None:
    for case in ("K-1", "K-2"):
        rig.job(case=case)
        to_the_end(rig, serve(rig))
    found = Intend("x", 10, Volume("vol1", "ls1-test1234-models-x", 10, None, "x"))
    for decided in ((found,), ()):
        rig.door.run(
            KeepVolumes("rented", decided, "test1234", {10: Decimal("0.001")}), SYSTEM, rig.time
        )
        rig.later(hours=1)
    rig.step()
    assert audit(rig).faults == []

    def codes(conn: Connection, statement: str) -> set[str]:
        """What verification finds after this statement, which is then undone."""
        undo = conn.begin_nested()
        assert conn.exec_driver_sql(statement).rowcount
        verdict = verify(conn, Verifier(rig.signer.verifier_key))
        undo.rollback()
        return {fault.code for fault in verdict.faults}

    def all_codes(conn: Connection) -> dict[str, set[str]]:
        return {statement: codes(conn, statement) for statement in ACCESS}

    assert rig.database.write(all_codes) == {one: {"row-changed"} for one in ACCESS}


@pytest.mark.parametrize(
    "leaf",
    [b"x", b"\xff", b"[]", b"{}", b"[" * 100_000]
    + [
        json.dumps(LEAF | change).encode()
        for change in ({"subject": []}, {"version": "1"}, {"row": 1})
    ],
)
@pytest.mark.parametrize("numbered", [False, True])
@pytest.mark.parametrize("hashed", [False, True])
def test_p4_an_entry_that_cannot_be_read_is_named(
    rig: Rig, leaf: bytes, numbered: bool, hashed: bool
) -> None:
    rig.run(OpenCase("K-1"))
    if numbered:
        rig.sequencer.step(rig.time)

    def replace(conn: Connection) -> str:
        entry = tables.entries.c
        found = conn.execute(tables.entries.select().order_by(entry.id)).first()
        assert found is not None
        values = {"leaf": leaf} | ({"leaf_hash": leaf_hash(leaf)} if hashed else {})
        conn.execute(tables.entries.update().where(entry.id == found.id).values(values))
        return str(found.position if numbered else found.id)

    name = rig.database.write(replace)
    assert Fault("entry-unreadable" if hashed else "entry-changed", name) in audit(rig).faults


def test_p4_an_entry_that_cannot_be_read_keeps_no_other_from_its_position(rig: Rig) -> None:
    job = rig.job()
    rig.run(HoldJob(job.id))
    spoil = tables.entries.update().where(tables.entries.c.subject_id == job.id)
    rig.database.write(
        lambda conn: conn.execute(spoil.values(leaf=b"x", leaf_hash=leaf_hash(b"x")))
    )
    rig.sequencer.step(rig.time)
    verdict = audit(rig)
    assert verdict.waiting == 0
    assert sum(fault.code == "entry-unreadable" for fault in verdict.faults) > 1


def test_p4_a_whole_ledger_written_anew_without_the_signing_key_is_found(rig: Rig) -> None:
    rig.job()
    to_the_end(rig, serve(rig))

    def write_anew(conn: Connection) -> None:
        for entry in list(ledger.walk(conn, 1_000)):
            leaf = entry.leaf.replace(b"operator:1000", b"operator:2000")
            row = tables.entries.c.id == entry.id
            values = {"leaf": leaf, "leaf_hash": leaf_hash(leaf)}
            conn.execute(tables.entries.update().where(row).values(values))
        conn.execute(tables.heads.delete())

    rig.database.write(write_anew)
    verdict = audit(rig)
    assert verdict.faults == [Fault("head-missing", "0")]


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM heads",
        "DELETE FROM heads WHERE size = (SELECT max(size) FROM heads)",
        "DELETE FROM entries WHERE position = (SELECT max(position) FROM entries)",
        "UPDATE entries SET position = NULL",
    ],
)
def test_p4_the_sequencer_signs_nothing_over_a_ledger_that_lost_heads_or_entries(
    rig: Rig, statement: str
) -> None:
    rig.job()
    rig.step()
    rig.run(OpenCase("K-2"))
    rig.sequencer.step(rig.time)
    rig.database.write(lambda c: c.exec_driver_sql(statement))
    before = rig.read(ledger.signed_heads)
    rig.run(OpenCase("K-3"))
    with pytest.raises(Problem, match="ledger-damaged"):
        rig.sequencer.step(rig.time)
    assert rig.read(ledger.signed_heads) == before


def test_entries_of_two_clocks_are_put_in_the_order_of_their_rows(
    sqlite_url: str, tmp_path: Path
) -> None:
    with Database.open(sqlite_url, relaxed=True) as database:
        ahead, behind = Rig(database, tmp_path), Rig(database, tmp_path, seed=2)
        ahead.later(seconds=4)
        job = ahead.job()
        behind.run(HoldJob(job.id))
        behind.run(ResumeJob(job.id))
        ahead.sequencer.step(ahead.time)
        verdict = audit(ahead)
        assert verdict.faults == []
        assert verdict.waiting == 0


def acts(rig: Rig, actor: Actor) -> list[tuple[str, str, str]]:
    """Type, subject and case of every numbered entry of this actor, in order."""
    rig.sequencer.step(rig.time)
    leaves = rig.read(lambda c: [read_leaf(entry.leaf) for entry in ledger.walk(c, 1_000)])
    return [(x["type"], x["subject"], x["case"]) for x in leaves if x["actor"] == str(actor)]


def test_p4_whatever_a_person_takes_out_is_an_entry_of_that_person(rig: Rig) -> None:
    job = rig.job(case="K-1")
    to_the_end(rig, serve(rig))
    medium = rig.read(lambda conn: conn.execute(tables.media.select()).all())[0].id
    anna = Actor("operator", "anna")
    assert acts(rig, anna) == []
    assert rig.run(MediumIdentity(medium), anna).startswith("AGE-SECRET-KEY-")
    rig.run(ReadReport(job.id), anna)
    rig.run(ReadReport(job.id), anna)
    report = ("job.read_report", job.id, job.case_id)
    assert acts(rig, anna) == [("medium.export_identity", medium, job.case_id), report, report]


def test_p4_a_key_that_a_worker_gets_or_is_refused_is_an_entry_of_that_worker(rig: Rig) -> None:
    job = rig.job(case="K-1")
    worker = serve(rig)
    (lease,) = worker.claim()
    refused = worker.key(lease, lease["fence"] + 1).refused
    assert refused is not None
    assert worker.key(lease).refused is None
    told = [act for act in acts(rig, worker.actor) if "_key" in act[0]]
    assert told == [
        (f"attempt.refuse_key_{refused}", lease["attempt"], job.case_id),
        ("attempt.release_key", lease["attempt"], job.case_id),
    ]


def test_p4_a_report_that_is_erased_after_its_term_is_an_entry_of_the_system(rig: Rig) -> None:
    job = rig.job(case="K-1")
    to_the_end(rig, serve(rig))
    rig.later(days=181)
    rig.run(RetainReports(), SYSTEM)
    assert ("job.erase_report", job.id, job.case_id) in acts(rig, SYSTEM)


@pytest.mark.full
def test_more_changes_than_one_batch_are_verified_before_they_are_numbered(rig: Rig) -> None:
    for _ in range(3):
        rig.job(media=200, segments=1)
    waiting = audit(rig)
    assert waiting.waiting > 2_000
    assert waiting.faults == []
