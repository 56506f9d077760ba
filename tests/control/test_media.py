"""Media between a plan, jobs that share them, and the end of their term."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from leitstand.api.documents import job_document
from leitstand.control.cases import OpenCase
from leitstand.control.inputs import inputs_of
from leitstand.control.jobs import CancelJob, HoldJob, ResumeJob, StartJob
from leitstand.control.media import EraseMedia, NotePart, OpenMedium, OpenUpload, RefuseMedium
from leitstand.control.plan import Wish
from leitstand.core import limits
from leitstand.core.job import Job
from leitstand.core.problem import Exit, Problem
from leitstand.store import jobs, media
from leitstand.store.media import part_name
from tests.control.rig import OPERATOR, TENANT, Rig, serve


def plan(rig: Rig, *ids: str, case: str = "K-1", profile: str = "people") -> str:
    found = rig.run(OpenCase(case))
    wish = Wish(found.id, ids, profile, "en")
    return rig.planner.decide(wish, OPERATOR, rig.time).id


def start(rig: Rig, decision: str) -> Job:
    found: Job = rig.run(StartJob(decision, "test1234", 4))
    return found


def medium_of(rig: Rig, medium_id: str) -> Any:
    return rig.read(lambda conn: media.find(conn, TENANT, [medium_id]))[0]


def test_a_plan_whose_medium_was_erased_since_starts_nothing(rig: Rig) -> None:
    case = rig.run(OpenCase("K-1"))
    one, two = rig.medium(case.id), rig.medium(case.id)
    decision = plan(rig, one, two)
    rig.run(EraseMedia((two,)))
    with pytest.raises(Problem) as caught:
        start(rig, decision)
    assert (caught.value.code, caught.value.exit) == ("medium-gone", Exit.USAGE)
    assert caught.value.params == {"medium": two}
    assert rig.read(lambda conn: jobs.page(conn, TENANT, None, 9)) == []
    with pytest.raises(Problem, match="medium-gone"):
        plan(rig, one, two)
    with pytest.raises(Problem, match="medium-not-ready"):
        plan(rig, one, rig.run(OpenMedium(case.id, "b.mp4", 9)).id)


def test_a_medium_that_no_task_looks_at_is_failed_with_the_reason(rig: Rig) -> None:
    case = rig.run(OpenCase("K-1"))
    seen, unseen = rig.medium(case.id), rig.medium(case.id, stream="audio:0")
    job = start(rig, plan(rig, seen, unseen))
    reason = {"code": "not-in-profile", "params": {"profile": "people"}}

    def read(conn: Any) -> tuple[Any, Any]:
        tx = rig.door.look(rig.time, conn)
        return json.loads(inputs_of(tx, job))["media"], job_document(tx, job, whole=True)["media"]

    for shown in rig.read(read):
        states = {medium["id"]: (medium["state"], medium["reason"]) for medium in shown}
        assert states[unseen] == ("failed", reason)
        assert states[seen][0] != "failed"


def test_a_job_that_ends_leaves_a_held_one_its_media(rig: Rig) -> None:
    case = rig.run(OpenCase("inbox"))
    shared, own = rig.medium(case.id), rig.medium(case.id)
    held = start(rig, plan(rig, shared, case="inbox"))
    ended = start(rig, plan(rig, shared, own, case="inbox"))
    rig.run(HoldJob(held.id))
    rig.run(CancelJob(ended.id))
    rig.step(3)
    assert rig.job_state(held) == "held"
    assert (medium_of(rig, shared).state, medium_of(rig, own).state) == ("ready", "erased")
    assert rig.run(ResumeJob(held.id)).state == "waiting"
    rig.run(CancelJob(held.id))
    rig.step(3)
    assert medium_of(rig, shared).state == "erased"


def test_a_medium_that_still_arrives_is_not_abandoned_however_long_it_takes(rig: Rig) -> None:
    case = rig.run(OpenCase("K-1"))
    slow, given_up = (rig.run(OpenMedium(case.id, "a.mp4", 9)).id for _ in range(2))
    parts = ("0" * 64,) * 3
    upload = rig.run(OpenUpload(slow, 2 * limits.PART_BYTES + 1, "1" * 64, parts))
    for number in range(3):
        rig.later(hours=23)
        rig.run(NotePart(upload.id, number))
        rig.step(2)
    assert medium_of(rig, slow).state == "receiving"
    assert medium_of(rig, given_up).state == "erased"
    rig.later(hours=25)
    rig.step(2)
    assert medium_of(rig, slow).state == "erased"


def test_a_plan_that_is_started_after_its_media_were_abandoned_says_so(rig: Rig) -> None:
    case = rig.run(OpenCase("K-1"))
    decision = plan(rig, rig.medium(case.id))
    rig.later(hours=25)
    rig.step(2)
    with pytest.raises(Problem, match="medium-gone"):
        start(rig, decision)


def test_a_plan_without_an_offer_says_how_many_fell(rig: Rig) -> None:
    rules: Any = rig.planner.rules
    rules.price_max["rented"] = Decimal("0.30")
    case = rig.run(OpenCase("K-1"))
    with pytest.raises(Problem) as caught:
        start(rig, plan(rig, rig.medium(case.id)))
    assert (caught.value.code, caught.value.params) == ("no-offer", {"rejected": 1, "why": "price"})


def test_what_came_of_a_refused_medium_is_deleted_at_once(rig: Rig) -> None:
    case = rig.run(OpenCase("K-1"))
    refused = rig.run(OpenMedium(case.id, "a.mp4", 9)).id
    upload = rig.run(OpenUpload(refused, 9, "1" * 64, ("0" * 64,)))
    rig.blobs.put(part_name(upload.id, 0), [b"ciphertext"])
    rig.run(NotePart(upload.id, 0))
    rig.run(RefuseMedium(refused, "not-media", {"kind": "text"}))
    rig.step()
    assert rig.blobs.held == {}
    assert medium_of(rig, refused).state == "failed"
    rig.later(hours=25)
    rig.step(2)
    assert medium_of(rig, refused).state == "erased"


def test_a_medium_that_was_taken_in_part_is_never_called_done(rig: Rig) -> None:
    case = rig.run(OpenCase("inbox"))
    gap = {"stream": "video:0", "from_us": 5, "to_us": 9, "reason": "truncated"}
    job = start(rig, plan(rig, rig.medium(case.id, gaps=[gap]), case="inbox"))
    worker = serve(rig)
    worker.work_all()
    shown = rig.read(lambda c: job_document(rig.door.look(rig.time, c), job, whole=True))["media"]
    assert [medium["state"] for medium in shown] == ["partial"]
    rig.step()
    worker.work_all()
    rig.step(6)
    ended = rig.read(lambda c: jobs.find(c, TENANT, job.id))
    shown = rig.read(lambda c: job_document(rig.door.look(rig.time, c), ended, whole=True))["media"]
    assert (ended.state, shown[0]["medium_state"]) == ("done", "erased")
    assert (shown[0]["state"], shown[0]["name"]) == ("partial", None)
    assert shown[0]["reason"] == {"code": "gaps-at-intake", "params": {"gaps": 1}}


def test_a_gap_that_a_worker_found_makes_its_medium_partial_in_report_and_list(rig: Rig) -> None:
    case = rig.run(OpenCase("inbox"))
    job = start(rig, plan(rig, *(rig.medium(case.id) for _ in "ab"), case="inbox"))
    worker = serve(rig)
    broken = worker.claim()[0]
    worker.key(broken)
    for segment in broken["segments"]:
        worker.result(broken, segment["number"], gap=segment["number"] == 0)
    worker.finish(broken)
    worker.work_all()
    shown, document = rig.read(
        lambda c: (
            job_document(tx := rig.door.look(rig.time, c), job, whole=True),
            json.loads(inputs_of(tx, job)),
        )
    )
    said = {medium["id"]: (medium["state"], medium["reason"]) for medium in shown["media"]}
    reason = {"code": "gaps-in-results", "params": {"segments": 1}}
    assert said.pop(broken["task"]["medium"]) == ("partial", reason)
    assert set(map(str, said.values())) == {str(("done", None))}
    assert [(m["state"], m["reason"]) for m in document["media"]] == [
        (m["state"], m["reason"]) for m in shown["media"]
    ]
