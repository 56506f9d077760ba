"""How the contract suite sets up each provider, pushes it about and looks what became of it.

A rented world is a simulated account behind its HTTP API, as unforgiving as the real one, on a clock
that the test moves. A scenario is written once, for all of them.
"""

import contextlib
import json
import os
import signal
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import httpx
import psutil
from tests.contracts.simulated import SimulatedWorld
from tests.podman import podman
from tests.wire.clock import Clock
from tests.wire.runpod import RunPod as SimulatedRunPod
from tests.wire.runpod_world import Fate as PodFate
from tests.wire.server import Line, Wire
from tests.wire.vast import Vast as SimulatedVast
from tests.wire.vast_rules import PERMISSIONS
from tests.wire.vast_world import Fate as ContractFate
from tests.wire.vast_world import Other

from leitstand.core.placement import Requirements
from leitstand.launch import MANIFEST_VARIABLE
from leitstand.ports import LaunchSpec, NoCapacity, RateLimited, Unavailable
from leitstand.providers import docker, local
from leitstand.providers.runpod import RunPod
from leitstand.providers.vast import Vast

KEY = "CANARYKEYOFATEST0123456789abcdef"
LABEL = "ls1-abcdefgh-A-1"
TOKEN = "one-time-token-of-a-test"
IMAGE = "registry.example/worker@sha256:" + "0" * 64
EUR_PER_USD = Decimal("0.5")
NOBODY_LISTENS = "https://127.0.0.1:1"
ENDED_WITHIN_SECONDS = 30


class LocalWorld:
    """This machine as a provider; what a test left is ended by force."""

    def __init__(self, folder):
        self.folder = folder
        self.settings = {"log_folder": str(folder / "logs"), "cache_folder": str(folder / "cache")}

    def connect(self, **settings):
        return local.connect(self.settings | settings)

    def forward(self, **time):
        """Nothing here needs time to show."""

    def wait_gone(self, seen):
        """Until the process is over, and after it any child that outlives it for a moment; the
        operating system reports it to whoever holds a pidfd."""
        for _ in ("the worker", "its children"):
            for one in [one for one in self.connect().list() if one.label == seen.label]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    psutil.Process(pid_of(one)).wait(timeout=ENDED_WITHIN_SECONDS)

    def clean(self, prefix):
        left = [seen for seen in self.connect().list() if seen.label.startswith(prefix)]
        for seen in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid_of(seen), signal.SIGKILL)
        for seen in left:
            self.wait_gone(seen)


def pid_of(seen):
    return int(seen.provider_id.split(":")[0])


class DockerWorld:
    """Podman, as a Docker engine with room for two."""

    def __init__(self, folder):
        self.engine = podman()
        host = {"url": f"unix://{self.engine.socket}", "places": 2, "disk_gib": 20.0}
        self.settings = {
            "image": self.engine.image(),
            "hosts": json.dumps({"box": host}),
            "network": "none",
        }

    def connect(self, **settings):
        return docker.connect(self.settings | settings)

    def forward(self, **time):
        """Nothing here needs time to show."""

    def wait_gone(self, seen):
        """An engine answers once it has done what it was asked."""

    def clean(self, prefix):
        provider = self.connect()
        for seen in provider.list():
            if seen.label.startswith(prefix):
                provider.terminate(seen.provider_id)


class Recorded(httpx.BaseTransport):
    """A line to a simulator that keeps what was asked."""

    def __init__(self, line):
        self.inner, self.asked = Wire(line), []

    def handle_request(self, request):
        self.asked.append(request)
        return self.inner.handle_request(request)


class RentedWorld:
    """What the worlds of rented machines have in common. `faults` go wrong between us and it."""

    def __init__(self, folder, **simulator):
        self.clock = Clock()
        self.sim = self.SIMULATOR(self.clock, **simulator)
        self.sim.keys[KEY] = self.RIGHTS
        self.account = self.sim.account
        self.line = Line(self.clock, self.sim)
        self.faults = self.line.faults
        self.transport = Recorded(self.line)
        self.asked = self.transport.asked
        folder.mkdir(exist_ok=True)
        path = folder / "provider.key"
        path.touch(0o600)
        path.write_text(KEY + "\n")
        self.settings = {"key_file": str(path), "usd_eur": str(EUR_PER_USD), "image": IMAGE}

    def connect(self, **settings):
        """A process that starts, which takes a moment."""
        self.forward(minutes=1)
        return self.ADAPTER(
            self.settings | settings, self.transport, self.clock.monotonic, self.sleep
        )

    def sleep(self, seconds):
        self.forward(seconds=seconds)

    def forward(self, **time):
        self.clock.forward(**time)
        self.sim.settle()

    def wait_gone(self, seen):
        self.forward(seconds=30)
        assert seen.provider_id not in self.alive()

    def clean(self, prefix):
        """Everything goes with the test."""

    def cost_eur(self):
        """What the account was billed in all."""
        return sum(self.costs_eur().values())

    def creates(self):
        """How often a create was sent."""
        method, path = self.CREATE
        found = [r for r in self.asked if r.method == method]
        return sum(1 for r in found if path.rstrip(".*/") in r.url.path)

    def bodies(self):
        return [request.content for request in self.asked]


class RunPodWorld(RentedWorld):
    """RunPod's REST v2."""

    SIMULATOR, ADAPTER, RIGHTS = SimulatedRunPod, RunPod, "all"
    CREATE, LIST = ("POST", "/v2/pods"), ("GET", "/v2/pods")
    END, OFFERS = ("DELETE", "/v2/pods/.*"), ("GET", "/v2/catalog/gpus")
    SPOT, STARTING = False, "STARTING"
    NULLS = ("env", "dataCenterId", "cost", "gpu", "runtime", "ssh")

    def befall(self, price=None, **fate):
        """What happens to the next instance that is made. `price` is in dollars an hour."""
        self.account.fates.append(PodFate(price=price, **fate))

    def befall_otherwise(self):
        """The next ones are each in one way not what was asked for."""
        for other in ({"gpu": "NVIDIA L4"}, {"data_center": "US-KS-2"}, {"image": "another/one"}):
            self.befall(**other)
        return 3

    def alive(self):
        return {pod.id for pod in self.account.live()}

    def labels(self):
        """Of every living machine of ours."""
        return [env["LEITSTAND_LABEL"] for env in self.told()]

    def told(self):
        """What each living machine of ours finds in its environment."""
        return [pod.env for pod in self.account.live() if "LEITSTAND_LABEL" in pod.env]

    def plant(self, label):
        """An instance that somebody else made; only its name looks like this."""
        return self.account.plant(label).id

    def small_pages(self):
        self.account.conduct.page_rows_max = 2

    def use_up_the_day(self):
        """Somebody else did, with the same key."""
        self.account.conduct.rates["day"] = (1, 86_400)
        self.sim.answer("GET", "/v2/pods", {"authorization": f"Bearer {KEY}"}, b"")

    def sell_out(self, offer):
        for place in self.account.places:
            if place.gpu == offer.gpu:
                place.free = 0

    def interrupt(self, provider_id):
        self.account._fail(self.account.pod(provider_id))

    def take_gpus(self, provider_id):
        self.account.pod(provider_id).place.free = 0

    def running(self, provider_id):
        return not self.account.pod(provider_id).stopped

    def dearer(self):
        """What costs more than was offered."""
        return {pod.id for pod in self.account.pods if pod.fate.price is not None}

    def spend_all(self):
        self.account.credit = self.account.spent

    def make_room(self, count):
        self.account.credit, self.account.conduct.spend_limit = Decimal(10**6), Decimal(10**6)
        self.account.places[0].free = count

    def costs_eur(self):
        bill = self.account.invoice(self.clock.now())
        return {name: amount * EUR_PER_USD for name, amount in bill.items()}

    def left_eur(self):
        return self.account.balance() * EUR_PER_USD


class VastWorld(RentedWorld):
    """Vast.ai's REST v0 and v1."""

    SIMULATOR, ADAPTER, RIGHTS = SimulatedVast, Vast, frozenset(PERMISSIONS)
    CREATE, LIST = ("PUT", "/api/v0/asks/.*"), ("GET", "/api/v1/instances/")
    END, OFFERS = ("DELETE", "/api/v0/instances/.*"), ("POST", "/api/v0/bundles/")
    SPOT, STARTING = True, "loading"
    NULLS = ("gpu_name", "geolocation", "dph_total", "num_gpus", "status_msg")

    def befall(self, price=None, **fate):
        self.account.fates.append(ContractFate(dph=price, **fate))

    def befall_otherwise(self):
        others = ({"gpus": 3}, {"refused": True}, {"gpu": "RTX 3060"}, {"geolocation": "Peru, PE"})
        for other in others:
            self.befall(**other)
        self.account.conduct.read_lag = timedelta(0)
        return len(others)

    def alive(self):
        return {str(contract.id) for contract in self.account.live()}

    def labels(self):
        return [one.label for one in self.account.live() if "env" in one.body]

    def told(self):
        return [one.body["env"] for one in self.account.live() if "env" in one.body]

    def plant(self, label):
        return str(self.account.rent(1039020, {"label": label, "image": "somebody/else"}).id)

    def small_pages(self):
        """They hold 25 rows as it is."""

    def use_up_the_day(self):
        self.account.conduct.search_quota = 0

    def sell_out(self, offer):
        for machine in self.account.machines:
            if str(machine.id) == offer.host:
                self.account.others.append(Other(machine, range(machine.gpus)))

    def _contract(self, provider_id):
        return next(c for c in self.account.contracts if c.id == int(provider_id))

    def interrupt(self, provider_id):
        self.take_gpus(provider_id)

    def take_gpus(self, provider_id):
        contract = self._contract(provider_id)
        self.account.others.append(Other(contract.machine, contract.gpus))
        self.account.arrange(contract.machine)

    def running(self, provider_id):
        return self._contract(provider_id).wants == "running"

    def dearer(self):
        return {str(one.id) for one in self.account.contracts if one.fate.dph is not None}

    def spend_all(self):
        self.account.credit = Decimal(0)

    def make_room(self, count):
        self.account.credit = Decimal(10**6)
        machine = self.account.machines[0]
        machine.gpus, machine.slices = count, (1,)
        machine.disk_gb *= count

    def costs_eur(self):
        return {
            str(one.id): sum(one.ledger.values(), Decimal(0)) * EUR_PER_USD
            for one in self.account.contracts
        }

    def left_eur(self):
        return self.account.credit * EUR_PER_USD


RENTED = {"runpod": RunPodWorld, "vast": VastWorld}
WORLDS = {"simulated": SimulatedWorld, "local": LocalWorld, "docker": DockerWorld, **RENTED}


def spec(**environment):
    return LaunchSpec(
        url=NOBODY_LISTENS,
        ca_sha256="00" * 32,
        instance_id="inst_01J00000000000000000000000",
        token=TOKEN,
        end_by=datetime.now(UTC) + timedelta(minutes=5),
        slots=1,
        environment={MANIFEST_VARIABLE: "0" * 64, **environment},
    )


def candidates(provider, want=None, bid=False):
    """Offers as placement would take them."""
    found = provider.offers(want or Requirements())
    return [offer for offer in found if offer.accelerator != "amd" and offer.bid == bid]


def offer(provider, **want):
    return candidates(provider, Requirements(**want))[0]


def launch(world, provider, label, bid=False):
    """The first offer that can be had, as the effect runner comes again when told to."""
    for one in candidates(provider, bid=bid):
        try:
            return patient(world, lambda one=one: provider.launch(one, spec(), label))
        except NoCapacity:
            continue
    raise AssertionError("nothing could be rented")


def end(world, provider, provider_id):
    patient(world, lambda: provider.terminate(provider_id))


def patient(world, call, most=20):
    """A call, made again after the time it asks for; an absence that proves nothing asks for more."""
    for _ in range(most):
        try:
            return call()
        except RateLimited as limited:
            world.forward(seconds=(limited.retry_after or timedelta(seconds=5)).total_seconds())
        except Unavailable:
            world.forward(seconds=10)
    raise AssertionError("it never came to an end")


def ours(world, provider, prefix):
    """What is listed once what was done has had time to show."""
    world.forward(seconds=5)
    return [seen for seen in patient(world, provider.list) if seen.label.startswith(prefix)]
