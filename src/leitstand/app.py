"""Wiring: the only module that names concrete adapters. It builds a control plane and runs it."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import structlog
import uvicorn

from leitstand import __version__
from leitstand.api.operator import operator_app
from leitstand.api.parts import OperatorParts
from leitstand.api.streams import Clients, Progress, Wakeups
from leitstand.api.worker import WorkerParts, worker_app
from leitstand.clockwork import Step, StepLoop, SystemClock, SystemIds, exclusive, place_of
from leitstand.config import Settings
from leitstand.control.commands import Door
from leitstand.control.dispatch import Dispatcher
from leitstand.control.effects import EffectRunner, WorkerAddress
from leitstand.control.plan import Planner, PlanRules
from leitstand.control.reconcile import Reconciler
from leitstand.control.sequence import Sequencer
from leitstand.control.stopper import Stopper
from leitstand.control.upkeep import Upkeep
from leitstand.core import limits
from leitstand.core.access import Actor
from leitstand.core.cost import spelled
from leitstand.core.job import FUSE
from leitstand.core.problem import Exit, Problem
from leitstand.core.retention import Retention
from leitstand.folders import Folders
from leitstand.models.shelf import Shelf
from leitstand.ports import Provider
from leitstand.security.ca import Authority
from leitstand.security.listener import names_of, port_of, worker_server
from leitstand.startup import (
    enough_descriptors,
    free,
    installation,
    log_as_json,
    reach_itself,
    sole,
)
from leitstand.store import effects as effects_store
from leitstand.store import instances, jobs, ledger, media
from leitstand.store.engine import Database
from leitstand.vault.blobs import FolderBlobs, StoredBlobs, open_blobs
from leitstand.vault.note import HeadVerifier, Signer, VerifierKey, signers
from leitstand.vault.strongbox import Strongbox

log = structlog.get_logger(__name__)

TENANT = "local"
OWN = "local"
"""The provider that every installation has: this machine."""


@dataclass(frozen=True, slots=True)
class Stores:
    """What lasts: database, blobs, keys, authority, signer."""

    database: Database
    door: Door
    authority: Authority
    signer: Signer
    installation: str


def serve(
    settings: Settings,
    folders: Folders,
    *,
    embedded: bool,
    listening: Callable[[str, str], None] = lambda operators, workers: None,
) -> int:
    """Run a control plane until it is told to end or, embedded, until nobody needs it. `listening`
    is told where operators and workers reach it, once they do.

    Raises Problem `locked` when another one has this state folder, `database-elsewhere`,
    `port-busy`, `cannot-listen`, `few-descriptors`, `no-loopback`, and what opening the stores
    raises.
    """
    enough_descriptors()
    folders.create()
    log_as_json(place_of)
    with sole(folders.lock):
        stores = _open(settings, folders)
        try:
            _own(stores, folders)
            return asyncio.run(_Plane(settings, folders, stores, embedded, listening).run())
        finally:
            stores.database.close()


def _open(settings: Settings, folders: Folders) -> Stores:
    vault = Strongbox(_key_folder(settings, folders))
    database = Database.open(settings.store.url or f"sqlite:///{folders.database}")
    database.migrate()
    name = installation(folders.data / "installation")
    return Stores(
        database=database,
        door=Door(database, vault, SystemIds(), TENANT, SystemClock(), _retention(settings)),
        authority=Authority.open(_key_folder(settings, folders) / "ca"),
        signer=Signer.open(_key_folder(settings, folders) / "ledger", f"leitstand-{name}"),
        installation=name,
    )


def _own(stores: Stores, folders: Folders) -> None:
    """Raises Problem `database-elsewhere` where another installation signed the ledger: this one
    would go on in another name, and opens none of its keys. A head of ours that does not hold any
    more is no such thing: `audit verify` names it."""
    key, read = VerifierKey.parse(stores.signer.verifier_key), stores.database.read
    ours, known = (key.name, key.key_id), False
    for most in (1, None):  # the newest alone says it, unless it is damaged
        for head in read(partial(ledger.signed_heads, most=most)):
            found = signers(str(head.note))
            if ours in found:
                return
            known = known or bool(found)
    if known:
        raise Problem("database-elsewhere", Exit.REFUSED, folder=str(folders.data))


class _Plane:
    """One running control plane: two listeners and the steps."""

    def __init__(
        self,
        settings: Settings,
        folders: Folders,
        stores: Stores,
        embedded: bool,
        listening: Callable[[str, str], None],
    ) -> None:
        self._settings = settings
        self._folders = folders
        self._stores = stores
        self._embedded = embedded
        self._listening = listening
        self._clock = SystemClock()
        self._wakeups = Wakeups()
        self._clients = Clients()
        self._progress = Progress()
        self._blobs = open_blobs(settings.blobs.url or str(folders.blobs))
        self._shelf = Shelf(folders.models)
        self._providers = _providers(settings, folders)
        self._planner = Planner(stores.door, self._providers, self._shelf, _rules(settings))
        self._stopper = Stopper(stores.door, self._providers)
        self._loops: list[StepLoop] = []

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        self._wakeups.bind(loop)
        host, port = self._worker_listen()
        now = self._clock.now()
        authority = self._stores.authority
        names = names_of(host, self._settings.worker.advertise_url)
        workers = worker_server(
            worker_app(self._worker_parts()),
            host,
            port,
            lambda: authority.server_context(names, now),
        )
        operators = uvicorn.Server(self._operator_config())
        servers = [workers, operators]
        ending = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, ending.set)
        running = [asyncio.create_task(_quiet_serve(server)) for server in servers]
        try:
            await _started(servers, running)
            bound = port_of(workers)
            (self._folders.state / "worker-port").write_text(str(bound))
            address = self._worker_address(host, bound)
            self._start_steps(address)
            self._listening(str(self._folders.socket), address.url)
            await self._until_idle(ending)
        finally:
            self._wakeups.close()
            for step in self._loops:
                await asyncio.to_thread(step.stop)
            for server in servers:
                server.should_exit = True
            await asyncio.gather(*running, return_exceptions=True)
        return int(Exit.DONE)

    def _worker_listen(self) -> tuple[str, int]:
        """The configured address; where any port will do, the last one, so that workers find us
        again after a restart."""
        host, _, text = self._settings.worker.listen.rpartition(":")
        host, port = host.strip("[]"), int(text)
        if not free(host, port):
            raise Problem("port-busy", Exit.FAILED, address=self._settings.worker.listen)
        if self._settings.worker.advertise_url is None:
            reach_itself(host)
        if port == 0:
            with contextlib.suppress(OSError, ValueError):
                last = int((self._folders.state / "worker-port").read_text())
                if free(host, last):
                    return host, last
        return host, port

    def _operator_config(self) -> uvicorn.Config:
        app = operator_app(self._operator_parts())
        common: dict[str, Any] = {
            "log_config": None,
            "access_log": False,
            "server_header": False,
            "proxy_headers": False,
            "timeout_graceful_shutdown": 3,
        }
        return uvicorn.Config(app, uds=str(self._folders.socket), **common)

    def _worker_parts(self) -> WorkerParts:
        return WorkerParts(
            door=self._stores.door,
            blobs=self._blobs,
            shelf=self._shelf,
            authority=self._stores.authority,
            clock=self._clock,
            wakeups=self._wakeups,
            progress=self._progress,
        )

    def _operator_parts(self) -> OperatorParts:
        return OperatorParts(
            door=self._stores.door,
            blobs=self._blobs,
            clock=self._clock,
            planner=self._planner,
            stopper=self._stopper,
            wakeups=self._wakeups,
            progress=self._progress,
            clients=self._clients,
            verifier=HeadVerifier(self._stores.signer.verifier_key),
            installation=self._stores.installation,
            segments_per_task=self._settings.placement.segments_per_task,
            embedded=self._embedded,
            kept_here=kept_here(self._blobs, self._stores.database),
            version=__version__,
            actor=Actor("operator", str(os.getuid())),
        )

    def _worker_address(self, host: str, port: int) -> WorkerAddress:
        shown = f"[{host}]" if ":" in host else host
        return WorkerAddress(
            url=self._settings.worker.advertise_url or f"https://{shown}:{port}",
            ca_sha256=self._stores.authority.sha256,
            slots=self._settings.worker.slots,
            environment={},
        )

    def _start_steps(self, address: WorkerAddress) -> None:
        door, now = self._stores.door, self._clock.now
        effects = EffectRunner(door, self._providers, self._blobs, address, self._clock)
        reconciler = Reconciler(
            door,
            self._providers,
            self._planner,
            self._stores.installation,
            self._settings.placement.instances_max,
            self._clock,
        )
        dispatcher = Dispatcher(door, self._blobs)
        sequencer = Sequencer(door, self._stores.signer, f"leitstand/{self._stores.installation}")
        upkeep = Upkeep(door, self._blobs)
        database = self._stores.database

        def alone(name: str, step: Callable[[datetime], timedelta | None]) -> Step:
            return lambda: exclusive(database, name, lambda: step(now()))

        woken = [
            StepLoop("effects", alone("effects", effects.step), every=1.0),
            StepLoop("reconcile", alone("reconcile", reconciler.step), every=1.0, pace=0.2),
            StepLoop("dispatch", alone("dispatch", dispatcher.step), every=1.0),
            StepLoop("sequence", lambda: sequencer.step(now()), every=1.0, pace=0.1),
        ]
        database.after_commit(self._wakeups.notify)
        for step in woken:
            database.after_commit(step.kick)
        stopper = StepLoop("stopper", lambda: self._stopper.step(now()), every=1.0)
        self._loops = [*woken, StepLoop("upkeep", alone("upkeep", upkeep.step), every=0.5), stopper]
        for step in self._loops:
            step.start()

    async def _until_idle(self, ending: asyncio.Event) -> None:
        """Until a signal; embedded also 60 s without client, job and live instance."""
        while not ending.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ending.wait(), limits.EMBEDDED_LOOK_SECONDS)
            try:
                if self._embedded and await asyncio.to_thread(self._unneeded):
                    log.info("plane.unneeded")
                    return
            except Exception as error:  # what cannot be read may well be needed
                log.error("plane.unsure", where=place_of(error))  # noqa: TRY400

    def _unneeded(self) -> bool:
        if self._clients.idle_seconds() < limits.EMBEDDED_IDLE.total_seconds():
            return False
        database = self._stores.database
        return not (
            database.read(lambda conn: jobs.count_in(conn, ("planned", *jobs.OPEN)))
            or database.read(instances.alive)
            or database.read(effects_store.untried)
            or database.read(lambda conn: media.overdue(conn, self._clock.now(), 1))
        )


async def _quiet_serve(server: uvicorn.Server) -> None:
    """Serve without taking the process's signals: there are two servers and one ending."""
    await server._serve()


async def _started(servers: list[uvicorn.Server], running: list[asyncio.Task[None]]) -> None:
    while not all(server.started for server in servers):
        for task in running:
            if task.done():
                task.result()
                raise Problem("not-started", Exit.FAILED, detail="a listener ended at once")
        await asyncio.sleep(0.01)


def kept_here(blobs: StoredBlobs, database: Database) -> bool:
    """Whether all that is kept lies in files of this computer. A server is elsewhere, even one that
    answers here: nobody knows where it keeps what it is given."""
    return isinstance(blobs, FolderBlobs) and database.dialect == "sqlite"


def _rules(settings: Settings) -> PlanRules:
    vram = settings.placement.vram_gib
    budgets = settings.budgets
    named = {OWN, *settings.providers}
    return PlanRules(
        vram_gib={
            "video": vram.video,
            "image": vram.image,
            "audio": vram.audio,
            FUSE: 0.0,
        },
        cuda_min=settings.placement.cuda_min,
        disk_gib_min=settings.placement.disk_gib_min,
        end_by_hours_max={name: settings.provider(name).end_by_hours_max for name in named},
        price_max={name: settings.provider(name).max_price_eur_per_hour for name in named},
        regions={name: settings.provider(name).regions for name in named},
        budgets={
            "total": spelled(budgets.total_eur),
            "month": spelled(budgets.month_eur),
            "job": spelled(budgets.job_eur),
        },
        tiers={int(name): tier for name, tier in settings.placement.tiers.items()},
        instances_max=settings.placement.instances_max,
    )


def _retention(settings: Settings) -> Retention:
    terms = settings.retention
    return Retention(
        media=terms.media,
        failed_media=terms.failed_media,
        inbox=terms.inbox,
        reports=terms.reports,
    )


def _providers(settings: Settings, folders: Folders) -> dict[str, Provider]:
    found: dict[str, Provider] = {}
    for name in sorted({OWN, *settings.providers}):
        try:
            module = importlib.import_module(f"leitstand.providers.{name}")
        except ModuleNotFoundError as error:
            if error.name != f"leitstand.providers.{name}":
                raise
            raise Problem("unknown-provider", Exit.USAGE, provider=name, known=OWN) from error
        found[name] = module.connect(_provider_settings(settings, folders, name))
    return found


def _provider_settings(settings: Settings, folders: Folders, name: str) -> Mapping[str, str]:
    plain = {"price_eur_per_hour": str(settings.provider(name).price_eur_per_hour)}
    if name == OWN:
        plain |= {"cache_folder": str(folders.models), "log_folder": str(folders.logs)}
    return plain


def _key_folder(settings: Settings, folders: Folders) -> Path:
    named = settings.keys.root.removeprefix("file:")
    return Path(named) if named else folders.keys
