"""From media and a profile to a decision: models, requirements, offers, the ranked table and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from leitstand.control import money
from leitstand.control.commands import Door
from leitstand.control.decision import RecordDecision, plain, reasons, verdict
from leitstand.control.transaction import Tx
from leitstand.core import gate
from leitstand.core.access import Actor
from leitstand.core.cost import Budget, left_in, spelled
from leitstand.core.instant import utc
from leitstand.core.job import FUSE
from leitstand.core.medium import Case, Medium, takeable
from leitstand.core.model import ModelVersion
from leitstand.core.placement import (
    Offer,
    Placement,
    Ranked,
    Rejection,
    Requirements,
    combined,
    order,
    place,
    tier_min,
)
from leitstand.core.problem import Exit, Problem
from leitstand.core.profile import check, families, pipeline_of
from leitstand.ports import ModelShelf, Provider
from leitstand.store import jobs, media

BOOT_SECONDS = {"L": 6.0}
BOOT_SECONDS_RENTED = 300.0
WORK_PER_SECOND = {"video": 1.2, "audio": 0.25}
"""Seconds of work per second of media on one CPU core pair, until own runs are learned from."""
WORK_PER_IMAGE = 1.5
GPU_FACTOR = 0.15
RAM_GIB = {"video": 1.5, "image": 1.0, "audio": 1.0, FUSE: 0.5}
"""Memory of a pipeline beside its models."""
OFFER_SECONDS_MAX = 20.0


@dataclass(frozen=True, slots=True)
class PlanRules:
    """What settings say about planning."""

    vram_gib: Mapping[str, float]
    """By pipeline: video, image, audio, fuse."""
    cuda_min: str
    disk_gib_min: float
    end_by_hours_max: Mapping[str, float]
    """By provider."""
    price_max: Mapping[str, Decimal | None]
    budgets: Mapping[str, str | None]
    regions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By provider: where instances may stand. None named: anywhere."""
    tiers: Mapping[int, str] = field(default_factory=dict)
    """Worst tier by data class, where it is stricter than the rule."""
    instances_max: int = 1
    """How many instances one job may use at once; they share its money."""

    def tier_min(self, data_class: int) -> str:
        """The lowest tier that may see media of this class."""
        return tier_min(data_class, self.tiers.get(data_class))


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person asked for."""

    case_id: str
    media_ids: tuple[str, ...]
    profile: str
    lang: str
    provider: str | None = None
    max_cost_eur: Decimal | None = None
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """What has to be done, as planning sees it."""

    case: Case
    pipelines: tuple[str, ...]
    models: tuple[ModelVersion, ...]
    missing: tuple[tuple[str, str], ...]
    """Family and capability of optional uses without a model here."""
    wants: Mapping[str, Requirements]
    want: Requirements
    seconds: float


class Planner:
    """Makes decisions; holds no state of its own."""

    def __init__(
        self,
        door: Door,
        providers: Mapping[str, Provider],
        shelf: ModelShelf,
        rules: PlanRules,
    ) -> None:
        self._door = door
        self._providers = providers
        self._shelf = shelf
        self.rules = rules

    def decide(self, wish: Wish, actor: Actor, now: datetime) -> jobs.Decision:
        """Plan a job. Raises Problem `unknown-profile`, `models-missing`, `nothing-to-analyse`,
        `medium-gone`, `medium-not-ready`, `unknown-provider`; a plan without an offer is a decision
        whose `chosen` is null."""
        work = self.work(wish, now)
        offers, silent = self.offers(work.want, wish.provider)
        left = left_in(self.budgets(None, wish.max_cost_eur, now))
        placement = self.placement(
            offers, work.want, work.seconds, now, wish.due_at, left, self.rules.instances_max
        )
        inputs = self._inputs(wish, work)
        judged = verdict(placement, left)
        return self._door.run(
            RecordDecision(inputs, judged, reasons(placement, silent)), actor, now
        )

    def work(self, wish: Wish, now: datetime) -> Work:
        """What the media and the profile come to."""
        pipelines_of = check(wish.profile)

        def read(tx: Tx) -> tuple[Case, list[tuple[Medium, set[str]]]]:
            found = {m.id: m for m in media.find(tx.conn, tx.tenant, wish.media_ids)}
            listed = []
            for medium_id in dict.fromkeys(wish.media_ids):
                medium = found.get(medium_id)
                if medium is None or medium.case_id != wish.case_id:
                    raise Problem("unknown-medium", Exit.USAGE, medium=medium_id)
                streams = media.streams_of(tx.conn, tx.tenant, medium_id)
                listed.append((medium, {pipeline_of(stream) for stream in streams}))
            return tx.case(wish.case_id), listed

        case, listed = self._door.database.read(lambda c: read(self._door.look(now, c)))
        takeable([medium for medium, _ in listed])
        ready = [(m, found & set(pipelines_of)) for m, found in listed if m.state == "ready"]
        pipelines = tuple(sorted({name for _, found in ready for name in found}))
        if not pipelines:
            raise Problem("nothing-to-analyse", Exit.USAGE, profile=wish.profile)
        models, missing = self._models(wish.profile, pipelines, case, now)
        wants = {n: self._want(n, wish.profile, models, case) for n in (*pipelines, FUSE)}
        seconds = sum(_work_seconds(m, found) for m, found in ready)
        want = combined([wants[name] for name in pipelines])
        return Work(case, pipelines, models, missing, wants, want, seconds)

    def _models(
        self, profile: str, pipelines: Sequence[str], case: Case, now: datetime
    ) -> tuple[tuple[ModelVersion, ...], tuple[tuple[str, str], ...]]:
        chosen: dict[str, ModelVersion] = {}
        missing: list[tuple[str, str]] = []
        required: list[str] = []
        for name in pipelines:
            for use in check(profile)[name]:
                if not gate.permitted(use.capability, case, now):
                    raise Problem("gated", Exit.REFUSED, capability=use.capability)
                version = self._shelf.best(use.family)
                if version is not None:
                    chosen[use.family] = version
                elif use.required:
                    required.append(use.family)
                elif (use.family, use.capability) not in missing:
                    missing.append((use.family, use.capability))
        if required:
            raise Problem("models-missing", Exit.USAGE, families=", ".join(sorted(set(required))))
        return tuple(chosen[family] for family in sorted(chosen)), tuple(missing)

    def _want(
        self, pipeline: str, profile: str, models: Sequence[ModelVersion], case: Case
    ) -> Requirements:
        loaded = [model for model in models if model.family in families(profile, pipeline)]
        measured = [model.vram_gib for model in loaded]
        vram = self.rules.vram_gib[pipeline]
        if measured and all(value is not None for value in measured):
            vram = sum(value or 0.0 for value in measured) * 1.2
        ram = RAM_GIB[pipeline] + sum(model.ram_gib or 0.0 for model in loaded) * 1.2
        return Requirements(
            accelerator="any",
            vram_gib=round(vram, 2),
            cuda_min=self.rules.cuda_min,
            disk_gib=self.rules.disk_gib_min,
            ram_gib=round(ram, 2),
            tier_min="L" if pipeline == FUSE else self.rules.tier_min(case.data_class),
        )

    def offers(
        self, want: Requirements, only: str | None = None
    ) -> tuple[list[Offer], dict[str, str]]:
        """Offers of every configured provider, asked in parallel, and who did not answer. Nobody
        is waited for longer than `OFFER_SECONDS_MAX`."""
        if only is not None and only not in self._providers:
            known = ", ".join(sorted(self._providers))
            raise Problem("unknown-provider", Exit.USAGE, provider=only, known=known)
        asked = [only] if only is not None else sorted(self._providers)
        found: list[Offer] = []
        silent: dict[str, str] = {}
        pool = ThreadPoolExecutor(max_workers=max(1, len(asked)))
        try:
            futures = {name: pool.submit(_listed, self._providers[name], want) for name in asked}
            for name, future in futures.items():
                try:
                    found += future.result(timeout=OFFER_SECONDS_MAX)
                except Exception as error:
                    silent[name] = type(error).__name__
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
        return found, silent

    def placement(
        self,
        offers: Sequence[Offer],
        want: Requirements,
        work_seconds: float,
        now: datetime,
        due_at: datetime | None = None,
        left_eur: Decimal | None = None,
        shares: int = 1,
    ) -> Placement:
        """Rank offers for this work; each provider has its own longest term and highest price."""
        ranked: list[Ranked] = []
        rejected: list[tuple[Offer, Rejection]] = []
        for name in sorted({offer.provider for offer in offers}):
            mine = [offer for offer in offers if offer.provider == name]
            here = self.wanted_of(name, want, now)
            placed = place(
                mine,
                here,
                now,
                lambda o: _offer_seconds(o, work_seconds),
                due_at,
                left_eur,
                shares,
            )
            ranked += placed.ranked
            rejected += placed.rejected
        return Placement(tuple(sorted(ranked, key=order)), tuple(rejected))

    def wanted_of(self, provider: str, want: Requirements, now: datetime) -> Requirements:
        """A need with what settings ask of this provider: region, highest price, longest term."""
        hours = self.rules.end_by_hours_max.get(provider, 24.0)
        regions = self.rules.regions.get(provider) or None
        here = combined([want, replace(want, regions=regions)])
        return replace(
            here,
            end_by=now + timedelta(hours=hours),
            price_max_eur_per_hour=self.rules.price_max.get(provider),
        )

    def budgets(self, job_id: str | None, cap: Decimal | None, now: datetime) -> list[Budget]:
        """What a reservation for a job must fit in; `cap` is what the job may cost."""
        return self._door.database.read(
            lambda conn: money.budgets(self._door.look(now, conn), job_id, cap, self.rules.budgets)
        )

    def _inputs(self, wish: Wish, work: Work) -> dict[str, Any]:
        return {
            "case": wish.case_id,
            "media": list(dict.fromkeys(wish.media_ids)),
            "profile": wish.profile,
            "lang": wish.lang,
            "provider": wish.provider,
            "budget_cap_eur": spelled(wish.max_cost_eur),
            "due_at": None if wish.due_at is None else utc(wish.due_at),
            "budgets": dict(self.rules.budgets),
            "tier_min": self.rules.tier_min(work.case.data_class),
            "requirements": {name: plain(want) for name, want in work.wants.items()},
            "models": [asdict(model) for model in work.models],
            "missing": [{"family": f, "capability": c} for f, c in work.missing],
            "work_seconds": round(work.seconds, 1),
        }


def _listed(provider: Provider, want: Requirements) -> list[Offer]:
    return list(provider.offers(want))


def _work_seconds(medium: Medium, pipelines: set[str]) -> float:
    seconds = 0.0
    for name in pipelines:
        if name == "image":
            seconds += WORK_PER_IMAGE
        else:
            seconds += WORK_PER_SECOND.get(name, 1.0) * (medium.duration_s or 0.0)
    return seconds


def _offer_seconds(offer: Offer, work_seconds: float) -> float:
    boot = BOOT_SECONDS.get(offer.tier, BOOT_SECONDS_RENTED)
    factor = GPU_FACTOR if offer.accelerator == "cuda" else 1.0
    return boot + work_seconds * factor
