"""The operator API as a client sees it: ids, pages, problems, commands, its own description."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import httpx
import pytest

from leitstand.control.instances import DrainInstance
from leitstand.control.jobs import CancelJob, HoldJob, ResumeJob
from leitstand.core import limits
from leitstand.ports import NoCapacity
from leitstand.store import tables
from tests.api.served import problem
from tests.control.rig import Rig, serve
from tests.unwritable import unwritable


def test_an_id_may_be_given_by_its_shortest_unique_ending(api: httpx.Client, rig: Rig) -> None:
    job = rig.job()
    assert api.get(f"/jobs/{job.id[-6:].lower()}").json()["id"] == job.id
    assert api.get(f"/jobs/j-{job.id[-6:]}").json()["id"] == job.id
    problem(api.get("/jobs/000000000000"), "unknown-job", 404)
    problem(api.get("/jobs/%25"), "unknown-job", 404)


def test_an_ending_that_two_ids_share_is_ambiguous(api: httpx.Client) -> None:
    ids = [api.post("/cases", json={"name": f"K-{n}"}).json()["id"] for n in range(40)]
    last: dict[str, int] = {}
    for case in ids:
        last[case[-1]] = last.get(case[-1], 0) + 1
    shared = next(ending for ending, count in last.items() if count > 1)
    found = problem(api.get(f"/media?case={shared}"), "ambiguous-id", 400)
    assert found["params"]["count"] == last[shared]
    candidates = found["params"]["candidates"].split(", ")
    assert candidates and all(id.endswith(shared) and id in ids for id in candidates)


def test_pages_show_everything_once_newest_first(api: httpx.Client) -> None:
    case = api.post("/cases", json={"name": "inbox"}).json()["id"]
    made = [
        api.post("/media", json={"case": case, "name": f"{n}", "bytes": 1}).json()["id"]
        for n in range(7)
    ]
    seen: list[str] = []
    after: str | None = None
    while True:
        query = {"limit": "3"} | ({} if after is None else {"after": after})
        found = api.get("/media", params=query).json()
        seen += [item["id"] for item in found["items"]]
        after = found["next"]
        if after is None:
            break
    assert seen == made[::-1]
    assert len(api.get("/media?limit=0").json()["items"]) == 1


def test_a_page_without_what_is_gone_is_full_of_what_lives(api: httpx.Client, rig: Rig) -> None:
    job = rig.job()
    older = serve(rig)
    rig.run(CancelJob(job.id))
    rig.step(20)
    rig.job()
    newer = serve(rig)
    for instance, state in ((older, "ready"), (newer, "terminated")):
        row = tables.instances.update().where(tables.instances.c.id == instance.id)
        rig.database.write(lambda conn, row=row, state=state: conn.execute(row.values(state=state)))
    every, living = (api.get(f"/instances?limit=1{also}").json() for also in ("", "&gone=false"))
    assert ([item["id"] for item in every["items"]], every["next"]) == ([newer.id], newer.id)
    assert ([item["id"] for item in living["items"]], living["next"]) == ([older.id], None)


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("/plans", {"case": "inbox"}, "bad-request"),
        ("/plans", {"case": "nothing", "media": ["medium_1"]}, "unknown-case"),
        ("/offers", {"tier": "Z"}, "bad-request"),
        ("/offers", {"vram_gib": "NaN"}, "bad-request"),
        ("/offers", {"vram_gib": -1}, "bad-request"),
        ("/jobs", {"decision": "decision_0"}, "unknown-decision"),
        ("/cases", {"name": ""}, "bad-request"),
        ("/cases", {"name": "x", "data_class": 9}, "bad-class"),
        ("/media", {"case": "x", "name": "y", "bytes": -1}, "bad-request"),
        ("/media/medium_0/failed", {"code": "Not A Code!"}, "bad-request"),
        ("/nothing", {}, "unknown-path"),
    ],
)
def test_a_wrong_request_is_answered_with_a_problem(
    api: httpx.Client, path: str, body: dict[str, Any], code: str
) -> None:
    answer = api.post(path, json=body)
    problem(answer, code, answer.status_code)
    assert 400 <= answer.status_code < 500


def test_a_cap_with_more_digits_than_money_has_is_a_problem(api: httpx.Client, rig: Rig) -> None:
    case = api.post("/cases", json={"name": "inbox"}).json()["id"]
    medium = rig.medium(case)
    document = {"case": case, "media": [medium], "max_cost_eur": "0.0000001"}
    problem(api.post("/plans", json=document), "bad-request", 400)


def test_the_same_file_twice_is_planned_once(api: httpx.Client, rig: Rig) -> None:
    case = api.post("/cases", json={"name": "inbox"}).json()["id"]
    medium = rig.medium(case)
    plan = api.post("/plans", json={"case": case, "media": [medium, medium]}).json()
    job = api.post("/jobs", json={"decision": plan["id"]}).json()
    assert [found["id"] for found in job["media"]] == [medium]


def test_without_a_class_the_inbox_is_that_of_class_2_whatever_was_opened_since(
    api: httpx.Client,
) -> None:
    plain = {"name": "inbox"}
    usual = api.post("/cases", json=plain).json()
    assert usual["data_class"] == 2
    other = api.post("/cases", json=plain | {"data_class": 0}).json()
    assert (other["data_class"], other["id"] != usual["id"]) == (0, True)
    assert api.post("/cases", json=plain).json() == usual
    assert api.post("/cases", json=plain | {"data_class": 0}).json() == other
    named = api.post("/cases", json={"name": "K-1", "data_class": 1}).json()
    assert api.post("/cases", json={"name": "K-1"}).json() == named


def test_a_job_says_within_what_it_was_planned(api: httpx.Client, rig: Rig) -> None:
    case = api.post("/cases", json={"name": "K-1", "data_class": 1}).json()["id"]
    body = {"case": case, "media": [rig.medium(case)], "provider": "rented", "max_cost_eur": "2.5"}
    plan = api.post("/plans", json=body).json()
    job = api.post("/jobs", json={"decision": plan["id"]}).json()
    assert (job["data_class"], job["provider"], job["max_cost_eur"]) == (1, "rented", "2.500000")


def amounts(document: Any, name: str = "") -> Iterator[str]:
    """Every amount of money in a document."""
    if isinstance(document, dict):
        for key, value in document.items():
            yield from amounts(value, key)
    elif isinstance(document, list):
        for value in document:
            yield from amounts(value, name)
    elif document is not None and name.endswith(("_eur", "_eur_per_hour")):
        yield document


def test_money_has_one_spelling_everywhere(api: httpx.Client, rig: Rig) -> None:
    case = api.post("/cases", json={"name": "K-1"}).json()["id"]
    body = {"case": case, "media": [rig.medium(case)], "max_cost_eur": "2.5"}
    plan = api.post("/plans", json=body).json()
    job = api.post("/jobs", json={"decision": plan["id"]}).json()
    documents = [
        plan,
        job,
        api.get(f"/decisions/{plan['id']}").json(),
        *(api.get(path).json() for path in ("/jobs", "/instances")),
        api.post("/offers", json={}).json(),
    ]
    found = [list(amounts(document)) for document in documents]
    assert all(found)
    assert [a for one in found for a in one if not re.fullmatch(r"\d+\.\d{6}", a)] == []


def test_a_computer_without_a_gpu_has_not_the_memory_of_one_that_was_asked_for(
    api: httpx.Client,
) -> None:
    def rejected(body: dict[str, Any]) -> Any:
        (item,) = api.post("/offers", json=body).json()["items"]
        return item["rejected"] and item["rejected"]["rule"]

    assert rejected({"modality": "video"}) is None
    assert rejected({"vram_gib": 24.0}) == "accelerator"


def strings(document: Any) -> Iterator[str]:
    """Every text in a document."""
    if isinstance(document, dict | list):
        for value in document.values() if isinstance(document, dict) else document:
            yield from strings(value)
    elif isinstance(document, str):
        yield document


def test_instants_have_one_spelling_everywhere(api: httpx.Client, rig: Rig) -> None:
    case = api.post("/cases", json={"name": "K-1"}).json()["id"]
    by = "2126-11-24T14:00:00+01:00"
    body = {"case": case, "media": [rig.medium(case)], "by": by}
    late = api.post("/plans", json=body | {"by": "2026-11-24T08:00:09+00:00"}).json()
    plan = api.post("/plans", json=body).json()
    api.post("/jobs", json={"decision": plan["id"]})
    shown = [plan, late, api.get(f"/decisions/{plan['id']}").json(), api.get("/jobs").json()]
    found = [text for text in strings(shown) if re.match(r"\d{4}-\d\d-\d\dT", text)]
    assert {"2126-11-24T13:00:00Z", "2026-11-24T08:00:09Z"} <= set(found)
    assert [text for text in found if not re.fullmatch(r"[\d:T.-]+Z", text)] == []


def test_a_job_that_ended_is_not_expected_to_finish(api: httpx.Client, rig: Rig) -> None:
    job = rig.job()
    assert api.get(f"/jobs/{job.id}").json()["finish_at"] is not None
    shown = api.post(f"/jobs/{job.id}/cancel").json()
    assert shown["ended_at"] is not None
    assert shown["finish_at"] is None


def test_a_decision_says_which_job_it_started(api: httpx.Client, rig: Rig) -> None:
    case = api.post("/cases", json={"name": "K-1"}).json()["id"]
    plan = api.post("/plans", json={"case": case, "media": [rig.medium(case)]}).json()
    assert api.get(f"/decisions/{plan['id']}").json()["job"] is None
    job = api.post("/jobs", json={"decision": plan["id"]}).json()
    found = api.get(f"/decisions/{plan['id']}").json()["job"]
    assert found == {"id": job["id"], "state": job["state"]}


def test_a_decision_says_which_candidates_were_launched_in_vain_and_in_whose_words(
    api: httpx.Client, rig: Rig
) -> None:
    rig.rented.fails = [NoCapacity("HTTP 400 no_such_ask")]
    job = rig.job()
    rig.step(4)
    found = api.get(f"/decisions/{job.decision_id}").json()["failed_launches"]
    assert len(rig.rented.running) == 1, "the next one runs"
    [fell] = found
    said = {"code": "no-capacity", "params": {"said": "HTTP 400 no_such_ask"}}
    assert (fell["reason"], fell["host"], fell["cost_eur"]) == (said, "h1", "0.000000")


def test_repeating_a_write_does_it_once(api: httpx.Client, rig: Rig) -> None:
    case = api.post("/cases", json={"name": "K-1"}).json()["id"]
    assert api.post("/cases", json={"name": "K-1"}).json()["id"] == case
    plan = api.post("/plans", json={"case": case, "media": [rig.medium(case)]}).json()
    one, two = (api.post("/jobs", json={"decision": plan["id"]}).json() for _ in range(2))
    assert one["id"] == two["id"]
    for verb, state in (("hold", "held"), ("resume", "waiting"), ("cancel", "cancelled")):
        answers = [api.post(f"/jobs/{one['id']}/{verb}").json()["state"] for _ in range(2)]
        assert answers == [state, state]
    assert [api.delete(f"/media/{one['media'][0]['id']}").status_code for _ in range(2)] == [
        200
    ] * 2


def test_a_medium_announced_again_under_its_id_is_the_same(api: httpx.Client) -> None:
    case = api.post("/cases", json={"name": "K-1"}).json()["id"]
    other = api.post("/cases", json={"name": "K-2"}).json()["id"]
    body = {"id": "medium_01KAR3W6V9Q4T8ZC5N0EXB0001", "case": case, "name": "a.mp4", "bytes": 5}
    first, again = (api.post("/media", json=body).json() for _ in range(2))
    assert first == again
    assert first["id"] == body["id"]
    assert len(api.get("/media").json()["items"]) == 1
    for differs in ({"case": other}, {"name": "b.mp4"}, {"bytes": 6}):
        problem(api.post("/media", json=body | differs), "id-taken", 400)
    api.delete(f"/media/{body['id']}")
    problem(api.post("/media", json=body), "id-taken", 400)
    problem(api.post("/media", json=body | {"id": "medium_1"}), "bad-request", 400)


def test_jobs_are_listed_by_state(api: httpx.Client, rig: Rig) -> None:
    held, waiting = rig.job(), rig.job()
    rig.run(HoldJob(held.id))
    assert [job["id"] for job in api.get("/jobs?state=held").json()["items"]] == [held.id]
    assert {job["id"] for job in api.get("/jobs").json()["items"]} == {held.id, waiting.id}


def test_what_the_job_document_counts(api: httpx.Client, rig: Rig) -> None:
    job = rig.job(segments=3, media=2)
    worker = serve(rig)
    lease = worker.claim()[0]
    worker.result(lease, 0)
    shown = api.get(f"/jobs/{job.id}").json()
    assert shown["segments"] == {"done": 1, "total": 6, "redone": 0, "gap": 0}
    assert [m["segments"]["done"] for m in shown["media"]] == [1, 0]
    assert [m["state"] for m in shown["media"]] == ["running", "waiting"]
    worker.finish(lease, "failed", reason={"code": "decode-failed", "params": {}}, blame="item")
    shown = api.get(f"/jobs/{job.id}").json()
    assert shown["segments"] == {"done": 1, "total": 6, "redone": 0, "gap": 2}
    assert shown["media"][0]["state"] == "failed"
    assert shown["media"][0]["reason"]["code"] == "decode-failed"
    listed = api.get("/jobs").json()["items"][0]
    assert listed["segments"] == shown["segments"]


def test_what_was_broken_off_is_counted_as_redone_and_what_was_held_is_not(
    api: httpx.Client, rig: Rig
) -> None:
    def redone() -> int:
        return int(api.get(f"/jobs/{job.id}").json()["segments"]["redone"])

    job = rig.job(segments=3)
    worker = serve(rig)
    lease = worker.claim()[0]
    worker.result(lease, 0)
    rig.run(HoldJob(job.id))
    worker.finish(lease, "held")
    rig.step(8)
    rig.run(ResumeJob(job.id))
    rig.step(4)
    worker = serve(rig)
    lease = worker.claim()[0]
    assert (lease["segments"][0]["number"], redone()) == (1, 0)
    worker.finish(lease, "failed", reason={"code": "decoder-gone", "params": {}}, blame="host")
    assert redone() == 0
    rig.later(seconds=limits.RETRY_AFTER.total_seconds())
    assert (worker.claim()[0]["segments"][0]["number"], redone()) == (1, 1)


def test_who_waits_says_where_in_the_queue_and_an_instance_for_whom_it_lives(
    api: httpx.Client, rig: Rig
) -> None:
    first, second = rig.job(), rig.job()
    rig.step(2)
    assert [api.get(f"/jobs/{job.id}").json()["queue_position"] for job in (first, second)] == [
        1,
        2,
    ]
    serving = {one["id"]: one["jobs"] for one in api.get("/instances").json()["items"]}
    assert sorted(serving.values()) == [[first.id], [second.id]]
    rig.run(CancelJob(first.id))
    rig.step(6)
    assert api.get(f"/jobs/{first.id}").json()["queue_position"] is None
    assert api.get(f"/jobs/{second.id}").json()["queue_position"] == 1
    left = api.get("/instances").json()["items"]
    assert sorted(one["jobs"] for one in left) == [[], [second.id]]


def test_a_job_is_cancelled_whatever_its_instance_is_doing(api: httpx.Client, rig: Rig) -> None:
    for steps in range(4):
        job = rig.job()
        for part in (rig.reconciler, rig.effects)[: steps % 3]:
            part.step(rig.time)
        assert api.post(f"/jobs/{job.id}/cancel", json={"now": True}).json()["state"] == "cancelled"
        rig.step(8)
        assert set(rig.instance_states()) == {"terminated"}


def test_now_ends_the_instances_even_where_it_cannot_be_written_down(
    api: httpx.Client, rig: Rig
) -> None:
    job = rig.job()
    serve(rig)
    with unwritable(rig.database):
        problem(api.post(f"/jobs/{job.id}/cancel"), "store-unavailable", 503)
        assert rig.rented.ends == []
        answer = api.post(f"/jobs/{job.id}/cancel", json={"now": True})
    assert problem(answer, "cancel-not-kept", 409)["params"]["left"] == 1
    assert len(rig.rented.ends) == 1


def test_what_has_ended_cannot_be_held_or_resumed(api: httpx.Client, rig: Rig) -> None:
    job = rig.job()
    rig.run(CancelJob(job.id))
    problem(api.post(f"/jobs/{job.id}/hold"), "job-changed", 409)
    problem(api.post(f"/jobs/{job.id}/resume"), "job-changed", 409)
    problem(api.get(f"/jobs/{job.id}/report.json"), "no-report", 409)
    problem(api.get(f"/jobs/{job.id}/report.exe"), "unknown-path", 404)


def test_a_drained_instance_is_replaced_while_its_job_goes_on(api: httpx.Client, rig: Rig) -> None:
    job = rig.job(max_cost_eur=Decimal(2))
    worker = serve(rig)
    assert worker.claim()
    assert api.post(f"/instances/{worker.id}/drain").json()["state"] == "draining"
    rig.run(HoldJob(job.id))
    rig.run(ResumeJob(job.id))
    rig.step(3)
    assert "draining" in rig.instance_states()
    assert rig.instance_states()[-1] in ("launching", "booting")
    rig.run(DrainInstance(worker.id))


def test_an_entry_that_cannot_be_read_hides_no_other(api: httpx.Client, rig: Rig) -> None:
    api.post("/cases", json={"name": "K-1"})
    rig.sequencer.step(rig.time)
    spoil = tables.entries.update().where(tables.entries.c.position == 1).values(leaf=b"x")
    rig.database.write(lambda conn: conn.execute(spoil))
    items = api.get("/ledger/entries").json()["items"]
    assert {item["position"]: item.get("type") for item in items}[1] is None
    assert {item.get("type") for item in items} > {None}
    assert not api.get("/ledger/verify").json()["verified"]


def test_who_answers_says_where_things_are_kept(api: httpx.Client) -> None:
    health = api.get("/health").json()
    assert (health["embedded"], health["kept_here"]) == (True, False)


def test_the_api_describes_itself_completely(api: httpx.Client) -> None:
    document = api.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert "Repeating a write" in document["info"]["description"]
    paths = {
        "/cases", "/media", "/media/{medium}", "/media/{medium}/identity", "/media/{medium}/ready",
        "/media/{medium}/failed", "/uploads", "/uploads/{upload}",
        "/uploads/{upload}/parts/{number}", "/uploads/{upload}/complete", "/objects/{object_id}",
        "/health", "/plans", "/decisions/{decision}", "/offers", "/jobs", "/jobs/{job}",
        "/jobs/{job}/hold", "/jobs/{job}/resume", "/jobs/{job}/cancel", "/jobs/{job}/{name}",
        "/instances", "/instances/{instance}", "/instances/{instance}/drain",
        "/ledger/entries", "/ledger/verify", "/events",
    }  # fmt: skip
    assert {f"/api/v1{path}" for path in paths} <= set(document["paths"])
    for path, operations in document["paths"].items():
        for verb, operation in operations.items():
            assert operation.get("description"), f"{verb} {path} says nothing"
    names = json.dumps(document)
    for reference in {part.split('"')[0] for part in names.split("#/components/schemas/")[1:]}:
        assert reference in document["components"]["schemas"]


def test_a_plan_made_under_other_rules_does_not_start(api: httpx.Client, rig: Rig) -> None:
    rig.rented.tier = "B"
    case = api.post("/cases", json={"name": "inbox"}).json()["id"]
    plan = api.post("/plans", json={"case": case, "media": [rig.medium(case)]}).json()
    regions: Any = rig.planner.rules.regions
    regions["rented"] = ("NO",)
    answer = api.post("/jobs", json={"decision": plan["id"]})
    problem(answer, "plan-outdated", answer.status_code)
    assert api.get("/jobs").json()["items"] == []
