"""The operators' app: routes, problems, and who is still there."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from leitstand.api import events, extras, media, problems, work
from leitstand.api.bounds import Bounded
from leitstand.api.parts import OperatorParts
from leitstand.api.streams import Clients
from leitstand.core import limits

DESCRIPTION = """
Lists are newest first, by `limit` and `after`. Errors are RFC 9457 documents with a stable `type`.
An id may be given by its shortest unique ending.

**Repeating a write.** Writes accept an `Idempotency-Key`, and none needs it, so none is stored: a
request that is sent again after a lost answer does what it says once. `POST /cases` finds by name,
`/uploads` by digest, `/jobs` by decision; parts, `complete`, `ready`, `failed`, `hold`, `resume`,
`cancel`, `drain` and `DELETE` lead to a state and stay there; `POST /media` finds by the `id` that
the sender may choose. Without it, `POST /media` may leave a second medium, as `POST /plans` may leave
a second decision, that nothing uses: it holds no bytes and no money, and the medium is erased when
its term ends. `POST /media/{medium}/identity` makes a ledger entry each time, as it
should: each is a release.
"""


def operator_app(parts: OperatorParts) -> FastAPI:
    """The ASGI app of the operator API; its OpenAPI document is at `/api/v1/openapi.json`."""
    app = FastAPI(
        title="Leitstand operator API",
        description=DESCRIPTION,
        version=parts.version,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.state.parts = parts
    problems.install(app)
    for module in (media, work, extras, events):
        app.include_router(module.router)

    app.add_middleware(Bounded, bytes_max=limits.DOCUMENT_BYTES_MAX, free="/api/v1/uploads/")
    app.add_middleware(Presence, clients=parts.clients)
    return app


class Presence:
    """Counts open requests, streams included, until their last byte."""

    def __init__(self, app: ASGIApp, clients: Clients) -> None:
        self._app = app
        self._clients = clients

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        self._clients.enter()
        try:
            await self._app(scope, receive, send)
        finally:
            self._clients.leave()
