"""Bad input end to end: a clear answer, the rest of the batch has its report, nothing is left."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from leitstand.models.cache import ModelCache
from leitstand.models.catalogue import Catalogue
from leitstand.output import short
from tests import weights
from tests.e2e import bad_media
from tests.e2e.clips import excerpt
from tests.e2e.conftest import Install
from tests.e2e.installation import Installation, Ran
from tests.e2e.small_disk import small_disk
from tests.same import same_findings

MANY_SEGMENTS = {
    "LEITSTAND_PLACEMENT__SEGMENTS_PER_TASK": "1",
    "LEITSTAND_MEDIA__SEGMENT_SECONDS": "1",
}
MANY = 30
"""Files of a folder in the normal run; a thousand in the full one."""
PIPE_BYTES = 4096
"""The least that Linux gives a pipe: what a reader has not taken holds the writer back."""
WITHOUT_ROOTS_EYES = (
    "setpriv",
    "--inh-caps=-dac_override,-dac_read_search",
    "--bounding-set=-dac_override,-dac_read_search",
)
"""Root may read everything; the command runs without that, anybody else never had it."""
_FILL = "mount -t tmpfs -o size=4k tmpfs /dev/shm; head -c 4096 /dev/zero > /dev/shm/full"
WITHOUT_SHARED_MEMORY = ("unshare", "--mount", "sh", "-ec", f'{_FILL}; exec "$@"', "sh")
"""In a mount name space of its own, with a /dev/shm that holds one page and that is taken."""


# --- what every ending has to keep ----------------------------------------------------------------


def assert_said(ran: Ran, *sentences: str) -> None:
    """Every sentence stands on stderr, and nothing there is the program's own fault."""
    for sentence in sentences:
        assert sentence in ran.err, f"not said: {sentence}\n{ran.err}"
    assert "Traceback" not in ran.err + ran.out
    for fault in ("Leitstand failed where", "has no words yet", "{ $", "{$"):
        assert fault not in ran.err, ran.err


def assert_all_ended(here: Installation) -> None:
    """No worker, no machine, no reservation and no medium; the ledger agrees."""
    assert here.worker() is None
    with here.client() as client:
        for job in client.get("/jobs")["items"]:
            whole = client.get(f"/jobs/{job['id']}")
            assert {i["state"] for i in whole["instances"]} <= {"terminated"}
            assert whole["reserved_eur"] == "0.000000"
            assert {m["medium_state"] for m in whole["media"]} <= {"erased"}
        assert {m["state"] for m in client.pages("/media")} <= {"erased", "failed"}
        assert client.get("/ledger/verify")["verified"] is True


def assert_nothing_left(here: Installation) -> None:
    """All has ended, and no ciphertext lies anywhere."""
    assert_all_ended(here)
    assert here.folders.database.is_file()
    with contextlib.closing(sqlite3.connect(here.folders.database)) as database:
        rows = database.execute("SELECT id FROM objects WHERE purpose = 'segment'")
        segments = {row[0] for row in rows}
    stored = {path.name for path in (here.folders.data / "blobs").rglob("*")}
    assert not segments & stored
    assert [name for name in stored if not name.startswith("object_")] == []


def media_of(ran: Ran) -> dict[str, str]:
    """State by name of what the report is about."""
    return {medium["name"]: medium["state"] for medium in ran.report()["media"]}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds of the real pedestrians, a key frame every second; beside it as MP4, whose index
    stands at the end."""
    path = tmp_path_factory.mktemp("clip") / "film.mkv"
    excerpt(path.with_suffix(".mp4"), frames=40)
    return excerpt(path, frames=40)


# --- files ----------------------------------------------------------------------------------------


def test_every_bad_file_is_named_with_its_reason_and_the_good_ones_have_their_report(
    install: Install, clip: Path, tmp_path: Path
) -> None:
    here, folder = install(), tmp_path
    good = {
        "Übermaß ẞ.png": folder / "Übermaß ẞ.png",
        "🚌🏿.png": folder / "🚌🏿.png",
        "zwei\nzeilen.png": folder / "zwei\nzeilen.png",
        "--out": here.work / "--out",
        "\ufffd.png": Path(os.fsdecode(os.fsencode(folder) + b"/\xff.png")),
        "once.png": folder / "once.png",
    }
    for seed, path in enumerate(good.values()):
        bad_media.picture(path, seed)
    many = folder / "many"
    many.mkdir()
    for number in range(MANY):
        bad_media.picture(many / f"{number:04d}.png", 100 + number)
    bad_media.text(many / "notes.txt")
    closed = folder / "closed"
    closed.mkdir()
    locked = bad_media.picture(folder / "locked.png", 98)
    for path in (closed, locked):
        path.chmod(0)
    os.mkfifo(folder / "pipe.mp4")
    files = [
        bad_media.empty(folder / "leer.wav"),
        bad_media.shortened(folder / "film.mp4", clip.with_suffix(".mp4"), 0.6),
        bad_media.shortened(folder / "cut.mkv", clip, 0.6),
        bad_media.shortened(folder / "stub.jpg", weights.picture_path("bus.jpg"), 0.001),
        bad_media.text(folder / "letter.jpg"),
        bad_media.encrypted(folder / "secret.mp4"),
        bad_media.playlist(folder / "clip.mp4", 14),
        bad_media.many_pixels(folder / "huge.png"),
        bad_media.no_frames(folder / "no-frames.avi"),
        bad_media.no_sound(folder / "no-sound.wav"),
        bad_media.silence(folder / "silence.wav", 150),
        bad_media.with_exif(folder / "talkative.webp", 1024 * 1024),
        Path(shutil.copy(weights.picture_path("bus.jpg"), folder / "renamed.mp4")),
        folder / "not-there.png",
        folder / "once.png" / "inside.png",
        folder / "pipe.mp4",
        *(path for name, path in good.items() if name != "--out"),
        Path(shutil.copy(folder / "once.png", folder / "again.png")),
        folder / "once.png",
        locked,
        closed,
        many,
    ]
    ran = here.run(
        "analyze", "--", "--out", *files, through=(*WITHOUT_SHARED_MEMORY, *WITHOUT_ROOTS_EYES)
    )
    assert_said(
        ran,
        "error: leer.wav has nothing to analyse: it is empty (0 bytes)",
        "error: film.mp4 has nothing to analyse: it ends before anything can be decoded",
        "error: cut.mkv ends in the middle: 0:02.0 of 0:04.0 read",
        "error: stub.jpg could not be read",
        "error: letter.jpg was not taken: it is no picture, video or sound",
        "error: secret.mp4 was not taken: it is encrypted",
        "error: clip.mp4 was not taken: it is a playlist, not a video",
        "it names 14 other files; Leitstand opens only what you hand it",
        "error: huge.png was not taken: it has 20,000 × 10,000 pixels",
        "error: no-frames.avi has nothing to analyse: its video holds no picture",
        "error: no-sound.wav has nothing to analyse: it holds no sound",
        "not-there.png does not exist",
        "inside.png cannot be read",
        "Not a directory",
        "error: pipe.mp4 is no regular file",
        "again.png is the same as once.png; it is analysed once",
        "once.png was given twice; it is analysed once",
        "locked.png cannot be read",
        "closed cannot be read",
        "Permission denied",
        "1 file was left out: it is no picture, video or sound",
    )
    assert "zwei␊zeilen.png" in ran.out
    assert ran.code == 1, ran.err
    assert media_of(ran) == {
        **dict.fromkeys(good, "done"),
        **{f"{number:04d}.png": "done" for number in range(MANY)},
        "renamed.mp4": "done",
        "silence.wav": "done",
        "talkative.webp": "done",
        "cut.mkv": "partial",
    }
    report = ran.report()
    assert [f for f in report["findings"] if f["kind"] == "speech"] == []
    assert "1 gap" in ran.out
    assert len(report["gaps"]) == 1
    assert_nothing_left(here)


def test_a_batch_of_which_nothing_can_be_taken_starts_nothing_and_ends_as_bad_input(
    install: Install, tmp_path: Path
) -> None:
    here = install()
    gone = bad_media.picture(tmp_path / "gone.png", 1)
    files = [bad_media.empty(tmp_path / f"{n:02d}{'x' * 200}.wav") for n in range(45)]
    process = here.start("analyze", "--json", *files, gone)
    stdout, stderr = process.stdout, process.stderr
    assert stdout is not None
    assert stderr is not None
    fcntl.fcntl(stdout, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    with process:
        first = json.loads(stdout.readline())
        assert first["event"] == "file"
        gone.unlink()
        rest = stdout.read().splitlines()
        errors = [json.loads(line)["error"] for line in stderr.read().splitlines()]
    assert process.returncode == 2
    assert [e["code"] for e in errors] == ["empty-file"] * len(files) + ["vanished"]
    assert errors[-1]["what"] == "gone.png is gone"
    assert json.loads(rest[-1])["media"] == {"done": 0, "failed": len(files) + 1}
    with here.client() as client:
        assert client.get("/jobs")["items"] == []
    assert_nothing_left(here)


@pytest.mark.full
@pytest.mark.timeout(3600)
def test_a_folder_of_a_thousand_files_is_one_job(install: Install, tmp_path: Path) -> None:
    here = install()
    for number in range(1000):
        bad_media.picture(tmp_path / f"{number:04d}.png", number)
    ran = here.run("analyze", tmp_path)
    assert ran.code == 0, ran.err
    assert_said(ran)
    assert media_of(ran) == {f"{number:04d}.png": "done" for number in range(1000)}
    assert_nothing_left(here)


@pytest.mark.full
@pytest.mark.timeout(1800)
def test_four_hours_of_silence_are_analysed_and_say_nothing(
    install: Install, tmp_path: Path
) -> None:
    here = install()
    ran = here.run("analyze", bad_media.silence(tmp_path / "night.wav", 4 * 3600))
    assert ran.code == 0, ran.err
    assert [f for f in ran.report()["findings"] if f["kind"] == "speech"] == []
    assert_nothing_left(here)


# --- what was asked for ---------------------------------------------------------------------------


def test_a_misspelt_wish_ends_before_anything_is_started(install: Install) -> None:
    here = install()
    ran = here.run("analyze", weights.picture_path("bus.jpg"), "--profile", "peple")
    assert ran.code == 2
    assert_said(ran, 'error: no profile "peple"', "(did you mean people?)")
    assert here.plane() is None


# --- a machine that has no room -------------------------------------------------------------------


@contextlib.contextmanager
def tiny_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of so many bytes; needs root."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_costs_the_file_that_does_not_fit_and_no_other(
    install: Install, tmp_path: Path
) -> None:
    here = install()
    small = bad_media.picture(tmp_path / "small.png", 1)
    large = bad_media.noise(tmp_path / "large.png", 2500)
    with tiny_disk(here.folders.data, "12m"):
        ran = here.run("analyze", large, small)
        assert_said(ran, "error: large.png was not stored: no space is left", "make room")
        assert ran.code == 1, ran.err
        assert media_of(ran) == {"small.png": "done"}
        assert_nothing_left(here)
        here.close()


def test_without_any_room_the_control_plane_says_so_and_does_not_start(install: Install) -> None:
    here = install()
    with tiny_disk(here.folders.state, "64k"):
        ran = here.run("analyze", weights.picture_path("bus.jpg"))
        assert_said(ran, "no space is left")
        assert ran.code in (1, 5)
        assert here.processes() == []


# --- models, ports --------------------------------------------------------------------------------


def test_a_model_with_another_digest_is_not_used(install: Install, tmp_path: Path) -> None:
    models = tmp_path / "models"
    shutil.copytree(weights.models().folder, models, symlinks=False)
    detector = Catalogue.load().best("detector", ModelCache(models))
    assert detector is not None
    tampered = ModelCache(models).path(detector.files[0].sha256)
    data = bytearray(tampered.read_bytes())
    data[len(data) // 2] ^= 1
    tampered.chmod(0o600)
    tampered.write_bytes(bytes(data))
    here = install(models=models)
    ran = here.run("analyze", weights.picture_path("bus.jpg"))
    assert ran.code == 1, ran.err
    said = f"the model {detector.name} is not the one in the catalogue"
    digests = (hashlib.sha256(data).hexdigest(), tampered.name)
    assert_said(ran, said, detector.files[0].name, *digests, "leitstand models")
    (kept,) = (models / "changed").iterdir()
    assert f"changed/{kept.name}" in ran.err
    assert kept.read_bytes() == data
    assert_nothing_left(here)


def test_a_busy_port_is_named(install: Install) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        here = install({"LEITSTAND_WORKER__LISTEN": address})
        ran = here.run("analyze", weights.picture_path("bus.jpg"))
    assert ran.code == 1, ran.err
    assert_said(ran, f"error: the address {address} is taken", "another program listens there")
    assert here.processes() == []


# --- Ctrl-C ---------------------------------------------------------------------------------------


def press(here: Installation, process: subprocess.Popen[str], *after: str) -> Ran:
    """Ctrl-C as a terminal sends it, to the whole group, after the first line with each text."""
    stdout, stderr = process.stdout, process.stderr
    assert stdout is not None
    assert stderr is not None
    waiting, lines = list(after), []
    with process:
        for line in stderr:
            lines.append(line)
            if waiting and waiting[0] in line:
                waiting.pop(0)
                os.killpg(process.pid, signal.SIGINT)
        out = stdout.read()
    assert not waiting, f"never said {waiting[0]}\n{''.join(lines)}"
    return Ran(process.returncode, out, "".join(lines), here.work)


def last_job(here: Installation) -> dict[str, Any]:
    with here.client() as client:
        found: dict[str, Any] = client.get(f"/jobs/{client.get('/jobs')['items'][0]['id']}")
        return found


def report_in(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "report.json").read_text("utf-8"))
    return found


def test_two_at_once_both_finish_and_ctrl_c_once_holds_and_twice_cancels(
    install: Install, clip: Path
) -> None:
    here = install(MANY_SEGMENTS)
    analyze = ("analyze", clip, "--profile", "scene", "--out")
    both = [here.start(*analyze, out) for out in ("first", "second")]
    for ran in [here.finish(process) for process in both]:
        assert ran.code == 0, ran.err
        assert_said(ran)
    unbroken = report_in(here.work / "first")
    assert same_findings(report_in(here.work / "second"), unbroken)

    held = press(here, here.start(*analyze, "held"), " 1 of ")
    assert held.code == 130, held.err
    assert_said(held, "Finishing segment", "then releasing. Ctrl-C again stops now.")
    job = last_job(here)
    assert job["state"] == "held"
    assert 0 < job["segments"]["done"] < job["segments"]["total"]
    assert f"leitstand jobs resume {short(job['id'])}" in held.out
    assert {i["state"] for i in job["instances"]} == {"terminated"}
    assert here.worker() is None

    resumed = here.run("jobs", "resume", short(job["id"]), "--out", "resumed")
    assert resumed.code == 0, resumed.err
    assert_said(resumed)
    assert same_findings(report_in(here.work / "resumed"), unbroken)

    stopped = press(here, here.start(*analyze, "stopped"), " 1 of ", "Finishing segment")
    assert stopped.code == 130, stopped.err
    assert_said(stopped, "Stopping now")
    assert last_job(here)["state"] == "cancelled"
    assert_nothing_left(here)


def test_ctrl_c_twice_on_a_full_disk_leaves_no_worker_and_is_written_down_when_there_is_room(
    clip: Path,
) -> None:
    with small_disk() as here:
        here.environment |= MANY_SEGMENTS
        process = here.start("analyze", clip, "--profile", "scene")
        stderr = process.stderr
        assert stderr is not None
        press = partial(os.killpg, process.pid, signal.SIGINT)
        acts = [
            (" 1 of ", here.fill),
            ("! the control plane cannot write: no space is left", press),
            ("is not held yet: no space is left", press),
        ]
        lines = []
        with process:
            for line in stderr:
                lines.append(line)
                if acts and acts[0][0] in line:
                    acts.pop(0)[1]()
        ran = Ran(process.returncode, "", "".join(lines), here.work)
        assert not acts, ran.err
        assert ran.code == 130, ran.err
        assert_said(ran, "could not be written down", "none of its instances is left")
        assert here.worker() is None

        here.empty()
        missing = {("job", "cancelled"), ("instance", "terminated"), ("medium", "erased")}
        with here.client() as client:
            for event in client.follow(after="0"):
                missing.discard((event.kind, str(event.data.get("state"))))
                if not missing:
                    break
        assert_all_ended(here)
