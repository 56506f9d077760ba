"""The recipe of an image of one's own: what it promises, as far as it can be read."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from leitstand.boot import bundle

FILE = Path(__file__).parents[2] / "deploy" / "Containerfile"
TEXT = FILE.read_text("utf-8")
STEPS = re.sub(r"\\\n\s*", " ", "\n".join(line for line in TEXT.splitlines() if line[:1] != "#"))


def test_hadolint_finds_nothing_where_it_is_installed() -> None:
    tool = shutil.which("hadolint")
    if tool is not None:
        ran = subprocess.run([tool, str(FILE)], capture_output=True, text=True)
        assert ran.returncode == 0, ran.stdout


def test_the_worker_is_no_root_and_the_base_has_a_digest() -> None:
    (user,) = re.findall(r"^USER (\d+):(\d+)$", STEPS, re.MULTILINE)
    assert all(int(part) >= 1000 for part in user)
    assert STEPS.index("USER ") < STEPS.index("ENTRYPOINT ")
    assert "ARG BASE\n" in STEPS
    assert "*@sha256:*" in STEPS


def test_nothing_is_installed_without_a_digest() -> None:
    installs = re.findall(r"pip install [^;&]*", STEPS.replace("pip-*.whl/pip", "pip"))
    assert len(installs) == 2
    assert all("--require-hashes" in one for one in installs)
    assert "curl" not in STEPS and "wget" not in STEPS and "\nADD " not in STEPS


def test_its_python_is_one_that_workers_are_built_for() -> None:
    (version,) = set(re.findall(r"python(3\.\d+)", STEPS))
    assert version in bundle.PYTHONS
    assert f"--python {version}" in TEXT
