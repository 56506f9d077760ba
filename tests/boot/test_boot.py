"""The rendered bootstrap as a plain process with an empty environment and an empty folder, against
the workers' listener on loopback: what it installs, and each way in which it refuses."""

from __future__ import annotations

import contextlib
import json
import socket
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from leitstand import launch
from leitstand.api.streams import Wakeups
from leitstand.boot import firewall, program, render
from leitstand.ports import LaunchSpec
from leitstand.security.ca import Authority
from leitstand.security.listener import port_of, worker_server
from leitstand.store.engine import Database
from tests.api.served import Thread, Workers, workers
from tests.boot import stock
from tests.boot.stock import Files, Machine
from tests.control.rig import Rig

TOKEN = "canary-token-of-a-boot"


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files to hand out whose `leitstand` shows what it was started with."""
    folder = tmp_path_factory.mktemp("files")
    shown = stock.wheel(
        folder, "leitstand", {"leitstand/__init__.py": "", "leitstand/__main__.py": stock.SHOWS}
    )
    stock.handed_out(folder / "boot", shown)
    return folder / "boot"


@pytest.fixture
def files(wheels: Path) -> Files:
    return Files(stock.BootFolder(wheels))


@pytest.fixture
def plane(sqlite_url: str, tmp_path: Path, files: Files) -> Iterator[Workers]:
    with (
        Database.open(sqlite_url, relaxed=True) as database,
        workers(Rig(database, tmp_path), tmp_path, boot=files) as served,
    ):
        yield served


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "machine")


def spec(plane: Workers, files: Files, **changes: Any) -> LaunchSpec:
    told: dict[str, Any] = {
        "url": f"https://127.0.0.1:{plane.port}",
        "ca_sha256": plane.authority.sha256,
        "instance_id": "instance_01JDABCDEFGHJKMNPQRSTVWXYZ",
        "token": TOKEN,
        "end_by": datetime.now(UTC) + timedelta(minutes=10),
        "slots": 1,
        "environment": {launch.MANIFEST_VARIABLE: files.sha256},
    }
    return LaunchSpec(**(told | changes))


def as_pod(machine: Machine, told: LaunchSpec, patience: str = "0") -> stock.Ended:
    fields = render.runpod(told)
    return machine.run(fields["entrypoint"] + fields["cmd"], fields["env"], patience)


def test_a_fresh_machine_becomes_a_worker(plane: Workers, files: Files, machine: Machine) -> None:
    told = spec(plane, files)
    fields = render.vast(told, "/models")
    injected = {
        program.END_URL: "",
        "CONTAINER_API_KEY": "of-this-instance",
        "PYTHONPATH": "/elsewhere",
        "PIP_INDEX": "x",
    }
    ended = machine.run(fields["args"], fields["env"] | injected)
    assert ended.code == 0, ended.lines
    shown = json.loads(ended.out)
    assert shown["arguments"] == ["worker", "--label", told.instance_id]
    environment = shown["environment"]
    assert launch.decode(environment[launch.VARIABLE]) == launch.decode(
        launch.encode(told, "/models")
    )
    assert "of-this-instance" not in json.dumps(shown)
    ours = {name for name in environment if name.startswith(("LEITSTAND_", "PYTHON", "PIP_"))}
    assert ours == {launch.VARIABLE}
    assert machine.left == {"requirements.txt", "start-0", "venv"}
    assert all(str(machine.disk) in path or "lib/python" in path for path in shown["path"] if path)
    assert not any(TOKEN in line for line in ended.lines)


def test_a_virtual_machine_runs_the_same(plane: Workers, files: Files, machine: Machine) -> None:
    told = spec(plane, files)
    text = render.cloud_init(told, [firewall.way(told.url, ["127.0.0.1"])])
    document = json.loads(text.partition("\n")[2])
    written = {Path(file["path"]).name: file["content"] for file in document["write_files"]}
    environment = dict(line.split("=", 1) for line in written["environment"].splitlines())
    script = machine.programs / "boot.sh"
    script.write_text(written["boot.sh"])
    ended = machine.run(["/bin/sh", str(script)], environment)
    assert ended.code == 0, ended.lines
    assert json.loads(ended.out)["arguments"][0] == "worker"


def test_a_prebuilt_image_starts_what_it_has(
    plane: Workers, files: Files, machine: Machine
) -> None:
    """Nothing is fetched: the interpreter has the worker, which finds its launch spec and dials."""
    told = spec(plane, files, token="spent")
    command = [sys.executable, "-I", program.__file__, "--installed"]
    ended = machine.run(command, render.bootstrap(told).environment)
    assert "leitstand boot: starting the worker of " + told.instance_id in ended.lines
    assert ended.code == 3
    assert "token-refused" in ended.last
    assert files.asked == []


def test_a_transfer_that_breaks_off_goes_on_where_it_stopped(
    plane: Workers, files: Files, machine: Machine
) -> None:
    digest = files.digest_of("pip")
    files.breaks = {digest: [1000, 2_000]}
    ended = as_pod(machine, spec(plane, files), patience="30")
    assert ended.code == 0, ended.lines
    assert [start for sha256, start in files.asked if sha256 == digest] == [0, 1000, 2000]


# --- refusals --------------------------------------------------------------------------------------


def test_without_python_the_last_line_says_so(plane: Workers, files: Files, tmp_path: Path) -> None:
    bare = Machine(tmp_path / "bare", python=False)
    as_pod(bare, spec(plane, files)).refused(3, "no python3")


def test_a_file_that_is_another_is_not_installed(
    plane: Workers, files: Files, machine: Machine
) -> None:
    digest = files.digest_of("leitstand")
    found = files.folder.open(digest)
    assert found is not None
    body = bytearray(b"".join(found[1](0, found[0])))
    body[100] ^= 1
    files.served[digest] = bytes(body)
    as_pod(machine, spec(plane, files)).refused(3, "leitstand-1.0", "manifest")
    assert "venv" not in machine.left


def test_another_authority_is_refused_before_anything_is_asked(
    plane: Workers, files: Files, machine: Machine
) -> None:
    told = spec(plane, files, ca_sha256="0" * 64)
    as_pod(machine, told).refused(3, "the authority at https://127.0.0.1", "launch spec")
    assert files.asked == []


def test_a_server_that_only_shows_the_authority_is_refused(
    plane: Workers, files: Files, machine: Machine, tmp_path: Path
) -> None:
    """Anybody can copy a certificate; only its owner can answer for it."""
    other, now = Authority.open(tmp_path / "other"), datetime.now(UTC)
    heard: list[str] = []

    async def imposter(scope: Any, receive: Any, send: Any) -> None:
        heard.append(scope["path"])
        body = plane.authority.certificate_pem
        head = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": body})

    server = worker_server(
        imposter, "127.0.0.1", 0, lambda: other.server_context(["127.0.0.1"], now)
    )
    server.config.lifespan = "off"
    with Thread(server, Wakeups()):
        told = spec(plane, files, url=f"https://127.0.0.1:{port_of(server)}")
        as_pod(machine, told).refused(3, "no certificate of the authority")
    assert heard == ["/w/1/ca"]


def test_another_manifest_is_refused_before_any_file(
    plane: Workers, files: Files, machine: Machine
) -> None:
    told = spec(plane, files, environment={launch.MANIFEST_VARIABLE: "1" * 64})
    as_pod(machine, told).refused(3, "the manifest is not the one")
    assert files.asked == []


def test_a_transfer_that_never_ends_right_is_given_up(
    plane: Workers, files: Files, machine: Machine
) -> None:
    digest = files.digest_of("leitstand")
    files.breaks = {digest: [50] * 10}
    as_pod(machine, spec(plane, files)).refused(5, "cannot be reached", "50 of")


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"python": "2.7"}, "Python 2.7"),
        ({"machine": "vax"}, "vax"),
        ({"files": [{"name": "../x.whl", "sha256": "0" * 64, "bytes": 1}]}, "a file that is none"),
        ({"files": [{"name": "x.whl", "sha256": "0" * 64, "bytes": 9 << 30}]}, "too much"),
        ({"files": [{"name": "x.whl", "sha256": "0" * 64, "bytes": 1}]}, "HTTP 404"),
        ({"files": []}, "no pip"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(
    plane: Workers, files: Files, machine: Machine, changes: dict[str, Any], word: str
) -> None:
    files.changes = changes
    as_pod(machine, spec(plane, files)).refused(3, word)


def test_without_a_launch_spec_there_is_nothing_to_do(machine: Machine) -> None:
    environment = {
        name: value
        for name, value in render.bootstrap(
            LaunchSpec(
                "https://x", "0", "i", "t", datetime.now(UTC), 1, {program.MANIFEST: "0" * 64}
            )
        ).environment.items()
        if not name.startswith(program.PART)
    }
    machine.run(["/bin/sh", "-c", render.SHELL_LINE], environment).refused(2, "no launch spec")


def test_plain_http_is_refused(plane: Workers, files: Files, machine: Machine) -> None:
    as_pod(machine, spec(plane, files, url=f"http://127.0.0.1:{plane.port}")).refused(
        2, "not https"
    )


def test_a_control_plane_that_does_not_answer_is_said(
    plane: Workers, files: Files, machine: Machine
) -> None:
    with contextlib.closing(socket.socket()) as deaf:
        deaf.bind(("127.0.0.1", 0))
        told = spec(plane, files, url=f"https://127.0.0.1:{deaf.getsockname()[1]}")
        as_pod(machine, told).refused(5, "cannot be reached")


def test_a_machine_that_starts_again_and_again_stops_asking(
    plane: Workers, files: Files, machine: Machine
) -> None:
    told = spec(plane, files, environment={launch.MANIFEST_VARIABLE: "1" * 64})
    for _ in range(program.STARTS_MAX):
        as_pod(machine, told).refused(3, "the manifest")
    as_pod(machine, told).refused(3, f"started {program.STARTS_MAX} times")
