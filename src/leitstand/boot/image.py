"""Building the worker as an image of the user's own, with whatever builds images on this machine.

The recipe is `Containerfile`. Nothing in the image is secret, and no image of ours is published:
where it is pushed to, and who may fetch it from there, is the user's matter.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path

from leitstand.boot import program
from leitstand.core.problem import Exit, Problem

ENGINES = ("buildah", "podman", "docker")
"""The first of these that is installed is taken."""
PYTHON = "3.11"
"""What the recipe installs."""
SECONDS_MAX = 2 * 3600
WHEELS = "wheels"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_NAME = re.compile(r"[a-z0-9][a-z0-9._:/-]{0,200}")
"""An image's name with registry, path and tag (OCI distribution specification)."""
_PINNED = re.compile(r"[\w.:/-]{1,300}@sha256:[0-9a-f]{64}")

Run = Callable[[Sequence[str]], str]


@dataclass(frozen=True, slots=True)
class Built:
    """An image that was built here: its id, and its digest in the registry it was pushed to."""

    name: str
    id: str
    digest: str | None
    accelerator: str

    @property
    def pinned(self) -> str:
        """What `providers.<name>.image` is set to."""
        return self.id if self.digest is None else f"{_untagged(self.name)}@{self.digest}"


def engine_here(wanted: str | None = None) -> str:
    """What builds images on this machine. Raises Problem `no-image-builder`."""
    names = ENGINES if wanted is None else (wanted,)
    found = next((name for name in names if shutil.which(name)), None)
    if found is None:
        raise Problem("no-image-builder", Exit.USAGE, names=", ".join(names))
    return found


def checked(name: str, base: str) -> None:
    """Raises Problem `image-name` or `image-base`."""
    if not _NAME.fullmatch(name):
        raise Problem("image-name", Exit.USAGE, given=name)
    if not (_PINNED.fullmatch(base) or base.startswith("localhost/")):
        raise Problem("image-base", Exit.USAGE, given=base)


def lay_out(context: Path, layers: Sequence[Path] = ()) -> list[str]:
    """Put recipe, program and the lists of optional layers beside the wheels. The names of the
    lists. Raises Problem `folder-unusable`."""
    recipe = resources.files("leitstand.boot") / "Containerfile"
    try:
        context.mkdir(parents=True, exist_ok=True)
        (context / "Containerfile").write_text(recipe.read_text("utf-8"), "utf-8")
        shutil.copyfile(program.__file__, context / "program.py")
        for number, path in enumerate(layers):
            shutil.copyfile(path, context / f"layer-{number}.txt")
    except OSError as error:
        detail = error.strerror or str(error)
        raise Problem("folder-unusable", folder=str(error.filename), detail=detail) from error
    return [f"layer-{number}.txt" for number in range(len(layers))]


def build(
    engine: str,
    context: Path,
    name: str,
    base: str,
    accelerator: str,
    layers: Sequence[str] = (),
    options: Sequence[str] = (),
    run: Run | None = None,
) -> Built:
    """Build it here. `options` go to the engine's `build`. Raises Problem `image-failed`."""
    call = run or _run
    said = context / "image.id"
    command = [engine, "build", *options, "--build-arg", f"BASE={base}", "--tag", name]
    command += ["--build-arg", f"LAYERS={' '.join(layers)}", "--iidfile", str(said)]
    if engine != "docker":
        command += ["--format", "docker"]  # the OCI format has no SHELL
    call([*command, "--file", str(context / "Containerfile"), str(context)])
    return Built(name, _digest_in(said.read_text("utf-8")), None, accelerator)


def push(engine: str, image: Built, context: Path, run: Run | None = None) -> Built:
    """Push it where its name says. Raises Problem `image-failed`."""
    call = run or _run
    if engine == "docker":
        # "latest: digest: sha256:… size: 1234", the last line of `docker push`
        digest = _digest_in(call([engine, "push", image.name]).rpartition("digest:")[2])
    else:
        said = context / "image.digest"
        call([engine, "push", "--digestfile", str(said), image.name])
        digest = _digest_in(said.read_text("utf-8"))
    return Built(image.name, image.id, digest, image.accelerator)


def keep(record: Path, image: Built) -> None:
    """Write down that this image has the worker: `known` finds it."""
    others = [one for one in _kept(record) if one["pinned"] != image.pinned]
    fresh = record.with_suffix(".new")
    fresh.write_text(json.dumps([*others, asdict(image) | {"pinned": image.pinned}], indent=1))
    fresh.replace(record)


def known(record: Path, image: str | None) -> bool:
    """Whether an image was built here, so that a machine need not fetch the worker."""
    return image is not None and any(one["pinned"] == image for one in _kept(record))


def _kept(record: Path) -> list[dict[str, str]]:
    try:
        found = json.loads(record.read_text("utf-8"))
    except (OSError, ValueError):
        return []
    listed = found if isinstance(found, list) else []
    return [one for one in listed if isinstance(one, dict) and "pinned" in one]


def _untagged(name: str) -> str:
    path, slash, last = name.rpartition("/")
    return f"{path}{slash}{last.partition(':')[0]}"


def _digest_in(text: str) -> str:
    found = _DIGEST.search(text)
    if found is None:
        raise Problem("image-failed", Exit.FAILED, detail="no digest was said")
    return found[0]


def _run(command: Sequence[str]) -> str:
    try:
        ran = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Problem("image-failed", Exit.FAILED, detail=type(error).__name__) from error
    if ran.returncode:
        lines = [line.strip() for line in ran.stderr.splitlines() if line.strip()] or ["no word"]
        raise Problem("image-failed", Exit.FAILED, detail=lines[-1][:300])
    return ran.stdout
