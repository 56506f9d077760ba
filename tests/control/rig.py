"""A control plane without HTTP: real store, real vault, a provider and a worker that the test drives."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from ulid import ULID

from leitstand.control.again import barred_now
from leitstand.control.attempts import AttemptBeat, Beat, Finish, ReleaseKey, StoreResult
from leitstand.control.cases import OpenCase
from leitstand.control.commands import Command, Door
from leitstand.control.dispatch import Dispatcher
from leitstand.control.doubts import Doubts
from leitstand.control.effects import EffectRunner, Launches, WorkerAddress
from leitstand.control.jobs import StartJob
from leitstand.control.leases import Claim
from leitstand.control.mailbox import Mailbox
from leitstand.control.media import CompleteUpload, MediumReady, NewSegment, OpenMedium, OpenUpload
from leitstand.control.membership import Admit, Enrol
from leitstand.control.plan import Planner, PlanRules, Wish
from leitstand.control.prepay import Prepay
from leitstand.control.reconcile import Reconciler
from leitstand.control.sequence import Sequencer
from leitstand.control.stopper import Stopper
from leitstand.control.upkeep import Upkeep
from leitstand.control.volumes import Volumes
from leitstand.core.access import Actor
from leitstand.core.job import Job
from leitstand.core.letter import Letter, name_of, pack, to_sign
from leitstand.core.limits import VOLUMES_IDLE
from leitstand.core.model import ModelFile, ModelVersion, digest_of
from leitstand.core.placement import Offer, Requirements
from leitstand.core.problem import Exit, Problem
from leitstand.launch import LABEL_PREFIX
from leitstand.ports import Capability, LaunchSpec, Provider, ProviderError, Rejected, Seen, Status
from leitstand.security.ca import Authority, WorkerCredentials
from leitstand.store import instances, jobs, media, tables
from leitstand.store.engine import Database
from leitstand.vault.note import Signer, verify_head
from leitstand.vault.release import HpkeKey
from leitstand.vault.strongbox import Strongbox

TENANT = "local"
OPERATOR = Actor("operator", "1000")
START = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
REGIONS = ("eu", "CZ", "IS", "JP", "NO", "RO", "SE", "US")
"""Everywhere that a test rents."""
GOOD = {
    "facts": {"cores": 2},
    "sandbox": {"no_new_privs": True, "rlimits": True, "landlock": True, "seccomp": True},
    "self_test": {"inference": True, "decode": True, "seconds": 0.1},
}


class SeededIds:
    """Identifiers that depend on the seed and the order of calls alone."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._last = 0

    def new(self, noun: str, now: datetime) -> str:
        fresh = (int(now.timestamp() * 1000) << 80) | self._random.getrandbits(80)
        self._last = max(fresh, self._last + 1)
        return f"{noun}_{ULID.from_int(self._last)}"

    def draw(self, size: int) -> bytes:
        return self._random.randbytes(size)


class MemoryBlobs:
    """Blobs that a test can look into. `silent`: the store does not answer."""

    def __init__(self, *, addressed: bool = False) -> None:
        self.held: dict[str, bytes] = {}
        self.addressed = addressed
        self.silent = False

    def put(self, name: str, body: Iterable[bytes]) -> None:
        self.held[name] = b"".join(body)

    def get(self, name: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        yield self.held[name][start:end]

    def size(self, name: str) -> int | None:
        return len(self.held[name]) if name in self.held else None

    def delete(self, names: Sequence[str]) -> None:
        for name in names:
            self.held.pop(name, None)

    def names(self, under: str | None = None) -> Iterator[str]:
        if self.silent:
            raise Problem("blobs-unavailable", Exit.UNREACHABLE, where="memory", reason="silent")
        folder = "" if under is None else f"{under}/"
        yield from [name for name in self.held if name.startswith(folder)]

    def put_address(self, name: str, term: timedelta) -> str:
        return f"memory:{name}?{int(term.total_seconds())}"


@dataclass
class Rented:
    """A provider whose answers the test writes. `fails` is raised by the next launches."""

    tier: str = "L"
    price: Decimal = Decimal("0.36")
    running: dict[str, Seen] = field(default_factory=dict)
    specs: dict[str, LaunchSpec] = field(default_factory=dict)
    fails: list[ProviderError] = field(default_factory=list)
    silent: bool = False
    stubborn: bool = False
    other_image: bool | None = False
    region: str | None = "eu"
    launches: int = 0
    ends: list[str] = field(default_factory=list)
    capabilities: frozenset[Capability] = frozenset()
    listing_lag: timedelta = timedelta(0)

    def offers(self, want: Requirements) -> Iterable[Offer]:
        yield Offer(
            provider="rented",
            offer_id="one",
            accelerator="cpu",
            gpu=None,
            gpus=0,
            vram_gib=0.0,
            cuda=None,
            compute_capability=None,
            driver=None,
            cores=4,
            ram_gib=16.0,
            disk_gib=200.0,
            down_mbit_per_s=1000.0,
            tier=self.tier,
            region=self.region,
            host="h1",
            price_eur_per_hour=self.price,
        )

    def launch(self, offer: Offer, spec: LaunchSpec, label: str) -> Seen:
        self.launches += 1
        if self.fails:
            raise self.fails.pop(0)
        return self.create(spec, label)

    def create(self, spec: LaunchSpec, label: str) -> Seen:
        if not label.startswith(LABEL_PREFIX):
            raise Rejected("the label has no prefix of ours")
        seen = Seen(
            f"p{self.launches}",
            label,
            Status.RUNNING,
            region=self.region,
            other_image=self.other_image,
        )
        self.running[seen.provider_id] = seen
        self.specs[label] = spec
        return seen

    def list(self) -> Iterable[Seen]:
        if self.silent:
            raise ProviderError("silent")
        return list(self.running.values())

    def pause(self, provider_id: str) -> None:
        raise Rejected("not offered")

    def resume(self, provider_id: str) -> None:
        raise Rejected("not offered")

    def terminate(self, provider_id: str) -> None:
        self.ends.append(provider_id)
        if not self.stubborn:
            self.running.pop(provider_id, None)


class OneModel:
    """A shelf with one version of every family."""

    def best(self, family: str) -> ModelVersion | None:
        files = (ModelFile("model.onnx", hashlib.sha256(family.encode()).hexdigest(), 10),)
        return ModelVersion(family, f"{family}-x", "1.0", digest_of(files), files, "MIT", 1.0, 0.1)

    def open(self, sha256: str) -> None:
        return None


class Verifier:
    def __init__(self, key: str) -> None:
        self._key = key

    def verify(self, note: str) -> tuple[int, bytes]:
        return verify_head(note, self._key)


class Rig:
    """Everything of a control plane below HTTP, at a time that the test sets."""

    def __init__(
        self,
        database: Database,
        folder: Path,
        *,
        seed: int = 1,
        budgets: dict[str, str | None] | None = None,
        instances_max: int = 1,
        segments_per_task: int = 4,
        more: Mapping[str, Provider] | None = None,
        told: Mapping[str, str] | None = None,
        mailbox: bool = False,
        volumes: Mapping[str, Mapping[str, int]] | None = None,
    ) -> None:
        self.time = START
        self.database = database
        self.blobs = MemoryBlobs(addressed=mailbox)
        self.rented = Rented()
        self.segments_per_task = segments_per_task
        self.door = Door(database, Strongbox(folder / "keys"), SeededIds(seed), TENANT, self)
        self.authority = Authority.open(folder / "ca", START)
        self.signer = Signer.open(folder / "ledger", "test")
        providers: dict[str, Provider] = {"rented": self.rented, **(more or {})}
        rules = PlanRules(
            vram_gib={"video": 24.0, "image": 16.0, "audio": 8.0, "fuse": 0.0},
            cuda_min="11.8",
            disk_gib_min=1.0,
            own_disk_gib_min=1.0,
            end_by_hours_max=dict.fromkeys(providers, 1.0),
            price_max={},
            regions=dict.fromkeys(providers, REGIONS),
            budgets=budgets or {"job": None, "month": None, "total": None},
            instances_max=instances_max,
        )
        self.planner = Planner(self.door, providers, OneModel(), rules)
        address = WorkerAddress("https://127.0.0.1:1", self.authority.sha256, 1, told or {})
        in_line = Launches(start=lambda call: call())
        doubts = Doubts(self.door, providers)
        self.mailbox = Mailbox.over(self.door, self.blobs, self.authority, self)
        self.effects = EffectRunner(
            self.door,
            providers,
            self.blobs,
            address,
            self,
            in_line,
            self.mailbox,
            doubts,
            partial(barred_now, self.planner, self.door),
        )
        self.reconciler = Reconciler(
            self.door, providers, self.planner, "test1234", instances_max, self, doubts
        )
        self.dispatcher = Dispatcher(self.door, self.blobs, self.mailbox)
        self.sequencer = Sequencer(self.door, self.signer, "test")
        self.upkeep = Upkeep(self.door, self.blobs)
        self.stopper = Stopper(self.door, providers)
        self.prepay = Prepay(self.door, providers, lambda: rules.budgets, self)
        self.volumes = Volumes(
            self.door, providers, volumes or {}, rules.budgets, "test1234", VOLUMES_IDLE
        )

    def now(self) -> datetime:
        """The rig is its own clock."""
        return self.time

    def monotonic(self) -> float:
        return (self.time - START).total_seconds()

    def run(self, command: Command[Any], actor: Actor = OPERATOR) -> Any:
        return self.door.run(command, actor, self.time)

    def later(self, **delta: float) -> None:
        self.time += timedelta(**delta)

    def step(self, times: int = 1) -> None:
        """All steps once, a second apart."""
        for _ in range(times):
            self.dispatcher.step(self.time)
            self.reconciler.step(self.time)
            self.effects.step(self.time)
            self.upkeep.step(self.time)
            self.sequencer.step(self.time)
            self.later(seconds=1)

    def medium(
        self,
        case_id: str,
        segments: int = 2,
        stream: str = "video:0",
        gaps: Sequence[dict[str, Any]] = (),
    ) -> str:
        """A ready medium whose objects are stored."""
        new = self.run(OpenMedium(case_id, "straße.mp4", 100))
        rows = []
        for number in range(segments):
            body = f"{new.id} {number}".encode()
            digest = hashlib.sha256(body).hexdigest()
            upload = self.run(OpenUpload(new.id, len(body), digest, (digest,)))
            object_id = self.door.ids.new("object", self.time)
            self.blobs.put(object_id, [body])
            self.run(CompleteUpload(upload.id, object_id))
            span = 30_000_000
            rows.append(
                NewSegment(
                    stream, number, number * span, (number + 1) * span, "matroska", object_id
                )
            )
        kind = stream.split(":", maxsplit=1)[0]
        technical = {"duration_s": 30.0 * segments}
        self.run(MediumReady(new.id, kind, "0" * 64, technical, {}, list(gaps), tuple(rows)))
        return str(new.id)

    def job(self, *, segments: int = 2, case: str = "inbox", media: int = 1, **wish: Any) -> Job:
        """A started job over fresh media."""
        found = self.run(OpenCase(case))
        ids = tuple(self.medium(found.id, segments) for _ in range(media))
        asked = Wish(found.id, ids, "people", "en", **wish)
        decision = self.planner.decide(asked, OPERATOR, self.time)
        started: Job = self.run(StartJob(decision.id, "test1234", self.segments_per_task))
        return started

    def read(self, work: Any) -> Any:
        return self.database.read(work)

    def alarms(self) -> list[Any]:
        found = self.read(lambda c: c.execute(tables.events.select()).all())
        return [one for one in found if one.kind == "alarm"]

    def instance_states(self) -> list[str]:
        found = self.read(lambda conn: instances.page(conn, TENANT, None, 100))
        return [instance.state for instance in reversed(found)]

    def job_state(self, job: Job) -> str:
        found = self.read(lambda conn: jobs.find(conn, TENANT, job.id))
        return str(found.state)


class Worker:
    """A worker as the control plane sees it."""

    def __init__(self, rig: Rig, spec: LaunchSpec) -> None:
        self.rig = rig
        self.id = spec.instance_id
        self.token = spec.token
        self.actor = Actor("instance", self.id)
        self.hpke = HpkeKey.generate()
        self.credentials = WorkerCredentials.generate()
        self.csr = self.credentials.csr_pem(self.id)
        self.certificate = b""
        self.holding: list[str] = []

    @classmethod
    def newest(cls, rig: Rig) -> Worker:
        return cls(rig, list(rig.rented.specs.values())[-1])

    def enrol(self) -> None:
        command = Enrol(self.token, self.csr, self.hpke.public, {}, self.rig.authority)
        self.certificate = self.rig.run(command, Actor("instance", "enrolling")).certificate_pem

    def admit(self, measured: dict[str, Any] | None = None) -> Any:
        return self.rig.run(Admit(self.id, measured or GOOD, 0.0), self.actor)

    def ready(self) -> Worker:
        self.enrol()
        assert self.admit() == ()
        return self

    def claim(self, slots: int = 1, *, lost: bool = False) -> list[dict[str, Any]]:
        """Leases; where the reply is lost, the worker never hears of them."""
        command = Claim(self.id, slots, 16.0, 0.0, tuple(self.holding))
        found: list[dict[str, Any]] = self.rig.run(command, self.actor)
        if lost:
            return []
        self.holding += [lease["attempt"] for lease in found]
        return found

    def key(self, lease: dict[str, Any], fence: int | None = None) -> Any:
        command = ReleaseKey(self.id, lease["attempt"], fence or lease["fence"])
        return self.rig.run(command, self.actor)

    def beat(self, lease: dict[str, Any], units: int) -> str:
        beat = AttemptBeat(lease["attempt"], lease["fence"], 0, units)
        reply = self.rig.run(Beat(self.id, (beat,)), self.actor)
        return str(reply.verdicts[lease["attempt"]][0])

    def result(self, lease: dict[str, Any], segment: int, gap: bool = False) -> bool:
        object_id = self.rig.door.ids.new("object", self.rig.time)
        body = f"result {segment}".encode()
        self.rig.blobs.put(object_id, [body])
        digest = hashlib.sha256(body).hexdigest()
        command = StoreResult(
            self.id, lease["attempt"], lease["fence"], segment, object_id, len(body), digest, gap
        )
        return bool(self.rig.run(command, self.actor))

    def letter(self, lease: dict[str, Any], segment: int, gap: bool = False) -> Letter:
        """What it leaves in the mailbox where it cannot reach the control plane."""
        attempt, fence = lease["attempt"], lease["fence"]
        body = f"result {segment}".encode()
        signature = self.credentials.sign(to_sign(attempt, fence, segment, gap, body))
        return Letter(attempt, fence, segment, gap, self.certificate, signature, body)

    def leave(self, lease: dict[str, Any], segment: int, gap: bool = False) -> str:
        """Put a letter; its name."""
        letter = self.letter(lease, segment, gap)
        name = name_of(letter.attempt, letter.segment)
        self.rig.blobs.held[name] = pack(letter)
        return name

    def finish(self, lease: dict[str, Any], outcome: str = "done", **how: Any) -> None:
        command = Finish(
            self.id,
            lease["attempt"],
            lease["fence"],
            outcome,
            how.get("reason"),
            how.get("blame"),
            {},
        )
        self.rig.run(command, self.actor)

    def work(self, lease: dict[str, Any]) -> None:
        """One attempt as it should be."""
        self.key(lease)
        for segment in lease["segments"]:
            self.result(lease, segment["number"])
        self.finish(lease)

    def work_all(self) -> int:
        """Claim and work until nothing is left."""
        count = 0
        while leases := self.claim():
            for lease in leases:
                self.work(lease)
                count += 1
        return count


def serve(rig: Rig) -> Worker:
    """Step until the newest instance can be enrolled, and make it ready."""
    rig.step(2)
    return Worker.newest(rig).ready()


def job_of(rig: Rig, job_id: str) -> Any:
    return rig.read(lambda conn: jobs.find(conn, TENANT, job_id))


def media_states(rig: Rig, job_id: str) -> list[str]:
    return [m.state for m in rig.read(lambda conn: media.of_job(conn, TENANT, job_id))]


def to_the_end(rig: Rig, worker: Worker) -> None:
    worker.work_all()
    rig.step()
    worker.work_all()
    rig.step(6)
