"""What is left when a job has ended and time has passed."""

from __future__ import annotations

import pytest

from leitstand.control.audit import verify
from leitstand.control.cases import OpenCase
from leitstand.control.instances import Launch
from leitstand.control.jobs import CancelJob, HoldJob, ReadReport, StartJob
from leitstand.control.media import OpenMedium, OpenUpload, RefuseMedium
from leitstand.control.membership import Enrol
from leitstand.control.plan import Wish
from leitstand.core.problem import Problem
from leitstand.store import instances, media, tables
from tests.control.rig import (
    OPERATOR,
    TENANT,
    Rig,
    Verifier,
    Worker,
    media_states,
    serve,
    to_the_end,
)


def test_what_was_derived_ends_with_the_job_and_its_report_with_its_term(rig: Rig) -> None:
    job = rig.job()
    to_the_end(rig, serve(rig))
    report = rig.run(ReadReport(job.id))
    assert set(rig.blobs.held) == {report}
    rig.later(days=179)
    rig.step()
    assert set(rig.blobs.held) == {report}
    rig.later(days=2)
    rig.step(3)
    assert rig.blobs.held == {}
    with pytest.raises(Problem, match="report-erased"):
        rig.run(ReadReport(job.id))
    verdict = rig.read(lambda c: verify(c, Verifier(rig.signer.verifier_key)))
    assert verdict.faults == []


def test_files_that_nobody_analysed_or_that_failed_are_erased_with_all_they_had(rig: Rig) -> None:
    case = rig.run(OpenCase("K-1"))
    ready = rig.medium(case.id)
    failed = rig.run(OpenMedium(case.id, "a", 5)).id
    rig.run(RefuseMedium(failed, "not-media", {}))
    begun = rig.run(OpenMedium(case.id, "b", 5)).id
    upload = rig.run(OpenUpload(begun, 5, "0" * 64, ("0" * 64,)))
    rig.blobs.put(f"{upload.id}.0", [b"part"])
    rig.later(hours=25)
    rig.step(3)
    ids = [ready, failed, begun]
    states = {m.id: m.state for m in rig.read(lambda c: media.find(c, TENANT, ids))}
    assert set(states.values()) == {"erased"}
    assert rig.blobs.held == {}
    for table in (tables.segments, tables.uploads, tables.objects):
        assert rig.read(lambda c, table=table: c.execute(table.select()).all()) == []
    secrets = rig.read(lambda c: c.execute(tables.keys.select()).all())
    assert {k.owner_id for k in secrets if k.wrapped is None} >= set(ids)


def test_blobs_that_no_row_names_are_swept_once_they_are_old(rig: Rig) -> None:
    job = rig.job(case="K-1")
    named = set(rig.blobs.held)
    lost = rig.door.ids.new("object", rig.time)
    part = f"{rig.door.ids.new('upload', rig.time)}.3"
    for name in (lost, part, "README", "object_nonsense"):
        rig.blobs.put(name, [b"x"])
    rig.step()
    assert {lost, part} <= set(rig.blobs.held)
    rig.run(HoldJob(job.id))
    rig.later(hours=25)
    rig.step()
    assert set(rig.blobs.held) == named | {"README", "object_nonsense"}


def test_media_of_two_jobs_are_kept_until_the_second_ends(rig: Rig) -> None:
    first = rig.job()
    found = rig.read(lambda c: media.of_job(c, TENANT, first.id))
    wish = Wish(first.case_id, tuple(m.id for m in found), "people", "en")
    decision = rig.planner.decide(wish, OPERATOR, rig.time)
    second = rig.run(StartJob(decision.id, "test1234", 4))
    rig.run(CancelJob(first.id))
    rig.step(3)
    assert media_states(rig, second.id) == ["ready"]
    rig.run(CancelJob(second.id))
    rig.step(3)
    assert media_states(rig, second.id) == ["erased"]


def test_nothing_that_is_shown_or_logged_holds_a_token_or_a_key(rig: Rig) -> None:
    rig.job()
    rig.step(2)
    worker = Worker.newest(rig)
    spec = next(iter(rig.rented.specs.values()))
    command = Enrol(worker.token, b"", b"", {}, rig.authority)
    launch = Launch(rig.read(instances.alive)[0], worker.token)
    for shown in (command, launch, spec):
        assert worker.token not in repr(shown)
