"""The workers' face, protocol version 1 (`docs/contracts.md`). Workers dial in; every route but
`ca`, `boot` and `enrol` requires a client certificate, whose SAN names the instance."""

from __future__ import annotations

import base64
import hashlib
import math
import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, Header, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from leitstand.api import problems
from leitstand.api.boot import boot_routes
from leitstand.api.bounds import Big, Bounded, Code, Document, Finite, Number
from leitstand.api.bytes import bounded, check_digest, ranged
from leitstand.api.streams import Progress, Wakeups
from leitstand.control.attempts import (
    AttemptBeat,
    Beat,
    BeatReply,
    Finish,
    ReleaseKey,
)
from leitstand.control.commands import Door
from leitstand.control.leases import Claim
from leitstand.control.mailbox import Mailbox
from leitstand.control.membership import Admit, Enrol, Renew
from leitstand.control.results import take
from leitstand.control.transaction import Tx
from leitstand.control.volumes import NoteHolds
from leitstand.core import limits
from leitstand.core.access import Actor
from leitstand.core.problem import Exit, Problem
from leitstand.ports import Authority, Blobs, BootFiles, Clock, ModelShelf
from leitstand.security.ca import RequestRefused
from leitstand.store import media

PROTOCOL = "1"
_SHA256 = re.compile(r"^[0-9a-f]{64}$")


@dataclass(frozen=True, slots=True)
class WorkerParts:
    """What the routes use."""

    door: Door
    blobs: Blobs
    shelf: ModelShelf
    authority: Authority
    clock: Clock
    wakeups: Wakeups
    progress: Progress
    boot: BootFiles | None = None
    mailbox: Mailbox | None = None


class EnrolBody(BaseModel):
    token: str = Field(max_length=200)
    csr_pem: str = Field(max_length=20_000)
    hpke_public: str = Field(max_length=4_000)
    facts: Document


class RenewBody(BaseModel):
    csr_pem: str = Field(max_length=20_000)


class AdmissionBody(BaseModel):
    facts: Document
    sandbox: dict[str, bool] = Field(max_length=100)
    self_test: Document
    version: str = Field(default="", max_length=100)


class ClaimBody(BaseModel):
    slots_free: int = Field(ge=0, le=limits.SLOTS_MAX)
    vram_free_gib: Finite = 0.0
    ram_free_gib: Finite = 0.0
    decoders_free: int = 0
    cached: list[str] = Field(default_factory=list, max_length=10_000)
    holding: list[str] = Field(default_factory=list, max_length=limits.SLOTS_MAX)
    wait_seconds: Finite = Field(default=0.0, ge=0, le=limits.CLAIM_WAIT_SECONDS_MAX)


class KeysBody(BaseModel):
    attempt: str
    fence: Number


class AttemptBody(BaseModel):
    attempt: str
    fence: Number
    segment: int = 0
    units: Big


class BeatBody(BaseModel):
    attempts: list[AttemptBody] = Field(max_length=limits.SLOTS_MAX)
    readings: Document = Field(default_factory=dict)


class ReasonBody(BaseModel):
    code: Code
    params: dict[str, str | int | Finite | None] = Field(default_factory=dict, max_length=20)


class FinishBody(BaseModel):
    attempt: str
    fence: Number
    outcome: Literal["done", "failed", "held"]
    reason: ReasonBody | None = None
    blame: str | None = None
    stage_seconds: dict[str, Finite] = Field(default_factory=dict, max_length=100)


def caller(request: Request) -> str:
    """The instance that the verified client certificate names. Raises Problem."""
    if request.headers.get("Leitstand-Protocol") != PROTOCOL:
        raise Problem("protocol-unknown", Exit.USAGE, ours=PROTOCOL)
    instance_id = request.scope["state"].get("instance_id")
    if instance_id is None:
        raise Problem("no-certificate", Exit.REFUSED)
    return str(instance_id)


Caller = Annotated[str, Depends(caller)]


def worker_app(parts: WorkerParts) -> FastAPI:
    """The ASGI app of the workers' listener."""
    app = FastAPI(title="Leitstand worker protocol", version=PROTOCOL, docs_url=None)
    problems.install(app)

    @app.exception_handler(RequestRefused)
    def _refused(request: Request, error: RequestRefused) -> JSONResponse:
        return problems.answer(Problem("csr-refused", Exit.REFUSED, detail=str(error)))

    _membership(app, parts)
    _work(app, parts)
    _bytes(app, parts)
    if parts.boot is not None:
        boot_routes(app, parts.boot, parts.clock)
    app.add_middleware(Bounded, bytes_max=limits.BEAT_BYTES_MAX, free="/w/1/results/")
    return app


UNKNOWN_SKEW_SECONDS = 1e9
"""Of a worker that does not say what time it has: more than any check lets pass."""


def _skew(parts: WorkerParts, clock_unix: object) -> float:
    if not isinstance(clock_unix, int | float) or not math.isfinite(clock_unix):
        return UNKNOWN_SKEW_SECONDS
    return float(clock_unix) - parts.clock.now().timestamp()


def _membership(app: FastAPI, parts: WorkerParts) -> None:
    door, clock = parts.door, parts.clock

    def certified(pem: bytes) -> dict[str, Any]:
        return {
            "certificate_pem": pem.decode(),
            "beat_seconds": limits.BEAT_INTERVAL.total_seconds(),
            "renew_seconds": limits.CERTIFICATE_LIFE.total_seconds() / 2,
        }

    @app.get("/w/1/ca")
    def ca() -> Response:
        return Response(parts.authority.certificate_pem, media_type="application/x-pem-file")

    @app.post("/w/1/enrol")
    def enrol(body: EnrolBody) -> dict[str, Any]:
        """A key that nothing can be sealed to is refused here, not at every later release."""
        try:
            public = base64.b64decode(body.hpke_public, validate=True)
            door.vault.release(public, b"", bytes(32))
        except Exception:
            raise Problem("bad-request", Exit.USAGE, place="hpke_public", detail="") from None
        command = Enrol(body.token, body.csr_pem.encode(), public, body.facts, parts.authority)
        reply = door.run(command, Actor("instance", "enrolling"), clock.now())
        return certified(reply.certificate_pem)

    @app.post("/w/1/renew")
    def renew(body: RenewBody, instance: Caller) -> dict[str, Any]:
        command = Renew(instance, body.csr_pem.encode(), parts.authority)
        return certified(door.run(command, Actor("instance", instance), clock.now()))

    @app.post("/w/1/admission")
    def admission(body: AdmissionBody, instance: Caller) -> dict[str, Any]:
        skew = _skew(parts, body.facts.get("clock_unix"))
        command = Admit(instance, body.model_dump(), skew)
        faults = door.run(command, Actor("instance", instance), clock.now())
        return {
            "verdict": "refused" if faults else "ready",
            "reasons": [{"check": f.check, "has": f.has, "needs": f.needs} for f in faults],
        }


def _looked(tx: Tx, claim: Claim, holds: NoteHolds) -> tuple[bool, bool, bool]:
    """What a claim would get, and whether what lies on the volume of its instance is news."""
    return (*claim.look(tx), holds.news(tx) is not None)


def _work(app: FastAPI, parts: WorkerParts) -> None:
    door, clock = parts.door, parts.clock

    @app.post("/w/1/claim")
    async def claim(body: ClaimBody, instance: Caller) -> dict[str, Any]:
        ends = clock.monotonic() + body.wait_seconds
        holds, actor = NoteHolds(instance, tuple(body.cached)), Actor("instance", instance)
        command = Claim(
            instance,
            body.slots_free,
            body.ram_free_gib,
            body.vram_free_gib,
            tuple(body.holding),
        )
        while True:
            seen = parts.wakeups.seen()
            grants, drain, news = await run_in_threadpool(
                door.database.read,
                lambda conn: _looked(door.look(clock.now(), conn), command, holds),
            )
            if news:
                await run_in_threadpool(door.run, holds, actor, clock.now())
            leases: list[dict[str, Any]] = []
            if grants:
                leases = await run_in_threadpool(door.run, command, actor, clock.now())
                await run_in_threadpool(_address, parts.mailbox, leases)
            left = ends - clock.monotonic()
            if leases or drain or left <= 0 or parts.wakeups.closed:
                return {"leases": leases, "drain": drain}
            await parts.wakeups.wait(seen, min(left, 5.0))

    @app.post("/w/1/keys")
    def keys(body: KeysBody, instance: Caller) -> dict[str, Any]:
        command = ReleaseKey(instance, body.attempt, body.fence)
        released = door.run(command, Actor("instance", instance), clock.now())
        if released.blob is None:
            raise Problem("key-refused", Exit.REFUSED, predicate=released.refused)
        return {
            "blob": base64.b64encode(released.blob).decode(),
            "info": base64.b64encode(released.info).decode(),
        }

    @app.post("/w/1/beat")
    def beat(body: BeatBody, instance: Caller) -> dict[str, Any]:
        beats = tuple(AttemptBeat(a.attempt, a.fence, a.segment, a.units) for a in body.attempts)
        reply = door.run(Beat(instance, beats), Actor("instance", instance), clock.now())
        for told in beats:
            if reply.verdicts[told.attempt_id][0] in ("go", "hold"):
                parts.progress.note(told.attempt_id, told.units)
            else:
                parts.progress.forget(told.attempt_id)
        verdicts = _verdicts(parts.mailbox, reply)
        return {"attempts": verdicts, "instance": {"drain": reply.drain}, "renew": False}

    @app.post("/w/1/finish", status_code=204)
    def finish(body: FinishBody, instance: Caller) -> Response:
        reason = None if body.reason is None else body.reason.model_dump()
        command = Finish(
            instance,
            body.attempt,
            body.fence,
            body.outcome,
            reason,
            body.blame,
            body.stage_seconds,
        )
        door.run(command, Actor("instance", instance), clock.now())
        parts.progress.forget(body.attempt)
        return Response(status_code=204)


def _verdicts(mailbox: Mailbox | None, reply: BeatReply) -> dict[str, dict[str, Any]]:
    """What each attempt is told; those that go on also where letters may be put as long."""
    verdicts: dict[str, dict[str, Any]] = {}
    for attempt, (verdict, seconds) in reply.verdicts.items():
        verdicts[attempt] = {"verdict": verdict, "lease_seconds": seconds}
        if mailbox is not None and reply.ahead[attempt]:
            found = mailbox.addresses(attempt, reply.ahead[attempt], seconds)
            verdicts[attempt]["mailbox"] = found
    return verdicts


def _address(mailbox: Mailbox | None, leases: list[dict[str, Any]]) -> None:
    """Tell with each lease where its results go if we cannot be reached, while it lasts."""
    if mailbox is None:
        return
    for lease in leases:
        numbers = [segment["number"] for segment in lease["segments"]]
        found = mailbox.addresses(lease["attempt"], numbers, lease["lease_seconds"])
        lease["mailbox"] = found


def _bytes(app: FastAPI, parts: WorkerParts) -> None:
    door, clock, blobs = parts.door, parts.clock, parts.blobs

    @app.get("/w/1/objects/{object_id}")
    def get_object(
        object_id: str, instance: Caller, range: Annotated[str | None, Header()] = None
    ) -> Response:
        if not door.database.read(
            lambda conn: media.may_read(conn, door.tenant, instance, object_id)
        ):
            raise Problem("unknown-object", Exit.USAGE, object=object_id)
        size = blobs.size(object_id)
        if size is None:
            raise Problem("unknown-object", Exit.USAGE, object=object_id)
        return ranged(range, size, lambda start, end: blobs.get(object_id, start, end))

    @app.get("/w/1/models/{sha256}")
    def get_model(
        sha256: str, instance: Caller, range: Annotated[str | None, Header()] = None
    ) -> Response:
        found = parts.shelf.open(sha256) if _SHA256.match(sha256) else None
        if found is None:
            raise Problem("unknown-model-file", Exit.USAGE, sha256=sha256)
        size, read = found
        return ranged(range, size, read)

    @app.put("/w/1/results/{attempt}/{segment}", status_code=204)
    async def put_result(
        request: Request,
        attempt: str,
        segment: Number,
        fence: Number,
        instance: Caller,
        gap: bool = False,
        content_digest: Annotated[str | None, Header()] = None,
    ) -> Response:
        body = await bounded(request, limits.RESULT_BYTES_MAX)
        check_digest(content_digest, hashlib.sha256(body).digest())

        await run_in_threadpool(
            take, door, blobs, clock, instance, attempt, fence, segment, body, gap=gap
        )
        return Response(status_code=204)
