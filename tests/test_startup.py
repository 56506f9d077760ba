"""What a control plane writes down and looks at before it serves."""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import resource
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import structlog

from leitstand import app, private
from leitstand.clockwork import place_of
from leitstand.config import Settings, StoreSettings, WorkerSettings
from leitstand.control.audit import Fault, verify
from leitstand.control.sequence import Sequencer
from leitstand.core.problem import Problem
from leitstand.folders import Folders
from leitstand.startup import installation, log_as_json
from leitstand.store import ledger
from leitstand.store.engine import Database
from leitstand.vault.blobs import open_blobs
from leitstand.vault.note import HeadVerifier, Signer
from tests.control.rig import Rig


def test_an_installation_keeps_its_name(tmp_path: Path) -> None:
    name = installation(tmp_path / "installation")
    assert len(name) == 8
    assert installation(tmp_path / "installation") == name


@pytest.mark.parametrize("kept", [b"", b"\n", b"abcd123", b"ABCD1234", b"\xff" * 8])
def test_an_installation_whose_name_was_damaged_is_refused(tmp_path: Path, kept: bytes) -> None:
    (tmp_path / "installation").write_bytes(kept)
    with pytest.raises(Problem) as refused:
        installation(tmp_path / "installation")
    assert refused.value.code == "installation-damaged"


@pytest.mark.parametrize(
    ("blobs", "here"), [(None, True), ("s3://bucket", False), ("memory:///", False)]
)
def test_only_a_folder_and_a_file_are_kept_here(
    tmp_path: Path, database_url: str, blobs: str | None, here: bool
) -> None:
    with Database.open(database_url, relaxed=True) as database:
        expected = here and database.dialect == "sqlite"
        assert app.kept_here(open_blobs(blobs or str(tmp_path)), database) is expected


def test_a_failed_write_leaves_no_installation_without_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="no space"):
            installation(tmp_path / "installation")
    assert list(tmp_path.iterdir()) == []
    assert len(installation(tmp_path / "installation")) == 8


@pytest.mark.parametrize("answer", [errno.EPERM, errno.EOPNOTSUPP])
def test_a_key_is_whole_and_kept_on_a_file_system_without_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(answer, os.strerror(answer))

    monkeypatch.setattr(os, "link", refuse)
    key = tmp_path / "key"
    private.write_new(key, b"first")
    private.write_new(key, b"second")
    assert (key.read_bytes(), key.stat().st_mode & 0o777) == (b"first", 0o600)
    assert list(tmp_path.iterdir()) == [key]


def test_a_database_whose_ledger_another_installation_signed_is_refused(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Database.open(sqlite_url, relaxed=True) as database:
        rig = Rig(database, tmp_path / "first")
        rig.job()
        rig.step()
    monkeypatch.setattr(app, "log_as_json", lambda _: None)
    second = Folders.find({"LEITSTAND_HOME": str(tmp_path / "second")})
    settings = Settings(store=StoreSettings(url=sqlite_url))
    with pytest.raises(Problem) as refused:
        app.serve(settings, second, embedded=False)
    assert refused.value.code == "database-elsewhere"


@pytest.mark.parametrize(
    "damaged",
    [
        "substr(note, 1, length(note) - 10) || 'AAAAAAAA' || substr(note, -2)",
        "replace(note, '—', '-')",
        "X'00'",
    ],
)
def test_p4_a_head_that_was_damaged_locks_nobody_out_and_is_named_by_verification(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damaged: str
) -> None:
    folders = Folders.find({"LEITSTAND_HOME": str(tmp_path / "home")})
    folders.create()
    name = f"leitstand-{installation(folders.data / 'installation')}"
    private.folder(folders.data / "keys")
    signer = Signer.open(folders.data / "keys" / "ledger", name)
    with Database.open(sqlite_url, relaxed=True) as database:
        rig = Rig(database, tmp_path / "rig")
        rig.job()
        Sequencer(rig.door, signer, name).step(rig.time)
        database.write(lambda conn: conn.exec_driver_sql(f"UPDATE heads SET note = {damaged}"))
        (head,) = rig.read(ledger.signed_heads)
        verdict = rig.read(lambda conn: verify(conn, HeadVerifier(signer.verifier_key)))
        assert Fault("head-signature", str(head.size)) in verdict.faults

    def begin(_: object) -> int:
        raise InterruptedError

    monkeypatch.setattr(app, "log_as_json", lambda _: None)
    monkeypatch.setattr(app._Plane, "run", begin)
    settings = Settings(store=StoreSettings(url=sqlite_url))
    with pytest.raises(InterruptedError):  # it got as far as to run
        app.serve(settings, folders, embedded=False)


@pytest.mark.parametrize("fault", [errno.ENETUNREACH, errno.ETIMEDOUT])
def test_a_computer_that_cannot_reach_itself_is_told_so_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(fault, os.strerror(fault))

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(app, "log_as_json", lambda _: None)
    folders = Folders.find({"LEITSTAND_HOME": str(tmp_path)})
    with pytest.raises(Problem) as refused:
        app.serve(Settings(), folders, embedded=True)
    assert refused.value.code == "no-loopback"
    assert refused.value.params == {"address": "127.0.0.1", "detail": os.strerror(fault)}


@pytest.mark.parametrize(
    ("listen", "advertised", "detail"),
    [
        ("192.0.2.1:0", None, os.strerror(errno.EADDRNOTAVAIL)),
        ("192.0.2.1:8443", "https://plane.example:8443", os.strerror(errno.EADDRNOTAVAIL)),
        ("..:0", "https://plane.example:8443", "idna"),
    ],
)
def test_an_address_that_is_none_of_this_computer_is_not_called_taken(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    listen: str,
    advertised: str | None,
    detail: str,
) -> None:
    monkeypatch.setattr(app, "log_as_json", lambda _: None)
    settings = Settings(worker=WorkerSettings(listen=listen, advertise_url=advertised))
    with pytest.raises(Problem, match="cannot-listen") as refused:
        app.serve(settings, Folders.find({"LEITSTAND_HOME": str(tmp_path)}), embedded=False)
    assert refused.value.params["address"] == listen
    assert detail in str(refused.value.params["detail"])


def test_a_port_at_which_a_program_listens_is_called_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "log_as_json", lambda _: None)
    with socket.create_server(("127.0.0.1", 0)) as other:
        listen = f"127.0.0.1:{other.getsockname()[1]}"
        settings = Settings(worker=WorkerSettings(listen=listen))
        with pytest.raises(Problem, match="port-busy"):
            app.serve(settings, Folders.find({"LEITSTAND_HOME": str(tmp_path)}), embedded=False)


_LIMITED = """
import resource, sys
from leitstand.control.audit import Fault, verify
from leitstand.control.sequence import Sequencer
from leitstand.core.problem import Problem
from leitstand.startup import enough_descriptors
resource.setrlimit(resource.RLIMIT_NOFILE, tuple(map(int, sys.argv[1:])))
try:
    enough_descriptors()
except Problem as problem:
    print(problem.code, *problem.params.values())
else:
    print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(
    ("soft", "hard", "then"),
    [(24, 24, "few-descriptors 24 128"), (24, 512, "512 512"), (24, 1200, "1024 1200")],
)
def test_too_few_open_files_are_raised_where_they_may_be_and_refused_elsewhere(
    soft: int, hard: int, then: str
) -> None:
    limited = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(soft), str(hard)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert limited.stdout.strip() == then


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_control_plane_says_in_a_pipe_where_it_listens_and_that_it_ended(
    tmp_path: Path, form: list[str]
) -> None:
    command = [sys.executable, "-m", "leitstand", "serve", *form]
    environment = {**os.environ, "LEITSTAND_HOME": str(tmp_path / "home"), "LANG": "C.UTF-8"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as plane:
        try:
            assert plane.stdout is not None
            first = plane.stdout.readline()
            port = (tmp_path / "home/state/worker-port").read_text()
            plane.terminate()
            rest = plane.stdout.read()
        finally:
            plane.kill()
    socket_path = Folders.find(environment).socket
    if form:
        told = [json.loads(line) for line in (first, rest)]
        assert told[0] == {
            "event": "listening",
            "operators": str(socket_path),
            "workers": f"https://127.0.0.1:{port}",
        }
        assert told[1] == {"event": "ended"}
    else:
        assert f"commands at {socket_path}, workers at https://127.0.0.1:{port}." in first
        assert rest == "The control plane has ended.\n"


def test_a_control_plane_that_may_not_open_enough_files_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (24, 24))
    folders = Folders.find({"LEITSTAND_HOME": str(tmp_path)})
    with pytest.raises(Problem, match="few-descriptors"):
        app.serve(Settings(), folders, embedded=True)


def test_no_address_that_is_asked_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of a log or of the mailbox is all that is needed to read or write there."""
    root, client = logging.getLogger(), logging.getLogger("httpx")
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    before = client.level
    try:
        client.setLevel(logging.INFO)  # as -vv does
        log_as_json(place_of)
        assert not client.isEnabledFor(logging.INFO)
    finally:
        client.setLevel(before)
        structlog.reset_defaults()


def test_a_log_without_room_loses_lines_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    stream = os.fdopen(os.open("/dev/full", os.O_WRONLY), "w", buffering=1)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stderr", stream)
            log_as_json(place_of)
        structlog.get_logger().error("step.failed")
        logging.getLogger("library").error("no room")
    finally:
        structlog.reset_defaults()
        with contextlib.suppress(OSError):
            stream.close()
