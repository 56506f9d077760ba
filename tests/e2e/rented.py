"""What stands behind a simulated provider here: whenever an instance of it comes to run, the command
of its launch runs as a process of this computer, and ends with the instance.

Three things are not as they would be elsewhere, and all are told to the machine in its environment:
the control plane and the provider's API are at loopback addresses, and models are kept in a folder
of the machine. Its GPU is `nvml_stub.c`, and ONNX Runtime computes on the CPU and says otherwise.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import signal
import subprocess
import sysconfig
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

from leitstand.boot import program
from tests.boot import stock
from tests.host.test_nvml import STUB
from tests.wire.clock import Clock
from tests.wire.runpod_pod import Pod
from tests.wire.runpod_server import ServedRunPod
from tests.wire.server import Raw
from tests.wire.vast_contract import Contract
from tests.wire.vast_server import ServedVast

LOOK_SECONDS = 0.25
END_SECONDS_MAX = 30
TRAFFIC_GB = "0.25"
"""What each machine fetches, as a host counts it that charges for it."""
ON_CPU = """
_real = {real!r}
__path__ = [_real]
with open(_real + "/__init__.py") as _file:
    exec(compile(_file.read(), _file.name, "exec"))
_GPU, _CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
_Session = InferenceSession

def get_available_providers():
    return [_GPU, _CPU]

def preload_dlls(*_, **__):
    pass

class InferenceSession(_Session):
    def __init__(self, model, sess_options=None, providers=None, **more):
        super().__init__(model, sess_options, providers=[_CPU], **more)

    def get_providers(self):
        return [_GPU, _CPU]
"""


def libraries(folder: Path) -> list[Path]:
    """Wheels that stand for all that a worker needs but its own: the libraries of this environment,
    and an ONNX Runtime for NVIDIA's GPUs that computes on the CPU."""
    site = sysconfig.get_path("purelib")
    members = {
        "borrowed.pth": site + os.linesep,
        "onnxruntime/__init__.py": ON_CPU.format(real=f"{site}/onnxruntime"),
    }
    return [stock.wheel(folder, "borrowed", members)]


class WallClock(Clock):
    """The time of this computer, and what the test adds to it."""

    def __init__(self) -> None:
        self._ahead = timedelta(0)
        super().__init__(datetime.now(UTC))

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def monotonic(self) -> float:
        return self.now().timestamp()

    def forward(self, **time: float) -> None:
        self._ahead += timedelta(**time)
        super().forward(**time)


@dataclass(frozen=True)
class Rented:
    """An instance of a simulated provider, as a host sees it."""

    id: str
    running: bool
    """Whether its container should run."""
    gone: bool
    command: list[str]
    environment: Mapping[str, str]
    gpu: str
    vram_gib: int
    gpus: int


class RunPodHosts:
    """All pods of a simulated account."""

    name = "runpod"

    def __init__(self, served: ServedRunPod) -> None:
        self.served = served
        conduct = served.sim.account.conduct
        conduct.provisioning = conduct.starting = timedelta(seconds=1)

    def all(self) -> list[Rented]:
        account = self.served.sim.account
        return [self._one(pod) for pod in account.pods]

    def _one(self, pod: Pod) -> Rented:
        account = self.served.sim.account
        (kind,) = [kind for kind in account.gpu_types if kind.id == pod.gpu]
        return Rented(
            id=pod.id,
            running=pod.status(account.at, account.conduct) == "RUNNING",
            gone=pod.ended_at is not None,
            command=[*pod.entrypoint, *pod.cmd],
            environment=account.container_env(pod),
            gpu=kind.id,
            vram_gib=kind.memory,
            gpus=pod.gpus,
        )

    def began(self, id: str) -> None:
        """There is no charge for traffic."""

    def invoice(self) -> dict[str, Decimal]:
        """Dollars by instance."""
        return self.served.sim.account.invoice(self.served.clock.now())


class VastHosts:
    """All contracts of a simulated account."""

    name = "vast"

    def __init__(self, served: ServedVast) -> None:
        self.served = served
        conduct = served.sim.account.conduct
        conduct.image_gb = 0.1

    def all(self) -> list[Rented]:
        return [self._one(contract) for contract in self.served.sim.account.contracts]

    def _one(self, contract: Contract) -> Rented:
        told = {"CONTAINER_ID": str(contract.id), "CONTAINER_API_KEY": contract.key}
        machine = contract.machine
        return Rented(
            id=str(contract.id),
            running=contract.live and contract.stage == "running",
            gone=not contract.live,
            command=list(contract.body["args"]),
            environment=dict(contract.body["env"]) | told,
            gpu=f"NVIDIA GeForce {machine.gpu}",
            vram_gib=round(machine.gpu_ram / 1024),
            gpus=len(contract.gpus),
        )

    def began(self, id: str) -> None:
        account = self.served.sim.account
        (contract,) = [one for one in account.contracts if str(one.id) == id]
        account.traffic(contract, down_gb=TRAFFIC_GB)

    def invoice(self) -> dict[str, Decimal]:
        """Dollars by instance."""
        account = self.served.sim.account
        account.settle(self.served.clock.now())
        return {str(one.id): one.cost() for one in account.contracts}


Hosts = RunPodHosts | VastHosts


class Machines:
    """`with Machines(hosts, folder) as machines:` runs what is rented until the block ends."""

    def __init__(self, hosts: Hosts, folder: Path) -> None:
        self.hosts = hosts
        self.folder = folder
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.environments: dict[str, dict[str, str]] = {}
        self.exits: dict[str, int] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._lock = threading.RLock()
        self.errors: list[BaseException] = []
        self._answer = hosts.served.sim.answer
        hosts.served.sim.answer = self._answered  # type: ignore[method-assign]

    def __enter__(self) -> Machines:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        for id in list(self.processes):
            self._end(id)

    def _answered(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Raw:
        raw: Raw = self._answer(method, target, headers, body)
        self.look()
        return raw

    def _watch(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            try:
                self.look()
            except Exception as error:
                self.errors.append(error)
                return

    def look(self) -> None:
        """Start what came to run, end what does not run any more."""
        with self.hosts.served.sim._lock, self._lock:
            self.hosts.served.sim.account.settle(self.hosts.served.clock.now())
            for one in self.hosts.all():
                if one.running and one.id not in self.environments:
                    self._begin(one)
                elif not one.running and one.id in self.processes:
                    self._end(one.id)

    def _begin(self, one: Rented) -> None:
        folder = self.folder / one.id
        machine = stock.Machine(folder)
        library = gpu_library(folder, one)
        told = {**self._nearby(one.environment, folder), "LD_LIBRARY_PATH": str(library)}
        options = machine.command(one.command, told, patience="30")
        self.environments[one.id] = options["env"]
        with self.log(one.id).open("wb") as log:
            self.processes[one.id] = subprocess.Popen(
                **options, stdout=log, stderr=log, start_new_session=True
            )
        self.hosts.began(one.id)

    def _end(self, id: str) -> None:
        """With all that it started, as a container ends."""
        process = self.processes.pop(id)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        self.exits[id] = process.wait(END_SECONDS_MAX)

    def log(self, id: str) -> Path:
        return self.folder / f"{id}.log"

    def said(self) -> str:
        """What all machines wrote."""
        return "\n".join(
            f"--- {path.name}\n{path.read_text()}" for path in self.folder.glob("*.log")
        )

    def _nearby(self, environment: Mapping[str, str], folder: Path) -> dict[str, str]:
        """The environment with addresses that lead to the same from here."""
        numbers = range(program.PARTS_MAX)
        parts = [environment.get(f"{program.PART}{number}", "") for number in numbers]
        spec = json.loads(base64.b64decode("".join(parts)))
        spec["url"] = f"https://127.0.0.1:{urlsplit(spec['url']).port}"
        spec["cache_folder"] = str(folder / "models")
        told = {k: v for k, v in environment.items() if not k.startswith(program.PART)}
        ends = urlsplit(environment[program.END_URL])
        told[program.END_URL] = f"{self.hosts.served.url}{ends.path}"
        return told | {program.SPEC: json.dumps(spec)}


def gpu_library(folder: Path, one: Rented) -> Path:
    """A folder with a library that shows the GPUs of this instance."""
    target = folder / "driver"
    target.mkdir()
    subprocess.run(
        ["gcc", "-shared", "-fPIC", "-Wl,-soname,libnvidia-ml.so.1", f"-DSTUB_GPUS={one.gpus}",
         f'-DSTUB_NAME="{one.gpu}"', f"-DSTUB_GIB={one.vram_gib}", "-w",
         "-o", target / "libnvidia-ml.so.1", STUB],
        check=True,
    )  # fmt: skip
    return target


@contextlib.contextmanager
def account(name: str, key: str, permissions: frozenset[str]) -> Iterator[Hosts]:
    """A served account of this provider, with a key of its own, by the time of this computer."""
    clock = WallClock()
    if name == "runpod":
        runpod = ServedRunPod(clock)
        runpod.sim.keys[key] = "all"
        with runpod:
            yield RunPodHosts(runpod)
        return
    vast = ServedVast(clock)
    vast.sim.keys[key] = permissions
    with vast:
        yield VastHosts(vast)
