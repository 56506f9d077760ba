"""The real NVML binding against a compiled library that answers like a driver."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

STUB = Path(__file__).with_name("nvml_stub.c")
NO_LIBRARY = """
import pynvml
def CDLL(*_):
    raise OSError
pynvml.CDLL = CDLL
"""
LOOK = """
import dataclasses, json
from leitstand.host.nvml import Gpus
gpus = Gpus()
gpus.look()
seen, visibility = gpus.look()
print(json.dumps([[dataclasses.asdict(gpu) for gpu in seen], visibility]))
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nvml")
    subprocess.run(
        ["gcc", "-shared", "-fPIC", "-Wl,-soname,libnvidia-ml.so.1",
         "-o", folder / "libnvidia-ml.so.1", STUB],
        check=True,
    )  # fmt: skip
    return folder


def look(folder, before="", **environment):
    path = {"LD_LIBRARY_PATH": str(folder)} if folder else {}
    out = subprocess.run(
        [sys.executable, "-c", before + LOOK],
        env={**os.environ, **path, **environment},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return json.loads(out)


def test_gpus_are_described_as_the_driver_says(library):
    gpus, visibility = look(library, STUB_TEMPERATURE="87")
    assert visibility == "seen"
    assert [gpu["name"] for gpu in gpus] == ["Stub GPU 0", "Stub GPU 1"]
    assert gpus[0] | {"not_visible": None} == {
        "ordinal": 0,
        "name": "Stub GPU 0",
        "vram_gib": 24.0,
        "vram_free_gib": 23.0,
        "driver": "550.54.15",
        "cuda": "12.4",
        "compute_capability": "8.9",
        "temperature_c": 87,
        "ecc_errors": None,
        "busy_percent": None,
        "power_w": None,
        "not_visible": None,
    }


def test_a_fact_the_driver_cannot_tell_is_named_and_the_others_are_kept(library):
    gpus, _ = look(library)
    assert {line.split(":")[0] for line in gpus[0]["not_visible"]} == {
        "ecc_errors",
        "busy_percent",
        "power_w",
    }
    assert "ecc_errors: Not Supported" in gpus[0]["not_visible"]
    assert "power_w: Function Not Found" in gpus[0]["not_visible"]


def test_a_lost_gpu_does_not_hide_the_other_one(library):
    gpus, visibility = look(library, STUB_LOST="1")
    assert visibility == "seen"
    assert gpus[0]["vram_gib"] == 24.0
    assert gpus[1]["name"] is None
    assert gpus[1]["not_visible"] == ["device: GPU is lost"]


def test_a_machine_without_the_library_has_no_gpu_and_says_why():
    assert look(None, before=NO_LIBRARY) == [[], "no NVML library"]
