"""GPU servers of one's own, over the Docker Engine API: an instance is a container.

A machine has places: one for each of its GPUs, or as many as set. The container of a place has the
place's name, and an engine gives a name once, so no two control planes ever share a GPU unawares and
a launch that is sent twice runs once. Nothing here waits, retries or logs.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

import httpx

from leitstand.boot import render
from leitstand.core.accelerator import CPU, NVIDIA
from leitstand.core.offer import OWN_TIER, Offer, Requirements
from leitstand.core.rented import LogLine
from leitstand.launch import LABEL_PREFIX
from leitstand.ports import (
    Capability,
    LaunchSpec,
    NoCapacity,
    ProviderError,
    Rejected,
    Seen,
    Status,
    Unavailable,
    UnknownOutcome,
)
from leitstand.providers.docker_engine import LABEL, Engine, Info
from leitstand.providers.docker_hosts import Host, read_hosts

PROVIDER = "docker"
REGION = "own"
USER = "10001:10001"
MODELS_VOLUME = "leitstand-models"
MODELS_FOLDER = "/var/tmp"
"""Writable for everybody in every image, and so is a new volume that is mounted there."""
MEMORY_SHARE = 0.9
"""What instances may use of a machine's memory."""
PIDS_MAX, FILES_MAX = 2048, 4096
GIB = 1 << 30
_PROVIDER_ID = re.compile(r"([a-z0-9-]{1,32})/([0-9a-f]{64})")


def connect(settings: Mapping[str, str]) -> Docker:
    """The machines of one's own.

    Settings: `image` (needed to launch), `hosts` (JSON by name; none: the engine of this machine),
    `price_eur_per_hour` (0), `network` (`bridge`). Raises Problem about certificates, Rejected about
    the rest.
    """
    return Docker(settings)


class Docker:
    """See `ports.Provider`. Safe to use from several threads."""

    capabilities = frozenset({Capability.PAUSE})
    listing_lag = timedelta(seconds=5)
    """An engine shows at once what it has done; what it was told last it may still be doing."""

    def __init__(
        self,
        settings: Mapping[str, str],
        transports: Mapping[str, httpx.BaseTransport] | None = None,
    ) -> None:
        through = transports or {}
        hosts = read_hosts(settings)
        self._engines = {host.name: Engine(host, through.get(host.name)) for host in hosts}
        self._image = settings.get("image")
        self._network = settings.get("network") or "bridge"
        self._infos: dict[str, Info] = {}

    # --- offers ----------------------------------------------------------------------------------

    def offers(self, want: Requirements) -> Iterable[Offer]:
        """The free places of every machine that answers. Raises Unavailable where none does."""
        found: list[Offer] = []
        silent: ProviderError | None = None
        answered = 0
        for engine in self._engines.values():
            try:
                found += self._places(engine)
                answered += 1
            except ProviderError as error:
                silent = error
        if silent is not None and not answered:
            raise silent
        return found

    def _places(self, engine: Engine) -> list[Offer]:
        host = engine.host
        info = self._infos[host.name] = engine.info()
        taken = {name for one in engine.containers() for name in one.names}
        free = [place for place in range(host.places) if f"/{_name(place)}" not in taken]
        return [self._offer(host, info, place) for place in free]

    def _offer(self, host: Host, info: Info, place: int) -> Offer:
        return Offer(
            provider=PROVIDER,
            offer_id=f"{host.name}/{place}",
            accelerator=NVIDIA if host.gpu else CPU,
            gpu=host.gpu,
            gpus=1 if host.gpu else 0,
            vram_gib=host.vram_gib if host.gpu else 0.0,
            cuda=host.cuda,
            compute_capability=host.compute_capability,
            driver=host.driver,
            cores=max(1, info.cores // host.places),
            ram_gib=_memory(host, info) / GIB,
            disk_gib=_disk_gib(host, info),
            down_mbit_per_s=None,
            tier=OWN_TIER,
            region=REGION,
            host=host.name,
            price_eur_per_hour=host.price_eur_per_hour,
            networked=not (host.socket and self._network == "host"),
        )

    # --- launch ----------------------------------------------------------------------------------

    def launch(self, offer: Offer, spec: LaunchSpec, label: str) -> Seen:
        """Create, read back, start. What could not be started, or has not the limits that were
        asked for, is removed here; where it could not be, it is in the UnknownOutcome."""
        if not label.startswith(LABEL_PREFIX):
            raise Rejected("the label has no prefix of ours")
        if not self._image:
            raise Rejected("no image is set")
        name, _, place = offer.offer_id.partition("/")
        engine = self._engines.get(name)
        if engine is None or not place.isdigit():
            raise NoCapacity("there is no such place any more")
        try:
            installed = engine.has_worker(self._image)
            boots = render.docker(spec, MODELS_FOLDER, installed=installed)
        except ValueError as error:
            raise Rejected(str(error)) from error
        limits = self._limits(engine, int(place))
        body = {
            "Image": self._image,
            "User": USER,
            "Labels": {LABEL: label},
            "HostConfig": limits,
            **boots,
        }
        secrets = [spec.token, *(value.partition("=")[2] for value in boots["Env"])]
        container = engine.create(_name(int(place)), body, secrets)
        seen = self._seen(engine, container, label, Status.STARTING)
        try:
            made = engine.inspect(container)
            lacks = "the container" if made is None else _lacking(limits, made.host)
            if lacks is not None:
                raise NoCapacity(f"{name} does not keep {lacks}")
            engine.start(container)
        except ProviderError as error:
            self._give_back(engine, seen, error)
        return seen

    def _limits(self, engine: Engine, place: int) -> dict[str, Any]:
        """What the container may use and may do."""
        host = engine.host
        info = self._infos.get(host.name) or engine.info()
        memory = _memory(host, info)
        limits: dict[str, Any] = {
            "NetworkMode": self._network,
            "RestartPolicy": {"Name": "no"},
            "ReadonlyRootfs": True,
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"],
            "NanoCpus": info.cores * 10**9 // host.places,
            "Memory": memory,
            "MemorySwap": memory,
            "PidsLimit": PIDS_MAX,
            "Ulimits": [
                {"Name": "core", "Soft": 0, "Hard": 0},
                {"Name": "nofile", "Soft": FILES_MAX, "Hard": FILES_MAX},
                {"Name": "nproc", "Soft": PIDS_MAX, "Hard": PIDS_MAX},
            ],
            "LogConfig": {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "1"}},
            "Mounts": [
                {"Type": "volume", "Target": render.DOCKER_BOOT_FOLDER},
                {"Type": "volume", "Source": MODELS_VOLUME, "Target": MODELS_FOLDER},
            ],
        }
        if host.gpu:
            gpu = {"Driver": "nvidia", "DeviceIDs": [str(place)], "Capabilities": [["gpu"]]}
            limits["DeviceRequests"] = [gpu]
        return limits

    def _give_back(self, engine: Engine, seen: Seen, why: ProviderError) -> None:
        try:
            engine.remove(_container(seen.provider_id)[1])
        except ProviderError:
            raise UnknownOutcome(f"{why}, and not removed yet", seen) from why
        if isinstance(why, NoCapacity | Rejected):
            raise why
        raise NoCapacity(str(why)) from why

    # --- what runs -------------------------------------------------------------------------------

    def list(self) -> Iterable[Seen]:
        """Every container with a label of ours on every machine. Raises Unavailable where one of
        them does not answer: it may hold some."""
        return [
            self._seen(engine, row.id, label, row.status, row.state)
            for engine in self._engines.values()
            for row in engine.containers()
            if (label := row.labels.get(LABEL, "")).startswith(LABEL_PREFIX)
        ]

    def pause(self, provider_id: str) -> None:
        """Freeze its processes; memory, GPU and place stay with them."""
        engine, container = self._of(provider_id)
        engine.freeze(container)

    def resume(self, provider_id: str) -> None:
        """Let them go on. One whose process is over is NoCapacity."""
        engine, container = self._of(provider_id)
        engine.thaw(container)

    def terminate(self, provider_id: str) -> None:
        """Kill and remove the container with what it wrote; models stay. Absent is success."""
        engine, container = self._of(provider_id)
        engine.remove(container)

    def logs(self, provider_id: str, lines: int = 200) -> Iterable[LogLine]:
        """The last lines that the worker printed."""
        engine, container = self._of(provider_id)
        return engine.logs(container, max(1, lines))

    def _of(self, provider_id: str) -> tuple[Engine, str]:
        name, container = _container(provider_id)
        engine = self._engines.get(name)
        if engine is None:
            raise Unavailable(f"{name} is no host any more")
        return engine, container

    def _seen(
        self, engine: Engine, container: str, label: str, status: Status, raw: str | None = None
    ) -> Seen:
        host = engine.host
        price = str(host.price_eur_per_hour)
        return Seen(f"{host.name}/{container}", label, status, price, host.gpu, REGION, raw)


def _container(provider_id: str) -> tuple[str, str]:
    found = _PROVIDER_ID.fullmatch(provider_id)
    if found is None:
        raise Rejected("not an id of this provider")
    return found[1], found[2]


def _name(place: int) -> str:
    return f"leitstand-{place}"


def _memory(host: Host, info: Info) -> int:
    return int(info.memory * MEMORY_SHARE) // host.places


def _disk_gib(host: Host, info: Info) -> float:
    """As set; of this machine as it is. An engine does not tell what is free."""
    if host.disk_gib is not None:
        return host.disk_gib
    try:
        return shutil.disk_usage(info.folder).free / GIB if host.socket else 0.0
    except OSError:
        return 0.0


def _lacking(asked: Mapping[str, Any], has: Mapping[str, Any]) -> str | None:
    """The first limit that an engine dropped without a word; it does so with what it cannot."""
    for name in ("ReadonlyRootfs", "NanoCpus", "Memory", "PidsLimit"):
        if has.get(name) != asked[name]:
            return name
    if "DeviceRequests" in asked and not has.get("DeviceRequests"):
        return "DeviceRequests"
    return None
