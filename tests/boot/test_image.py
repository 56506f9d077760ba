"""The recipe of an image of one's own: what it promises, as far as it can be read."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from leitstand.boot import bundle, image

FILE = Path(__file__).parents[2] / "deploy" / "Containerfile"
TEXT = FILE.read_text("utf-8")
STEPS = re.sub(r"\\\n\s*", " ", "\n".join(line for line in TEXT.splitlines() if line[:1] != "#"))


def hadolint(path: Path) -> subprocess.CompletedProcess[str]:
    tool = Path(sys.executable).with_name("hadolint")
    return subprocess.run([tool, str(path)], capture_output=True, text=True)


def test_hadolint_finds_nothing(tmp_path: Path) -> None:
    ran = hadolint(FILE)
    assert ran.returncode == 0, ran.stdout
    loose = tmp_path / "Containerfile"
    loose.write_text("FROM ubuntu\nRUN apt-get install curl\n")
    assert hadolint(loose).returncode != 0


def test_the_worker_is_no_root_and_the_base_has_a_digest() -> None:
    (user,) = re.findall(r"^USER (\d+):(\d+)$", STEPS, re.MULTILINE)
    assert all(int(part) >= 1000 for part in user)
    assert STEPS.index("USER ") < STEPS.index("ENTRYPOINT ")
    assert "ARG BASE\n" in STEPS
    assert "*@sha256:*" in STEPS


def test_nothing_is_installed_without_a_digest() -> None:
    installs = re.findall(r"pip install [^;&]*", STEPS.replace('"$(echo pip-*.whl)/pip"', "pip"))
    assert len(installs) == 2
    assert all("--require-hashes" in one for one in installs)
    assert "curl" not in STEPS and "wget" not in STEPS and "\nADD " not in STEPS


def test_its_python_is_one_that_workers_are_built_for() -> None:
    (version,) = set(re.findall(r"python(3\.\d+)", STEPS))
    assert version in bundle.PYTHONS
    assert version == image.PYTHON
