"""What erasure leaves: no key of it in any file of the database, and what is said of older copies."""

from __future__ import annotations

import random
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from leitstand.api.documents import medium_document
from leitstand.control.cases import OpenCase
from leitstand.control.jobs import ReadReport, RetainReports
from leitstand.control.media import (
    CompleteUpload,
    EraseMedia,
    NotePart,
    OpenMedium,
    OpenUpload,
    RefuseMedium,
    RetainMedia,
    one,
)
from leitstand.core.access import SYSTEM
from leitstand.core.problem import Problem
from leitstand.store import media, tables
from tests.control.rig import TENANT, Rig, Worker, serve, to_the_end


@pytest.fixture
def folder(sqlite_url: str) -> Path:
    return Path(sqlite_url.removeprefix("sqlite:///")).parent


def held_in(folder: Path, secrets: set[bytes]) -> dict[str, int]:
    """How many of these byte strings each file of the folder holds, where it holds any."""
    files = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    counts = {name: sum(s in data for s in secrets) for name, data in files.items()}
    return {name: count for name, count in counts.items() if count}


def wrapped(rig: Rig) -> dict[str, bytes]:
    rows = rig.read(lambda conn: conn.execute(tables.keys.select()).all())
    return {row.owner_id: row.wrapped for row in rows if row.wrapped is not None}


def released(rig: Rig) -> list[bytes]:
    rows = rig.read(lambda conn: conn.execute(tables.attempts.select()).all())
    return [row.release_blob for row in rows if row.release_blob is not None]


def test_after_erasure_the_wrapped_key_is_in_no_file_of_the_database(
    rig: Rig, folder: Path
) -> None:
    case = rig.run(OpenCase("K-1"))
    ids = [rig.run(OpenMedium(case.id, f"{number}", 5)).id for number in range(200)]
    keys = wrapped(rig)
    secrets = {keys[medium] for medium in ids}
    assert held_in(folder, secrets) != {}
    random.Random(1).shuffle(ids)
    for start in range(0, 200, 20):
        rig.run(EraseMedia(tuple(ids[start : start + 20])))
        rig.step()
    while any(row.state == "erasing" for row in _media(rig)):
        rig.step()
    assert held_in(folder, secrets) == {}


def test_the_receipt_waits_until_the_wrapped_key_has_left_the_files(rig: Rig, folder: Path) -> None:
    case = rig.run(OpenCase("K-1"))
    medium = rig.medium(case.id)
    secret = {wrapped(rig)[medium]}

    def while_somebody_reads(conn: Connection) -> None:
        conn.execute(tables.media.select())
        assert held_in(folder, secret) != {}
        rig.run(EraseMedia((medium,)))
        rig.effects.step(rig.time)
        assert {row.state for row in _media(rig)} == {"erasing"}

    rig.database.read(while_somebody_reads)
    rig.later(seconds=10)
    rig.effects.step(rig.time)
    assert {row.state for row in _media(rig)} == {"erased"}
    assert held_in(folder, secret) == {}


def test_a_medium_that_is_being_erased_takes_no_part_and_no_object(rig: Rig) -> None:
    case = rig.run(OpenCase("K-1"))
    medium = rig.run(OpenMedium(case.id, "a", 5)).id
    upload = rig.run(OpenUpload(medium, 5, "1" * 64, ("0" * 64,)))
    rig.run(NotePart(upload.id, 0))
    rig.run(EraseMedia((medium,)))
    late = rig.door.ids.new("object", rig.time)
    for command in (NotePart(upload.id, 0), CompleteUpload(upload.id, late)):
        with pytest.raises(Problem, match="medium-not-receiving"):
            rig.run(command)
    rig.step()
    assert {row.state for row in _media(rig)} == {"erased"}
    assert rig.read(lambda conn: conn.execute(tables.objects.select()).all()) == []


def test_after_the_term_of_a_report_its_key_is_in_no_file_of_the_database(
    rig: Rig, folder: Path
) -> None:
    job = rig.job()
    to_the_end(rig, serve(rig))
    secret = {wrapped(rig)[job.id]}
    assert held_in(folder, secret) != {}
    rig.later(days=181)
    rig.run(RetainReports(), SYSTEM)
    rig.effects.step(rig.time)
    assert held_in(folder, secret) == {}


@pytest.mark.parametrize("held", [False, True])
def test_i11_a_refused_medium_under_legal_hold_keeps_what_came_of_it(rig: Rig, held: bool) -> None:
    case = rig.run(OpenCase("K-1"))
    medium = rig.run(OpenMedium(case.id, "a", 5)).id
    upload = rig.run(OpenUpload(medium, 5, "1" * 64, ("0" * 64,)))
    part = f"{upload.id}.0"
    rig.blobs.put(part, [b"part"])
    hold(rig, case.id, on=held)
    rig.run(RefuseMedium(medium, "not-media", {}))
    rig.step(2)
    assert [row.state for row in _media(rig)] == ["failed"]
    assert (part in rig.blobs.held) is held


@pytest.mark.parametrize("outcome", ["done", "failed", "held", "lost"])
def test_a_key_sealed_for_a_worker_is_kept_no_longer_than_its_attempt(
    rig: Rig, outcome: str
) -> None:
    rig.job()
    worker = serve(rig)
    (lease,) = worker.claim()
    worker.key(lease)
    assert len(released(rig)) == 1
    _end(rig, worker, lease, outcome)
    assert released(rig) == []


def _end(rig: Rig, worker: Worker, lease: dict[str, Any], outcome: str) -> None:
    if outcome == "lost":
        rig.later(hours=1)
        rig.step()
        return
    if outcome == "done":
        worker.result(lease, 0)
        worker.result(lease, 1)
    worker.finish(lease, outcome)


def test_an_erased_medium_says_that_older_copies_still_open(rig: Rig) -> None:
    case = rig.run(OpenCase("K-1"))
    medium = rig.medium(case.id)

    def said() -> object:
        def read(conn: Connection) -> object:
            tx = rig.door.look(rig.time, conn)
            return medium_document(tx, one(tx, medium))["older_copies_open"]

        found: object = rig.read(read)
        return found

    assert said() is None
    rig.run(EraseMedia((medium,)))
    assert said() is True


def test_an_erased_medium_names_the_reports_that_still_tell_of_it(rig: Rig) -> None:
    job = rig.job(case="K-1")
    unread = rig.medium(job.case_id)
    to_the_end(rig, serve(rig))
    (medium,) = rig.read(lambda conn: media.of_job(conn, TENANT, job.id))
    rig.run(EraseMedia((medium.id,)))
    rig.step(2)

    def stays(medium_id: str) -> Any:
        def read(conn: Connection) -> Any:
            tx = rig.door.look(rig.time, conn)
            return medium_document(tx, one(tx, medium_id), whole=True)["reports"]

        return rig.read(read)

    (report,) = stays(medium.id)
    assert report["job"] == job.id
    assert {"name", "exif", "pictures", "words"} <= set(report["holds"])
    rig.run(ReadReport(job.id))
    assert stays(unread) == []
    hold(rig, job.case_id, on=True)
    assert stays(medium.id)[0]["until"] is None
    hold(rig, job.case_id, on=False)
    until = datetime.fromisoformat(report["until"])
    rig.later(seconds=(until - rig.time).total_seconds() - 60)
    rig.step()
    assert stays(medium.id) == [report]
    rig.later(seconds=120)
    rig.step(2)
    assert stays(medium.id) == []
    with pytest.raises(Problem, match="report-erased"):
        rig.run(ReadReport(job.id))


def hold(rig: Rig, case_id: str, *, on: bool) -> None:
    """What no command does yet."""
    rows = tables.cases.update().where(tables.cases.c.id == case_id).values(legal_hold=on)
    rig.database.write(lambda conn: conn.execute(rows))


def test_i11_what_is_under_legal_hold_outlives_its_term_and_holds_up_nothing_else(rig: Rig) -> None:
    job = rig.job(case="K-1")
    worker = serve(rig)
    worker.work_all()
    rig.step()
    worker.work_all()
    hold(rig, job.case_id, on=True)
    rig.later(days=200)
    with pytest.raises(Problem, match="legal-hold"):
        rig.run(EraseMedia((_media(rig)[0].id,)))
    assert rig.read(lambda conn: media.overdue(conn, rig.time, 1)) == []
    rig.medium(rig.run(OpenCase("K-2")).id)
    rig.later(days=2)
    rig.run(RetainMedia(limit=1), SYSTEM)
    rig.run(RetainReports(limit=1), SYSTEM)
    assert [row.state for row in _media(rig)] == ["ready", "erasing"]
    rig.run(ReadReport(job.id))
    hold(rig, job.case_id, on=False)
    rig.step(2)
    assert [row.state for row in _media(rig)] == ["erased", "erased"]
    with pytest.raises(Problem, match="report-erased"):
        rig.run(ReadReport(job.id))


def _media(rig: Rig) -> list[Any]:
    query = tables.media.select().order_by(tables.media.c.id)
    return list(rig.read(lambda conn: conn.execute(query).all()))
