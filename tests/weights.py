"""Real weights and real media for tests, fetched once by package name and kept.

They lie under `LEITSTAND_TEST_CACHE` (default `~/.cache/leitstand-tests`). What is missing and cannot
be fetched fails the test that needs it.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import tempfile
import wave
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from leitstand.models import fetch, unpack
from leitstand.models.cache import ModelCache
from leitstand.models.catalogue import Catalogue, Source
from leitstand.models.pull import pull
from leitstand.ports import Device, Loaded

if TYPE_CHECKING:
    from leitstand.ports import Rgb, Samples

TEST_CACHE = Path(
    os.environ.get("LEITSTAND_TEST_CACHE", Path.home() / ".cache" / "leitstand-tests")
)

_SKIMAGE = "pypi:scikit-image==0.26.0"
_PICTURES = {
    "bus.jpg": Source(
        "bus.jpg",
        "pypi:ultralytics==8.4.190",
        "ultralytics/assets/bus.jpg",
        "c02019c4979c191eb739ddd944445ef408dad5679acab6fd520ef9d434bfbc63",
        137419,
    ),
    "astronaut.png": Source(
        "astronaut.png",
        _SKIMAGE,
        "skimage/data/astronaut.png",
        "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
        791555,
    ),
    "coffee.png": Source(
        "coffee.png",
        _SKIMAGE,
        "skimage/data/coffee.png",
        "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7",
        466706,
    ),
    "chelsea.png": Source(
        "chelsea.png",
        _SKIMAGE,
        "skimage/data/chelsea.png",
        "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb",
        240512,
    ),
}
_VTEST = ("opencv-doc", "usr/share/doc/opencv-doc/examples/data/vtest.avi")
_LIBRIVOX = ("pocketsphinx-testdata", "usr/share/pocketsphinx/test/data/librivox")


@cache
def models(*names: str) -> ModelCache:
    """A cache that holds the named models of the catalogue, the default and demo sets by default."""
    found = ModelCache(TEST_CACHE / "models")
    catalogue = Catalogue.load()
    pull(names or (*catalogue.default_set(), *catalogue.demo_set()), found)
    return found


def files_of(name: str) -> dict[str, bytes]:
    """A model's files as a family takes them."""
    kept = models(name)
    version = Catalogue.load().get(name).version
    return {file.name: kept.read(file.sha256) for file in version.files}


@cache
def loaded(name: str) -> Loaded:
    """A model of the catalogue on this machine's CPU."""
    family = importlib.import_module(
        f"leitstand.models.{Catalogue.load().get(name).version.family}"
    )
    result: Loaded = family.load(files_of(name), Device())
    return result


@cache
def picture(name: str) -> Rgb:
    """A photograph as RGB."""
    with Image.open(picture_path(name)) as image:
        return np.asarray(image.convert("RGB"))


def picture_path(name: str) -> Path:
    """A photograph as a file."""
    target = TEST_CACHE / "media" / name
    if not target.is_file():
        wanted = _PICTURES[name]
        target.parent.mkdir(parents=True, exist_ok=True)
        together = [source for source in _PICTURES.values() if source.archive == wanted.archive]
        with tempfile.TemporaryDirectory(dir=target.parent) as staging:
            paths = fetch.fetch(wanted.archive, together, Path(staging), lambda count: None)
            path, asked = paths[wanted.member or ""], dict.fromkeys(together, "pictures")
            for file, data in unpack.read_sources(path, asked).items():
                partial = Path(staging) / file
                partial.write_bytes(data)
                partial.replace(target.parent / file)
    return target


def vtest_path() -> Path:
    """The 795 frames of pedestrians that OpenCV's documentation package carries."""
    return _debian(*_VTEST)


def librivox() -> list[tuple[Samples, list[str]]]:
    """Five sentences read aloud, with the words that are read, in lower case."""
    folder = _debian(*_LIBRIVOX)
    names = (folder / "fileids").read_text().split()
    lines = (folder / "transcription").read_text().splitlines()
    result = []
    for name, line in zip(names, lines, strict=True):
        words = [word for word in line.lower().split() if word[0] not in "<("]
        result.append((wav(folder / f"{name}.wav"), words))
    return result


def wav(path: Path) -> Samples:
    """Mono 16-bit 16 kHz sound as float32."""
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16_000, 1, 2)
        stored = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        return (stored / 32768).astype(np.float32)


def constant_twin(data: bytes) -> bytes:
    """A model of the same signature whose outputs are always zero, whatever it sees."""
    original = onnx.ModelProto.FromString(data).graph
    first = original.input[0].name
    nodes = [
        helper.make_node("Shape", [first], ["shape"], start=0, end=1),
        helper.make_node("Identity", ["shape"], ["batch"]),
    ]
    constants = []
    for output in original.output:
        tensor = output.type.tensor_type
        tail = [dim.dim_value for dim in tensor.shape.dim[1:]]
        constants.append(numpy_helper.from_array(np.array(tail, np.int64), f"{output.name}~tail"))
        nodes.append(
            helper.make_node(
                "Concat", ["batch", f"{output.name}~tail"], [f"{output.name}~shape"], axis=0
            )
        )
        zero = helper.make_tensor("zero", TensorProto.FLOAT, [1], [0.0])
        nodes.append(
            helper.make_node("ConstantOfShape", [f"{output.name}~shape"], [output.name], value=zero)
        )
    graph = helper.make_graph(nodes, "constant", original.input, original.output, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def word_errors(reference: list[str], heard: list[str]) -> int:
    """Substitutions, insertions and deletions between two word lists (Levenshtein)."""
    row = list(range(len(heard) + 1))
    for index, word in enumerate(reference, start=1):
        above, row = row, [index]
        for column, other in enumerate(heard, start=1):
            row.append(min(above[column] + 1, row[-1] + 1, above[column - 1] + (word != other)))
    return row[-1]


def words_of(text: str) -> list[str]:
    """Words as the reference transcriptions spell them."""
    spelled = text.lower().replace("mr.", "mister").replace("mrs.", "missus").replace("-", " ")
    return "".join(c if c.isalpha() or c == "'" else " " for c in spelled).split()


def _debian(package: str, inside: str) -> Path:
    """A file or folder of a Debian package, installed or not."""
    installed = Path("/") / inside
    if installed.exists():
        return installed
    folder = TEST_CACHE / "debian" / package
    if not (folder / inside).exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as staging:
            _run(["apt-get", "-q", "download", package], staging)
            (archive,) = Path(staging).glob("*.deb")
            _run(["dpkg-deb", "-x", str(archive), f"{staging}/tree"], staging)
            Path(staging, "tree").rename(folder)
    return folder / inside


def _run(command: list[str], folder: str) -> Any:
    return subprocess.run(command, cwd=folder, check=True, capture_output=True)
