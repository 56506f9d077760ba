"""Loaded models, shared by all slots, gone when nobody uses them.

On a GPU one thread fills batches; one goes when it is full or `BATCH_WAIT_SECONDS` old. On a CPU a
batch is one item, because larger ones were measured to gain nothing there, and there are as many
threads as cores, each with one item on one core: that costs less than splitting every item over
all cores, and no core waits for another (`docs/performance.md`).
"""

from __future__ import annotations

import contextlib
import importlib
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

from leitstand.core.accelerator import execution_of
from leitstand.core.model import ModelVersion
from leitstand.core.problem import Problem
from leitstand.host.facts import cores
from leitstand.host.nvml import Gpus
from leitstand.ports import Device, Family, Loaded
from leitstand.worker.blame import Failure, judge

BATCH_WAIT_SECONDS = 0.005
IDLE_SECONDS_MAX = 60.0
"""A session nobody used for so long is unloaded; open sessions slow each other down."""

_Item = tuple[Any, "Future[Any]"]


class Batcher:
    """One loaded model as pipelines see it (`ports.Model`). Safe to call from several threads.

    More than one of its own `threads` needs a model that several may call at once."""

    def __init__(
        self, version: ModelVersion, loaded: Loaded, batch_max: int, threads: int = 1
    ) -> None:
        self.name = version.name
        self.version = version.version
        self._loaded = loaded
        self._batch_max = batch_max
        self._items: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._threads = threads
        for _ in range(threads):
            threading.Thread(target=self._run, name=f"batch-{version.family}", daemon=True).start()

    def __call__(self, items: Sequence[Any]) -> Sequence[Any]:
        """One result per item, in order. Raises what the model raised for the first bad item."""
        futures: list[Future[Any]] = [Future() for _ in items]
        for item, future in zip(items, futures, strict=True):
            self._items.put((item, future))
        return [future.result() for future in futures]

    def close(self) -> None:
        """End the threads once the waiting items are done; nobody may call afterwards."""
        for _ in range(self._threads):
            self._items.put(None)

    def _run(self) -> None:
        while (first := self._items.get()) is not None:
            batch, last = self._fill([first])
            self._serve(batch)
            if last:
                return

    def _fill(self, batch: list[_Item]) -> tuple[list[_Item], bool]:
        deadline = time.monotonic() + BATCH_WAIT_SECONDS
        while len(batch) < self._batch_max:
            try:
                item = self._items.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                break
            if item is None:
                return batch, True
            batch.append(item)
        return batch, False

    def _serve(self, batch: Sequence[_Item]) -> None:
        try:
            results = list(self._loaded([item for item, _ in batch]))
            for (_, future), result in zip(batch, results, strict=True):
                future.set_result(result)
        except Exception as error:
            if len(batch) == 1:
                batch[0][1].set_exception(error)
                return
            for single in batch:  # one bad item must not fail those of other slots
                if not single[1].done():
                    self._serve([single])


class _Entry:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.batcher: Batcher | None = None
        self.users = 0
        self.idle_since = 0.0


class Sessions:
    """Models by digest. Loading one does not hold up the use of another."""

    def __init__(self, device: Device, monotonic: Callable[[], float]) -> None:
        self._device = device
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._entries: dict[tuple[str, str], _Entry] = {}

    @contextlib.contextmanager
    def use(
        self, version: ModelVersion, files: Callable[[], Mapping[str, bytes]]
    ) -> Iterator[Batcher]:
        """The model, loaded from `files()` if it is not yet. Raises Failure blamed on the model
        when its family cannot load it."""
        with self._lock:
            entry = self._entries.setdefault((version.family, version.digest), _Entry())
            entry.users += 1
        try:
            with entry.lock:
                if entry.batcher is None:
                    entry.batcher = self._load(version, files())
            yield entry.batcher
        finally:
            with self._lock:
                entry.users -= 1
                entry.idle_since = self._monotonic()

    def _load(self, version: ModelVersion, files: Mapping[str, bytes]) -> Batcher:
        try:
            family: Family = importlib.import_module(f"leitstand.models.{version.family}")
            if self._device.kind != "cpu":
                loaded = family.load(files, self._device)
                return Batcher(version, loaded, max(1, loaded.batch_max))
            if getattr(family, "TAKES_ALL_CORES", False):
                return Batcher(version, family.load(files, self._device), 1)
            loaded = family.load(files, replace(self._device, threads=1))
            return Batcher(version, loaded, 1, threads=max(1, self._device.threads))
        except Exception as error:
            raise _unloadable(version, error) from error

    def unload_idle(self) -> None:
        """Forget sessions that nobody has used for `IDLE_SECONDS_MAX`."""
        now = self._monotonic()
        with self._lock:
            for key, entry in list(self._entries.items()):
                if not entry.users and now - entry.idle_since >= IDLE_SECONDS_MAX:
                    del self._entries[key]
                    if entry.batcher is not None:
                        entry.batcher.close()


def _unloadable(version: ModelVersion, error: Exception) -> Failure:
    found = judge(error)
    if found.blame == "host":
        return found
    if isinstance(error, Problem):
        blame = "host" if error.code == "no-cuda-runtime" else "model"
        return Failure(error.code, blame, **error.params)
    return Failure("model-unloadable", "model", model=version.name)


def choose_device(gpus: Gpus) -> Device:
    """The first GPU if the driver shows one and the runtime can use it, else all our cores."""
    import onnxruntime  # type: ignore[import-untyped]

    usable = [gpu for gpu in gpus.look()[0] if gpu.vram_gib]
    if usable and execution_of("cuda") in onnxruntime.get_available_providers():
        return Device("cuda", usable[0].ordinal, threads=cores())
    return Device("cpu", threads=cores())
