"""From media and a profile to a decision: models, requirements, offers, the ranked table and why."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from leitstand.control import money
from leitstand.control.commands import Door
from leitstand.control.decision import RecordDecision, agreed, reasons, verdict
from leitstand.control.fresh import Fresh
from leitstand.control.market import Market, Offers
from leitstand.control.question import Question, market_of, plain
from leitstand.control.transaction import Tx
from leitstand.core import gate, limits
from leitstand.core.access import Actor
from leitstand.core.board import Board
from leitstand.core.cost import Budget, left_in, spelled
from leitstand.core.history import History
from leitstand.core.instant import utc
from leitstand.core.job import FUSE
from leitstand.core.medium import Case, Medium, takeable
from leitstand.core.model import ModelVersion
from leitstand.core.outlook import Load, Odds, outlook, work_seconds
from leitstand.core.placement import (
    OWN_TIER,
    Offer,
    Rejection,
    Requirements,
    Terms,
    combined,
    tier_min,
)
from leitstand.core.problem import Exit, Problem
from leitstand.core.profile import check, families, pipeline_of
from leitstand.core.template import as_now, launch_spec
from leitstand.core.volume import shelved
from leitstand.ports import BootFiles, Capability, ModelShelf, Provider
from leitstand.store import hosts, instances, jobs, media, volumes

RAM_GIB = {"video": 1.5, "image": 1.0, "audio": 1.0, FUSE: 0.5}
"""Memory of a pipeline beside its models."""


@dataclass(frozen=True, slots=True)
class PlanRules:
    """What settings say about planning."""

    vram_gib: Mapping[str, float]
    """By pipeline: video, image, audio, fuse."""
    cuda_min: str
    disk_gib_min: float
    """Of rented instances."""
    end_by_hours_max: Mapping[str, float]
    """By provider."""
    price_max: Mapping[str, Decimal | None]
    budgets: Mapping[str, str | None]
    own_disk_gib_min: float = limits.DISK_GIB_MIN_OWN
    regions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By provider: where instances may stand. None named: anywhere."""
    tiers: Mapping[int, str] = field(default_factory=dict)
    """Worst tier by data class, where it is stricter than the rule."""
    instances_max: int = 1
    """How many instances one job may use at once; they share its money."""
    own_first: int = 2
    """From this data class on, own machines come before rented ones."""
    burst: str = "full"
    """When such a job rents; see `placement.Terms`."""
    images: Mapping[str, str] = field(default_factory=dict)
    """By provider: what machines start from, pinned."""
    image_dates: Mapping[str, date | None] = field(default_factory=dict)
    """Of which day that is."""
    image_age_warn: timedelta | None = None
    image_age_max: timedelta | None = None
    prebuilt: frozenset[str] = frozenset()
    """Providers whose image was built here and has the worker."""

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
    load: Load
    pieces: int = 1
    """How many instances could work on it at once, were each given a segment."""


class Planner:
    """Makes decisions; holds no state of its own but what providers last answered."""

    def __init__(
        self,
        door: Door,
        providers: Mapping[str, Provider],
        shelf: ModelShelf,
        rules: PlanRules,
        outside: Callable[[], Rejection | None] = lambda: None,
        nearby: Callable[[], Rejection | None] = lambda: None,
        boot: BootFiles | None = None,
    ) -> None:
        """`outside` says why no machine elsewhere may be rented now, `nearby` why no other own one
        may be started. `boot`: what a fresh machine installs."""
        self._door = door
        self._market = Market(providers)
        self._unguarded = {
            name
            for name, provider in providers.items()
            if hasattr(provider, "account") and Capability.SELF_END not in provider.capabilities
        }
        """Where money flows and no machine can end itself."""
        self.unagreed = {n for n, p in providers.items() if not getattr(p, "agreed", True)}
        """Where no processing agreement is recorded, of those whose tiers rest on one."""
        self.keeps_volumes = any(Capability.VOLUMES in p.capabilities for p in providers.values())
        self._shelf = shelf
        self.rules = rules
        self._boot = Fresh(boot)
        self._outside, self._nearby = outside, nearby

    def decide(self, wish: Wish, actor: Actor, now: datetime) -> jobs.Decision:
        """Plan a job. Raises Problem `unknown-profile`, `models-missing`, `nothing-to-analyse`,
        `medium-gone`, `medium-not-ready`, `unknown-provider`; a plan without an offer is a decision
        whose `chosen` is null."""
        work = self.work(wish, now)
        offers = self.offers(work.want, wish.provider, now, _bytes(work.models))
        left = left_in(self.budgets(None, wish.max_cost_eur, now))
        own_first = work.case.data_class >= self.rules.own_first
        terms = Terms(now, wish.due_at, left, self.rules.instances_max)
        terms = replace(terms, own_first=own_first, burst=self.rules.burst)
        question = self.question(offers.found, work.want, work.load, terms)
        placement = question.answer()
        inputs = self._inputs(wish, work) | {"market": market_of(question)}
        judged = verdict(placement, question)
        why = reasons(placement, offers.silent, offers.aged)
        why["old_images"] = self.old_images(now)
        chosen = placement.chosen
        inputs["agreed_eur"] = spelled(agreed(placement, question, work.pieces))
        if chosen is not None and chosen.offer.provider not in self.rules.prebuilt:
            why["prebuilt"] = self._boot.prebuilt(chosen.offer)
        return self._door.run(RecordDecision(inputs, judged, why), actor, now)

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
        want = combined([wants[name] for name in pipelines])
        load, pieces = _load(ready, models), _pieces(ready)
        return Work(case, pipelines, models, missing, wants, want, load, pieces)

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
            own_disk_gib=self.rules.own_disk_gib_min,
            ram_gib=round(ram, 2),
            down_mbit_per_s=limits.DOWN_MBIT_PER_S_MIN,
            reliability_min=limits.RELIABILITY_MIN,
            tier_min="L" if pipeline == FUSE else self.rules.tier_min(case.data_class),
        )

    def offers(
        self,
        want: Requirements,
        only: str | None,
        now: datetime,
        models: Mapping[str, int] | None = None,
    ) -> Offers:
        """What all providers offer, or one of them. `models` are bytes by digest: an offer says how
        much of them lies on the volume that an instance of it would get."""
        answer = self._market.offers(self._boot.runs_on(want), only, now)
        if not self.keeps_volumes:
            return answer
        read = self._door.database.read
        shelves, alive = read(volumes.kept), read(instances.alive)
        mounted = frozenset(str(i.offer["volume"]) for i in alive if i.offer.get("volume"))
        return replace(answer, found=shelved(answer.found, shelves, mounted, models or {}))

    def question(
        self, offers: Sequence[Offer], want: Requirements, load: Load, terms: Terms
    ) -> Question:
        """All that ranking these offers for this work rests on: each provider has its own longest
        term and highest price, each machine its history; and whether any elsewhere may be taken."""
        history = self._history()
        names = sorted({offer.provider for offer in offers})
        wants = {name: self.wanted_of(name, want, terms.now) for name in names}
        odds = self._odds(history, offers, terms.now)
        outlooks = [outlook(o, load, one) for o, one in zip(offers, odds, strict=True)]
        terms = self.barring(offers, terms)
        return Question(tuple(offers), wants, terms, tuple(outlooks))

    def barring(self, offers: Sequence[Offer], terms: Terms) -> Terms:
        """With what keeps whole kinds of machines out, where there are any of that kind."""
        elsewhere = any(offer.tier != OWN_TIER for offer in offers)
        networked = any(offer.networked for offer in offers)
        return replace(
            terms,
            outside=self._outside() if elsewhere else None,
            nearby=self._nearby() if networked else None,
        )

    def board(self, offers: Sequence[Offer], want: Requirements, now: datetime) -> Board:
        """These offers prepared for all jobs of one need."""
        history = self._history()
        wants = {o.provider: self.wanted_of(o.provider, want, now) for o in offers}
        barred = self.barring(offers, Terms(now)).barred
        boot_gib = self._boot.gib()

        def odds_of(offer: Offer) -> Odds:
            return _fetching(history.odds(offer, now), offer, boot_gib)

        return Board(offers, wants, odds_of, now, barred)

    def odds(self, offers: Sequence[Offer], now: datetime) -> list[Odds]:
        """What is believed of these offers."""
        history = self._history()
        return self._odds(history, offers, now)

    def _odds(self, history: History, offers: Sequence[Offer], now: datetime) -> list[Odds]:
        boot_gib = self._boot.gib()
        return [_fetching(history.odds(offer, now), offer, boot_gib) for offer in offers]

    def _history(self) -> History:
        tenant = self._door.tenant
        return History(self._door.database.read(lambda conn: hosts.records(conn, tenant)))

    def wanted_of(self, provider: str, want: Requirements, now: datetime) -> Requirements:
        """A need with what settings ask of this provider: region, highest price, longest term."""
        hours = self.rules.end_by_hours_max.get(provider, 24.0)
        if provider in self._unguarded:
            hours = min(hours, limits.UNGUARDED_HOURS_MAX)
        regions, most = self.rules.regions.get(provider) or None, self.rules.image_age_max
        here = combined([want, replace(want, regions=regions)])
        if provider in self.rules.images:
            here = self._boot.runs_on(here)
        return replace(
            here,
            end_by=now + timedelta(hours=hours),
            price_max_eur_per_hour=self.rules.price_max.get(provider),
            image_days=self._boot.days(self.rules.image_dates.get(provider), now),
            image_days_max=None if most is None else most.days,
        )

    def old_images(self, now: datetime) -> dict[str, int | None]:
        """By provider: how many days old is what its machines start from, where it is too old not
        to be said, or of an age that nobody knows."""
        least, found = self.rules.image_age_warn, {}
        for name in sorted(self.rules.images) if least is not None else ():
            days = self._boot.days(self.rules.image_dates.get(name), now)
            if days is None or (least is not None and days > least.days):
                found[name] = days
        return found

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
            "own_first": work.case.data_class >= self.rules.own_first,
            "requirements": {name: plain(want) for name, want in work.wants.items()},
            "models": [asdict(model) for model in work.models],
            "missing": [{"family": f, "capability": c} for f, c in work.missing],
            "launch_specs": self._launch_specs(wish.profile, work),
            "work_seconds": round(work.load.seconds, 1),
            "download_gib": round(work.load.download_gib, 3),
        }

    def _launch_specs(self, profile: str, work: Work) -> list[dict[str, Any]]:
        """One for each modality of the work."""
        software, specs = self._boot.software(), []
        for name in work.pipelines:
            loaded = families(profile, name)
            models = [model.digest for model in work.models if model.family in loaded]
            needs = plain(work.wants[name])
            specs.append(launch_spec(name, needs, models, self.rules.images, software))
        return specs

    def as_now(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        """A recorded launch spec, were it made now."""
        return as_now(spec, self.rules.images, self._boot.software())


def _fetching(odds: Odds, offer: Offer, boot_gib: float) -> Odds:
    """With what it fetches at each start, where that costs money."""
    return replace(odds, boot_gib=boot_gib) if offer.down_eur_per_gb else odds


def _load(ready: Sequence[tuple[Medium, set[str]]], models: Sequence[ModelVersion]) -> Load:
    """The work on these media, and what a fresh machine fetches for it."""
    seconds = sum(_work_seconds(medium, found) for medium, found in ready)
    size = sum(medium.bytes for medium, _ in ready)
    size += sum(_bytes(models).values())
    return Load(seconds, size / limits.GIB)


def _pieces(ready: Sequence[tuple[Medium, set[str]]]) -> int:
    return sum(
        len(found) * max(1, math.ceil((medium.duration_s or 0.0) / limits.SEGMENT_SECONDS))
        for medium, found in ready
    )


def _bytes(models: Sequence[ModelVersion]) -> dict[str, int]:
    """Model files by digest: one that two models share is fetched once."""
    return {file.sha256: file.bytes for model in models for file in model.files}


def _work_seconds(medium: Medium, pipelines: set[str]) -> float:
    return sum(work_seconds(name, medium.duration_s or 0.0) for name in pipelines)
