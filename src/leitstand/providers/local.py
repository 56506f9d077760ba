"""This machine as a provider: an instance is a worker in a process of its own.

The process list is the provider's listing. An instance is known by the label in its command line
and by pid and start time, so nothing needs to be remembered over a restart of the control plane and
a recycled pid is never taken for ours.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from importlib import metadata
from pathlib import Path

import psutil

from leitstand import launch as launching
from leitstand.core.accelerator import CPU, NVIDIA
from leitstand.core.placement import Offer, Requirements
from leitstand.host.facts import Facts, measure
from leitstand.host.nvml import Gpu, Gpus
from leitstand.ports import Capability, LaunchSpec, Rejected, Seen, Status, Unavailable

PROVIDER = "local"
TIER = "L"
GRACE = timedelta(seconds=3)
"""From the first request to end (SIGTERM) to the moment a further one is SIGKILL: well within the
five seconds in which a second Ctrl-C promises the worker's end."""
_INHERITED = ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "CUDA_VISIBLE_DEVICES")
"""What a worker needs of our environment; anything else could hold secrets."""

_OVER = {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}


def connect(settings: Mapping[str, str]) -> Local:
    """The provider of this machine.

    Settings: `price_eur_per_hour` (0), `region` (own), `cache_folder` (models; none: the worker's
    choice), `log_folder` (none: logs are dropped). Raises Rejected on a price that is no amount.
    """
    return Local(settings)


class Local:
    """See `ports.Provider`. Safe to use from several threads."""

    capabilities: frozenset[Capability] = frozenset()
    listing_lag = timedelta(0)

    def __init__(self, settings: Mapping[str, str]) -> None:
        try:
            self._price = Decimal(settings.get("price_eur_per_hour", "0"))
        except InvalidOperation as error:
            raise Rejected("price_eur_per_hour is not an amount") from error
        self._region = settings.get("region", "own")
        self._cache_folder = settings.get("cache_folder")
        log_folder = settings.get("log_folder")
        self._log_folder = Path(log_folder) if log_folder else None
        self._gpus = Gpus()
        self._asked: dict[str, float] = {}

    def offers(self, want: Requirements) -> Iterable[Offer]:
        """This machine as it is now; a GPU counts only with a runtime that can use it."""
        facts = measure(Path(self._cache_folder or "/"), self._gpus)
        yield self._offer(
            facts, [gpu for gpu in facts.gpus if gpu.vram_gib and _has_cuda_runtime()]
        )

    def _offer(self, facts: Facts, usable: Sequence[Gpu]) -> Offer:
        gpu = usable[0] if usable else None
        return Offer(
            provider=PROVIDER,
            offer_id=PROVIDER,
            accelerator=NVIDIA if gpu else CPU,
            gpu=gpu.name if gpu else None,
            gpus=len(usable),
            vram_gib=(gpu.vram_gib or 0.0) if gpu else 0.0,
            cuda=gpu.cuda if gpu else None,
            compute_capability=gpu.compute_capability if gpu else None,
            driver=gpu.driver if gpu else None,
            cores=facts.cores,
            ram_gib=facts.ram_gib,
            disk_gib=facts.disk_free_gib,
            down_mbit_per_s=None,
            tier=TIER,
            region=self._region,
            host=None,
            price_eur_per_hour=self._price,
        )

    def launch(self, offer: Offer, spec: LaunchSpec, label: str) -> Seen:
        """Start a worker in a session of its own that outlives us. Raises Unavailable if the
        operating system cannot, Rejected if the label is not one of ours."""
        if not label.startswith(launching.LABEL_PREFIX):
            raise Rejected("the label has no prefix of ours")
        environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        environment |= {"LANG": "C.UTF-8", **spec.environment}
        environment[launching.VARIABLE] = launching.encode(spec, self._cache_folder)
        try:
            log = self._log_path(label)
            pid = os.posix_spawn(
                sys.executable,
                [sys.executable, "-P", "-m", "leitstand", "worker", "--label", label],
                environment,
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
                    (os.POSIX_SPAWN_DUP2, 1, 2),
                ],
                setsid=True,
                setsigmask=[],
                setsigdef=[signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE],
            )
            process = psutil.Process(pid)
            while not process.cmdline() and process.status() not in _OVER:
                os.sched_yield()  # the moment after `exec` in which nobody could list it
            return self._seen(process, label)
        except psutil.NoSuchProcess as error:
            raise Unavailable("the worker ended at once") from error
        except OSError as error:
            raise Unavailable(f"a worker could not be started: {error.strerror}") from error

    def _log_path(self, label: str) -> str:
        if self._log_folder is None:
            return os.devnull
        self._log_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return str(self._log_folder / f"{label}.log")

    def list(self) -> Iterable[Seen]:
        """Every worker of this user that carries a label of ours, whoever started it.

        A worker's child carries its parent's command line until it runs a program of its own;
        it is part of the instance, not a second one.
        """
        labelled = {
            process.pid: (process, label)
            for process in _processes()
            if (label := _label(process.info["cmdline"] or [])) and _alive(process)
        }
        found = []
        for process, label in labelled.values():
            parent = labelled.get(process.info["ppid"])
            if parent is None or parent[1] != label:
                with contextlib.suppress(psutil.NoSuchProcess):
                    found.append(self._seen(process, label))
        return found

    def _seen(self, process: psutil.Process, label: str) -> Seen:
        return Seen(
            provider_id=f"{process.pid}:{_start_ticks(process.pid)}",
            label=label,
            status=Status.RUNNING,
            price_eur_per_hour=str(self._price),
            region=self._region,
        )

    def pause(self, provider_id: str) -> None:
        """Not offered: see `capabilities`."""
        raise Rejected("a process of this machine cannot be paused")

    def resume(self, provider_id: str) -> None:
        """Not offered: see `capabilities`."""
        raise Rejected("a process of this machine cannot be resumed")

    def terminate(self, provider_id: str) -> None:
        """Ask the worker to end; asked again after `GRACE`, kill it. Absent is success."""
        pid, _, started = provider_id.partition(":")
        if not pid.isdigit():
            raise Rejected("not an id of this provider")
        _reap(int(pid))
        try:
            handle = os.pidfd_open(int(pid))
        except ProcessLookupError:
            self._asked.pop(provider_id, None)
            return
        try:
            if _start_ticks(int(pid)) != started or not _is_worker(int(pid)):
                self._asked.pop(provider_id, None)
                return
            now = time.monotonic()
            first = self._asked.setdefault(provider_id, now)
            overdue = now - first >= GRACE.total_seconds()
            signal.pidfd_send_signal(handle, signal.SIGKILL if overdue else signal.SIGTERM)
        except ProcessLookupError:
            self._asked.pop(provider_id, None)
        finally:
            os.close(handle)


def _processes() -> Iterator[psutil.Process]:
    """Processes of this user; what cannot be read belongs to somebody else or is gone."""
    me = os.getuid()
    for process in psutil.process_iter(["uids", "ppid", "cmdline"]):
        uids = process.info["uids"]
        if uids and uids.real == me:
            yield process


def _label(command: list[str]) -> str | None:
    """The label of a command line `... leitstand worker --label LABEL`."""
    for position in range(len(command) - 3):
        program, verb, option, label = command[position : position + 4]
        if (
            Path(program).name == "leitstand"
            and (verb, option) == ("worker", "--label")
            and label.startswith(launching.LABEL_PREFIX)
        ):
            return label
    return None


def _is_worker(pid: int) -> bool:
    """Raises Unavailable within the moment after `exec` in which a process has no command line."""
    try:
        process = psutil.Process(pid)
        command = process.cmdline()
        if not command and process.status() not in _OVER:
            raise Unavailable("the process is only starting")
        return _label(command) is not None
    except psutil.Error:
        return False


def _alive(process: psutil.Process) -> bool:
    try:
        if process.status() not in _OVER:
            return True
    except psutil.Error:
        return False
    _reap(process.pid)
    return False


def _reap(pid: int) -> None:
    """Collect the exit of a child of ours; for any other process this is nothing."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _start_ticks(pid: int) -> str:
    """Start time in clock ticks since boot: exact, where psutil's seconds are rounded."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError as error:
        raise psutil.NoSuchProcess(pid) from error
    return stat.rpartition(b")")[2].split()[19].decode()


def _has_cuda_runtime() -> bool:
    try:
        metadata.version("onnxruntime-gpu")
    except metadata.PackageNotFoundError:
        return False
    return True
