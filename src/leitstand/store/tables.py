"""The tables of `docs/contracts.md`, as SQLAlchemy metadata.

A row has open columns (ids, states, times, sizes, digests of ciphertext, model and instance names,
money) and at most one column `sealed`. Whatever media or people wrote is in `sealed` or in a blob.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from leitstand.store.types import Amount, Instant, Json, SealedBytes

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

ID = String(40)
STATE = String(16)
DIGEST = String(64)


def _noun(name: str, *columns: Column[Any] | UniqueConstraint | Index) -> Table:
    return Table(
        name,
        metadata,
        Column("id", ID, primary_key=True),
        Column("tenant_id", ID, nullable=False),
        Column("version", Integer, nullable=False),
        Column("created_at", Instant, nullable=False),
        Column("updated_at", Instant, nullable=False),
        *columns,
    )


def _to(table: str, *, nullable: bool = False, name: str | None = None) -> Column[Any]:
    return Column(
        name or f"{table.removesuffix('s')}_id",
        ID,
        ForeignKey(f"{table}.id"),
        nullable=nullable,
        index=True,
    )


keys = _noun(
    "keys",
    Column("kind", STATE, nullable=False),
    Column("owner_id", ID, nullable=False, index=True),
    Column("epoch", Integer, nullable=False),
    Column("wrapped", LargeBinary),
    Column("recipient", String(80)),
    Column("destroyed_at", Instant),
)

cases = _noun(
    "cases",
    Column("state", STATE, nullable=False),
    Column("data_class", Integer, nullable=False),
    Column("retention_until", Instant),
    Column("legal_hold", Boolean, nullable=False),
    Column("key_id", ID, nullable=False),
    Column("payload_key_id", ID, nullable=False),
    Column("sealed", SealedBytes, nullable=False),
)

media = _noun(
    "media",
    _to("cases"),
    Column("kind", STATE),
    Column("state", STATE, nullable=False, index=True),
    Column("reason", Json),
    Column("key_id", ID, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("duration_s", Float),
    Column("erase_after", Instant, index=True),
    Column("sealed", SealedBytes, nullable=False),
)

segments = _noun(
    "segments",
    Column("medium_id", ID, ForeignKey("media.id"), nullable=False),
    Column("stream", STATE, nullable=False),
    Column("number", Integer, nullable=False),
    Column("from_us", BigInteger, nullable=False),
    Column("to_us", BigInteger, nullable=False),
    Column("format", STATE, nullable=False),
    Column("object_id", ID, ForeignKey("objects.id"), nullable=False),
    UniqueConstraint("medium_id", "stream", "number"),
)

objects = _noun(
    "objects",
    Column("key_id", ID, nullable=False, index=True),
    Column("ciphertext_sha256", DIGEST, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("parts", Integer, nullable=False),
    Column("purpose", STATE, nullable=False),
    Column("expires_at", Instant),
)

uploads = _noun(
    "uploads",
    Column("medium_id", ID, ForeignKey("media.id"), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", DIGEST, nullable=False),
    Column("part_size", Integer, nullable=False),
    Column("part_sha256", Json, nullable=False),
    Column("parts_present", Json, nullable=False),
    Column("object_id", ID),
    Column("expires_at", Instant, nullable=False),
    Index(None, "medium_id", "sha256"),
)

decisions = _noun(
    "decisions",
    Column("kind", STATE, nullable=False),
    Column("inputs", Json, nullable=False),
    Column("verdict", Json, nullable=False),
    Column("reasons", Json, nullable=False),
)

jobs = _noun(
    "jobs",
    _to("cases"),
    Column("state", STATE, nullable=False, index=True),
    Column("reason", Json),
    Column("profile", STATE, nullable=False),
    Column("lang", String(8), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("deadline_at", Instant),
    Column("budget_cap", Amount),
    Column("key_id", ID, nullable=False),
    Column("models", Json, nullable=False),
    Column("decision_id", ID, ForeignKey("decisions.id"), nullable=False, unique=True),
    Column("ended_at", Instant),
)

job_media = Table(
    "job_media",
    metadata,
    Column("job_id", ID, ForeignKey("jobs.id"), primary_key=True),
    Column("medium_id", ID, ForeignKey("media.id"), primary_key=True, index=True),
    Column("place", Integer, nullable=False),
)

tasks = _noun(
    "tasks",
    Column("job_id", ID, ForeignKey("jobs.id"), nullable=False),
    Column("medium_id", ID, ForeignKey("media.id"), index=True),
    Column("pipeline", STATE, nullable=False),
    Column("stream", STATE),
    Column("first_segment", Integer, nullable=False),
    Column("last_segment", Integer, nullable=False),
    Column("state", STATE, nullable=False, index=True),
    Column("reason", Json),
    Column("requirements", Json, nullable=False),
    Column("tier_min", String(1), nullable=False),
    Column("attempts_max", Integer, nullable=False),
    Column("not_before", Instant),
    Column("fence", Integer, nullable=False),
    Column("input_object_id", ID),
    Index(None, "job_id", "pipeline", "state"),
    Index(None, "job_id", "state"),
)

instances = _noun(
    "instances",
    Column("provider", STATE, nullable=False),
    Column("provider_id", String(200)),
    Column("label", String(64), nullable=False, unique=True),
    Column("offer", Json, nullable=False),
    Column("price", Amount, nullable=False),
    Column("state", STATE, nullable=False, index=True),
    Column("reason", Json),
    Column("end_by", Instant, nullable=False),
    Column("ready_by", Instant, nullable=False),
    Column("ready_at", Instant),
    Column("token_hash", DIGEST),
    Column("certificate_serial", String(48)),
    Column("hpke_public", LargeBinary),
    Column("tier", String(1), nullable=False),
    Column("region", String(64)),
    Column("facts", Json),
    Column("absent_since", Instant),
    Column("last_seen_at", Instant),
    Column("shown_at", Instant),
    Column("ended_at", Instant),
    Column("bill_final_at", Instant),
)

attempts = _noun(
    "attempts",
    _to("tasks"),
    _to("instances"),
    Column("fence", Integer, nullable=False),
    Column("state", STATE, nullable=False, index=True),
    Column("reason", Json),
    Column("expires_at", Instant, nullable=False),
    Column("progress_at", Instant, nullable=False),
    Column("units", BigInteger, nullable=False),
    Column("blame", STATE),
    Column("key_released_at", Instant),
    Column("release_blob", LargeBinary),
    Column("stage_times", Json),
    Column("ended_at", Instant),
    UniqueConstraint("task_id", "fence"),
)

results = _noun(
    "results",
    Column("task_id", ID, ForeignKey("tasks.id"), nullable=False),
    Column("attempt_id", ID, ForeignKey("attempts.id"), nullable=False),
    Column("segment", Integer, nullable=False),
    Column("fence", Integer, nullable=False),
    Column("object_id", ID, ForeignKey("objects.id"), nullable=False),
    Column("gap", Boolean, nullable=False),
    UniqueConstraint("task_id", "segment"),
)

hosts = _noun(
    "hosts",
    Column("provider", STATE, nullable=False),
    Column("host", String(64), nullable=False),
    Column("region", String(64), nullable=False),
    Column("gpu", String(64), nullable=False),
    Column("bid", Boolean, nullable=False),
    Column("at", Instant, nullable=False),
    Column("held", Float, nullable=False),
    Column("failed_starts", Float, nullable=False),
    Column("losses", Float, nullable=False),
    Column("hours", Float, nullable=False),
    Column("starts", Float, nullable=False),
    Column("ready_seconds", Float, nullable=False),
    Column("work_seconds", Float, nullable=False),
    Column("wall_seconds", Float, nullable=False),
    Column("probes", Float, nullable=False, server_default="0"),
    Column("probe_seconds", Float, nullable=False, server_default="0"),
    Column("rentals", Integer, nullable=False),
    Column("strikes", Integer, nullable=False),
    Column("failed_at", Instant),
    UniqueConstraint("tenant_id", "provider", "host", "region", "gpu", "bid"),
)

reservations = _noun(
    "reservations",
    _to("jobs"),
    _to("instances"),
    Column("amount", Amount, nullable=False),
    Column("state", STATE, nullable=False),
)

charges = _noun(
    "charges",
    _to("instances"),
    _to("jobs", nullable=True),
    Column("from_at", Instant, nullable=False),
    Column("to_at", Instant, nullable=False),
    Column("amount", Amount, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("rate_date", String(10)),
    Column("source", STATE, nullable=False),
    UniqueConstraint("instance_id", "from_at"),
)

volumes = _noun(
    "volumes",
    Column("provider", STATE, nullable=False),
    Column("provider_id", String(80)),
    Column("name", String(80), nullable=False),
    Column("place", String(64), nullable=False),
    Column("region", String(64)),
    Column("size_gb", Integer, nullable=False),
    Column("price", Amount, nullable=False),
    Column("state", STATE, nullable=False, index=True),
    Column("reason", Json),
    Column("holds", Json, nullable=False),
    Column("asked_at", Instant),
    Column("used_at", Instant),
    Column("booked_at", Instant),
    Column("absent_since", Instant),
)

rents = _noun(
    "rents",
    _to("volumes"),
    Column("from_at", Instant, nullable=False),
    Column("to_at", Instant, nullable=False),
    Column("amount", Amount, nullable=False),
    UniqueConstraint("volume_id", "from_at"),
)

effects = _noun(
    "effects",
    Column("kind", STATE, nullable=False),
    Column("target_id", ID, nullable=False, index=True),
    Column("key", String(120), nullable=False, unique=True),
    Column("state", STATE, nullable=False, index=True),
    Column("attempts", Integer, nullable=False),
    Column("not_before", Instant),
    Column("last_error", Text),
)

payloads = _noun(
    "payloads",
    Column("key_id", ID, nullable=False, index=True),
    Column("sealed", SealedBytes, nullable=False),
)

entries = Table(
    "entries",
    metadata,
    Column("id", ID, primary_key=True),
    Column("created_at", Instant, nullable=False),
    Column("subject_id", ID, nullable=False, index=True),
    Column("leaf", LargeBinary, nullable=False),
    Column("leaf_hash", LargeBinary, nullable=False),
    Column("position", BigInteger, unique=True),
    Column("payload_id", ID, ForeignKey("payloads.id")),
)

heads = Table(
    "heads",
    metadata,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("created_at", Instant, nullable=False),
    Column("root", DIGEST, nullable=False),
    Column("frontier", Json, nullable=False),
    Column("note", Text, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column(
        "id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    ),
    Column("created_at", Instant, nullable=False, index=True),
    Column("tenant_id", ID, nullable=False),
    Column("subject_id", ID, nullable=False),
    Column("kind", STATE, nullable=False),
    Column("facts", Json, nullable=False),
    Index("ix_events_subject", "subject_id", "id"),
    sqlite_autoincrement=True,
)
