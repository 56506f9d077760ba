"""Bytes in and out, on both faces: bodies with a bound and a digest, answers with a range."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator

from fastapi import Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from leitstand.core.problem import Exit, Problem

_RANGE = re.compile(r"^bytes=([0-9]{1,18})-([0-9]{0,18})$")


async def bounded(request: Request, most: int) -> bytes:
    """The body, refused beyond `most` bytes."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise Problem("body-too-large", Exit.USAGE, bytes_max=most)
    return bytes(body)


def check_digest(header: str | None, digest: bytes) -> None:
    """`Content-Digest` (RFC 9530) must be there and right."""
    wanted = f"sha-256=:{base64.b64encode(digest).decode()}:"
    if header != wanted:
        raise Problem("digest-differs", Exit.USAGE)


def asked(header: str | None, size: int) -> int:
    """How many bytes `ranged` sends."""
    start, end = _span(header, size) or (0, size)
    return max(0, end - start)


def _span(header: str | None, size: int) -> tuple[int, int] | None:
    found = None if header is None else _RANGE.match(header)
    if found is None:
        return None
    return int(found[1]), min(int(found[2]) + 1 if found[2] else size, size)


def ranged(header: str | None, size: int, read: Callable[[int, int], Iterator[bytes]]) -> Response:
    """A body, or the byte range of it that `header` asks for (RFC 9110 §14)."""
    span = _span(header, size)
    if span is None:
        return StreamingResponse(
            read(0, size),
            media_type="application/octet-stream",
            headers={"Content-Length": str(size), "Accept-Ranges": "bytes"},
        )
    start, end = span
    if start >= size or start >= end:
        return JSONResponse({}, 416, headers={"Content-Range": f"bytes */{size}"})
    return StreamingResponse(
        read(start, end),
        206,
        media_type="application/octet-stream",
        headers={
            "Content-Length": str(end - start),
            "Content-Range": f"bytes {start}-{end - 1}/{size}",
        },
    )
