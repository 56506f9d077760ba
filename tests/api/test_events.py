"""The stream of events loses and repeats nothing."""

from __future__ import annotations

import json
import threading
from typing import Any

import httpx
import httpx_sse
import pytest

from leitstand.api import events as stream
from leitstand.client import Client
from leitstand.control.jobs import HoldJob
from leitstand.core.problem import Problem
from leitstand.store import events, tables
from leitstand.store.rows import add
from tests.control.rig import TENANT, Rig, serve
from tests.unwritable import unwritable


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
