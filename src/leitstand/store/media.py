"""Queries on media, their segments, objects and uploads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    Connection,
    Update,
    case,
    delete,
    exists,
    func,
    literal,
    select,
    update,
)

from leitstand.core.medium import Medium, Segment, StoredObject
from leitstand.store.rows import Stale, chunks, columns, fetch
from leitstand.store.tables import (
    attempts,
    cases,
    job_media,
    jobs,
    media,
    objects,
    results,
    segments,
    tasks,
    uploads,
)


@dataclass(frozen=True, slots=True)
class Upload:
    """A ciphertext on its way in, part by part."""

    id: str
    medium_id: str
    size: int
    sha256: str
    part_size: int
    part_sha256: list[str]
    parts_present: list[int]
    object_id: str | None
    expires_at: datetime

    def missing(self) -> list[int]:
        """Part numbers that have not arrived."""
        present = set(self.parts_present)
        return [number for number in range(len(self.part_sha256)) if number not in present]

    def part_names(self) -> list[str]:
        """Blob names of all its parts."""
        return [part_name(self.id, number) for number in range(len(self.part_sha256))]


def part_name(upload_id: str, number: int) -> str:
    """Blob name of one part of an upload that is not complete."""
    return f"{upload_id}.{number}"


def find(conn: Connection, tenant: str, ids: Sequence[str], *, lock: bool = False) -> list[Medium]:
    """Media by id, in no particular order; `lock` keeps a second decision waiting (PostgreSQL)."""
    found: list[Medium] = []
    for some in chunks(ids):
        query = columns(Medium, media).where(media.c.id.in_(some), media.c.tenant_id == tenant)
        query = query.order_by(media.c.id).with_for_update() if lock else query
        found += fetch(conn, Medium, query)
    return found


def of_job(conn: Connection, tenant: str, job_id: str, limit: int | None = None) -> list[Medium]:
    """Media of a job, or the first of them, in the order they were given."""
    query = (
        columns(Medium, media)
        .join(job_media, job_media.c.medium_id == media.c.id)
        .where(job_media.c.job_id == job_id, media.c.tenant_id == tenant)
        .order_by(job_media.c.place)
        .limit(limit)
    )
    return fetch(conn, Medium, query)


def page(
    conn: Connection, tenant: str, case_id: str | None, after: str | None, limit: int
) -> list[Medium]:
    """Newest first, older than `after`."""
    query = columns(Medium, media).where(media.c.tenant_id == tenant)
    if case_id is not None:
        query = query.where(media.c.case_id == case_id)
    if after is not None:
        query = query.where(media.c.id < after)
    return fetch(conn, Medium, query.order_by(media.c.id.desc()).limit(limit))


def overdue(conn: Connection, now: datetime, limit: int) -> list[tuple[str, Medium]]:
    """Tenant and medium of what should have been erased by now. A legal hold keeps it longer."""
    query = (
        columns(Medium, media)
        .join(cases, cases.c.id == media.c.case_id)
        .add_columns(media.c.tenant_id)
        .where(
            media.c.erase_after <= now,
            media.c.state.in_(("receiving", "failed", "ready")),
            ~cases.c.legal_hold,
        )
        .order_by(media.c.erase_after)
        .limit(limit)
    )
    rows = conn.execute(query).all()
    return [
        (row.tenant_id, Medium(**{k: v for k, v in row._mapping.items() if k != "tenant_id"}))
        for row in rows
    ]


def jobs_open_on(conn: Connection, tenant: str, medium_id: str) -> int:
    """How many jobs still need this medium."""
    query = (
        select(func.count())
        .select_from(job_media.join(jobs, jobs.c.id == job_media.c.job_id))
        .where(
            job_media.c.medium_id == medium_id,
            jobs.c.tenant_id == tenant,
            jobs.c.state.in_(("planned", "waiting", "running", "held")),
        )
    )
    return conn.execute(query).scalar_one()


def set_terms(
    conn: Connection, tenant: str, job_id: str, until: datetime, held_until: datetime
) -> None:
    """Keep the media of a job until a moment, those that another job counts on while it is held
    until `held_until`; those that a waiting or running job needs are left alone."""
    other = exists().where(
        job_media.c.medium_id == media.c.id,
        job_media.c.job_id != job_id,
        jobs.c.id == job_media.c.job_id,
    )
    term = media.c.erase_after.type
    conn.execute(
        update(media)
        .where(
            media.c.id.in_(select(job_media.c.medium_id).where(job_media.c.job_id == job_id)),
            media.c.tenant_id == tenant,
            media.c.state.in_(("ready", "failed")),
            ~other.where(jobs.c.state.in_(("planned", "waiting", "running"))),
        )
        .values(
            erase_after=case(
                (other.where(jobs.c.state == "held"), literal(held_until, term)),
                else_=literal(until, term),
            )
        )
    )


def clear_terms(conn: Connection, tenant: str, job_id: str) -> None:
    """A job needs its media: none is erased before it has ended."""
    conn.execute(
        update(media)
        .where(
            media.c.id.in_(select(job_media.c.medium_id).where(job_media.c.job_id == job_id)),
            media.c.tenant_id == tenant,
            media.c.state == "ready",
        )
        .values(erase_after=None)
    )


def streams_of_job(conn: Connection, tenant: str, job_id: str) -> list[tuple[str, str, int]]:
    """Medium, stream and number of segments of a job's media, in the order they were given."""
    query = (
        select(segments.c.medium_id, segments.c.stream, func.count().label("segments"))
        .join(job_media, job_media.c.medium_id == segments.c.medium_id)
        .where(job_media.c.job_id == job_id, segments.c.tenant_id == tenant)
        .group_by(job_media.c.place, segments.c.medium_id, segments.c.stream)
        .order_by(job_media.c.place, segments.c.stream)
    )
    return [(row.medium_id, row.stream, row.segments) for row in conn.execute(query)]


def streams_of(conn: Connection, tenant: str, medium_id: str) -> list[str]:
    """Names of a medium's streams."""
    query = select(segments.c.stream).where(
        segments.c.medium_id == medium_id, segments.c.tenant_id == tenant
    )
    return list(conn.execute(query.distinct().order_by(segments.c.stream)).scalars())


def held_jobs_on(conn: Connection, tenant: str, medium_id: str) -> list[str]:
    """Held jobs that count on a medium."""
    query = (
        select(jobs.c.id)
        .join(job_media, job_media.c.job_id == jobs.c.id)
        .where(
            job_media.c.medium_id == medium_id,
            jobs.c.tenant_id == tenant,
            jobs.c.state == "held",
        )
    )
    return list(conn.execute(query).scalars())


def segments_of(
    conn: Connection,
    tenant: str,
    medium_id: str,
    stream: str | None = None,
    numbers: tuple[int, int] | None = None,
) -> list[Segment]:
    """Segments of a medium by stream and number, or the run of them from one number to another."""
    query = columns(Segment, segments).where(
        segments.c.medium_id == medium_id, segments.c.tenant_id == tenant
    )
    if stream is not None:
        query = query.where(segments.c.stream == stream)
    if numbers is not None:
        query = query.where(segments.c.number.between(*numbers))
    return fetch(conn, Segment, query.order_by(segments.c.stream, segments.c.number))


def objects_by_id(conn: Connection, tenant: str, ids: Sequence[str]) -> dict[str, StoredObject]:
    """Objects by id."""
    found: dict[str, StoredObject] = {}
    for some in chunks(ids):
        query = columns(StoredObject, objects).where(
            objects.c.id.in_(some), objects.c.tenant_id == tenant
        )
        found |= {stored.id: stored for stored in fetch(conn, StoredObject, query)}
    return found


def objects_of_key(conn: Connection, tenant: str, key_id: str) -> list[str]:
    """Ids of all objects that one key opens."""
    query = select(objects.c.id).where(objects.c.key_id == key_id, objects.c.tenant_id == tenant)
    return list(conn.execute(query).scalars())


def forget_segments(conn: Connection, tenant: str, medium_id: str, key_id: str) -> None:
    """Remove the segments and uploads of an erased medium and every object its key opened."""
    conn.execute(
        delete(segments).where(segments.c.medium_id == medium_id, segments.c.tenant_id == tenant)
    )
    conn.execute(
        delete(uploads).where(uploads.c.medium_id == medium_id, uploads.c.tenant_id == tenant)
    )
    conn.execute(delete(objects).where(objects.c.key_id == key_id, objects.c.tenant_id == tenant))


def upload(conn: Connection, tenant: str, upload_id: str, *, lock: bool = False) -> Upload | None:
    """One upload by id; `lock` keeps a second part waiting (PostgreSQL)."""
    query = columns(Upload, uploads).where(uploads.c.id == upload_id, uploads.c.tenant_id == tenant)
    query = query.with_for_update() if lock else query
    return next(iter(fetch(conn, Upload, query)), None)


def upload_by_digest(conn: Connection, tenant: str, medium_id: str, sha256: str) -> Upload | None:
    """The upload of these bytes for a medium."""
    query = columns(Upload, uploads).where(
        uploads.c.medium_id == medium_id,
        uploads.c.tenant_id == tenant,
        uploads.c.sha256 == sha256,
    )
    return next(iter(fetch(conn, Upload, query.order_by(uploads.c.id).limit(1))), None)


def set_parts(
    conn: Connection,
    tenant: str,
    upload_id: str,
    present: Sequence[int],
    term: datetime,
    now: datetime,
) -> None:
    """Which parts of an upload have arrived, which gives it a new term; once it is complete, this
    is no longer a question."""
    query = _unfinished(tenant, upload_id)
    conn.execute(query.values(parts_present=list(present), expires_at=term, updated_at=now))


def complete(conn: Connection, tenant: str, upload_id: str, object_id: str, now: datetime) -> None:
    """An upload has become an object, once. Raises Stale when it already is one."""
    query = _unfinished(tenant, upload_id)
    if conn.execute(query.values(object_id=object_id, updated_at=now)).rowcount == 0:
        raise Stale(f"upload {upload_id} is complete")


def _unfinished(tenant: str, upload_id: str) -> Update:
    return update(uploads).where(
        uploads.c.id == upload_id, uploads.c.tenant_id == tenant, uploads.c.object_id.is_(None)
    )


def named(conn: Connection, names: Sequence[str]) -> set[str]:
    """Which of these are ids of objects, or of uploads that are not complete."""
    found: set[str] = set()
    for some in chunks(names):
        found |= set(conn.execute(select(objects.c.id).where(objects.c.id.in_(some))).scalars())
        query = select(uploads.c.id).where(uploads.c.id.in_(some), uploads.c.object_id.is_(None))
        found |= set(conn.execute(query).scalars())
    return found


def uploads_of(conn: Connection, tenant: str, medium_id: str) -> list[Upload]:
    """All uploads of a medium."""
    query = columns(Upload, uploads).where(
        uploads.c.medium_id == medium_id, uploads.c.tenant_id == tenant
    )
    return fetch(conn, Upload, query)


def may_read(conn: Connection, tenant: str, instance_id: str, object_id: str) -> bool:
    """Whether a live attempt of this instance names the object: a segment of its task, or for
    `fuse` the inputs and results of its job."""
    live = (
        select(tasks.c.id, tasks.c.medium_id, tasks.c.stream, tasks.c.job_id, tasks.c.pipeline)
        .add_columns(tasks.c.input_object_id, tasks.c.first_segment, tasks.c.last_segment)
        .join(attempts, attempts.c.task_id == tasks.c.id)
        .where(
            attempts.c.instance_id == instance_id,
            attempts.c.state == "live",
            attempts.c.tenant_id == tenant,
        )
    )
    for task in conn.execute(live).all():
        if task.pipeline == "fuse":
            query = (
                select(results.c.id)
                .join(tasks, tasks.c.id == results.c.task_id)
                .where(results.c.object_id == object_id, tasks.c.job_id == task.job_id)
                .limit(1)
            )
            if task.input_object_id == object_id or conn.execute(query).first():
                return True
            continue
        query = select(segments.c.id).where(
            segments.c.object_id == object_id,
            segments.c.medium_id == task.medium_id,
            segments.c.stream == task.stream,
            segments.c.number.between(task.first_segment, task.last_segment),
        )
        if conn.execute(query).first():
            return True
    return False
