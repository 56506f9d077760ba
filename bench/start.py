"""How long it takes until something is there: `leitstand --help`, and the first finding.

Help is compared with `dstack --help` and `sky --help`, each in a virtual environment of its own
under the cache folder, and with the bare start of the interpreter. The first finding is the commit
of the first segment of a one-picture job, with the embedded control plane up (warm) and not (cold),
against a process that imports the runtime, loads the same models and looks at the same picture.
"""

# ruff: noqa: E402 - the folder of the repository must be on the module path first

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path[0] = str(ROOT)

from bench.measure.rounds import Figures, Side, Spread, counted, play, summary, write
from tests import weights
from tests.e2e.installation import Installation

SECONDS_HELP = 40.0
SECONDS_FINDING = 100.0
PEERS = {"dstack": ("dstack", "dstack"), "sky": ("skypilot", "sky")}
"""Name here -> package, command."""
CACHE = Path(os.environ.get("LEITSTAND_BENCH_CACHE", Path.home() / ".cache" / "leitstand-bench"))
FAMILIES = ("face", "detector")
"""What the profile loads: one for its findings, both to blur its picture."""
PROFILE = "faces"
PICTURE = "astronaut.png"

_FLOOR = """
import sys
import av, numpy, onnxruntime, PIL.Image
from pathlib import Path
from leitstand.models import detector, face
from leitstand.ports import Device
models = [
    family.load({"model.onnx": Path(path).read_bytes()}, Device(threads=2))
    for family, path in zip((face, detector), sys.argv[2:], strict=True)
]
with PIL.Image.open(sys.argv[1]) as image:
    rgb = numpy.asarray(image.convert("RGB"))
assert all(model([rgb])[0] for model in models)
"""


def peers() -> tuple[dict[str, list[str]], dict[str, str]]:
    """Commands of the peers that could be installed, and the version of each or why it is absent."""
    found, versions = {}, {}
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    for name, (package, command) in PEERS.items():
        folder = CACHE / package
        path = folder / "bin" / command
        try:
            if not path.exists():
                _install(uv, folder, package)
            ran = _ran([str(path), "--version"])
            versions[name] = (ran.stdout + ran.stderr).strip().splitlines()[-1]
            found[name] = [str(path), "--help"]
        except (OSError, subprocess.SubprocessError, IndexError) as error:
            versions[name] = f"not installable here: {type(error).__name__}"
    return found, versions


def _install(uv: str | None, folder: Path, package: str) -> None:
    if uv is None:
        raise FileNotFoundError("uv")
    _ran([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)])
    _ran([uv, "pip", "install", "--quiet", "--python", str(folder / "bin" / "python"), package])


def _ran(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300
    )


def timed(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Figures:
    """Seconds of a command that must succeed, and of its CPU time."""
    before, started = os.times(), time.monotonic()
    subprocess.run(
        command, check=True, env=environment, stdin=subprocess.DEVNULL, capture_output=True
    )
    seconds, after = time.monotonic() - started, os.times()
    cpu = after.children_user + after.children_system
    return {"s": seconds, "cpu": cpu - before.children_user - before.children_system}


def first_finding(here: Installation) -> Figures:
    """Seconds until the first segment is committed, and of those from launch to admission."""
    started = time.monotonic()
    process = here.start("analyze", "--json", "--yes", "--profile", PROFILE, _picture())
    assert process.stdout is not None
    seen: dict[str, float] = {}
    for line in process.stdout:
        event: dict[str, Any] = json.loads(line)
        word = event["event"]
        if word == "instance":
            word = f"instance {event['state']}"
        seen.setdefault(word, time.monotonic() - started)
    if process.wait() != 0 or "segment" not in seen:
        raise AssertionError(f"no finding: exit {process.returncode}, {process.stderr.read()}")  # type: ignore[union-attr]
    ready = seen.get("instance ready", seen["segment"])
    return {"s": seen["segment"], "planned": seen.get("plan", 0.0), "ready": ready}


def _picture() -> Path:
    return weights.picture_path(PICTURE)


def _floor() -> Figures:
    cache, catalogue = weights.models(), weights.Catalogue.load()
    versions = [catalogue.best(family, cache) for family in FAMILIES]
    files = [str(cache.path(version.files[0].sha256)) for version in versions if version]
    return {"runtime": timed([sys.executable, "-c", _FLOOR, str(_picture()), *files])["s"]}


def measure_help() -> tuple[dict[str, str], list[Any], dict[str, str]]:
    """Ratios of ours to every peer and to the bare interpreter, rounds, versions."""
    commands, versions = peers()
    ours = [str(Path(sys.executable).parent / "leitstand"), "--help"]
    sides: dict[str, Side] = {"leitstand": lambda: timed(ours)}
    for name, command in commands.items():
        sides[name] = lambda command=command: timed(command)  # type: ignore[misc]
    for side in sides.values():
        side()  # compiled and in the page cache
    bare = [sys.executable, "-c", "pass"]
    rounds = play(lambda: {"python": timed(bare)["s"]}, sides, seconds=SECONDS_HELP)
    good = counted(rounds)
    ratios = {
        f"leitstand --help / {name} --help": str(
            Spread.of([each.of("leitstand", "s") / each.of(name, "s") for each in good])
        )
        for name in commands
    }
    ratios |= {
        f"the same in CPU time / {name}": str(
            Spread.of([each.of("leitstand", "cpu") / each.of(name, "cpu") for each in good])
        )
        for name in commands
    }
    bare_ratio = [each.of("leitstand", "s") / each.floor("python") for each in good]
    ratios["leitstand --help / bare python"] = str(Spread.of(bare_ratio))
    return ratios, rounds, versions


def measure_finding(folder: Path) -> tuple[dict[str, str], list[Any]]:
    """Ratios of the first finding to runtime and one inference, and the rounds."""
    warm = Installation(folder / "warm", weights.models().folder)
    first_finding(warm)
    homes = iter(range(1_000_000))

    def cold() -> Figures:
        here = Installation(folder / f"cold-{next(homes)}", weights.models().folder)
        try:
            return first_finding(here)
        finally:
            here.close()

    try:
        rounds = play(
            _floor, {"warm": lambda: first_finding(warm), "cold": cold}, seconds=SECONDS_FINDING
        )
    finally:
        warm.close()
    ratios = {}
    for side in ("warm", "cold"):
        good = counted(rounds)
        whole = [each.of(side, "s") / each.floor("runtime") for each in good]
        without = [
            (each.of(side, "s") - each.of(side, "ready") + each.of(side, "planned"))
            / each.floor("runtime")
            for each in good
        ]
        ratios[f"first finding, {side} / runtime and one inference"] = str(Spread.of(whole))
        ratios[f"the same without launch and enrolment, {side}"] = str(Spread.of(without))
    return ratios, rounds


def main() -> None:
    """Measure both, print the ratios, write the raw files."""
    ratios, rounds, versions = measure_help()
    _print(ratios)
    for name, version in versions.items():
        print(f"{name}: {version}")
    print(summary(rounds))
    print(write("start-help", rounds, peers=versions, ratios=ratios))
    with tempfile.TemporaryDirectory(prefix="leitstand-bench-") as folder:
        ratios, rounds = measure_finding(Path(folder))
    _print(ratios)
    print(summary(rounds))
    print(write("start-finding", rounds, picture=PICTURE, profile=PROFILE, ratios=ratios))


def _print(ratios: Mapping[str, str]) -> None:
    for name, spread in ratios.items():
        print(f"{name:60} {spread}")


if __name__ == "__main__":
    main()
