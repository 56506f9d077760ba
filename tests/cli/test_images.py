"""`leitstand images build`: what it asks of an engine, what it says of the digest, and where it stops.

The engine here is a script that writes down how it was called. A real one builds in
`tests/boot/test_container.py`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from leitstand.boot import bundle, image, render
from leitstand.boot.files import BootFolder
from leitstand.core.problem import Problem
from leitstand.folders import Folders
from tests.cli.conftest import Command

ID, DIGEST = "sha256:" + "1" * 64, "sha256:" + "2" * 64
BASE = "docker.io/library/ubuntu:22.04@sha256:" + "0" * 64
ENGINE = """#!/bin/sh
echo "$0 $*" >> {calls}
test -z "$FAILS" || {{ echo "denied: who are you" >&2; exit 125; }}
while [ $# -gt 0 ]; do
    case $1 in
        --iidfile) printf %s {id} > $2 ;;
        --digestfile) printf %s {digest} > $2 ;;
        --file) cp -r $(dirname $2)/. {seen} ;;
    esac
    shift
done
echo "latest: digest: {digest} size: 1"
"""


class Engines:
    """Those that a test puts on this machine."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder, self.seen = folder / "bin", folder / "seen"
        self.folder.mkdir()
        self.seen.mkdir()
        self.calls_file = folder / "calls"
        patch.setenv("PATH", f"{self.folder}:/usr/bin:/bin")
        real = image.shutil.which
        mine = str(self.folder)
        patch.setattr(image.shutil, "which", lambda name: real(name, path=mine))

    def install(self, *names: str) -> None:
        for name in names:
            script = self.folder / name
            facts = {"calls": self.calls_file, "id": ID, "digest": DIGEST, "seen": self.seen}
            script.write_text(ENGINE.format(**facts))
            script.chmod(0o755)

    def calls(self) -> list[list[str]]:
        lines = self.calls_file.read_text().splitlines()
        return [line.replace(f"{self.folder}/", "").split() for line in lines]


@pytest.fixture
def engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engines:
    def build(folder: BootFolder, pip: Any, python: str, accelerator: str) -> Any:
        wheel = tmp_path / "pip-25.0-py3-none-any.whl"
        wheel.write_text(f"{python} {accelerator}")
        return folder.keep(python, [wheel])

    monkeypatch.setattr(bundle, "build", build)
    return Engines(tmp_path, monkeypatch)


@pytest.mark.parametrize("engine", image.ENGINES)
def test_it_builds_pushes_and_says_which_setting_names_the_digest(
    run: Command, engines: Engines, engine: str
) -> None:
    engines.install(engine)
    done = run("images", "build", "registry.example:5000/me/worker:2", "--base", BASE, "--push")
    assert done.exit == 0, done.err
    assert f'image = "registry.example:5000/me/worker@{DIGEST}"' in done.out.splitlines()
    built, pushed = engines.calls()
    assert built[:2] == [engine, "build"]
    assert f"BASE={BASE}" in built
    assert pushed[:2] == [engine, "push"]
    assert pushed[-1] == "registry.example:5000/me/worker:2"
    assert {path.name for path in engines.seen.iterdir()} >= {"Containerfile", "program.py"}
    names = {path.name for path in (engines.seen / "wheels").iterdir()}
    assert names == {"pip-25.0-py3-none-any.whl", "requirements.txt", "sbom.cdx.json"}
    assert (engines.seen / "wheels" / "pip-25.0-py3-none-any.whl").read_text() == "3.11 cuda"
    assert BootFolder(Folders.find().boot).manifest() is not None, "a launch names what it installs"
    record = Folders.find().images
    assert image.known(record, f"registry.example:5000/me/worker@{DIGEST}")
    assert not image.known(record, "registry.example:5000/me/worker@sha256:" + "3" * 64)
    assert not image.known(record, None)


def test_what_is_not_pushed_is_known_by_its_id_to_engines_that_have_it(
    run: Command, engines: Engines, tmp_path: Path
) -> None:
    engines.install("podman", "docker")
    torch = tmp_path / "torch.txt"
    torch.write_text("torch==2.9.0 --hash=sha256:" + "4" * 64)
    done = run(
        *("images", "build", "worker", "--base", BASE, "--layer", str(torch)),
        *("--accelerator", "cpu", "--json"),
    )
    assert done.exit == 0, done.err
    [call] = engines.calls()
    assert call[0] == "podman", "the first that is there"
    assert "LAYERS=layer-0.txt" in call
    assert (engines.seen / "layer-0.txt").read_text() == torch.read_text()
    assert json.loads(done.lines()[-1])["image"] == ID


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("worker", "--base", BASE), "nothing here builds images"),
        (("worker", "--base", "ubuntu:22.04"), "does not name what it is by digest"),
        (("Worker!", "--base", BASE), "is no name of an image"),
        (("--flag", "--base", BASE), "--flag"),
        (("worker", "--base", BASE, "--engine", "docker"), "looked for: docker"),
    ],
)
def test_what_cannot_be_built_is_said_before_anything_is_fetched(
    run: Command, engines: Engines, monkeypatch: pytest.MonkeyPatch, given: Any, said: str
) -> None:
    monkeypatch.setattr(bundle, "build", lambda *_: pytest.fail("something was fetched"))
    done = run("images", "build", *given)
    assert done.exit == 2
    assert said in done.err


def test_an_engine_that_fails_is_quoted(
    run: Command, engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    engines.install("buildah")
    monkeypatch.setenv("FAILS", "1")
    done = run("images", "build", "worker", "--base", BASE)
    assert done.exit == 1
    assert "denied: who are you" in done.err
    assert not image.known(Folders.find().images, ID)


def test_an_engine_that_says_no_digest_has_built_nothing(tmp_path: Path) -> None:
    image.lay_out(tmp_path)
    (tmp_path / "image.id").write_text("done")
    with pytest.raises(Problem, match="image-failed"):
        image.build("podman", tmp_path, "worker", BASE, "cpu", run=lambda _: "")


def test_a_machine_that_starts_from_such_an_image_starts_what_it_has() -> None:
    """Whatever a provider puts in front of it: the command looks for the worker first."""
    text = (Path(image.__file__).parent / "Containerfile").read_text("utf-8")
    entry = json.loads(text[text.index("ENTRYPOINT ") + len("ENTRYPOINT ") :])
    assert entry[0] == render.PREBUILT
    assert f"exec {' '.join(entry)};" in render.SHELL_LINE.split(" command -v")[0]
