"""The model cache holds whole files under their digest, or nothing."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from leitstand.core.problem import Problem
from leitstand.models.cache import Changed, ModelCache


def test_what_was_added_is_read_back_under_its_digest(tmp_path: Path) -> None:
    cache = ModelCache(tmp_path / "models")
    sha256 = cache.add(b"weights")
    assert sha256 == hashlib.sha256(b"weights").hexdigest()
    assert cache.has(sha256)
    assert cache.read(sha256) == b"weights"
    assert cache.path(sha256) == tmp_path / "models" / "sha256" / sha256
    assert cache.add(b"weights") == sha256


def test_a_changed_file_is_refused_and_set_aside(tmp_path: Path) -> None:
    cache = ModelCache(tmp_path)
    sha256 = cache.add(b"weights")
    cache.path(sha256).write_bytes(b"w3ights")
    with pytest.raises(Changed) as changed:
        cache.read(sha256)
    actual = hashlib.sha256(b"w3ights").hexdigest()
    kept = f"changed/{sha256[:12]}.changed-{actual[:12]}"
    assert changed.value.args == (sha256, actual, kept)
    assert (tmp_path / kept).read_bytes() == b"w3ights"
    assert cache.changed(sha256) == [tmp_path / kept]
    assert not cache.has(sha256)
    with pytest.raises(Problem) as raised:
        cache.read(sha256)
    assert raised.value.code == "model-missing"


def test_adding_again_mends_a_changed_file(tmp_path: Path) -> None:
    cache = ModelCache(tmp_path)
    sha256 = cache.add(b"weights")
    cache.path(sha256).write_bytes(b"w3ights")
    cache.add(b"weights")
    assert cache.read(sha256) == b"weights"
    assert [path.read_bytes() for path in cache.changed(sha256)] == [b"w3ights"]


def test_every_change_of_a_file_is_kept(tmp_path: Path) -> None:
    cache = ModelCache(tmp_path)
    for content in (b"1", b"2", b"1"):
        sha256 = cache.add(b"weights")
        cache.path(sha256).write_bytes(content)
        with pytest.raises(Changed):
            cache.read(sha256)
    assert {path.read_bytes() for path in cache.changed(sha256)} == {b"1", b"2"}


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    cache = ModelCache(tmp_path)
    with pytest.raises(OSError, match="No space left"):
        cache.add(b"weights")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_file_stands_under_its_digest_only_when_it_is_whole_and_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = ModelCache(tmp_path)
    sha256 = hashlib.sha256(b"weights").hexdigest()
    seen = []
    fsync = os.fsync

    def looking(descriptor: int) -> None:
        seen.append(cache.has(sha256))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", looking)
    cache.add(b"weights")
    assert seen == [False, True]  # the file, then the folder that names it


def test_sweeping_removes_what_dead_processes_left_and_nothing_else(tmp_path: Path) -> None:
    cache = ModelCache(tmp_path)
    sha256 = cache.add(b"weights")
    incoming = tmp_path / "incoming"
    dead = incoming / "4194999-abc"
    live = incoming / f"{os.getpid()}-abc"
    for path in (dead, live):
        path.write_bytes(b"half")
    cache.sweep()
    assert not dead.exists()
    assert live.exists()
    assert cache.read(sha256) == b"weights"
