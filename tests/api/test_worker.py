"""The workers' listener over TLS 1.3: who gets in, what each may read, and how late ones are told."""

from __future__ import annotations

import base64
import queue
import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from leitstand.api.streams import Wakeups
from leitstand.control.cases import OpenCase
from leitstand.control.instances import DrainInstance
from leitstand.core import limits
from leitstand.security.ca import WorkerCredentials
from leitstand.store import attempts, jobs, media
from leitstand.store.engine import Database
from leitstand.vault.release import HpkeKey
from tests.api.served import Workers, digest_header, problem, workers
from tests.control.rig import GOOD, TENANT, Rig, Worker, serve

ROUTES = [
    ("POST", "/w/1/renew", {"csr_pem": "x"}),
    ("POST", "/w/1/admission", {"facts": {}, "sandbox": {}, "self_test": {}}),
    ("POST", "/w/1/claim", {"slots_free": 1}),
    ("POST", "/w/1/keys", {"attempt": "attempt_1", "fence": 1}),
    ("POST", "/w/1/beat", {"attempts": []}),
    ("POST", "/w/1/finish", {"attempt": "attempt_1", "fence": 1, "outcome": "done"}),
    ("GET", "/w/1/objects/object_1", None),
    ("GET", f"/w/1/models/{'0' * 64}", None),
    ("PUT", "/w/1/results/attempt_1/0?fence=1", None),
]


@pytest.fixture
def rig(sqlite_url: str, tmp_path: Path) -> Iterator[Rig]:
    with Database.open(sqlite_url, relaxed=True) as database:
        yield Rig(database, tmp_path, instances_max=2, segments_per_task=1)


@pytest.fixture
def plane(rig: Rig, tmp_path: Path) -> Iterator[Workers]:
    with workers(rig, tmp_path) as served:
        yield served


def two_at_work(rig: Rig) -> list[tuple[Worker, dict[str, Any]]]:
    """Two ready instances of one job, each with a lease of its own."""
    rig.job(segments=2)
    rig.step(4)
    found = [Worker(rig, spec).ready() for spec in rig.rented.specs.values()]
    assert len(found) == 2
    return [(worker, worker.claim()[0]) for worker in found]


def enrolment(worker: Worker, **changes: Any) -> dict[str, Any]:
    return {
        "token": worker.token,
        "csr_pem": worker.credentials.csr_pem(worker.id).decode(),
        "hpke_public": base64.b64encode(worker.hpke.public).decode(),
        "facts": {"cores": 2},
    } | changes


# --- who gets in ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "path", "body"), ROUTES)
def test_without_a_certificate_nothing_but_enrolment_answers(
    plane: Workers, method: str, path: str, body: Any
) -> None:
    problem(plane.client().request(method, path, json=body), "no-certificate", 403)


@pytest.mark.parametrize(("method", "path", "body"), ROUTES)
def test_another_protocol_is_refused_before_anything_else(
    plane: Workers, method: str, path: str, body: Any
) -> None:
    client = plane.client("instance_1", protocol="2")
    problem(client.request(method, path, json=body), "protocol-unknown", 400)


def test_the_list_of_routes_above_is_complete(plane: Workers) -> None:
    document = plane.client().get("/openapi.json").json()
    tested = {path.split("?")[0].split("/")[3] for _, path, _ in ROUTES}
    assert {path.split("/")[3] for path in document["paths"]} == tested | {"ca", "enrol"}


def test_older_tls_is_not_spoken(plane: Workers) -> None:
    context = ssl.create_default_context(cadata=plane.authority.certificate_pem.decode())
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        httpx.Client(verify=context, base_url=f"https://127.0.0.1:{plane.port}") as old,
        pytest.raises(httpx.ConnectError),
    ):
        old.get("/w/1/ca")


def test_the_authority_shows_itself_to_whoever_asks(plane: Workers) -> None:
    assert plane.client().get("/w/1/ca").content == plane.authority.certificate_pem


def test_a_token_enrols_once_and_the_instance_is_admitted(rig: Rig, plane: Workers) -> None:
    rig.job()
    rig.step(2)
    worker = Worker.newest(rig)
    answer = plane.client().post("/w/1/enrol", json=enrolment(worker))
    assert answer.status_code == 200
    assert answer.json()["certificate_pem"].startswith("-----BEGIN CERTIFICATE-----")
    assert answer.json()["beat_seconds"] == 5
    mine = plane.client(worker.id)
    measured = GOOD | {"facts": {"cores": 2, "clock_unix": rig.time.timestamp()}}
    assert mine.post("/w/1/admission", json=measured).json() == {"verdict": "ready", "reasons": []}
    problem(plane.client().post("/w/1/enrol", json=enrolment(worker)), "token-refused", 403)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"token": "0" * 64}, "token-refused"),
        ({"hpke_public": "no base64!"}, "bad-request"),
        ({"hpke_public": base64.b64encode(b"too short").decode()}, "bad-request"),
        ({"csr_pem": "nonsense"}, "csr-refused"),
        ({"facts": {"x": "y" * 300_000}}, "bad-request"),
        ({"facts": "none"}, "bad-request"),
    ],
)
def test_an_enrolment_that_is_wrong_leaves_the_token_unused(
    rig: Rig, plane: Workers, changes: dict[str, Any], code: str
) -> None:
    rig.job()
    rig.step(2)
    worker = Worker.newest(rig)
    answer = plane.client().post("/w/1/enrol", json=enrolment(worker, **changes))
    problem(answer, code, answer.status_code)
    assert plane.client().post("/w/1/enrol", json=enrolment(worker)).status_code == 200


def test_a_stranger_cannot_make_the_plane_read_a_long_body(plane: Workers) -> None:
    body = b"{" + b" " * limits.BEAT_BYTES_MAX + b"}"
    answer = plane.client().post(
        "/w/1/enrol", content=body, headers={"Content-Type": "application/json"}
    )
    problem(answer, "body-too-large", 400)


def test_a_worker_that_hides_its_clock_is_not_admitted(rig: Rig, plane: Workers) -> None:
    rig.job()
    rig.step(2)
    worker = Worker.newest(rig)
    worker.enrol()
    answer = plane.client(worker.id).post("/w/1/admission", json=GOOD).json()
    assert answer["verdict"] == "refused"
    assert [reason["check"] for reason in answer["reasons"]] == ["clock"]


def test_an_instance_that_has_ended_gets_no_new_certificate(rig: Rig, plane: Workers) -> None:
    rig.job()
    worker = serve(rig)
    rig.rented.running.clear()
    rig.step(3)
    csr = WorkerCredentials.generate().csr_pem(worker.id).decode()
    problem(
        plane.client(worker.id).post("/w/1/renew", json={"csr_pem": csr}), "instance-ending", 403
    )


# --- what each may read and write ----------------------------------------------------------------


def test_an_instance_reads_its_own_segments_and_no_others(rig: Rig, plane: Workers) -> None:
    (one, first), (two, second) = two_at_work(rig)
    for worker, own, other in ((one, first, second), (two, second, first)):
        client = plane.client(worker.id)
        mine = client.get(f"/w/1/objects/{own['segments'][0]['object_id']}")
        assert mine.status_code == 200
        assert len(mine.content) == own["segments"][0]["bytes"]
        others = client.get(f"/w/1/objects/{other['segments'][0]['object_id']}")
        problem(others, "unknown-object", 404)
    problem(plane.client("instance_0").get(f"/w/1/objects/{first['segments'][0]['object_id']}"),
            "unknown-object", 404)  # fmt: skip


def test_ranges_of_an_object_are_honoured(rig: Rig, plane: Workers) -> None:
    (one, lease), _ = two_at_work(rig)
    client = plane.client(one.id)
    path = f"/w/1/objects/{lease['segments'][0]['object_id']}"
    whole = client.get(path).content
    for header, status, body in (
        ("bytes=0-0", 206, whole[:1]),
        ("bytes=3-", 206, whole[3:]),
        (f"bytes=2-{10**9}", 206, whole[2:]),
        ("bytes=a-b", 200, whole),
        ("bytes=0-1,3-4", 200, whole),
    ):
        answer = client.get(path, headers={"Range": header})
        assert (answer.status_code, answer.content) == (status, body), header
    assert client.get(path, headers={"Range": "bytes=99999-"}).status_code == 416
    assert client.get(path, headers={"Range": "bytes=5-2"}).status_code == 416


def test_an_object_is_out_of_reach_once_the_attempt_has_ended(rig: Rig, plane: Workers) -> None:
    (one, lease), _ = two_at_work(rig)
    one.work(lease)
    path = f"/w/1/objects/{lease['segments'][0]['object_id']}"
    problem(plane.client(one.id).get(path), "unknown-object", 404)


def test_only_its_own_instance_gets_the_key_of_an_attempt(rig: Rig, plane: Workers) -> None:
    (one, lease), (two, _) = two_at_work(rig)
    body = {"attempt": lease["attempt"], "fence": lease["fence"]}
    refused = problem(plane.client(two.id).post("/w/1/keys", json=body), "key-refused", 403)
    assert refused["params"] == {"predicate": "certificate-of-instance"}
    answer = plane.client(one.id).post("/w/1/keys", json=body).json()
    info = base64.b64decode(answer["info"])
    assert answer["info"] == lease["release_info"]
    secret = one.hpke.open(info, base64.b64decode(answer["blob"]))
    medium = rig.read(lambda c: media.find(c, TENANT, [lease["task"]["medium"]]))[0]
    assert secret == rig.read(lambda c: rig.door.look(rig.time, c).secret(medium.key_id))
    again = plane.client(one.id).post("/w/1/keys", json=body).json()
    assert again == answer
    stale = problem(
        plane.client(one.id).post("/w/1/keys", json=body | {"fence": 7}), "key-refused", 403
    )
    assert stale["params"] == {"predicate": "fence-current"}
    with pytest.raises(Exception, match="does not open"):
        HpkeKey.generate().open(info, base64.b64decode(answer["blob"]))


def put(client: httpx.Client, lease: dict[str, Any], body: bytes = b"age file") -> httpx.Response:
    number = lease["segments"][0]["number"]
    path = f"/w/1/results/{lease['attempt']}/{number}?fence={lease['fence']}"
    return client.put(path, content=body, headers=digest_header(body))


def test_a_result_is_kept_once_and_a_strangers_not_at_all(rig: Rig, plane: Workers) -> None:
    (one, lease), (two, _) = two_at_work(rig)
    before = set(rig.blobs.held)
    assert put(plane.client(two.id), lease).status_code == 409
    assert set(rig.blobs.held) == before
    client = plane.client(one.id)
    assert [put(client, lease).status_code for _ in range(2)] == [204, 204]
    assert len(set(rig.blobs.held) - before) == 1
    wrong = client.put(
        f"/w/1/results/{lease['attempt']}/0?fence={lease['fence']}",
        content=b"x",
        headers=digest_header(b"y"),
    )
    problem(wrong, "digest-differs", 400)


def test_a_result_says_openly_whether_it_names_a_gap(rig: Rig, plane: Workers) -> None:
    (one, first), (two, second) = two_at_work(rig)
    path = f"/w/1/results/{first['attempt']}/0?fence={first['fence']}&gap=true"
    sent = plane.client(one.id).put(path, content=b"age file", headers=digest_header(b"age file"))
    assert [sent.status_code, put(plane.client(two.id), second).status_code] == [204, 204]
    tasks = {task["id"]: task for task in (first["task"], second["task"])}
    (job,) = rig.read(lambda c: jobs.page(c, TENANT, None, 9))
    found = rig.read(lambda c: attempts.results_of_job(c, TENANT, job.id))
    assert {result.task_id: result.gap for result in found} == dict(
        zip(tasks, (True, False), strict=True)
    )


def test_a_late_attempt_is_told_that_it_is_fenced(rig: Rig, plane: Workers) -> None:
    (one, lease), _ = two_at_work(rig)
    rig.later(seconds=61)
    rig.dispatcher.step(rig.time)
    client = plane.client(one.id)
    before = set(rig.blobs.held)
    late = put(client, lease)
    assert late.status_code == 409
    assert late.json()["type"] == "urn:leitstand:problem:fenced"
    assert set(rig.blobs.held) == before
    told = {"attempt": lease["attempt"], "fence": lease["fence"]}
    assert client.post("/w/1/finish", json=told | {"outcome": "done"}).status_code == 409
    beat = client.post("/w/1/beat", json={"attempts": [told | {"units": 3}]}).json()
    assert beat["attempts"][lease["attempt"]]["verdict"] == "fenced"


def test_a_result_that_is_too_large_is_refused(rig: Rig, plane: Workers) -> None:
    (one, lease), _ = two_at_work(rig)
    answer = put(plane.client(one.id), lease, b"\0" * (limits.RESULT_BYTES_MAX + 1))
    problem(answer, "body-too-large", 400)


def test_a_model_file_is_named_by_its_digest_and_nothing_else(rig: Rig, plane: Workers) -> None:
    (one, _), _ = two_at_work(rig)
    client = plane.client(one.id)
    for name in ("..", "%2e%2e", "x" * 64, "0" * 64):
        assert client.get(f"/w/1/models/{name}").status_code in (404, 405)


def test_what_a_worker_says_of_a_failure_names_nothing_in_the_open(
    rig: Rig, plane: Workers
) -> None:
    (one, lease), _ = two_at_work(rig)
    reason = {"code": "decode-failed", "params": {"detail": "clip.mp4", "segment": 5}}
    body = {
        "attempt": lease["attempt"],
        "fence": lease["fence"],
        "outcome": "failed",
        "blame": "item",
        "reason": reason,
    }
    assert plane.client(one.id).post("/w/1/finish", json=body).status_code == 204
    task = rig.read(lambda c: jobs.task(c, TENANT, lease["task"]["id"]))
    assert task.reason == {"code": "decode-failed", "params": {"segment": 5}}


@pytest.mark.parametrize(
    "changes", [{"outcome": "won"}, {"stage_seconds": {"x": "NaN"}}, {"fence": -1}]
)
def test_a_finish_that_is_no_finish_is_refused(
    rig: Rig, plane: Workers, changes: dict[str, Any]
) -> None:
    (one, lease), _ = two_at_work(rig)
    body = {"attempt": lease["attempt"], "fence": lease["fence"], "outcome": "done"} | changes
    problem(plane.client(one.id).post("/w/1/finish", json=body), "bad-request", 400)


# --- waiting -------------------------------------------------------------------------------------


class Watched(Wakeups):
    """Says when somebody waits, and for how long at most it would have."""

    def __init__(self) -> None:
        super().__init__()
        self.waits = threading.Event()
        self.timed_out = 0

    async def wait(self, seen: int, seconds: float) -> None:
        self.waits.set()
        before = self.seen()
        await super().wait(seen, seconds)
        self.timed_out += self.seen() == before


def test_a_claim_whose_reply_was_lost_is_answered_with_the_same_lease(
    rig: Rig, plane: Workers
) -> None:
    rig.job(segments=2)
    worker = serve(rig)
    client = plane.client(worker.id)
    body = {"slots_free": 1, "ram_free_gib": 16}
    (first,) = client.post("/w/1/claim", json=body).json()["leases"]
    (again,) = client.post("/w/1/claim", json=body).json()["leases"]
    assert again == first
    held = body | {"holding": [first["attempt"]]}
    found = client.post("/w/1/claim", json=held).json()["leases"]
    assert first["attempt"] not in [lease["attempt"] for lease in found]


def test_a_waiting_claim_is_woken_by_the_commit_not_by_the_clock(rig: Rig, tmp_path: Path) -> None:
    wakeups = Watched()
    with workers(rig, tmp_path, wakeups) as plane:
        (one, first), (two, second) = two_at_work(rig)
        two.work(second)
        leases: list[Any] = []
        client = plane.client(two.id)

        def claim() -> None:
            body = {"slots_free": 1, "ram_free_gib": 16, "wait_seconds": 20}
            leases.extend(client.post("/w/1/claim", json=body).json()["leases"])

        wakeups.waits.clear()
        waiter = threading.Thread(target=claim, daemon=True)
        waiter.start()
        assert wakeups.waits.wait(20)
        one.finish(first, "failed", blame="host")
        rig.later(seconds=3)
        rig.upkeep.step(rig.time)
        one.beat(first, 1)
        waiter.join(20)
        assert [lease["task"]["id"] for lease in leases] == [first["task"]["id"]]
        assert wakeups.timed_out == 0


class Patient(Wakeups):
    """Says each time that somebody waits, who is woken by commits alone."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: queue.Queue[None] = queue.Queue()

    async def wait(self, seen: int, seconds: float) -> None:
        self.waits.put(None)
        await super().wait(seen, 60)


@pytest.mark.parametrize("hindrance", ["clock jumped back", "memory", "slots"])
def test_a_claim_that_gets_nothing_reads_once_a_commit_and_writes_nothing(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hindrance: str
) -> None:
    wakeups = Patient()
    with workers(rig, tmp_path, wakeups) as plane:
        rig.job(media=2)
        worker = serve(rig)
        client = plane.client(worker.id)
        body = {"slots_free": 1, "ram_free_gib": 16, "wait_seconds": 20}
        if hindrance == "clock jumped back":
            rig.later(seconds=-60)
        elif hindrance == "memory":
            body |= {"ram_free_gib": 0.1, "holding": [worker.claim()[0]["attempt"]]}
        else:
            body["slots_free"] = 0
        calls: Counter[str] = Counter()
        for name in ("read", "write"):
            real = getattr(rig.database, name)

            def counted(work: Any, name: str = name, real: Any = real) -> Any:
                calls[name] += 1
                return real(work)

            monkeypatch.setattr(rig.database, name, counted)
        told: list[Any] = []
        waiter = threading.Thread(
            target=lambda: told.append(client.post("/w/1/claim", json=body).json()), daemon=True
        )
        waiter.start()
        for number in range(5):
            wakeups.waits.get(timeout=20)
            rig.run(OpenCase(f"case {number}"))
        wakeups.waits.get(timeout=20)
        assert calls == {"read": 1 + 5, "write": 5}
        rig.later(seconds=60)
        rig.run(OpenCase("the last"))
        waiter.join(20)
        (reply,) = told
        assert (reply["drain"], len(reply["leases"])) == (False, hindrance == "clock jumped back")


def test_a_draining_instance_is_told_so_at_once(rig: Rig, plane: Workers) -> None:
    (one, lease), _ = two_at_work(rig)
    rig.run(DrainInstance(one.id))
    body = {"slots_free": 1, "wait_seconds": 20}
    assert plane.client(one.id).post("/w/1/claim", json=body).json() == {
        "leases": [],
        "drain": True,
    }
    told = {"attempt": lease["attempt"], "fence": lease["fence"], "units": 1}
    beat = plane.client(one.id).post("/w/1/beat", json={"attempts": [told]}).json()
    assert beat["instance"]["drain"] is True
    assert beat["attempts"][lease["attempt"]]["verdict"] == "go"
