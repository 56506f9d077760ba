"""How fast a machine computes, measured for as long as its launch says, by a clock of the test."""

import json

import pytest

from leitstand.launch import VARIABLE, decode
from leitstand.ports import Device
from leitstand.worker import contention


class Clock:
    """Each look at it is one step later, the last steps twice as far apart."""

    def __init__(self, step: float = 0.25) -> None:
        self.at, self.step, self.looks = 0.0, step, 0

    def __call__(self) -> float:
        self.looks += 1
        self.at += self.step * (2 if self.looks > 31 else 1)
        return self.at


def test_it_measures_for_as_long_as_it_was_told_and_says_how_steady_the_machine_is():
    found = contention.measure(Device(), 10.0, monotonic=Clock())
    assert found is not None
    assert (found["kind"], found["seconds"]) == ("cpu", 10.0)
    runs = 35  # thirty of a quarter of a second, five of half a second
    assert found["tflops"] == pytest.approx(runs * 16 * 2 * 256**3 / 1e12 / 10, abs=1e-6)
    assert found["steady"] == pytest.approx(2 * 10 / 35, abs=1e-3)


def test_nothing_is_measured_where_nobody_asked():
    assert contention.measure(Device(), 0.0, monotonic=Clock()) is None


def test_a_worker_that_is_to_leave_measures_no_longer():
    clock = Clock()
    contention.measure(Device(), 1e9, stop=lambda: clock.looks >= 5, monotonic=clock)
    assert clock.looks == 5


@pytest.mark.parametrize("factor", [1.5, float("nan")])
def test_a_machine_that_computes_wrongly_has_no_speed(monkeypatch, factor):
    import onnxruntime

    class Wrong(onnxruntime.InferenceSession):
        def run(self, outputs, inputs):
            return [value * factor for value in super().run(outputs, inputs)]

    monkeypatch.setattr(onnxruntime, "InferenceSession", Wrong)
    assert contention.measure(Device(), 1.0, monotonic=Clock()) is None


def test_a_worker_measures_itself_before_its_admission_where_its_launch_says_so(plane, worker):
    worker(probe_seconds=0.001)
    plane.wait(lambda: plane.admissions)
    (admission,) = plane.admissions
    assert admission["self_test"]["probe"]["kind"] == "cpu"
    assert admission["self_test"]["probe"]["tflops"] > 0
    assert VARIABLE not in json.dumps(admission)


def test_a_launch_of_an_older_control_plane_asks_for_no_measurement(plane, worker):
    worker()
    plane.wait(lambda: plane.admissions)
    assert "probe" not in plane.admissions[0]["self_test"]
    old = {"url": "u", "ca_sha256": "", "instance_id": "i", "token": "t", "slots": 1}
    assert decode(json.dumps({**old, "end_by": "2026-11-24T08:00:00+00:00"})).probe_seconds == 0
