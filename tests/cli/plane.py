"""A control plane of cardboard: the operator API on a Unix socket, with the story of one job.

It keeps what it is sent, so that a test can open the ciphertext again, and tells a story event by
event. A story is a list of acts: events, callables that change the state, `BREAK`, which cuts the
stream, and `CTRL_C`, which presses the key. What follows a hold or cancel stands in `after`, what
follows the next look at the job in `later`.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from sse_starlette import EventSourceResponse, ServerSentEvent

from leitstand.vault.envelope import Identity, decrypt

BREAK, CTRL_C = "break", "ctrl-c"
JOB = "job_01KAR3W6V9Q4T8ZC5N0EXB71C0"
INSTANCE = "instance_01KAR3W6V9Q4T8ZC5N0EXB8C20"
CASE = "case_01KAR3W6V9Q4T8ZC5N0EXB0001"
DECISION = "decision_01KAR3W6V9Q4T8ZC5N0EXB5540"
PAGE = '<!doctype html><meta name="generator" content="Leitstand">'
MADE_AT, FINISH_AT = "2026-11-24T08:00:00Z", "2026-11-24T08:02:00Z"

Act = str | tuple[str, dict[str, Any]] | Callable[["Plane"], None]


class Plane:
    """State, story and server. Everything a test looks at is an attribute."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.embedded = self.kept_here = True
        self.cases: list[dict[str, Any]] = []
        self.media: dict[str, dict[str, Any]] = {}
        self.identities: dict[str, Identity] = {}
        self.uploads: dict[str, dict[str, Any]] = {}
        self.objects: dict[str, bytes] = {}
        self.decision: dict[str, Any] = decision()
        self.jobs: dict[str, dict[str, Any]] = {}
        self.instances: dict[str, dict[str, Any]] = {}
        self.lists: dict[str, list[dict[str, Any]]] = {}
        self.deleted: list[str] = []
        self.prepays: dict[str, Any] = {}
        self.prepaid: list[str] = []
        self.story: list[Act] = []
        self.after: dict[str, list[Act]] = {}
        self.events: list[Act] = []
        self.asked: list[str] = []
        self.bodies: dict[str, Any] = {}
        self.last_event_ids: list[str | None] = []
        self.problems: dict[str, dict[str, Any]] = {}
        self.before: dict[str, Callable[[Plane], None]] = {}
        self.report: dict[str, Any] = {"schema": "leitstand.report/1", "media": []}
        self.lose_parts = 0
        self.shown = 0
        self.later: list[Act] = []
        self.stopping = False
        self.wakeups: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    # --- the server ------------------------------------------------------------------------------

    def start(self) -> None:
        self.stopping = False
        self.socket.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.socket.unlink(missing_ok=True)
        config = uvicorn.Config(self.app(), uds=str(self.socket), log_config=None, lifespan="off")
        self._server = server = uvicorn.Server(config)
        ready = threading.Event()

        async def run() -> None:
            serving = asyncio.ensure_future(server.serve())
            while not server.started and not serving.done():
                await asyncio.sleep(0.005)
            ready.set()
            await serving

        self._thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
        self._thread.start()
        assert ready.wait(10)

    def stop(self) -> None:
        if self._server is not None and self._thread is not None:
            self.stopping = True
            self._server.should_exit = True
            self._server.force_exit = True
            self.wake()
            self._thread.join(10)
            self._server = None

    def crash(self) -> None:
        """Be gone at once, as after SIGKILL: nobody listens any more and every stream ends."""
        assert self._server is not None
        self.socket.unlink()
        self.stopping = True
        self._server.should_exit = self._server.force_exit = True

    def wake(self) -> None:
        for loop, event in self.wakeups:
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)

    # --- the story -------------------------------------------------------------------------------

    def tell(self, acts: list[Act]) -> None:
        """Add these acts to the stream; a callable acts when the stream comes to it."""
        self.events += acts
        self.wake()

    def job(self) -> dict[str, Any]:
        return self.jobs[JOB]

    # --- routes ----------------------------------------------------------------------------------

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.middleware("http")
        async def noted(request: Request, call_next: Any) -> Response:
            path = request.url.path.removeprefix("/api/v1")
            self.asked.append(f"{request.method} {path}")
            problem = self.problems.get(f"{request.method} {path}")
            if problem is not None and (act := self.before.get(f"{request.method} {path}")):
                act(self)
            if problem is not None:
                return JSONResponse(problem, problem.get("status", 400))
            found: Response = await call_next(request)
            return found

        self._intake(app)
        self._work(app)
        self._lists(app)
        return app

    def _intake(self, app: FastAPI) -> None:
        v1 = "/api/v1"

        @app.post(f"{v1}/cases")
        async def case(request: Request) -> Any:
            body = self.bodies["case"] = await request.json()
            return {"id": CASE, "name": body["name"], "data_class": body.get("data_class", 2)}

        @app.post(f"{v1}/media")
        async def medium(request: Request) -> Any:
            body = await request.json()
            id = body["id"]
            identity = self.identities[id] = Identity.generate()
            self.media[id] = {"id": id, "kind": None, "state": "receiving", **body, "reason": None}
            return {"id": id, "recipient": str(identity.recipient)}

        @app.post(f"{v1}/uploads")
        async def upload(request: Request) -> Any:
            body = await request.json()
            id = f"upload_{len(self.uploads)}"
            self.uploads[id] = {**body, "parts": {}}
            return self._upload(id)

        @app.get(v1 + "/uploads/{id}")
        async def upload_state(id: str) -> Any:
            return self._upload(id)

        @app.put(v1 + "/uploads/{id}/parts/{number}")
        async def part(id: str, number: int, request: Request) -> Any:
            data = await request.body()
            assert hashlib.sha256(data).hexdigest() == self.uploads[id]["part_sha256"][number]
            assert request.headers["Content-Digest"].startswith("sha-256=:")
            if self.lose_parts > 0:
                self.lose_parts -= 1
            else:
                self.uploads[id]["parts"][number] = data
            return Response(status_code=204)

        @app.post(v1 + "/uploads/{id}/complete")
        async def complete(id: str) -> Any:
            found = self.uploads[id]
            whole = b"".join(found["parts"][number] for number in sorted(found["parts"]))
            assert hashlib.sha256(whole).hexdigest() == found["sha256"]
            object_id = f"object_{len(self.objects)}"
            self.objects[object_id] = whole
            return {"object_id": object_id}

        @app.post(v1 + "/media/{id}/ready")
        async def ready(id: str, request: Request) -> Any:
            self.media[id] |= {**await request.json(), "state": "ready"}
            return self.media[id]

        @app.post(v1 + "/media/{id}/failed")
        async def failed(id: str, request: Request) -> Any:
            self.media[id] |= {"state": "failed", "reason": await request.json()}
            return self.media[id]

        @app.delete(v1 + "/media/{id}")
        async def erase(id: str) -> Any:
            self.media[id] |= {"state": "erased", "older_copies_open": True}
            self.media[id].setdefault("reports", [])
            return self.media[id]

        @app.post(v1 + "/media/{id}/identity")
        async def identity(id: str) -> Any:
            return {"identity": self.identities[self._media_id(id)].export()}

        @app.get(v1 + "/media/{id}")
        async def show(id: str) -> Any:
            return self.media[self._media_id(id)]

        @app.get(v1 + "/objects/{id}")
        async def stored(id: str) -> Any:
            return Response(self.objects[id])

    def _media_id(self, ending: str) -> str:
        return next(id for id in self.media if id.endswith(ending))

    def _upload(self, id: str) -> dict[str, Any]:
        found = self.uploads[id]
        numbers = range(len(found["part_sha256"]))
        missing = [number for number in numbers if number not in found["parts"]]
        return {"id": id, "part_bytes": 8 * 1024 * 1024, "missing": missing}

    def plaintext(self, object_id: str, medium: str) -> bytes:
        return b"".join(decrypt(self.identities[medium], [self.objects[object_id]]))

    def _work(self, app: FastAPI) -> None:
        v1 = "/api/v1"

        @app.get(f"{v1}/health")
        async def health() -> Any:
            where = {"embedded": self.embedded, "kept_here": self.kept_here}
            return {"version": "0.1.0", "protocol": 1, **where}

        @app.post(f"{v1}/plans")
        async def plan(request: Request) -> Any:
            self.bodies["plan"] = await request.json()
            return self.decision

        @app.get(v1 + "/decisions/{id}")
        async def show_decision(id: str) -> Any:
            return self.decision

        @app.post(f"{v1}/jobs")
        async def start(request: Request) -> Any:
            self.bodies["job"] = await request.json()
            self.jobs[JOB] = job(list(self.media.values()))
            for act in self.after.get("start", []):
                act(self)  # type: ignore[operator]
            self.tell(self.story)
            return self.job()

        @app.get(v1 + "/jobs/{id}")
        async def show(id: str) -> Any:
            self.shown += 1
            self.tell(self.later)
            self.later = []
            return next(found for key, found in self.jobs.items() if key.endswith(id))

        @app.get(v1 + "/jobs/{id}/report.json")
        async def report_json(id: str) -> Any:
            return JSONResponse(self.report)

        @app.get(v1 + "/jobs/{id}/report.html")
        async def report_html(id: str) -> Any:
            return Response(PAGE, media_type="text/html")

        @app.post(v1 + "/jobs/{id}/{verb}")
        async def verb(id: str, verb: str, request: Request) -> Any:
            self.bodies[verb] = json.loads(await request.body() or b"{}")
            acts = list(self.after.get(verb, []))
            while acts and callable(acts[0]):
                acts.pop(0)(self)  # type: ignore[operator]
            self.tell(acts)
            return next(found for key, found in self.jobs.items() if key.endswith(id))

        @app.get(f"{v1}/events")
        async def events(request: Request) -> EventSourceResponse:
            last = request.headers.get("Last-Event-ID")
            self.last_event_ids.append(last)
            place = len(self.events) if last is None else int(last)
            return EventSourceResponse(self._stream(place, self.shown))

    async def _stream(self, place: int, shown: int) -> AsyncIterator[ServerSentEvent]:
        """Tells nothing before the client has looked at the job it follows, so that how far the
        story is when it looks does not depend on who is faster."""
        woken = asyncio.Event()
        self.wakeups.append((asyncio.get_running_loop(), woken))
        while self.jobs and self.shown == shown and not self.stopping:
            await woken.wait()
            woken.clear()
        present = False
        while True:
            woken.clear()
            while place < len(self.events):
                act = self.events[place]
                place += 1
                if act == BREAK:
                    if self.events[place - 1] == BREAK:
                        self.events[place - 1] = "broken"
                        return
                elif act == CTRL_C:
                    self.events[place - 1] = "pressed"
                    os.kill(os.getpid(), signal.SIGINT)
                elif callable(act):
                    self.events[place - 1] = "acted"
                    act(self)
                elif not isinstance(act, str):
                    kind, data = act
                    stored = kind != "progress"
                    yield ServerSentEvent(
                        json.dumps(data), event=kind, id=str(place) if stored else None
                    )
            if self.stopping:
                return
            if not present:
                present = True
                yield ServerSentEvent("{}", event="present")
                continue
            await woken.wait()

    def _lists(self, app: FastAPI) -> None:
        v1 = "/api/v1"

        @app.get(v1 + "/ledger/{what}")
        async def ledger(what: str) -> Any:
            return self.lists[f"ledger/{what}"][0]

        @app.post(f"{v1}/offers")
        async def offers(request: Request) -> Any:
            self.bodies["offers"] = await request.json()
            return {"items": self.lists.get("offers", []), "next": None}

        @app.get(v1 + "/instances/{id}")
        async def instance(id: str) -> Any:
            return next(i for i in self.lists["instances"] if i["id"].endswith(id))

        @app.post(v1 + "/instances/{id}/drain")
        async def drain(id: str) -> Any:
            return next(i for i in self.lists["instances"] if i["id"].endswith(id))

        @app.get(v1 + "/instances/{id}/prepay")
        async def quote(id: str) -> Any:
            return self.prepays

        @app.post(v1 + "/instances/{id}/prepay")
        async def prepay(id: str, request: Request) -> Any:
            self.prepaid.append((await request.json())["amount_eur"])
            amount = self.prepays["amount_eur"]
            return {"amount_eur": amount, "months": 1.0, "discount": 0.2}

        @app.delete(v1 + "/volumes/{id}")
        async def delete_volume(id: str) -> Any:
            self.deleted.append(id)
            return next(i for i in self.lists["volumes"] if i["id"] == id)

        @app.get(v1 + "/{noun}")
        async def page(
            noun: str,
            after: str | None = None,
            limit: int = 50,
            gone: bool = True,
            state: str | None = None,
        ) -> Any:
            items = self.lists.get(noun, [])
            if state is not None:
                items = [item for item in items if item["state"] == state]
            if not gone:
                items = [item for item in items if item["state"] != "terminated"]
            first = 0 if after is None else int(after)
            shown = items[first : first + limit]
            more = first + limit < len(items)
            found = {"items": shown, "next": str(first + limit) if more else None}
            return found | ({"others": self.lists.get("others", [])} if noun == "volumes" else {})


def decision(**over: Any) -> dict[str, Any]:
    """This computer, for nothing."""
    offer = {
        "provider": "local", "offer_id": "here", "accelerator": "cpu", "gpu": None, "gpus": 0,
        "vram_gib": 0.0, "cores": 4, "tier": "L", "region": "own", "price_eur_per_hour": "0",
    }  # fmt: skip
    chosen = {
        "offer": offer, "price_eur_per_hour": "0", "expected_eur": "0", "worst_eur": "0",
        "finish_at": FINISH_AT,
    }  # fmt: skip
    return {
        "schema": "leitstand.decision/1", "id": DECISION, "made_at": MADE_AT, "offers_seen": 1,
        "chosen": chosen, "ranked": [chosen], "rejected": [], "silent": {},
        "reservation_eur": "0", "budget_left_eur": None, "case": CASE, "models": [],
    } | over  # fmt: skip


def job(media: list[dict[str, Any]]) -> dict[str, Any]:
    """A job over these media, before anything happened."""
    return {
        "id": JOB, "name": media[0]["name"] if media else None, "case": CASE, "case_name": "inbox",
        "data_class": 2, "profile": "auto", "provider": None, "max_cost_eur": None,
        "state": "waiting", "reason": None, "decision": DECISION,
        "segments": {"done": 0, "total": 0, "redone": 0, "gap": 0},
        "finish_at": FINISH_AT, "due_at": None, "cost_eur": "0.00", "expected_eur": "0.00",
        "media": [
            {
                "id": m["id"], "name": m["name"], "kind": m.get("kind"), "state": "waiting",
                "reason": None, "medium_state": m["state"], "receipt": None,
                "segments": {"done": 0, "total": len(m.get("segments") or ())},
            }
            for m in media if m["state"] == "ready"
        ],
        "instances": [], "receipts": [],
        "models": [{"family": "detector", "name": "nanodet-g", "version": "1.3.0"}],
    }  # fmt: skip
