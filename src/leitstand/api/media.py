"""Operator routes: cases, media, resumable uploads in parts, objects."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Header, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from leitstand.api.bounds import BIG_INTEGER_MAX, Big, Code, Document, Finite, Number
from leitstand.api.bytes import bounded, check_digest, ranged
from leitstand.api.documents import case_document, medium_document, reports_on
from leitstand.api.parts import OperatorParts, bounded_limit, page, parts_of
from leitstand.control.cases import OpenCase
from leitstand.control.commands import Command
from leitstand.control.media import (
    CompleteUpload,
    EraseMedia,
    MediumIdentity,
    MediumReady,
    NewSegment,
    NotePart,
    OpenMedium,
    OpenUpload,
    RefuseMedium,
    one,
    receiving,
    upload_of,
)
from leitstand.control.transaction import Tx
from leitstand.core import limits
from leitstand.core.problem import Exit, Problem
from leitstand.store import cases, media
from leitstand.store.media import Upload, part_name

router = APIRouter(prefix="/api/v1")
Parts = Annotated[OperatorParts, Depends(parts_of)]
R = TypeVar("R")
_SHA256 = re.compile(r"^[0-9a-f]{64}$")


class CaseBody(BaseModel):
    name: str = Field(min_length=1, max_length=200)
    data_class: int | None = None


class MediumBody(BaseModel):
    case: str
    name: str = Field(max_length=4_096)
    bytes: Big
    id: str | None = Field(default=None, pattern=r"^medium_[0-7][0-9A-HJKMNP-TV-Z]{25}$")


class UploadBody(BaseModel):
    medium: str
    bytes: int = Field(gt=0, le=limits.OBJECT_BYTES_MAX)
    sha256: str = Field(pattern=_SHA256.pattern)
    part_sha256: list[str] = Field(min_length=1, max_length=1_024)


class SegmentBody(BaseModel):
    stream: str = Field(max_length=16)
    number: Number
    from_us: int = Field(ge=-BIG_INTEGER_MAX, le=BIG_INTEGER_MAX)
    to_us: int = Field(ge=-BIG_INTEGER_MAX, le=BIG_INTEGER_MAX)
    format: str = Field(max_length=16)
    object_id: str


class ReadyBody(BaseModel):
    kind: str
    sha256: str = Field(pattern=_SHA256.pattern)
    technical: Document = Field(default_factory=dict)
    exif: Document = Field(default_factory=dict)
    gaps: list[dict[str, Any]] = Field(default_factory=list)
    segments: list[SegmentBody] = Field(min_length=1, max_length=100_000)


class FailedBody(BaseModel):
    code: Code
    params: dict[str, str | int | Finite | None] = Field(default_factory=dict, max_length=20)


@router.post("/cases")
def open_case(body: CaseBody, parts: Parts) -> dict[str, Any]:
    """Find a case by name, or open it."""
    case = parts.run(OpenCase(body.name, body.data_class))
    return parts.read(lambda tx: case_document(tx, tx.case(case.id)))


@router.get("/cases")
def list_cases(parts: Parts) -> dict[str, Any]:
    """All cases, newest first."""
    return parts.read(
        lambda tx: {
            "schema": "leitstand.cases/1",
            "items": [case_document(tx, c) for c in cases.every(tx.conn, tx.tenant)],
            "next": None,
        }
    )


@router.post("/media")
def open_medium(body: MediumBody, parts: Parts) -> dict[str, Any]:
    """Announce a file; everything of it is then encrypted to `recipient`. With an `id` that the
    sender chose (`medium_` and a ULID) the same again is the same medium."""
    case_id = parts.resolve("cases", body.case)
    made = parts.run(OpenMedium(case_id, body.name, body.bytes, body.id))
    return {"id": made.id, "recipient": made.recipient}


@router.get("/media")
def list_media(
    parts: Parts,
    case: str | None = None,
    after: str | None = None,
    limit: int = limits.PAGE_DEFAULT,
) -> dict[str, Any]:
    """Media, newest first."""
    most = bounded_limit(limit)
    case_id = None if case is None else parts.resolve("cases", case)
    return parts.read(
        lambda tx: page(
            media.page(tx.conn, tx.tenant, case_id, after, most + 1),
            most,
            lambda medium: medium_document(tx, medium),
            "leitstand.media/1",
        )
    )


@router.get("/media/{medium}")
def show_medium(medium: str, parts: Parts) -> dict[str, Any]:
    """One medium with what it says of itself."""
    medium_id = parts.resolve("media", medium)
    return parts.read(lambda tx: medium_document(tx, one(tx, medium_id), whole=True))


@router.delete("/media/{medium}")
def erase_medium(medium: str, parts: Parts) -> dict[str, Any]:
    """Destroy the key now; the objects follow, then the receipt. `reports` are those that stay."""
    medium_id = parts.resolve("media", medium)
    parts.run(EraseMedia((medium_id,)))

    def read(tx: Tx) -> dict[str, Any]:
        erased = one(tx, medium_id)
        return medium_document(tx, erased) | {"reports": reports_on(tx, erased)}

    return parts.read(read)


@router.post("/media/{medium}/identity")
def medium_identity(medium: str, parts: Parts) -> dict[str, Any]:
    """The age identity that opens a medium's objects; recorded in the ledger."""
    return {"identity": parts.run(MediumIdentity(parts.resolve("media", medium)))}


@router.post("/media/{medium}/ready")
def medium_ready(medium: str, body: ReadyBody, parts: Parts) -> dict[str, Any]:
    """Intake is done."""
    segments = tuple(NewSegment(**segment.model_dump()) for segment in body.segments)
    medium_id = parts.resolve("media", medium)
    command = MediumReady(
        medium_id, body.kind, body.sha256, body.technical, body.exif, body.gaps, segments
    )
    parts.run(command)
    return parts.read(lambda tx: medium_document(tx, one(tx, medium_id)))


@router.post("/media/{medium}/failed")
def medium_failed(medium: str, body: FailedBody, parts: Parts) -> dict[str, Any]:
    """Intake could not take the file."""
    medium_id = parts.resolve("media", medium)
    parts.run(RefuseMedium(medium_id, body.code, dict(body.params)))
    return parts.read(lambda tx: medium_document(tx, one(tx, medium_id)))


@router.post("/uploads")
def open_upload(body: UploadBody, parts: Parts) -> dict[str, Any]:
    """Begin, or go on with, the upload of one age file."""
    if not all(_SHA256.match(digest) for digest in body.part_sha256):
        raise Problem("upload-malformed", Exit.USAGE, bytes=body.bytes)
    command = OpenUpload(body.medium, body.bytes, body.sha256, tuple(body.part_sha256))
    return _upload(parts.run(command))


@router.get("/uploads/{upload}")
def show_upload(upload: str, parts: Parts) -> dict[str, Any]:
    """Which parts are still missing."""
    return _upload(parts.read(lambda tx: upload_of(tx, upload)))


@router.put("/uploads/{upload}/parts/{number}", status_code=204)
async def put_part(
    request: Request,
    upload: str,
    number: int,
    parts: Parts,
    content_digest: Annotated[str | None, Header()] = None,
) -> Response:
    """One part; its digest must be the one announced. The same part again is fine."""
    body = await bounded(request, limits.PART_BYTES)
    digest = hashlib.sha256(body).digest()
    check_digest(content_digest, digest)

    def store() -> None:
        found = parts.read(lambda tx: upload_of(tx, upload))
        if not 0 <= number < len(found.part_sha256) or found.part_sha256[number] != digest.hex():
            raise Problem("digest-differs", Exit.USAGE)
        if found.object_id is None:
            name = part_name(upload, number)
            parts.blobs.put(name, [body])
            _named(parts, NotePart(upload, number), name)

    await run_in_threadpool(store)
    return Response(status_code=204)


@router.post("/uploads/{upload}/complete")
def complete_upload(upload: str, parts: Parts) -> dict[str, Any]:
    """Join the parts, check the whole digest, and make them an object."""
    found = parts.read(lambda tx: upload_of(tx, upload))
    if found.object_id is not None:
        return {"object_id": found.object_id}
    if found.missing():
        raise Problem("upload-incomplete", Exit.FAILED, missing=len(found.missing()))
    parts.read(lambda tx: receiving(tx, found.medium_id))
    object_id = parts.door.ids.new("object", parts.clock.now())
    whole = hashlib.sha256()
    parts.blobs.put(object_id, _joined(parts, found, whole))
    if whole.hexdigest() != found.sha256:
        parts.blobs.delete([object_id])
        raise Problem("digest-differs", Exit.USAGE)
    kept = _named(parts, CompleteUpload(upload, object_id), object_id)
    surplus = found.part_names()
    if kept != object_id:
        surplus.append(object_id)
    parts.blobs.delete(surplus)
    return {"object_id": kept}


@router.get("/objects/{object_id}")
def get_object(
    object_id: str, parts: Parts, range: Annotated[str | None, Header()] = None
) -> Response:
    """One age file as it lies in the blob store."""
    size = parts.blobs.size(object_id)
    if size is None or not object_id.startswith("object_"):
        raise Problem("unknown-object", Exit.USAGE, object=object_id)
    return ranged(range, size, lambda start, end: parts.blobs.get(object_id, start, end))


def _named(parts: OperatorParts, command: Command[R], blob: str) -> R:
    """Run what makes a row name a blob that was just stored. Where that is refused, as for a medium
    that is being erased, no row ever will, and the blob goes again."""
    try:
        return parts.run(command)
    except Problem as problem:
        if problem.exit is Exit.USAGE:
            parts.blobs.delete([blob])
        raise


def _joined(parts: OperatorParts, upload: Upload, whole: Any) -> Iterator[bytes]:
    for name in upload.part_names():
        for chunk in parts.blobs.get(name):
            whole.update(chunk)
            yield chunk


def _upload(upload: Upload) -> dict[str, Any]:
    return {
        "id": upload.id,
        "part_bytes": upload.part_size,
        "missing": upload.missing(),
        "object_id": upload.object_id,
    }
