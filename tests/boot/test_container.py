"""The worker as an image of one's own, on a Debian base, in a container with limits: it enrols at a
control plane and does a real job. The recipe is `deploy/Containerfile`, the engine is Podman."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from leitstand.boot import bundle, image, render
from leitstand.boot.files import BootFolder
from leitstand.models.fetch import pip_command
from tests import weights
from tests.e2e.conftest import Install, install
from tests.podman import Podman, podman

__all__ = ["install"]

SECONDS_MAX = 1800


def base() -> Path:
    """The root folder of a Debian with nothing in it but its package manager, made once and kept: the
    recipe brings it up to date."""
    kept = weights.TEST_CACHE / "debian-12.tar"
    if not kept.exists():
        if shutil.which("mmdebstrap") is None:
            pytest.skip("mmdebstrap is not installed: make test-all")
        draft = kept.with_suffix(f".{os.getpid()}.tar")
        command = ["mmdebstrap", "--quiet", "--variant=minbase", "bookworm", str(draft)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        draft.replace(kept)
    return kept


def built(engine: Podman, folder: Path) -> str:
    """The worker's image, by digest."""
    context, files = folder / "context", BootFolder(folder / "boot")
    image.lay_out(context)
    files.write_to(context / image.WHEELS, bundle.build(files, pip_command(), image.PYTHON, "cpu"))
    engine.run("import", str(base()), "localhost/debian:1")
    made = image.build(
        "podman",
        context,
        "localhost/worker:1",
        "localhost/debian:1",
        "cpu",
        options=("--isolation", "chroot", "--quiet"),
        run=lambda command: engine.run(*command[1:]),
    )
    assert made.id.removeprefix("sha256:") in engine.run("images", "--no-trunc", "--quiet")
    digest = engine.run("images", "--digests", "--format", "{{.Digest}}", "localhost/worker")
    return f"localhost/worker@{digest}"


@pytest.mark.full
@pytest.mark.timeout(SECONDS_MAX)
def test_a_worker_in_a_container_with_limits_does_a_real_job(
    install: Install, tmp_path: Path
) -> None:
    engine = podman("overlay")
    worker = built(engine, tmp_path)
    # As RunPod starts it, whose launch replaces the entry point: with what the image has.
    started = engine.run(
        *("run", "--rm", "--network", "none", "--entrypoint", "/bin/sh", worker),
        *("-c", '/bin/sh -c "$0" 2>&1; echo code $?', render.SHELL_LINE),
    )
    assert "there is no launch spec" in started
    assert started.endswith("code 2")
    here = install(
        {
            "LEITSTAND_PROVIDERS__DOCKER__IMAGE": worker,
            "LEITSTAND_PROVIDERS__DOCKER__NETWORK": "host",
            "LEITSTAND_PROVIDERS__DOCKER__HOSTS__BOX__URL": f"unix://{engine.socket}",
            "LEITSTAND_PROVIDERS__DOCKER__HOSTS__BOX__PLACES": "2",
        }
    )
    ran = here.run("analyze", weights.picture_path("bus.jpg"), "--provider", "docker", "--yes")
    assert ran.code == 0, ran.err
    assert "this computer" not in ran.out
    report = ran.report()
    labels = [found["label"] for found in report["findings"] if found["kind"] == "object"]
    assert labels.count("person") >= 2
    with here.client() as client:
        job = client.get("/jobs")["items"][0]
        instances = client.get(f"/jobs/{job['id']}")["instances"]
        assert {one["provider"]: one["state"] for one in instances}["docker"] == "terminated"
    assert engine.run("ps", "--all", "--quiet", "--filter", "label=leitstand.label") == ""
