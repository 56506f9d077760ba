"""Bounds on what a caller may send, before anything of it is parsed."""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import AfterValidator, Field
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from leitstand.api.problems import answer
from leitstand.core.problem import Exit, Problem

INTEGER_MAX = 2**31 - 1
BIG_INTEGER_MAX = 2**63 - 1
DOCUMENT_CHARACTERS_MAX = 256 * 1024


def _finite(value: dict[str, Any]) -> dict[str, Any]:
    """JSON as RFC 8259 has it: no NaN, no infinity; and small enough for one column."""
    text = json.dumps(value, allow_nan=False)
    if len(text) > DOCUMENT_CHARACTERS_MAX:
        raise ValueError("the document is too long")
    return value


Document = Annotated[dict[str, Any], AfterValidator(_finite)]
"""A JSON object whose content is not ours to know."""
Number = Annotated[int, Field(ge=0, le=INTEGER_MAX)]
Big = Annotated[int, Field(ge=0, le=BIG_INTEGER_MAX)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Code = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
"""The code of a problem: a word of ours, never a sentence."""


class Bounded:
    """Refuses a body of more than `bytes_max`, whether its length was announced or not. Routes that
    take whole objects bound themselves and are named by `free`, a beginning of their paths."""

    def __init__(self, app: ASGIApp, bytes_max: int, free: str) -> None:
        self._app = app
        self._bytes_max = bytes_max
        self._free = free

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(self._free):
            await self._app(scope, receive, send)
            return
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                break
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self._bytes_max:
                problem = Problem("body-too-large", Exit.USAGE, bytes_max=self._bytes_max)
                await answer(problem)(scope, receive, send)
                return
        whole: Message | None = {"type": "http.request", "body": bytes(body), "more_body": False}

        async def again() -> Message:
            nonlocal whole
            first, whole = whole, None
            return await receive() if first is None else first

        await self._app(scope, again, send)
