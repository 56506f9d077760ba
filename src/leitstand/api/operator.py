"""The operators' app: routes, problems, and who is still there."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from leitstand.api import events, media, problems, work
from leitstand.api.parts import OperatorParts
from leitstand.api.streams import Clients


def operator_app(parts: OperatorParts) -> FastAPI:
    """The ASGI app of the operator API; its OpenAPI document is at `/api/v1/openapi.json`."""
    app = FastAPI(
        title="Leitstand operator API",
        version=parts.version,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.state.parts = parts
    problems.install(app)
    for module in (media, work, events):
        app.include_router(module.router)

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
