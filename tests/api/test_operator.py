"""The operator API as a client sees it: uploads, ids, pages, problems, streams, its own description."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import httpx_sse
import pytest

from leitstand.api import events as stream
from leitstand.client import Client
from leitstand.control.instances import DrainInstance
from leitstand.control.jobs import CancelJob, HoldJob, ResumeJob
from leitstand.core import limits
from leitstand.core.problem import Problem
from leitstand.store import events, media, tables
from leitstand.store.engine import Database
from leitstand.store.rows import add
from tests.api.served import digest_header, operators, problem
from tests.control.rig import TENANT, Rig, serve
from tests.unwritable import unwritable


@pytest.fixture
def rig(sqlite_url: str, tmp_path: Path) -> Iterator[Rig]:
    with Database.open(sqlite_url, relaxed=True) as database:
        yield Rig(database, tmp_path)


@pytest.fixture
def api(rig: Rig) -> Iterator[httpx.Client]:
    with operators(rig) as client:
        yield client


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


class Upload:
    """An upload of random bytes in parts of 8 MiB."""

    def __init__(self, api: httpx.Client, size: int = 2 * limits.PART_BYTES + 5) -> None:
        self.api = api
        self.body = bytes(range(256)) * (size // 256) + b"\0" * (size % 256)
        step = limits.PART_BYTES
        self.parts = [self.body[at : at + step] for at in range(0, size, step)]
        case = api.post("/cases", json={"name": "inbox"}).json()["id"]
        made = api.post("/media", json={"case": case, "name": "a.mp4", "bytes": size}).json()
        self.medium = made["id"]
        assert made["recipient"].startswith("age1")

    def announce(self, **changes: Any) -> httpx.Response:
        document = {
            "medium": self.medium,
            "bytes": len(self.body),
            "sha256": sha256(self.body),
            "part_sha256": [sha256(part) for part in self.parts],
        }
        return self.api.post("/uploads", json=document | changes)

    def put(self, upload: str, number: int, body: bytes | None = None) -> httpx.Response:
        part = self.parts[number] if body is None else body
        return self.api.put(
            f"/uploads/{upload}/parts/{number}", content=part, headers=digest_header(part)
        )


def test_an_interrupted_upload_goes_on_with_the_missing_parts(api: httpx.Client, rig: Rig) -> None:
    upload = Upload(api)
    made = upload.announce().json()
    assert made["missing"] == [0, 1, 2]
    assert made["part_bytes"] == limits.PART_BYTES
    assert upload.put(made["id"], 1).status_code == 204
    again = upload.announce().json()
    assert (again["id"], again["missing"]) == (made["id"], [0, 2])
    problem(api.post(f"/uploads/{made['id']}/complete"), "upload-incomplete", 409)
    for number in (2, 0, 0):
        assert upload.put(made["id"], number).status_code == 204
    done = api.post(f"/uploads/{made['id']}/complete").json()["object_id"]
    assert api.post(f"/uploads/{made['id']}/complete").json()["object_id"] == done
    assert rig.blobs.held == {done: upload.body}
    assert api.get(f"/objects/{done}").content == upload.body
    ranged = api.get(f"/objects/{done}", headers={"Range": "bytes=5-9"})
    assert (ranged.status_code, ranged.content) == (206, upload.body[5:10])
    assert ranged.headers["content-range"] == f"bytes 5-9/{len(upload.body)}"
    assert api.get(f"/objects/{done}", headers={"Range": "bytes=99999999-"}).status_code == 416


def test_a_part_with_another_digest_is_refused_and_nothing_is_kept(
    api: httpx.Client, rig: Rig
) -> None:
    upload = Upload(api, 100)
    made = upload.announce().json()["id"]
    problem(upload.put(made, 0, b"other bytes"), "digest-differs", 400)
    lied = api.put(
        f"/uploads/{made}/parts/0", content=upload.body, headers=digest_header(b"something else")
    )
    problem(lied, "digest-differs", 400)
    problem(api.put(f"/uploads/{made}/parts/0", content=upload.body), "digest-differs", 400)
    problem(upload.put(made, 0, upload.body[:-1]), "digest-differs", 400)
    assert rig.blobs.held == {}
    assert api.get(f"/uploads/{made}").json()["missing"] == [0]


def test_a_part_that_nobody_announced_is_refused(api: httpx.Client) -> None:
    upload = Upload(api, 100)
    made = upload.announce().json()["id"]
    answer = api.put(
        f"/uploads/{made}/parts/7", content=upload.body, headers=digest_header(upload.body)
    )
    problem(answer, "digest-differs", 400)


def test_a_whole_with_another_digest_is_no_object(api: httpx.Client, rig: Rig) -> None:
    upload = Upload(api, 100)
    made = upload.announce(sha256="0" * 64).json()["id"]
    upload.put(made, 0)
    problem(api.post(f"/uploads/{made}/complete"), "digest-differs", 400)
    assert not [name for name in rig.blobs.held if name.startswith("object_")]


@pytest.mark.parametrize("call", ["part", "complete"])
@pytest.mark.parametrize("erased", [False, True])
def test_nothing_stays_of_an_upload_that_an_erasure_overtakes(
    api: httpx.Client, rig: Rig, monkeypatch: pytest.MonkeyPatch, call: str, erased: bool
) -> None:
    upload = Upload(api, 100)
    made = upload.announce().json()["id"]
    if call == "complete":
        upload.put(made, 0)
    put = rig.blobs.put

    def erase_and_put(name: str, body: Any) -> None:
        whole = b"".join(body)
        api.delete(f"/media/{upload.medium}").raise_for_status()
        if erased:
            rig.step()
        put(name, [whole])

    monkeypatch.setattr(rig.blobs, "put", erase_and_put)
    answer = upload.put(made, 0) if call == "part" else api.post(f"/uploads/{made}/complete")
    if erased:
        problem(answer, "unknown-upload", 404)
    else:
        problem(answer, "medium-not-receiving", 400)
    rig.step()
    assert api.get(f"/media/{upload.medium}").json()["state"] == "erased"
    assert rig.blobs.held == {}


def test_an_upload_whose_parts_were_erased_is_not_completed(api: httpx.Client, rig: Rig) -> None:
    upload = Upload(api, 100)
    made = upload.announce().json()["id"]
    upload.put(made, 0)
    api.delete(f"/media/{upload.medium}").raise_for_status()
    rig.blobs.delete(list(rig.blobs.held))
    problem(api.post(f"/uploads/{made}/complete"), "medium-not-receiving", 400)


def test_a_part_that_is_too_large_is_refused_before_it_is_whole(api: httpx.Client) -> None:
    upload = Upload(api, 100)
    made = upload.announce().json()["id"]
    answer = upload.put(made, 0, b"\0" * (limits.PART_BYTES + 1))
    problem(answer, "body-too-large", 400)


def test_a_document_that_is_too_large_is_refused_before_it_is_parsed(api: httpx.Client) -> None:
    body = b'{"name":"' + b"x" * limits.DOCUMENT_BYTES_MAX + b'"}'
    answer = api.post("/cases", content=body, headers={"Content-Type": "application/json"})
    problem(answer, "body-too-large", 400)


@pytest.mark.parametrize(
    "changes",
    [
        {"bytes": 0},
        {"bytes": limits.OBJECT_BYTES_MAX + 1},
        {"bytes": 3 * limits.PART_BYTES},
        {"part_sha256": []},
        {"part_sha256": ["x" * 64]},
        {"sha256": "short"},
    ],
)
def test_an_upload_that_does_not_add_up_is_refused(
    api: httpx.Client, changes: dict[str, Any]
) -> None:
    answer = Upload(api, 100).announce(**changes)
    assert answer.status_code == 400
    assert answer.json()["type"].startswith("urn:leitstand:problem:")


def test_segments_that_are_not_numbered_from_zero_are_refused(api: httpx.Client) -> None:
    upload = Upload(api, 100)
    made = upload.announce().json()["id"]
    upload.put(made, 0)
    object_id = api.post(f"/uploads/{made}/complete").json()["object_id"]
    segment = {
        "stream": "video:0",
        "number": 1,
        "from_us": 0,
        "to_us": 1,
        "format": "matroska",
        "object_id": object_id,
    }
    document = {"kind": "video", "sha256": "0" * 64, "segments": [segment]}
    ready = f"/media/{upload.medium}/ready"
    problem(api.post(ready, json=document), "upload-malformed", 400)
    segment["number"] = 0
    assert api.post(ready, json=document).json()["state"] == "ready"
    assert api.post(ready, json=document).json()["state"] == "ready"


def test_an_object_of_another_medium_is_no_segment(api: httpx.Client) -> None:
    one, two = Upload(api, 100), Upload(api, 101)
    made = one.announce().json()["id"]
    one.put(made, 0)
    object_id = api.post(f"/uploads/{made}/complete").json()["object_id"]
    segment = {
        "stream": "image:0",
        "number": 0,
        "from_us": 0,
        "to_us": 0,
        "format": "image",
        "object_id": object_id,
    }
    document = {"kind": "image", "sha256": "0" * 64, "segments": [segment]}
    problem(api.post(f"/media/{two.medium}/ready", json=document), "unknown-object", 404)


def test_what_a_refused_file_was_called_stays_out_of_the_open_columns(
    api: httpx.Client, rig: Rig
) -> None:
    upload = Upload(api, 100)
    params = {"path": "/home/anna/straße.mp4", "name": "straße.mp4", "detail": "x y", "width": 9}
    answer = api.post(
        f"/media/{upload.medium}/failed", json={"code": "not-media", "params": params}
    )
    assert answer.json()["reason"] == {"code": "not-media", "params": {"width": 9}}
    row = rig.read(lambda c: media.find(c, TENANT, [upload.medium]))[0]
    assert "stra" not in json.dumps(row.reason)


# --- ids, pages, problems ------------------------------------------------------------------------


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


# --- events --------------------------------------------------------------------------------------


def read(api: httpx.Client, count: int, last: str = "0", subject: str = "") -> list[Any]:
    """The next stored events after a row."""
    found: list[Any] = []
    query = {"subject": subject} if subject else {}
    headers = {"Last-Event-ID": last}
    with httpx_sse.connect_sse(api, "GET", "/events", params=query, headers=headers) as source:
        for event in source.iter_sse():
            if event.id:
                found.append(event)
            if len(found) >= count:
                break
    return found


def test_a_stream_that_broke_is_resumed_without_loss_or_repeat(api: httpx.Client, rig: Rig) -> None:
    job = rig.job()
    worker = serve(rig)
    worker.work_all()
    rig.step()
    worker.work_all()
    rig.step(6)
    stored = rig.read(lambda c: events.after(c, TENANT, job.id, 0, 1_000))
    seen: list[str] = []
    while len(seen) < len(stored):
        more = read(api, min(3, len(stored) - len(seen)), seen[-1] if seen else "0", job.id)
        seen += [event.id for event in more]
    assert seen == [str(event.id) for event in stored]
    assert {event.kind for event in stored} >= {"job", "task", "segment", "instance"}


def test_a_stream_tells_what_is_committed_while_it_waits(api: httpx.Client, rig: Rig) -> None:
    job = rig.job()
    newest = rig.read(lambda c: events.newest(c))
    found: list[Any] = []
    reader = threading.Thread(
        target=lambda: found.extend(read(api, 1, str(newest), job.id)), daemon=True
    )
    reader.start()
    rig.run(HoldJob(job.id))
    reader.join(20)
    assert json.loads(found[0].data)["state"] == "held"
    assert found[0].event == "job"


def test_progress_is_told_between_the_rows_and_has_no_id(api: httpx.Client, rig: Rig) -> None:
    job = rig.job(segments=3)
    worker = serve(rig)
    worker.result(worker.claim()[0], 0)
    with httpx_sse.connect_sse(api, "GET", "/events", params={"subject": job.id}) as source:
        told = next(event for event in source.iter_sse() if event.event == "progress")
    assert told.id == ""
    document = json.loads(told.data)
    assert document["segments"] == {"done": 1, "total": 3, "gap": 0}
    assert list(document["media"].values()) == [{"done": 1, "total": 3}]


def test_a_stream_says_that_nothing_can_be_written_and_when_it_can_again(
    api: httpx.Client, rig: Rig
) -> None:
    job = rig.job()

    with unwritable(rig.database), pytest.raises(Problem):
        rig.run(HoldJob(job.id))
    with httpx_sse.connect_sse(api, "GET", "/events", params={"subject": job.id}) as source:
        told = (event for event in source.iter_sse() if event.event == "store")
        first = next(told)
        assert first.id == ""
        assert json.loads(first.data)["code"] == "store-unavailable"
        rig.run(HoldJob(job.id))
        assert json.loads(next(told).data) == {"code": None, "params": {}}


def test_what_happened_so_far_is_told_whole_before_any_progress(
    api: httpx.Client, rig: Rig
) -> None:
    job = rig.job()
    facts = [(job.id, "segment", {"number": number}) for number in range(2 * stream.BATCH)]
    rig.database.write(lambda conn: add(conn, tables.events, events.rows(TENANT, rig.time, facts)))
    stored = rig.read(lambda c: events.after(c, TENANT, job.id, 0, 10_000))
    http = httpx.Client(transport=api._transport, base_url="http://leitstand")
    told = [event.id for event in Client(http, "here").past(job.id)]
    assert told == [str(event.id) for event in stored]


def test_a_stream_on_which_nothing_happens_tells_that_it_lives(
    api: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "PING_SECONDS", 0.01)
    with httpx_sse.connect_sse(api, "GET", "/events") as source:
        assert next(event for event in source.iter_sse() if event.event == "ping").id == ""


def test_nonsense_as_last_event_begins_with_the_present(api: httpx.Client, rig: Rig) -> None:
    job = rig.job()
    with httpx_sse.connect_sse(
        api, "GET", "/events", params={"subject": job.id}, headers={"Last-Event-ID": "9" * 40}
    ) as source:
        told = source.iter_sse()
        assert [next(told).event, next(told).event] == ["present", "progress"]


# --- commands at odd moments ---------------------------------------------------------------------


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
    job = rig.job()
    worker = serve(rig)
    assert worker.claim()
    assert api.post(f"/instances/{worker.id}/drain").json()["state"] == "draining"
    rig.run(HoldJob(job.id))
    rig.run(ResumeJob(job.id))
    rig.step(3)
    assert "draining" in rig.instance_states()
    assert rig.instance_states()[-1] in ("launching", "booting")
    rig.run(DrainInstance(worker.id))


# --- the description -----------------------------------------------------------------------------


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
