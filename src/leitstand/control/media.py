"""Commands on media: from the first byte received to the confirmed erasure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from leitstand.control.advance import one as job_by_id
from leitstand.control.advance import stop
from leitstand.control.commands import Command
from leitstand.control.reasons import open_params
from leitstand.control.transaction import Change, Tx
from leitstand.core import limits
from leitstand.core.medium import MEDIUM, Medium
from leitstand.core.problem import Exit, Problem
from leitstand.store import media, tables
from leitstand.store.media import Upload
from leitstand.store.rows import add


@dataclass(frozen=True, slots=True)
class NewMedium:
    """A medium to fill: its id and the age recipient that everything of it is encrypted to."""

    id: str
    recipient: str


@dataclass(frozen=True, slots=True)
class OpenMedium(Command[NewMedium]):
    """Announce a file. Its name is sealed under the medium's own key and dies with it. Who names
    the `id` may say it again, and knows what to take back where the answer is lost."""

    case_id: str
    name: str
    bytes: int
    id: str | None = None
    action: ClassVar[str] = "media.open"

    def apply(self, tx: Tx) -> NewMedium:
        """Raises Problem `id-taken` where the id is that of anything but this announcement."""
        case = tx.case(self.case_id)
        if self.id is not None and (known := media.find(tx.conn, tx.tenant, [self.id], lock=True)):
            return self._again(tx, known[0])
        medium_id = self.id or tx.new_id("medium")
        key_id, _, recipient = tx.new_key("medium", medium_id, identity=True)
        row = {
            **tx.born(medium_id, "medium"),
            "case_id": case.id,
            "kind": None,
            "reason": None,
            "key_id": key_id,
            "bytes": self.bytes,
            "duration_s": None,
            "erase_after": tx.now + limits.ABANDONED_AFTER,
            "sealed": tx.seal("media", medium_id, key_id, {"name": self.name}),
        }
        tx.create(MEDIUM, [row], case=case)
        return NewMedium(medium_id, recipient or "")

    def _again(self, tx: Tx, medium: Medium) -> NewMedium:
        known = (medium.case_id, medium.bytes, medium.state)
        if (
            known != (self.case_id, self.bytes, "receiving")
            or tx.unseal("media", medium)["name"] != self.name
        ):
            raise Problem("id-taken", Exit.USAGE, id=medium.id)
        return NewMedium(medium.id, tx.recipient(medium.key_id))


@dataclass(frozen=True, slots=True)
class OpenUpload(Command[Upload]):
    """Begin, or go on with, the upload of one age file; the same digest is the same upload."""

    medium_id: str
    bytes: int
    sha256: str
    part_sha256: tuple[str, ...]
    part_bytes: int = limits.PART_BYTES
    action: ClassVar[str] = "media.upload"

    def apply(self, tx: Tx) -> Upload:
        medium = receiving(tx, self.medium_id)
        known = media.upload_by_digest(tx.conn, tx.tenant, medium.id, self.sha256)
        if known is not None:
            return known
        parts = -(-self.bytes // self.part_bytes)
        if not 0 < self.bytes <= limits.OBJECT_BYTES_MAX or parts != len(self.part_sha256):
            raise Problem("upload-malformed", Exit.USAGE, bytes=self.bytes)
        upload_id = tx.new_id("upload")
        row = {
            **tx.born(upload_id, "upload"),
            "medium_id": medium.id,
            "size": self.bytes,
            "sha256": self.sha256,
            "part_size": self.part_bytes,
            "part_sha256": list(self.part_sha256),
            "parts_present": [],
            "object_id": None,
            "expires_at": tx.now + limits.ABANDONED_AFTER,
        }
        add(tx.conn, tables.uploads, [row])
        return upload_of(tx, upload_id)


@dataclass(frozen=True, slots=True)
class NotePart(Command[Upload]):
    """A part has arrived and its digest was right; a repeated part changes nothing. What arrives
    is not abandoned: each part begins the medium's term anew. Raises Problem
    `medium-not-receiving`."""

    upload_id: str
    number: int
    action: ClassVar[str] = "media.upload"

    def apply(self, tx: Tx) -> Upload:
        upload = upload_of(tx, self.upload_id)
        medium = receiving(tx, upload.medium_id)
        if self.number not in upload.parts_present:
            present = sorted({*upload.parts_present, self.number})
            term = tx.now + limits.ABANDONED_AFTER
            media.set_parts(tx.conn, tx.tenant, upload.id, present, term, tx.now)
            tx.set("medium", medium.id, erase_after=term)
        return upload_of(tx, self.upload_id)


@dataclass(frozen=True, slots=True)
class CompleteUpload(Command[str]):
    """All parts are joined as blob `object_id` and the whole digest was right. Repeating returns
    the object that was made first. Raises Problem `medium-not-receiving`: an object that came
    while its medium is being erased would outlive the receipt."""

    upload_id: str
    object_id: str
    action: ClassVar[str] = "media.upload"

    def apply(self, tx: Tx) -> str:
        upload = upload_of(tx, self.upload_id)
        if upload.object_id is not None:
            return upload.object_id
        medium = receiving(tx, upload.medium_id)
        row = {
            **tx.born(self.object_id, "object"),
            "key_id": medium.key_id,
            "ciphertext_sha256": upload.sha256,
            "bytes": upload.size,
            "parts": len(upload.part_sha256),
            "purpose": "segment",
            "expires_at": None,
        }
        add(tx.conn, tables.objects, [row])
        media.complete(tx.conn, tx.tenant, upload.id, self.object_id, tx.now)
        return self.object_id


@dataclass(frozen=True, slots=True)
class NewSegment:
    """A segment whose object is stored."""

    stream: str
    number: int
    from_us: int
    to_us: int
    format: str
    object_id: str


@dataclass(frozen=True, slots=True)
class MediumReady(Command[Medium]):
    """Intake is done: what the file is, what it says of itself, and its segments."""

    medium_id: str
    kind: str
    sha256: str
    technical: dict[str, Any]
    exif: dict[str, Any]
    gaps: list[dict[str, Any]]
    segments: tuple[NewSegment, ...]
    action: ClassVar[str] = "media.ready"

    def apply(self, tx: Tx) -> Medium:
        medium = one(tx, self.medium_id)
        if medium.state == "ready":
            return medium
        case = tx.case(medium.case_id)
        self._check(tx, medium)
        document = {
            **tx.unseal("media", medium),
            "sha256": self.sha256,
            "technical": self.technical,
            "exif": self.exif,
            "gaps": self.gaps,
        }
        add(tx.conn, tables.segments, [self._segment(tx, segment) for segment in self.segments])
        tx.move(MEDIUM, "received", [Change(medium, case=case)])
        values = {
            "kind": self.kind,
            "duration_s": _seconds(self.technical.get("duration_s")),
            "erase_after": tx.now + limits.ABANDONED_AFTER,
            "reason": _gaps(self.gaps),
            "sealed": tx.seal("media", medium.id, medium.key_id, document),
        }
        tx.move(MEDIUM, "taken", [Change(one(tx, medium.id), values, case=case)])
        tx.event(medium.id, "medium", id=medium.id, state="ready", reason=None)
        return one(tx, medium.id)

    def _check(self, tx: Tx, medium: Medium) -> None:
        if self.kind not in ("image", "video", "audio") or not _consecutive(self.segments):
            raise Problem("upload-malformed", Exit.USAGE, bytes=medium.bytes)
        stored = media.objects_by_id(tx.conn, tx.tenant, [s.object_id for s in self.segments])
        for segment in self.segments:
            found = stored.get(segment.object_id)
            if found is None or found.key_id != medium.key_id:
                raise Problem("unknown-object", Exit.USAGE, object=segment.object_id)

    def _segment(self, tx: Tx, segment: NewSegment) -> dict[str, Any]:
        return {
            **tx.born(None, "segment"),
            "medium_id": self.medium_id,
            "stream": segment.stream,
            "number": segment.number,
            "from_us": segment.from_us,
            "to_us": segment.to_us,
            "format": segment.format,
            "object_id": segment.object_id,
        }


def _consecutive(segments: tuple[NewSegment, ...]) -> bool:
    """Whether every stream's segments are numbered 0, 1, 2 …, as tasks name runs of them."""
    numbers: dict[str, list[int]] = {}
    for segment in segments:
        numbers.setdefault(segment.stream, []).append(segment.number)
    return bool(segments) and all(
        sorted(found) == list(range(len(found))) for found in numbers.values()
    )


@dataclass(frozen=True, slots=True)
class RefuseMedium(Command[Medium]):
    """Intake could not take the file; the code says why. What came of it is deleted now, the
    medium itself stays for its term, so that the case shows it was given."""

    medium_id: str
    code: str
    params: dict[str, Any]
    action: ClassVar[str] = "media.fail"

    def apply(self, tx: Tx) -> Medium:
        medium = one(tx, self.medium_id)
        if medium.state == "failed":
            return medium
        case = tx.case(medium.case_id)
        reason = {"code": self.code, "params": open_params(self.params)}
        tx.move(MEDIUM, "refused", [Change(medium, {"reason": reason}, case=case)])
        if not case.legal_hold:
            tx.effect("erase", medium.id, key=f"refuse:{medium.id}")
        tx.event(medium.id, "medium", id=medium.id, state="failed", reason=reason)
        return one(tx, medium.id)


@dataclass(frozen=True, slots=True)
class EraseMedia(Command[list[str]]):
    """Erase now: the key row is gone when this returns, the objects follow by effect. Media that
    an open job still needs are refused."""

    medium_ids: tuple[str, ...]
    action: ClassVar[str] = "media.erase"

    def apply(self, tx: Tx) -> list[str]:
        return [erase(tx, one(tx, medium_id)) for medium_id in self.medium_ids]


@dataclass(frozen=True, slots=True)
class RetainMedia(Command[int]):
    """The retention step: erase what is past its term. A held job that nobody resumed in time ends
    with its media."""

    limit: int = limits.UNITS_PER_STEP_MAX
    action: ClassVar[str] = "media.retain"

    def apply(self, tx: Tx) -> int:
        erased = 0
        for tenant, medium in media.overdue(tx.conn, tx.now, self.limit):
            if tenant != tx.tenant:
                continue
            for job_id in media.held_jobs_on(tx.conn, tx.tenant, medium.id):
                stop(tx, job_by_id(tx, job_id), "fail", {"code": "media-expired", "params": {}})
            found = one(tx, medium.id)
            if (
                found.erase_after is not None
                and media.jobs_open_on(tx.conn, tx.tenant, medium.id) == 0
            ):
                erase(tx, found)
                erased += 1
        return erased


@dataclass(frozen=True, slots=True)
class MediumErased(Command[None]):
    """The blob store confirmed that the objects are gone: the receipt is this ledger entry."""

    medium_id: str
    action: ClassVar[str] = "effects.report"

    def apply(self, tx: Tx) -> None:
        medium = one(tx, self.medium_id)
        if medium.state != "erasing":
            return
        media.forget_segments(tx.conn, tx.tenant, medium.id, medium.key_id)
        case = tx.case(medium.case_id)
        tx.move(MEDIUM, "erased", [Change(medium, case=case)])
        tx.event(medium.id, "medium", id=medium.id, state="erased", reason=None)


@dataclass(frozen=True, slots=True)
class MediumIdentity(Command[str]):
    """The age identity of a medium, for a person who wants to open its files with other tools.
    Every release to a person is an entry of its own."""

    medium_id: str
    action: ClassVar[str] = "media.identity"

    def apply(self, tx: Tx) -> str:
        medium = one(tx, self.medium_id)
        exported = tx.vault.export(tx.secret(medium.key_id))
        case = tx.case(medium.case_id)
        tx.act("medium", "export_identity", medium, case=case)
        return exported


def _gaps(gaps: list[dict[str, Any]]) -> dict[str, Any] | None:
    """That a medium was taken in part, as it can still be told when it is erased."""
    return {"code": "gaps-at-intake", "params": {"gaps": len(gaps)}} if gaps else None


def _seconds(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and value >= 0 else None


def one(tx: Tx, medium_id: str) -> Medium:
    """A medium by id. Raises Problem `unknown-medium`."""
    found = media.find(tx.conn, tx.tenant, [medium_id], lock=tx.writes)
    if not found:
        raise Problem("unknown-medium", Exit.USAGE, medium=medium_id)
    return found[0]


def receiving(tx: Tx, medium_id: str) -> Medium:
    """A medium that still takes parts and objects. Raises Problem `medium-not-receiving`."""
    medium = one(tx, medium_id)
    if medium.state != "receiving":
        raise Problem("medium-not-receiving", Exit.USAGE, state=medium.state)
    return medium


def upload_of(tx: Tx, upload_id: str) -> Upload:
    """An upload by id. Raises Problem `unknown-upload`."""
    found = media.upload(tx.conn, tx.tenant, upload_id, lock=tx.writes)
    if found is None:
        raise Problem("unknown-upload", Exit.USAGE, upload=upload_id)
    return found


def erase(tx: Tx, medium: Medium) -> str:
    """Destroy the key in this transaction; the blobs go by effect. Raises Problem `medium-in-use`
    or `legal-hold` instead."""
    if media.jobs_open_on(tx.conn, tx.tenant, medium.id):
        raise Problem("medium-in-use", Exit.REFUSED, medium=medium.id)
    if medium.state in ("erasing", "erased"):
        return medium.id
    case = tx.case(medium.case_id)
    if case.legal_hold:
        raise Problem("legal-hold", Exit.REFUSED, medium=medium.id)
    tx.move(MEDIUM, "erase", [Change(medium, {"erase_after": None}, case=case)])
    tx.destroy_key(medium.key_id)
    tx.effect("erase", medium.id)
    tx.event(medium.id, "medium", id=medium.id, state="erasing", reason=None)
    return medium.id
