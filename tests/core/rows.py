"""Core rows as tests need them: complete, and changed by name."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from leitstand.core.instance import Instance
from leitstand.core.job import Attempt, Job
from leitstand.core.medium import Case, Medium
from leitstand.core.placement import Offer
from leitstand.core.sealed import Sealed

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


def instance(**values: Any) -> Instance:
    found = Instance(
        id="instance_1",
        tenant_id="local",
        provider="rented",
        provider_id="p1",
        label="ls1-x-1-1",
        offer={"gpu": None, "offer_id": "one"},
        price=Decimal("0.36"),
        state="ready",
        reason=None,
        end_by=NOW + timedelta(hours=1),
        ready_by=NOW + timedelta(minutes=20),
        ready_at=None,
        token_hash=None,
        certificate_serial=None,
        hpke_public=b"public",
        tier="B",
        region="eu",
        facts=None,
        absent_since=None,
        last_seen_at=None,
        shown_at=NOW,
        bill_final_at=None,
        version=1,
        created_at=NOW,
        updated_at=NOW,
        ended_at=None,
    )
    return replace(found, **values)


def job(**values: Any) -> Job:
    found = Job(
        id="job_1",
        tenant_id="local",
        case_id="case_1",
        state="running",
        reason=None,
        profile="people",
        lang="en",
        priority=0,
        deadline_at=None,
        budget_cap=None,
        key_id="key_1",
        models=[],
        decision_id="decision_1",
        version=1,
        created_at=NOW,
        updated_at=NOW,
        ended_at=None,
    )
    return replace(found, **values)


def attempt(**values: Any) -> Attempt:
    found = Attempt(
        id="attempt_1",
        task_id="task_1",
        instance_id="instance_1",
        fence=3,
        state="live",
        reason=None,
        expires_at=NOW + timedelta(minutes=1),
        progress_at=NOW,
        units=0,
        blame=None,
        key_released_at=None,
        release_blob=None,
        stage_times=None,
        version=1,
        created_at=NOW,
        ended_at=None,
    )
    return replace(found, **values)


def case(**values: Any) -> Case:
    found = Case("case_1", "open", 2, "key_2", "key_3", False, Sealed(b""), 1, NOW)
    return replace(found, **values)


def medium(**values: Any) -> Medium:
    found = Medium(
        "medium_1", "case_1", "video", "ready", None, "key_4", 10, 1.0, None, Sealed(b""), 1, NOW
    )
    return replace(found, **values)


def offer(**values: Any) -> Offer:
    found = Offer(
        provider="rented",
        offer_id="one",
        accelerator="nvidia",
        gpu="RTX 4090",
        gpus=1,
        vram_gib=24.0,
        cuda="12.4",
        compute_capability="8.9",
        driver="550",
        cores=16,
        ram_gib=64.0,
        disk_gib=100.0,
        down_mbit_per_s=800.0,
        tier="B",
        region="eu",
        host="h",
        price_eur_per_hour=Decimal("0.40"),
    )
    return replace(found, **values)
