"""The shipped catalogue is complete and every version in it is pinned by content."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from leitstand.core.model import digest_of
from leitstand.core.problem import Problem
from leitstand.models.cache import ModelCache
from leitstand.models.catalogue import Catalogue
from leitstand.models.convert import STEPS

CATALOGUE = Catalogue.load()


@pytest.mark.parametrize("entry", CATALOGUE.entries, ids=lambda entry: entry.name)
def test_every_version_has_a_family_a_licence_and_known_steps(entry) -> None:  # type: ignore[no-untyped-def]
    family = importlib.import_module(f"leitstand.models.{entry.version.family}")
    assert callable(family.load)
    assert entry.version.licence
    assert entry.version.digest == digest_of(entry.version.files)
    assert entry.legal == "open"
    assert {making.step for making in entry.makings.values()} <= set(STEPS)
    assert {source.archive for source in entry.sources} <= set(CATALOGUE.archive_bytes)
    assert entry.version.ram_gib is not None
    assert entry.version.ram_gib > 0


def test_the_default_set_serves_every_family_and_the_demo_set_is_small() -> None:
    families = {CATALOGUE.get(name).version.family for name in CATALOGUE.default_set()}
    assert families == {"detector", "face", "pose", "scene", "silhouette", "voice", "speech"}
    demo = CATALOGUE.demo_set()
    assert "whisper-tiny.en" in demo
    needed = CATALOGUE.archives(CATALOGUE.get(name) for name in demo)
    assert sum(CATALOGUE.size(archive, found) for archive, found in needed.items()) < 250e6


def test_the_best_version_is_the_first_whose_files_are_all_there(tmp_path: Path) -> None:
    catalogue = Catalogue.load(_two_voices(tmp_path))
    cache = ModelCache(tmp_path / "cache")
    assert catalogue.best("voice", cache) is None
    cache.add(b"second")
    best = catalogue.best("voice", cache)
    assert best is not None
    assert best.name == "second"
    cache.add(b"first")
    best = catalogue.best("voice", cache)
    assert best is not None
    assert best.name == "first"
    assert catalogue.best("face", cache) is None


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(Problem) as raised:
        CATALOGUE.get("yolo")
    assert raised.value.code == "model-unknown"
    assert "nanodet-g-416" in str(raised.value.params["known"])


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("pypi:a==1!b", "ftp:a!b"),
        ("pypi:a==1!b", "pypi:a==1"),
        ("step = ", "steps = "),
        ('from = ["b"]', 'from = ["c"]'),
        ("sha256 = ", "sha256 = 1 #"),
        ('name = "second"', 'name = "first"'),
        ("[[model]]", "[model"),
    ],
)
def test_a_mistake_in_a_catalogue_is_named(tmp_path: Path, wrong: str, right: str) -> None:
    path = _two_voices(tmp_path)
    text = path.read_text()
    assert wrong in text
    path.write_text(text.replace(wrong, right))
    with pytest.raises(Problem) as raised:
        Catalogue.load(path)
    assert raised.value.code == "catalogue-broken"


def _two_voices(folder: Path) -> Path:
    entry = """
[[model]]
family = "voice"
name = "{name}"
version = "1"
title = "t"
licence = "MIT"
redistributable = true
legal = "open"
[[model.sources]]
source = "pypi:a==1!b"
sha256 = "{sha256}"
bytes = 5
[[model.files]]
name = "f"
step = "copy"
from = ["b"]
sha256 = "{sha256}"
bytes = 5
"""
    digests = {
        "first": "a7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e",
        "second": "16367aacb67a4a017c8da8ab95682ccb390863780f7114dda0a0e0c55644c7c4",
    }
    path = folder / "catalogue.toml"
    path.write_text("".join(entry.format(name=n, sha256=s) for n, s in digests.items()))
    return path
