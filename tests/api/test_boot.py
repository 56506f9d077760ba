"""What machines without a certificate may fetch: the worker's files, within a ration."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from leitstand.api.boot import Ration
from leitstand.boot.files import BootFolder
from leitstand.core import limits
from leitstand.store.engine import Database
from tests.api.served import Workers, problem, workers
from tests.control.rig import Rig

BODY = b"0123456789" * 10


@pytest.fixture
def folder(tmp_path: Path) -> BootFolder:
    return BootFolder(tmp_path / "boot")


@pytest.fixture
def rig(sqlite_url: str, tmp_path: Path) -> Iterator[Rig]:
    with Database.open(sqlite_url, relaxed=True) as database:
        yield Rig(database, tmp_path)


@pytest.fixture
def plane(rig: Rig, tmp_path: Path, folder: BootFolder) -> Iterator[Workers]:
    with workers(rig, tmp_path, boot=folder) as served:
        yield served


@pytest.fixture
def stranger(plane: Workers) -> httpx.Client:
    return plane.client()


def kept(folder: BootFolder, tmp_path: Path, body: bytes = BODY) -> str:
    """The digest of the one file that is handed out."""
    path = tmp_path / "x-1-py3-none-any.whl"
    path.write_bytes(body)
    (wheel,) = folder.keep("3.12", [path])
    return wheel.sha256


def test_without_files_a_machine_is_told_what_is_missing(stranger: httpx.Client) -> None:
    problem(stranger.get("/w/1/boot/manifest"), "no-boot-files", 400)


def test_the_manifest_and_its_files_need_no_certificate(
    stranger: httpx.Client, folder: BootFolder, tmp_path: Path
) -> None:
    digest = kept(folder, tmp_path)
    manifest = stranger.get("/w/1/boot/manifest").content
    assert manifest == folder.manifest()
    assert json.loads(manifest)["files"] == [
        {"name": "x-1-py3-none-any.whl", "sha256": digest, "bytes": len(BODY)}
    ]
    path = f"/w/1/boot/files/{digest}"
    assert stranger.get(path).content == BODY
    part = stranger.get(path, headers={"Range": "bytes=90-"})
    assert (part.status_code, part.content) == (206, BODY[90:])


@pytest.mark.parametrize("name", ["0" * 64, "manifest.json", "..%2Fmodels", "%2e%2e", "A" * 64])
def test_nothing_else_is_handed_out(
    stranger: httpx.Client, folder: BootFolder, tmp_path: Path, name: str
) -> None:
    kept(folder, tmp_path)
    assert stranger.get(f"/w/1/boot/files/{name}").status_code == 404


def test_new_files_replace_the_old_ones(folder: BootFolder, tmp_path: Path) -> None:
    old = kept(folder, tmp_path)
    new = kept(folder, tmp_path, b"new")
    assert folder.open(old) is None
    assert folder.open(new) is not None


def test_files_of_another_version_count_as_none(folder: BootFolder, tmp_path: Path) -> None:
    kept(folder, tmp_path)
    path = folder.folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"version": "0.0.0"}))
    assert folder.manifest() is None


def test_bytes_are_rationed_and_come_again_with_time(rig: Rig) -> None:
    ration = Ration(rig, at_once=100, per_second=10)
    assert ration.take(60)
    assert not ration.take(60)
    assert ration.take(40)
    rig.later(seconds=6)
    assert not ration.take(61)
    assert ration.take(60)
    rig.later(seconds=3600)
    assert not ration.take(101)


def test_a_machine_beyond_the_ration_is_told_to_come_later(
    rig: Rig,
    stranger: httpx.Client,
    folder: BootFolder,
    tmp_path: Path,
) -> None:
    digest = kept(folder, tmp_path)
    huge = folder.folder / digest
    with huge.open("r+b") as file:
        file.truncate(limits.BOOT_BYTES_AT_ONCE + 1)
    answer = stranger.get(f"/w/1/boot/files/{digest}")
    problem(answer, "boot-busy", 503)
    assert answer.headers["Retry-After"] == str(limits.BOOT_RETRY_SECONDS)
    part = stranger.get(f"/w/1/boot/files/{digest}", headers={"Range": "bytes=0-9"})
    assert part.content == BODY[:10]
