"""Batches shared by slots, and sessions that come and go."""

import sys
import threading
import types

import pytest

from leitstand.core.model import ModelFile, ModelVersion
from leitstand.ports import Device
from leitstand.worker.blame import Failure
from leitstand.worker.infer import IDLE_SECONDS_MAX, Batcher, Sessions

VERSION = ModelVersion("doubler", "d", "1", "ab" * 32, (ModelFile("m", "cd" * 32, 1),), "")


class Doubler:
    """Doubles numbers and remembers its batches; `gate` holds the first one back."""

    def __init__(self, batch_max=4):
        self.batch_max = batch_max
        self.batches = []
        self.started = threading.Event()
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, items):
        self.batches.append(list(items))
        self.started.set()
        assert self.gate.wait(60)
        if "bad" in items:
            raise ValueError("bad item")
        return [item * 2 for item in items]


def test_results_come_in_the_order_of_the_items():
    batcher = Batcher(VERSION, Doubler(), 4)
    assert list(batcher([3, 1, 2])) == [6, 2, 4]
    assert list(batcher([])) == []


def test_items_of_several_callers_share_a_batch_up_to_its_size():
    loaded = Doubler()
    loaded.gate.clear()
    batcher = Batcher(VERSION, loaded, 4)
    answers = {}

    def call(number):
        answers[number] = list(batcher([number]))

    first = threading.Thread(target=call, args=(0,))
    first.start()
    assert loaded.started.wait(60)
    others = [threading.Thread(target=call, args=(number,)) for number in range(1, 9)]
    for other in others:
        other.start()
    while batcher._items.qsize() < 8:
        threading.Event().wait(0.001)
    loaded.gate.set()
    for thread in [first, *others]:
        thread.join(60)
    assert [len(batch) for batch in loaded.batches] == [1, 4, 4]
    assert answers == {number: [number * 2] for number in range(9)}


def test_a_batch_of_one_never_waits_for_a_second():
    loaded = Doubler()
    batcher = Batcher(VERSION, loaded, 1)
    assert list(batcher([1, 2])) == [2, 4]
    assert loaded.batches == [[1], [2]]


def test_on_a_cpu_as_many_items_are_worked_on_at_once_as_there_are_cores(loads):
    together = threading.Barrier(3, timeout=60)
    with Sessions(Device(threads=3), Clock()).use(VERSION, files()) as model:
        model._loaded.gate.wait = lambda seconds: together.wait() >= 0
        assert list(model([1, 2, 3])) == [2, 4, 6]
        assert sorted(model._loaded.batches) == [[1], [2], [3]]
    assert loads[0][1] == Device(threads=1)


def test_a_family_that_takes_all_cores_gets_one_item_at_a_time(loads):
    sys.modules["leitstand.models.doubler"].TAKES_ALL_CORES = True
    with Sessions(Device(threads=3), Clock()).use(VERSION, files()) as model:
        assert list(model([1, 2])) == [2, 4]
        assert model._loaded.batches == [[1], [2]]
    assert loads[0][1] == Device(threads=3)


def test_a_bad_item_fails_its_caller_and_nobody_else():
    loaded = Doubler()
    loaded.gate.clear()
    batcher = Batcher(VERSION, loaded, 4)
    outcome = {}

    def call(item):
        try:
            outcome[item] = list(batcher([item]))
        except ValueError as error:
            outcome[item] = str(error)

    threads = [threading.Thread(target=call, args=(item,)) for item in (1, "bad", 2)]
    threads[0].start()
    assert loaded.started.wait(60)
    for thread in threads[1:]:
        thread.start()
    while batcher._items.qsize() < 2:
        threading.Event().wait(0.001)
    loaded.gate.set()
    for thread in threads:
        thread.join(60)
    assert outcome == {1: [2], "bad": "bad item", 2: [4]}


def test_a_model_that_answers_too_few_is_an_error_and_no_caller_hangs():
    batcher = Batcher(VERSION, lambda items: [], 1)
    with pytest.raises(ValueError):
        batcher([1])


# --- sessions ------------------------------------------------------------------------------------


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def loads(monkeypatch):
    """Every load of the family `doubler`, with files and device."""
    seen = []

    def load(files, device):
        if files == {"m": b"broken"}:
            raise RuntimeError("no model")
        if files == {"m": b"huge"}:
            raise MemoryError
        seen.append((dict(files), device))
        return Doubler()

    module = types.ModuleType("leitstand.models.doubler")
    module.load = load
    monkeypatch.setitem(sys.modules, "leitstand.models.doubler", module)
    return seen


def files(content=b"x"):
    return lambda: {"m": content}


def test_a_model_is_loaded_once_for_all_and_unloaded_when_nobody_used_it_for_a_while(loads):
    clock = Clock()
    sessions = Sessions(Device(), clock)
    with sessions.use(VERSION, files()) as one, sessions.use(VERSION, files()) as other:
        assert one is other
        clock.now += 10 * IDLE_SECONDS_MAX
        sessions.unload_idle()
        assert list(one([2])) == [4]
    clock.now += IDLE_SECONDS_MAX - 1
    sessions.unload_idle()
    with sessions.use(VERSION, files()) as again:
        assert again is one
    assert len(loads) == 1
    clock.now += IDLE_SECONDS_MAX
    sessions.unload_idle()
    with sessions.use(VERSION, files()):
        pass
    assert len(loads) == 2


def test_batches_are_for_gpus_only(loads):
    for kind, expected in (("cpu", [1, 1]), ("cuda", [2])):
        with Sessions(Device(kind), Clock()).use(VERSION, files()) as model:
            model([1, 2])
            assert [len(batch) for batch in model._loaded.batches] == expected


def test_a_model_that_does_not_load_is_the_model_s_fault_and_can_be_tried_again(loads):
    sessions = Sessions(Device(), Clock())
    with pytest.raises(Failure) as failure, sessions.use(VERSION, files(b"broken")):
        pass
    assert (failure.value.blame, failure.value.code) == ("model", "model-unloadable")
    with sessions.use(VERSION, files()) as model:
        assert list(model([1])) == [2]


def test_a_host_too_small_for_a_model_is_the_host_s_fault(loads):
    with (
        pytest.raises(Failure) as failure,
        Sessions(Device(), Clock()).use(VERSION, files(b"huge")),
    ):
        pass
    assert failure.value.blame == "host"
