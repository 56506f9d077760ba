"""What is measured of the machine the tests run on."""

import os
from pathlib import Path

import psutil

from leitstand.host.facts import cores, measure, readings
from leitstand.host.nvml import Gpus


def test_facts_stay_within_what_the_machine_has():
    facts = measure(Path("/"), Gpus())
    assert 1 <= facts.cores <= os.cpu_count()
    assert 0 < facts.ram_free_gib <= facts.ram_gib <= psutil.virtual_memory().total / 2**30 + 0.001
    assert facts.disk_free_gib > 0


def test_disk_space_is_measured_for_a_folder_that_does_not_exist_yet(tmp_path):
    assert measure(tmp_path / "not" / "yet", Gpus()).disk_free_gib > 0


def test_affinity_bounds_the_cores():
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)


def test_readings_say_how_much_memory_is_used_and_free():
    measured = readings(Gpus())
    assert measured["ram_used_gib"] > 0
    assert measured["ram_free_gib"] > 0
    assert isinstance(measured["gpus"], list)
