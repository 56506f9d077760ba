"""A control plane for tests: the worker protocol over real TLS, with its state in the open.

It grants what a test puts into `tasks`, keeps what it is sent, and answers as the test tells it to.
`wait` blocks on a condition that every request notifies, so no test sleeps.
"""

import base64
import contextlib
import hashlib
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from leitstand.core.finding import decode
from leitstand.core.limits import CLAIM_WAIT_SECONDS_MAX
from leitstand.core.model import ModelFile, digest_of
from leitstand.core.release import release_info
from leitstand.security.ca import Authority
from leitstand.security.listener import port_of, worker_server
from leitstand.vault.envelope import Identity, decrypt, encrypt
from leitstand.vault.release import seal_to

WAIT_SECONDS = 60
TOKEN = "one-time-token-of-a-test"
INSTANCE = "inst_01J0000000000000000000TEST"


@dataclass
class Task:
    """One task as the plane grants it; `segments` maps number to plaintext."""

    id: str
    pipeline: str
    segments: dict[int, bytes]
    models: dict[str, bytes] = field(default_factory=dict)
    format: str = "image"
    span_us: int = 1
    medium: str | None = "med_1"
    stream: str | None = "image:0"
    state: str = "queued"
    fence: int = 0
    attempt: str | None = None
    units: int = 0
    finished: dict | None = None
    attempts: list[str] = field(default_factory=list)
    digest: str | None = None
    """Of its models, where it is not the right one."""


class Plane:
    """`behaviour` overrides what is answered: see the routes. Times are short, so that beats come
    while a test looks."""

    def __init__(self, folder):
        self.authority = Authority.open(folder / "ca")
        self.identity = Identity.generate()
        self.result_identity = Identity.generate()
        self.changed = threading.Condition()
        self.tasks: list[Task] = []
        self.objects: dict[str, bytes] = {}
        self.models: dict[str, bytes] = {}
        self.results: dict[tuple[str, int], bytes] = {}
        self.gaps: set[tuple[str, int]] = set()
        self.arrived: list[str] = []
        self.calls: list[str] = []
        self.enrolments: list[dict] = []
        self.admissions: list[dict] = []
        self.beats: list[dict] = []
        self.verdicts: dict[str, str] = {}
        self.lease_seconds = 30.0
        self.renew_seconds = 900.0
        self.drain = False
        self.verdict = "ready"
        self.expires_at = datetime.now(UTC) + timedelta(minutes=10)
        self.release_context: dict = {}
        self.before: dict[str, object] = {}
        self.hpke_public = b""
        self.token_spent: tuple[str, str] | None = None
        self.workers = 0
        self.lost_enrolments = 0
        self.crash: str | None = None
        self.mailbox: Callable[[str, int], str] | None = None
        """Of an attempt and a segment the address of its letter."""
        self.server = worker_server(
            _app(self),
            "127.0.0.1",
            0,
            lambda: self.authority.server_context(["127.0.0.1"], datetime.now(UTC)),
        )
        self._thread = threading.Thread(target=self.server.run, daemon=True)

    def __enter__(self):
        started = threading.Event()
        startup = self.server.startup

        async def announced(*args, **options):
            await startup(*args, **options)
            started.set()

        self.server.startup = announced
        self._thread.start()
        assert started.wait(WAIT_SECONDS)
        return self

    def __exit__(self, *_):
        self.drain = True
        with self.changed:
            self.changed.notify_all()
        self.server.should_exit = True
        self._thread.join(WAIT_SECONDS)

    @property
    def url(self):
        return f"https://127.0.0.1:{port_of(self.server)}"

    def spec(self, cache_folder, **changes):
        return json.dumps(
            {
                "url": self.url,
                "ca_sha256": self.authority.sha256,
                "instance_id": INSTANCE,
                "token": TOKEN,
                "end_by": (datetime.now(UTC) + timedelta(minutes=10)).isoformat(),
                "slots": 1,
                "cache_folder": str(cache_folder),
                **changes,
            }
        )

    # --- what a test sets up and looks at ---------------------------------------------------------

    def add(self, task):
        """Encrypt the task's segments and offer it."""
        for number, plain in task.segments.items():
            name = f"obj_{task.id}_{number}"
            self.objects[name] = b"".join(encrypt([self.recipient(task)], [plain]))
        for data in task.models.values():
            self.models[hashlib.sha256(data).hexdigest()] = data
        with self.changed:
            self.tasks.append(task)
            self.changed.notify_all()
        return task

    def recipient(self, task):
        identity = self.result_identity if task.pipeline == "fuse" else self.identity
        return identity.recipient

    def wait(self, holds):
        """Until `holds()`; fails the test after a minute, with what was called so far."""
        with self.changed:
            self.changed.wait_for(lambda: holds() or self.crash, WAIT_SECONDS)
            assert holds(), (self.crash, self.calls[-40:])

    def crashed(self, log):
        """A worker ended with a traceback: no use to wait for it."""
        with self.changed:
            self.crash = log
            self.changed.notify_all()

    def wait_finished(self, *tasks):
        self.wait(lambda: all(task.finished for task in tasks))

    def lines(self, task, number):
        return list(decode(self.plain(task, number)))

    def plain(self, task, number):
        return b"".join(decrypt(self.result_identity, [self.results[task.id, number]]))

    def restart_allowed(self):
        """The next worker may enrol with the same token, and gets what the one before waits for."""
        with self.changed:
            self.token_spent = None
            self.workers += 1
            self.changed.notify_all()

    def lose(self, task):
        """What the control plane does when an instance is gone: the task goes back to the queue."""
        with self.changed:
            task.state, task.attempt, task.fence = "queued", None, task.fence + 1
            self.changed.notify_all()

    def verdict_on(self, task):
        """What a beat is told: what the test wants for this task, else the truth."""
        return self.verdicts.get(task.id, "go") if task else "fenced"

    def reset(self):
        """Forget what one test saw and wanted; unfinished tasks are nobody's."""
        with self.changed:
            for kept in (self.tasks, self.results, self.gaps, self.objects, self.models):
                kept.clear()
            for seen in (self.calls, self.arrived, self.beats, self.before, self.verdicts):
                seen.clear()
            self.release_context = {}
            self.lease_seconds = 30.0

    def missing(self, task):
        return [number for number in sorted(task.segments) if (task.id, number) not in self.results]

    # --- the protocol -----------------------------------------------------------------------------

    def lease(self, task):
        files = {
            family: ModelFile("model.onnx", hashlib.sha256(data).hexdigest(), len(data))
            for family, data in task.models.items()
        }
        return {
            "attempt": task.attempt,
            "fence": task.fence,
            "lease_seconds": self.lease_seconds,
            "task": {
                "id": task.id,
                "pipeline": task.pipeline,
                "profile": "people",
                "stream": task.stream,
                "medium": task.medium,
            },
            "segments": [
                {
                    "number": number,
                    "from_us": number * task.span_us,
                    "to_us": (number + 1) * task.span_us,
                    "format": task.format,
                    "object_id": f"obj_{task.id}_{number}",
                    "bytes": len(self.objects[f"obj_{task.id}_{number}"]),
                    "sha256": hashlib.sha256(self.objects[f"obj_{task.id}_{number}"]).hexdigest(),
                }
                for number in self.missing(task)
            ],
            "models": [
                {
                    "family": family,
                    "name": f"constant-{family}",
                    "version": "1",
                    "digest": task.digest or digest_of([file]),
                    "files": [{"name": file.name, "sha256": file.sha256, "bytes": file.bytes}],
                }
                for family, file in files.items()
            ],
            "result_recipient": str(self.result_identity.recipient),
            "release_info": base64.b64encode(self.context(task)).decode(),
            **self.addresses(task.attempt, self.missing(task)),
        }

    def addresses(self, attempt, numbers):
        """What a lease or a verdict says of the mailbox."""
        if self.mailbox is None:
            return {}
        return {"mailbox": {str(n): self.mailbox(attempt, n) for n in numbers}}

    def context(self, task, **changes):
        named = {"attempt": task.attempt, "fence": task.fence, "medium": task.medium or "job_1"}
        bound = named | changes
        return release_info(bound["attempt"], bound["fence"], bound["medium"], self.expires_at)

    def grant(self, wait_seconds):
        """Leases for a claim, once there are any; none for one whose worker is gone meanwhile."""
        worker = self.workers

        def over():
            return self.drain or worker != self.workers

        def queued():
            return over() or any(task.state == "queued" for task in self.tasks)

        with self.changed:
            self.changed.wait_for(queued, min(wait_seconds, CLAIM_WAIT_SECONDS_MAX))
            if over():
                return []
            task = next((task for task in self.tasks if task.state == "queued"), None)
            if task is None:
                return []
            task.state, task.fence = "leased", task.fence + 1
            task.attempt = f"att_{task.id}_{task.fence}"
            task.attempts.append(task.attempt)
            return [self.lease(task)]

    def holder(self, attempt, fence):
        """The task that this attempt may write, or None: fenced."""
        for task in self.tasks:
            if (task.attempt, task.fence, task.state) == (attempt, fence, "leased"):
                return task
        return None

    def arrive(self, call):
        """A request has come."""
        with self.changed:
            self.arrived.append(call)
            self.changed.notify_all()

    def note(self, call):
        """A request was answered; one that a test answered itself ends in an exclamation mark."""
        with self.changed:
            self.calls.append(call)
            self.changed.notify_all()


def problem(status, code, **params):
    return JSONResponse({"type": f"urn:leitstand:problem:{code}", "params": params}, status)


def _app(plane):
    app = FastAPI()

    @app.middleware("http")
    async def watch(request: Request, proceed):
        name = request.url.path.split("/")[3]
        assert request.headers["Leitstand-Protocol"] == "1"
        plane.arrive(name)
        hook = plane.before.get(name)
        if hook is not None:
            answer = await run_in_threadpool(hook)
            if answer is not None:
                plane.note(f"{name}!")
                return answer
        if name not in ("ca", "enrol") and request.scope["state"]["instance_id"] != INSTANCE:
            return problem(401, "certificate-required")
        reply = await proceed(request)
        plane.note(name)
        return reply

    _instance_routes(app, plane)
    _attempt_routes(app, plane)
    return app


def _instance_routes(app, plane):
    @app.get("/w/1/ca")
    def ca():
        return Response(plane.authority.certificate_pem, media_type="application/x-pem-file")

    def certificate(csr_pem):
        signed = plane.authority.sign_instance(csr_pem.encode(), INSTANCE, datetime.now(UTC))
        return {
            "certificate_pem": signed.decode(),
            "beat_seconds": 0.1,
            "renew_seconds": plane.renew_seconds,
        }

    @app.post("/w/1/enrol")
    def enrol(body: dict):
        request = (body["csr_pem"], body["hpke_public"])
        if plane.token_spent not in (None, request) or body["token"] != TOKEN:
            return problem(403, "token-invalid")
        plane.token_spent = request
        if plane.lost_enrolments:
            plane.lost_enrolments -= 1
            return problem(503, "lost")
        plane.hpke_public = base64.b64decode(body["hpke_public"])
        plane.enrolments.append(body["facts"])
        return certificate(body["csr_pem"])

    @app.post("/w/1/renew")
    def renew(body: dict):
        return certificate(body["csr_pem"])

    @app.post("/w/1/admission")
    def admission(body: dict):
        plane.admissions.append(body)
        return {"verdict": plane.verdict, "reasons": ["of the test"]}

    @app.post("/w/1/claim")
    def claim(body: dict):
        return {"leases": plane.grant(body["wait_seconds"]), "drain": plane.drain}

    @app.post("/w/1/beat")
    def beat(body: dict):
        plane.beats.append(body)
        verdicts = {}
        for said in body["attempts"]:
            task = plane.holder(said["attempt"], said["fence"])
            verdict = plane.verdict_on(task)
            verdicts[said["attempt"]] = {"verdict": verdict, "lease_seconds": plane.lease_seconds}
            if task:
                task.units = said["units"]
                more = plane.addresses(said["attempt"], plane.missing(task))
                verdicts[said["attempt"]] |= more
        return {"attempts": verdicts, "instance": {"drain": plane.drain}, "renew": False}


def _attempt_routes(app, plane):
    @app.post("/w/1/keys")
    def keys(body: dict):
        task = plane.holder(body["attempt"], body["fence"])
        if task is None:
            return problem(409, "fenced")
        info = plane.context(task, **plane.release_context)
        identity = plane.result_identity if task.pipeline == "fuse" else plane.identity
        blob = seal_to(plane.hpke_public, info, identity.secret)
        return {
            "blob": base64.b64encode(blob).decode(),
            "info": base64.b64encode(info).decode(),
        }

    def ranged(data, header):
        if header is None:
            return Response(data, media_type="application/octet-stream")
        start, end = header.removeprefix("bytes=").split("-")
        part = data[int(start) : int(end) + 1]
        return Response(part, 206, {"Content-Range": f"bytes {start}-{end}/{len(data)}"})

    @app.get("/w/1/objects/{name}")
    def objects(name: str, request: Request):
        if name not in plane.objects:
            return problem(404, "object-unknown")
        return ranged(plane.objects[name], request.headers.get("Range"))

    @app.get("/w/1/models/{sha256}")
    def models(sha256: str, request: Request):
        return ranged(plane.models[sha256], request.headers.get("Range"))

    @app.put("/w/1/results/{attempt}/{segment}")
    async def results(attempt: str, segment: int, fence: int, gap: bool, request: Request):
        body = await request.body()
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        assert request.headers["Content-Digest"] == f"sha-256=:{digest}:"
        with plane.changed:
            task = plane.holder(attempt, fence)
            if task is None:
                return problem(409, "fenced")
            assert (task.id, segment) not in plane.results
            plane.results[task.id, segment] = body
            if gap:
                plane.gaps.add((task.id, segment))
        return Response(status_code=204)

    @app.post("/w/1/finish")
    def finish(body: dict):
        with plane.changed:
            task = plane.holder(body["attempt"], body["fence"])
            if task is None:
                return problem(409, "fenced")
            task.state, task.finished = body["outcome"], body
            plane.changed.notify_all()
        return Response(status_code=204)


@contextlib.contextmanager
def running(folder):
    """A plane on a free port."""
    with Plane(folder) as plane:
        yield plane
