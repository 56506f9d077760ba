"""Wiring: the only module that names concrete adapters. It builds a control plane and runs it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import structlog
import uvicorn

from leitstand import __version__, reaped
from leitstand.api.operator import operator_app
from leitstand.api.parts import OperatorParts
from leitstand.api.streams import Clients, Progress, Wakeups
from leitstand.api.worker import WorkerParts, worker_app
from leitstand.boot.files import BootFolder
from leitstand.clockwork import Step, StepLoop, SystemClock, SystemIds, exclusive, place_of
from leitstand.config import Settings
from leitstand.connect import providers
from leitstand.control.again import barred_now
from leitstand.control.bills import Bills
from leitstand.control.boots import Boots
from leitstand.control.commands import Door
from leitstand.control.dispatch import Dispatcher
from leitstand.control.doubts import Doubts
from leitstand.control.effects import EffectRunner, WorkerAddress
from leitstand.control.funds import Funds
from leitstand.control.mailbox import Mailbox
from leitstand.control.outside import Outside
from leitstand.control.plan import Planner
from leitstand.control.prepay import Prepay
from leitstand.control.reconcile import Reconciler
from leitstand.control.sequence import Sequencer
from leitstand.control.stopper import Stopper
from leitstand.control.strays import Strays
from leitstand.control.upkeep import Upkeep
from leitstand.control.volumes import Volumes
from leitstand.core import limits
from leitstand.core.access import Actor
from leitstand.core.problem import Exit, Problem
from leitstand.folders import Folders
from leitstand.models.shelf import Shelf
from leitstand.rules import plan_rules, retention
from leitstand.security.ca import Authority
from leitstand.security.listener import names_of, nearest, port_of, worker_server
from leitstand.startup import (
    enough_descriptors,
    free,
    installation,
    log_as_json,
    quiet_serve,
    reach_itself,
    sole,
    started,
)
from leitstand.store import effects as effects_store
from leitstand.store import instances, jobs, ledger, media
from leitstand.store.engine import Database
from leitstand.vault.blobs import FolderBlobs, StoredBlobs, open_blobs
from leitstand.vault.note import HeadVerifier, Signer, VerifierKey, signers
from leitstand.vault.strongbox import Strongbox

log = structlog.get_logger(__name__)

TENANT = "local"


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
    name = installation(folders.installation)
    return Stores(
        database=database,
        door=Door(database, vault, SystemIds(), TENANT, SystemClock(), retention(settings)),
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
        self._mailbox = Mailbox.over(stores.door, self._blobs, stores.authority, self._clock)
        self._shelf = Shelf(folders.models)
        self._boot = BootFolder(folders.boot)
        self._providers = providers(settings, folders)
        dialled = settings.worker.advertise_url or f"https://{settings.worker.listen}"
        outside = Outside(dialled, self._boot, self._clock)
        self._planner = Planner(
            stores.door,
            self._providers,
            self._shelf,
            plan_rules(settings, folders),
            outside.fault,
            outside.nearby,
            self._boot,
        )
        self._stopper = Stopper(stores.door, self._providers)
        budgets = self._planner.rules.budgets
        self._prepay = Prepay(stores.door, self._providers, lambda: budgets, self._clock)
        self._volumes = Volumes(
            stores.door,
            self._providers,
            {name: settings.provider(name).volumes for name in settings.providers},
            budgets,
            stores.installation,
            settings.retention.volumes,
        )
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
        servers = [workers, uvicorn.Server(self._operator_config())]
        ending = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, ending.set)
        running = [asyncio.create_task(quiet_serve(server)) for server in servers]
        try:
            await started(servers, running)
            bound = port_of(workers)
            (self._folders.state / "worker-port").write_text(str(bound))
            address = self._worker_address(host, bound)
            if self._mailbox is not None:  # before a step could find an instance gone
                with contextlib.suppress(Exception):
                    look = asyncio.to_thread(self._mailbox.collect, self._clock.now())
                    await asyncio.wait_for(look, limits.MAILBOX_FIRST_SECONDS)
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
            boot=self._boot,
            mailbox=self._mailbox,
        )

    def _operator_parts(self) -> OperatorParts:
        return OperatorParts(
            door=self._stores.door,
            blobs=self._blobs,
            clock=self._clock,
            planner=self._planner,
            stopper=self._stopper,
            volumes=self._volumes,
            prepay=self._prepay,
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
        advertised = self._settings.worker.advertise_url
        near = nearest(host, port, advertised)
        return WorkerAddress(
            url=advertised or near,
            near=near,
            ca_sha256=self._stores.authority.sha256,
            slots=self._settings.worker.slots,
            boot=self._boot,
            probe_seconds=self._settings.worker.probe_seconds,
            mbit_per_s=self._settings.worker.mbit_per_s,
        )

    def _start_steps(self, address: WorkerAddress) -> None:
        door, now = self._stores.door, self._clock.now
        box, doubts = self._mailbox, Doubts(door, self._providers)
        funds = Funds(door, self._providers)
        effects = EffectRunner(
            door,
            self._providers,
            self._blobs,
            address,
            self._clock,
            mailbox=box,
            doubts=doubts,
            barred=partial(barred_now, self._planner, door),
            funds=funds,
        )
        name, most = self._stores.installation, self._settings.placement.instances_max
        reconciler = Reconciler(
            door, self._providers, self._planner, name, most, self._clock, doubts
        )
        dispatcher, upkeep = Dispatcher(door, self._blobs, box), Upkeep(door, self._blobs)
        boots, bills = Boots(door, self._providers), Bills(door, self._providers)
        noted = partial(reaped.noted, self._folders.data)
        strays = Strays(door, self._providers, name, noted)
        sequencer = Sequencer(door, self._stores.signer, f"leitstand/{name}")
        database = self._stores.database

        def alone(of: str, step: Callable[[datetime], timedelta | None]) -> Step:
            return lambda: exclusive(database, of, lambda: step(now()))

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
        self._loops.append(StepLoop("boots", alone("boots", boots.step), every=5.0))
        self._loops.append(StepLoop("bills", alone("bills", bills.step), every=60.0))
        self._loops.append(StepLoop("funds", alone("funds", funds.step), every=15.0))
        self._loops.append(StepLoop("volumes", alone("volumes", self._volumes.step), every=5.0))
        self._loops.append(StepLoop("strays", alone("strays", strays.step), every=60.0))
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


def kept_here(blobs: StoredBlobs, database: Database) -> bool:
    """Whether all that is kept lies in files of this computer. A server is elsewhere, even one that
    answers here: nobody knows where it keeps what it is given."""
    return isinstance(blobs, FolderBlobs) and database.dialect == "sqlite"


def _key_folder(settings: Settings, folders: Folders) -> Path:
    named = settings.keys.root.removeprefix("file:")
    return Path(named) if named else folders.keys
