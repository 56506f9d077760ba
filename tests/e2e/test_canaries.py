"""Sixty-four canaries: media content is nowhere but in memory and in the report (P1)."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import os
import resource
import signal
import socket
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
import pytest

from leitstand import launch
from leitstand.core.problem import Problem
from leitstand.security.ca import WorkerCredentials
from leitstand.vault.release import HpkeKey
from leitstand.worker.link import fetch_authority
from tests.e2e import canaries, scan
from tests.e2e.canaries import Batch
from tests.e2e.conftest import Install
from tests.e2e.installation import Installation
from tests.e2e.small_disk import small_disk

LOOK_SECONDS = 0.1
SECRET = "secret-of-whoever-started-it"
WORKER_VARIABLES = {
    launch.VARIABLE,
    *("PATH", "LANG", "LD_LIBRARY_PATH", "PYTHONPATH", "CUDA_VISIBLE_DEVICES"),
    *("MALLOC_ARENA_MAX", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "ORT_DISABLE_TELEMETRY"),
}
"""All that a worker and its children are told: one secret, and how to run."""


@dataclass
class Searched:
    """An installation, a batch of canaries for it, and every place that it could have written to."""

    here: Installation
    batch: Batch
    temporary: Path
    before: scan.Shared = field(default_factory=scan.Shared)

    def places(self) -> list[Path]:
        asked_for = self.here.work / "leitstand-out"
        own = [path for path in self.here.files() if asked_for not in path.parents]
        nobody = Path(self.here.environment["HOME"])
        return [*own, *scan.below(self.temporary, nobody)]

    def assert_clean(self) -> None:
        places = self.places()
        assert self.here.folders.database in places
        assert scan.scan(places, self.batch.canaries) == {}
        assert scan.openings(places) == {}
        own = [canary for canary in self.batch.canaries if canary.own]
        held = scan.deleted_but_open(self.here.processes())
        assert scan.scan([*self.before.appeared(), *held], own) == {}

    def assert_clean_to_the_end(self) -> None:
        """While the control plane still runs, and when nothing runs any more."""
        self.assert_clean()
        self.here.close()
        self.assert_clean()


Search = Callable[..., Searched]


@pytest.fixture
def search(install: Install, tmp_path: Path) -> Search:
    """Canaries, and an installation whose core dumps and temporary files have a place to be."""

    def make(here: Installation | None = None, *, pictures: int = 15) -> Searched:
        temporary = tmp_path / "temporary"
        temporary.mkdir()
        settings = {"TMPDIR": str(temporary), "SOME_API_KEY": SECRET}
        if here is None:
            here = install(settings)
        else:
            here.environment.update(settings)
        batch = canaries.make(tmp_path / "media", pictures=pictures)
        return Searched(here, batch, temporary)

    return make


@pytest.fixture(autouse=True)
def core_dumps() -> Iterator[None]:
    """As many as they like: what we start must refuse them by itself."""
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))


def at_first_segment(here: Installation, command: subprocess.Popen[str]) -> None:
    """Returns when the first segment has its result; fails if the command ends before."""
    last = "0"
    while command.poll() is None:
        if not listens(here.folders.socket):
            with contextlib.suppress(subprocess.TimeoutExpired):
                command.wait(LOOK_SECONDS)
            continue
        try:
            with here.client() as client:
                for event in client.follow(None, after=last):
                    last = event.id or last
                    if event.kind == "segment":
                        return
        except Problem:
            continue
    raise AssertionError(f"ended before a segment was done: {command.communicate()}")


def listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


# --- the endings -----------------------------------------------------------------------------------


def test_p1_a_normal_run_leaves_no_canary(search: Search) -> None:
    searched = search()
    here, batch = searched.here, searched.batch
    kinds = [canary.kind for canary in batch.canaries]
    assert {kind: kinds.count(kind) for kind in kinds} == dict.fromkeys(
        ("name", "exif", "pixel", "speech"), 16
    )
    command = here.start("analyze", batch.folder)
    at_first_segment(here, command)
    searched.assert_clean()
    ran = here.finish(command)
    assert ran.code == 0, ran.err
    written = json.dumps(ran.report(), ensure_ascii=False)
    assert [text for text in batch.shown if text not in written] == []
    assert [word for word in canaries.WORDS if word not in ran.html()] == []
    searched.assert_clean_to_the_end()


@pytest.mark.parametrize(
    "number", [signal.SIGKILL, pytest.param(signal.SIGABRT, marks=pytest.mark.full)]
)
def test_p1_a_killed_worker_leaves_no_canary(search: Search, number: signal.Signals) -> None:
    searched = search(pictures=3)
    here = searched.here
    command = here.start("analyze", searched.batch.folder)
    at_first_segment(here, command)
    worker = here.worker()
    assert worker is not None
    worker.send_signal(number)
    psutil.wait_procs([worker], timeout=10)
    searched.assert_clean()
    ran = here.finish(command)
    assert ran.code == 0, ran.err
    assert len(ran.report()["media"]) == 4
    searched.assert_clean_to_the_end()


@pytest.mark.full
def test_p1_everything_killed_at_once_leaves_no_canary(search: Search) -> None:
    searched = search(pictures=3)
    here = searched.here
    command = here.start("analyze", searched.batch.folder)
    at_first_segment(here, command)
    running = here.processes()
    assert len(running) >= 3
    for process in running:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    command.communicate()
    searched.assert_clean_to_the_end()


@pytest.mark.full
def test_p1_media_that_cannot_be_read_leave_no_canary(search: Search) -> None:
    searched = search()
    here, batch = searched.here, searched.batch
    picture, *_, sound = batch.files
    whole = picture.read_bytes()
    broken = {
        "cut-off.png": whole[: len(whole) // 2],
        "damaged.png": whole[:-2000].replace(b"IDAT", b"IDAT\xff\xff", 1) + whole[-2000:],
        "renamed.mp4": whole,
        "no-medium.mkv": b"\x1a\x45\xdf\xa3" + whole,
        "silent.wav": sound.read_bytes()[:44],
    }
    for name, content in broken.items():
        (batch.folder / f"{batch.shown[0]}-{name}").write_bytes(content)
    ran = here.finish(here.start("analyze", "-v", "-v", batch.folder))
    assert ran.code != 0
    with here.client() as client:
        media = list(client.pages("/media"))
    assert [medium for medium in media if medium["state"] == "failed"]
    assert "Traceback" not in ran.err
    searched.assert_clean_to_the_end()


@pytest.mark.full
def test_p1_a_disk_full_at_the_upload_leaves_no_canary(search: Search) -> None:
    with small_disk() as here:
        searched = search(here)
        assert here.run("cases").code == 0
        here.fill(leave=1 << 20)
        ran = here.run("analyze", searched.batch.folder)
        assert ran.code != 0
        assert "Traceback" not in ran.err
        searched.assert_clean_to_the_end()


@pytest.mark.full
def test_p1_a_disk_full_at_a_segment_leaves_no_canary(search: Search) -> None:
    """Neither while there is no room nor when there is again and the job goes on."""
    with small_disk() as here:
        searched = search(here)
        command = here.start("analyze", searched.batch.folder)
        at_first_segment(here, command)
        here.fill()
        when_logged(here, command, "store-full")
        searched.assert_clean()
        here.empty()
        ran = here.finish(command)
        assert ran.code == 0, ran.err
        assert {medium["state"] for medium in ran.report()["media"]} == {"done"}
        searched.assert_clean_to_the_end()


def when_logged(here: Installation, command: subprocess.Popen[str], word: str) -> None:
    """Returns when a log has the word; fails if the command ends before."""
    while command.poll() is None:
        if any(word in log.read_text("utf-8") for log in here.folders.logs.iterdir()):
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            command.wait(LOOK_SECONDS)
    raise AssertionError(f"ended without {word}: {command.communicate()}")


# --- what a worker is told -------------------------------------------------------------------------


def test_a_worker_is_told_one_token_and_it_is_spent(search: Search) -> None:
    searched = search(pictures=3)
    here = searched.here
    command = here.start("analyze", searched.batch.folder)
    at_first_segment(here, command)
    worker = here.worker()
    assert worker is not None
    tried = 0
    for process in [worker, *worker.children(recursive=True)]:
        try:
            told = Path(f"/proc/{process.pid}/environ").read_bytes()
        except (PermissionError, FileNotFoundError):
            continue  # closed to this user, as it should be; root sees more
        assert SECRET.encode() not in told
        variables = dict(item.decode().split("=", 1) for item in told.split(b"\0") if b"=" in item)
        assert {name for name in variables if not name.startswith("LC_")} <= WORKER_VARIABLES
        if launch.VARIABLE in variables:
            assert process == worker
            assert_spent(launch.decode(variables[launch.VARIABLE]))
            tried += 1
    assert tried or os.geteuid() != 0
    ran = here.finish(command)
    assert ran.code == 0, ran.err


def assert_spent(spec: launch.WorkerSpec) -> None:
    """Whoever read the launch spec comes too late to enrol with it."""
    credentials = WorkerCredentials.generate()
    context = credentials.client_context(fetch_authority(spec.url, spec.ca_sha256), None)
    body = {
        "token": spec.token,
        "csr_pem": credentials.csr_pem(spec.instance_id).decode(),
        "hpke_public": base64.b64encode(HpkeKey.generate().public).decode(),
        "facts": {},
    }
    with httpx.Client(base_url=spec.url, verify=context, trust_env=False) as thief:
        answer = thief.post("/w/1/enrol", json=body, headers={"Leitstand-Protocol": "1"})
    assert (answer.status_code, answer.json()["type"]) == (
        403,
        "urn:leitstand:problem:token-refused",
    )


# --- the search itself -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Batch:
    return canaries.make(tmp_path_factory.mktemp("planted") / "media")


LEAKS: dict[str, Callable[[str], bytes]] = {
    "plain": str.encode,
    "json": lambda text: json.dumps({"event": "opened", "name": text}).encode(),
    "utf-16": lambda text: ("\ufeff" + text).encode("utf-16-le"),
    "base64": lambda text: base64.b64encode(f"name={text};".encode()),
    "hex": lambda text: text.encode().hex().encode(),
    "gzip": lambda text: b"rotated" + gzip.compress(f"line\n{text}\n".encode()),
    "gzip of json": lambda text: gzip.compress(json.dumps(text).encode()),
}


@pytest.mark.parametrize("leak", LEAKS)
def test_a_leak_into_a_log_is_found(planted: Batch, tmp_path: Path, leak: str) -> None:
    for name in planted.shown:
        log = tmp_path / "worker.log"
        log.write_bytes(b"\x80 2026 started\n" + LEAKS[leak](name) + b"\nended\n")
        assert list(scan.scan([log], planted.canaries)) == [str(log)], name


def test_each_canary_is_found_in_each_form(planted: Batch, tmp_path: Path) -> None:
    path = tmp_path / "dump"
    for canary in planted.canaries:
        for form in canary.forms:
            path.write_bytes(os.urandom(99) + form + os.urandom(99))
            (found,) = scan.scan([path], planted.canaries).values()
            assert f"{canary.kind} {canary.name}" in found


def test_every_medium_holds_its_canaries(planted: Batch, tmp_path: Path) -> None:
    stored = scan.scan(planted.files, planted.canaries)
    assert len(stored) == len(planted.files)
    found = {canary for names in stored.values() for canary in names}
    assert found >= {f"pixel jpeg-{n}" for n in range(4)} | {
        f"pixel png-text-{n}" for n in range(4)
    }
    assert found >= {f"speech pcm-{n}" for n in range(8)}
    assert len([canary for canary in found if canary.startswith("exif")]) == 16
    assert len(scan.openings(planted.files)) == len(planted.files)


def test_a_leak_into_a_database_is_found_over_pages_and_in_the_log_ahead(
    planted: Batch, tmp_path: Path
) -> None:
    database = tmp_path / "leitstand.db"
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE media (id, name)")
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        for number, name in enumerate(planted.shown):
            text = "x" * (4_000 + 5 * number) + name
            connection.execute("INSERT INTO media VALUES (?, ?)", (number, text))
        connection.commit()
        found = scan.scan([database], planted.canaries)
        assert len(found[str(database)]) == len(planted.shown)
        ahead = scan.scan([tmp_path / "leitstand.db-wal"], planted.canaries)
        assert list(ahead) == [str(tmp_path / "leitstand.db-wal")]


def test_a_leak_into_a_shared_folder_is_found(planted: Batch) -> None:
    before = scan.Shared()
    leak = Path("/dev/shm") / f"leak-{planted.shown[0]}"
    try:
        leak.write_bytes(b"nothing but its name")
        own = [canary for canary in planted.canaries if canary.own]
        assert str(leak) in scan.scan(before.appeared(), own)
    finally:
        leak.unlink()
