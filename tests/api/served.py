"""The operator API on a Unix socket and the workers' listener with TLS, over the rig, each in a
thread with a loop of its own, as a client of another process sees them."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import shutil
import tempfile
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from leitstand.api.operator import operator_app
from leitstand.api.parts import OperatorParts
from leitstand.api.streams import Clients, Progress, Wakeups
from leitstand.api.worker import WorkerParts, worker_app
from leitstand.ports import BootFiles
from leitstand.security.ca import Authority, WorkerCredentials
from leitstand.security.listener import port_of, worker_server
from tests.control.rig import OPERATOR, Rig, Verifier

TIMEOUT = 20.0
ANSWER_SECONDS = 0.01


class Thread:
    """One uvicorn server in a thread; `wakeups` wait in its loop."""

    def __init__(self, server: uvicorn.Server, wakeups: Wakeups) -> None:
        self.server = server
        self._wakeups = wakeups
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        async def serve() -> None:
            self._wakeups.bind(asyncio.get_running_loop())
            await self.server._serve()

        asyncio.run(serve())

    def __enter__(self) -> Thread:
        self._thread.start()
        while not self.server.started:
            self._thread.join(ANSWER_SECONDS)
            assert self._thread.is_alive(), "the server ended at once"
        return self

    def __exit__(self, *_: object) -> None:
        self._wakeups.close()
        self.server.should_exit = True
        self._thread.join(TIMEOUT)


def operator_parts(rig: Rig, wakeups: Wakeups) -> OperatorParts:
    return OperatorParts(
        door=rig.door,
        blobs=rig.blobs,
        clock=rig,
        planner=rig.planner,
        stopper=rig.stopper,
        volumes=rig.volumes,
        prepay=rig.prepay,
        wakeups=wakeups,
        progress=Progress(),
        clients=Clients(),
        verifier=Verifier(rig.signer.verifier_key),
        installation="test1234",
        segments_per_task=rig.segments_per_task,
        embedded=True,
        kept_here=False,
        version="0",
        actor=OPERATOR,
    )


@contextlib.contextmanager
def operators(rig: Rig) -> Iterator[httpx.Client]:
    """A client of the operator API."""
    wakeups = Wakeups()
    rig.database.after_commit(wakeups.notify)
    folder = Path(tempfile.mkdtemp(prefix="lsapi-", dir="/tmp"))
    config = uvicorn.Config(
        operator_app(operator_parts(rig, wakeups)),
        uds=str(folder / "api.sock"),
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=3,
    )
    transport = httpx.HTTPTransport(uds=str(folder / "api.sock"))
    try:
        with (
            Thread(uvicorn.Server(config), wakeups),
            httpx.Client(
                transport=transport, base_url="http://leitstand/api/v1", timeout=TIMEOUT
            ) as client,
        ):
            yield client
    finally:
        shutil.rmtree(folder)


class Workers:
    """The workers' listener, and clients of it with and without certificates."""

    def __init__(self, rig: Rig, port: int, authority: Authority, clock: WallRig) -> None:
        self.rig = rig
        self.port = port
        self.authority = authority
        self.clock = clock
        self._open = contextlib.ExitStack()

    def client(self, instance_id: str | None = None, protocol: str = "1") -> httpx.Client:
        """A client that shows the certificate of an instance, or none."""
        credentials = WorkerCredentials.generate()
        pem = None
        if instance_id is not None:
            csr = credentials.csr_pem(instance_id)
            pem = self.authority.sign_instance(csr, instance_id, self.clock.now())
        context = credentials.client_context(self.authority.certificate_pem, pem)
        made = httpx.Client(
            verify=context,
            base_url=f"https://127.0.0.1:{self.port}",
            timeout=TIMEOUT,
            headers={"Leitstand-Protocol": protocol},
        )
        return self._open.enter_context(made)

    def close(self) -> None:
        self._open.close()


class WallRig:
    """Certificates live by the wall clock, which TLS reads; everything else by the rig's."""

    def now(self) -> datetime:
        return datetime.now(UTC)


@contextlib.contextmanager
def workers(
    rig: Rig,
    folder: Path,
    wakeups: Wakeups | None = None,
    boot: BootFiles | None = None,
    names: Sequence[str] = ("127.0.0.1",),
) -> Iterator[Workers]:
    """The workers' listener over the rig, at 127.0.0.1; `names` stand in its certificate."""
    wall = WallRig()
    wakeups = wakeups or Wakeups()
    rig.database.after_commit(wakeups.notify)
    authority = Authority.open(folder / "wall-ca", wall.now())
    rig.authority = authority
    parts = WorkerParts(
        door=rig.door,
        blobs=rig.blobs,
        shelf=rig.planner._shelf,
        authority=authority,
        clock=rig,
        wakeups=wakeups,
        progress=Progress(),
        boot=boot,
        mailbox=rig.mailbox,
    )
    server = worker_server(
        worker_app(parts),
        "127.0.0.1",
        0,
        lambda: authority.server_context(list(names), wall.now()),
    )
    with Thread(server, wakeups):
        made = Workers(rig, port_of(server), authority, wall)
        try:
            yield made
        finally:
            made.close()


def digest_header(body: bytes) -> dict[str, str]:
    """`Content-Digest` of a body."""
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    return {"Content-Digest": f"sha-256=:{digest}:"}


def problem(answer: httpx.Response, code: str, status: int) -> dict[str, Any]:
    """The RFC 9457 document of a refusal, checked for its shape."""
    found: dict[str, Any] = answer.json()
    assert (answer.status_code, found["type"]) == (status, f"urn:leitstand:problem:{code}"), found
    assert answer.headers["content-type"] == "application/problem+json"
    assert found["status"] == status
    assert found["title"]
    assert isinstance(found["params"], dict)
    assert isinstance(found["exit"], int)
    return found
