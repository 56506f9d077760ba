"""Blame, memory, environment and the launch spec."""

import errno
import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from leitstand import launch
from leitstand.core.problem import Problem
from leitstand.ports import LaunchSpec
from leitstand.worker.blame import Failure, judge
from leitstand.worker.hygiene import clear_environment


@pytest.mark.parametrize(
    ("error", "blame", "code"),
    [
        (OSError(errno.ENOSPC, "no space"), "host", "host-exhausted"),
        (MemoryError(), "host", "host-out-of-memory"),
        (RuntimeError("CUDA failure 2: out of memory"), "host", "host-out-of-memory"),
        (RuntimeError("Failed to allocate memory for requested buffer"), "host", None),
        (Problem("model-digest-wrong"), "model", "model-digest-wrong"),
        (
            ImportError("libGL.so.1: cannot open shared object file: No such file or directory"),
            *("host", "graphics-library-missing"),
        ),
        (ImportError("cannot import name"), "us", "worker-error"),
        (Problem("too-many-pixels"), "item", "too-many-pixels"),
        (OSError(errno.ENOENT, "gone"), "us", "worker-error"),
        (ValueError("anything"), "us", "worker-error"),
        (Failure("x", "item"), "item", "x"),
    ],
)
def test_blame_follows_the_kind_of_error(error, blame, code):
    found = judge(error)
    assert found.blame == blame
    assert code is None or found.code == code


def test_a_judgement_carries_no_word_of_the_error_itself():
    assert "secret words" not in json.dumps(judge(KeyError("secret words")).params)


def test_a_worker_can_neither_dump_core_nor_be_read_by_others():
    code = (
        "import ctypes, resource\n"
        "from leitstand.worker.hygiene import confine_memory\n"
        "confine_memory()\n"
        "print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), resource.getrlimit(resource.RLIMIT_CORE))"
    )
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert out.stdout.split(maxsplit=1) == ["0", "(0, 0)\n"]


def test_the_environment_keeps_paths_and_drops_everything_that_may_be_secret():
    environ = {"PATH": "/bin", "RUNPOD_API_KEY": "x", "HOME": "/root", "LC_ALL": "C"}
    before = dict(os.environ)
    clear_environment(environ)
    assert environ["PATH"] == "/bin"
    assert environ["LC_ALL"] == "C"
    assert "RUNPOD_API_KEY" not in environ
    assert environ["TMPDIR"] == "/dev/shm"
    assert environ["ORT_DISABLE_TELEMETRY"] == "1"
    assert dict(os.environ) == before


def spec():
    return LaunchSpec(
        url="https://127.0.0.1:1",
        ca_sha256="AB" * 32,
        instance_id="inst_1",
        token="t",
        end_by=datetime(2026, 1, 2, tzinfo=UTC),
        slots=2,
        environment={},
    )


def test_a_launch_spec_survives_the_environment():
    read = launch.decode(launch.encode(spec(), "/cache"))
    assert read.url == "https://127.0.0.1:1"
    assert read.ca_sha256 == "ab" * 32
    assert read.end_by == datetime(2026, 1, 2, tzinfo=UTC)
    assert read.slots == 2
    assert read.cache_folder == "/cache"
    assert launch.decode(launch.encode(spec())).cache_folder is None
    assert launch.decode(launch.encode(spec())).mbit_per_s is None
    limited = replace(spec(), mbit_per_s=50.0)
    assert launch.decode(launch.encode(limited)).mbit_per_s == 50.0


def test_a_launch_spec_does_not_show_its_token():
    read = launch.decode(launch.encode(spec()).replace('"t"', '"hidden-token"'))
    assert "hidden-token" not in repr(read)


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", '{"url":1}', launch.encode(spec()).replace("+00:00", "")]
)
def test_half_a_launch_spec_is_refused(text):
    with pytest.raises(ValueError):
        launch.decode(text)
