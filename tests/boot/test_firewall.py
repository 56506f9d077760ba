"""The rules of a machine that only works, loaded by nft between network namespaces: what gets through
each way, for whom, and what is counted as refused."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from leitstand.boot import firewall
from tests.boot.networks import SECONDS_MAX, Place, places

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")

PLANE, PLANE6, BLOBS, ELSEWHERE = "203.0.113.7", "2001:db8::7", "203.0.113.8", "203.0.113.80"
HERE, HERE6, ADMIN, STRANGER = "198.51.100.2", "2001:db8:1::2", "198.51.100.10", "198.51.100.11"
WAYS = [
    firewall.way("https://leitstand.example:8443", [PLANE, PLANE6]),
    firewall.way("https://blobs.example", [BLOBS]),
]
WORKER, ROOT, UPDATES = firewall.WORKER_UID, 0, pwd.getpwnam("_apt").pw_uid


@dataclass(frozen=True)
class World:
    """A machine, a container on it, and everybody else."""

    machine: Place
    container: Place
    outside: Place
    ssh: socket.socket
    elsewhere: socket.socket

    def close_up(self, folder: Path) -> None:
        path = folder / "firewall.nft"
        path.write_text(firewall.nftables(WAYS, [f"{ADMIN}/32"]), "utf-8")
        self.machine.run("nft", "-f", str(path))


@pytest.fixture
def world() -> Iterator[World]:
    with places(3) as (machine, container, outside), contextlib.ExitStack() as left:
        for address in (PLANE, BLOBS, ELSEWHERE):
            outside.ip("addr", "add", f"{address}/32", "dev", "lo")
        outside.ip("addr", "add", f"{PLANE6}/128", "dev", "lo", "nodad")
        machine.cable(
            outside,
            [f"{HERE}/24", f"{HERE6}/64"],
            ["198.51.100.1/24", f"{ADMIN}/24", f"{STRANGER}/24", "2001:db8:1::1/64"],
        )
        machine.ip("route", "add", "default", "via", "198.51.100.1")
        machine.ip("route", "add", "default", "via", "2001:db8:1::1")
        machine.cable(container, ["10.9.0.1/24"], ["10.9.0.2/24"])
        container.ip("route", "add", "default", "via", "10.9.0.1")
        outside.ip("route", "add", "10.9.0.0/24", "via", HERE)
        machine.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        for address, port in [
            *((PLANE, port) for port in (8443, 9999, 80, 53)),
            (PLANE6, 8443),
            (BLOBS, 443),
            *((ELSEWHERE, port) for port in (8443, 80, 53)),
        ]:
            left.enter_context(outside.listens(address, port))
        left.enter_context(machine.listens("127.0.0.1", 8000))
        left.enter_context(machine.listens("127.0.0.53", 53))
        ssh, elsewhere = machine.listens(HERE, 22), outside.listens(ELSEWHERE, 443)
        with ssh, elsewhere:
            yield World(machine, container, outside, ssh, elsewhere)


def test_the_machine_dials_what_it_works_for_and_nothing_else(world: World, tmp_path: Path) -> None:
    tried = {
        (PLANE, 8443, WORKER): True,
        (PLANE6, 8443, WORKER): True,
        (BLOBS, 443, WORKER): True,
        (PLANE, 9999, WORKER): False,
        (PLANE, 80, WORKER): False,
        (ELSEWHERE, 8443, WORKER): False,
        (ELSEWHERE, 443, WORKER): False,
        (ELSEWHERE, 443, ROOT): False,
        (ELSEWHERE, 443, UPDATES): True,
        (ELSEWHERE, 80, UPDATES): True,
        (ELSEWHERE, 8443, UPDATES): False,
        (ELSEWHERE, 53, ROOT): True,
        (ELSEWHERE, 53, UPDATES): True,
        (ELSEWHERE, 53, WORKER): False,
        (PLANE, 53, WORKER): False,
        ("127.0.0.53", 53, WORKER): False,
        ("127.0.0.53", 53, UPDATES): True,
        ("127.0.0.1", 8000, WORKER): True,
    }
    before = {way: world.machine.dials(*way) for way in tried}
    assert all(before.values()), before
    world.close_up(tmp_path)
    assert {way: world.machine.dials(*way) for way in tried} == tried
    assert world.machine.refused("refused_out") >= list(tried.values()).count(False)


class Mirror(SimpleHTTPRequestHandler):
    """Serves a folder and says nothing."""

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def mirror(world: World) -> Iterator[Path]:
    """A folder for apt, and a package list that its lines lead to, elsewhere."""
    folder = Path(tempfile.mkdtemp(prefix="lsapt-", dir="/tmp"))
    folder.chmod(0o755)  # `_apt` has to get in
    (folder / "mirror").mkdir()
    (folder / "mirror" / "Packages").write_text("Package: one\nVersion: 1\nArchitecture: all\n")
    (folder / "sources").write_text(f"deb [trusted=yes] http://{ELSEWHERE}:443/ ./\n")
    for name in ("lists", "cache"):
        (folder / name / "partial").mkdir(parents=True)
    serve = partial(Mirror, directory=str(folder / "mirror"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), serve, bind_and_activate=False)
    server.socket.close()
    server.socket = world.elsewhere
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield folder
    server.shutdown()
    thread.join()
    server.server_close()
    shutil.rmtree(folder)


def test_updates_are_fetched_by_apt_as_it_is(world: World, tmp_path: Path, mirror: Path) -> None:
    """Root runs it; what fetches is `_apt`."""
    options = [f"Dir::State::lists={mirror}/lists", f"Dir::Cache={mirror}/cache"]
    options += [f"Dir::Etc::sourcelist={mirror}/sources", "Dir::Etc::sourceparts=/dev/null"]
    options += ["APT::Update::Error-Mode=any", "Acquire::http::Proxy=false", "Acquire::Retries=0"]
    command = ["apt-get", "update"] + [word for option in options for word in ("-o", option)]
    world.close_up(tmp_path)
    world.machine.run(*command)
    assert any("Packages" in path.name for path in (mirror / "lists").iterdir())
    with pytest.raises(AssertionError, match="Failed to fetch"):
        world.machine.run(*command, "-o", "APT::Sandbox::User=root")


def test_no_datagram_carries_anything_away_either(world: World, tmp_path: Path) -> None:
    world.close_up(tmp_path)
    asked = {(PLANE, 8443, WORKER): False, (ELSEWHERE, 53, WORKER): False}
    asked |= {(ELSEWHERE, 443, UPDATES): False, (ELSEWHERE, 53, UPDATES): True}
    assert {way: world.machine.sends(*way) for way in asked} == asked


def test_nobody_comes_in_but_the_administrator(world: World, tmp_path: Path) -> None:
    world.close_up(tmp_path)
    world.ssh.setblocking(False)
    for source, port in ((STRANGER, 22), (ADMIN, 8000)):
        with world.outside.opens(source, socket.SOCK_STREAM) as knocking:
            knocking.bind((source, 0))
            knocking.setblocking(False)
            with world.machine.refuses("refused_in"):
                knocking.connect_ex((HERE, port))
    with pytest.raises(BlockingIOError):
        world.ssh.accept()
    with world.outside.opens(ADMIN, socket.SOCK_STREAM) as knocking:
        knocking.bind((ADMIN, 0))
        knocking.connect((HERE, 22))
        world.ssh.settimeout(SECONDS_MAX)
        heard, (source, _) = world.ssh.accept()
        heard.close()
        assert source == ADMIN


def test_a_container_on_it_gets_no_further_than_itself(world: World, tmp_path: Path) -> None:
    assert world.container.dials(ELSEWHERE, 443)
    world.close_up(tmp_path)
    assert world.container.dials(PLANE, 8443)
    with world.container.opens(ELSEWHERE, socket.SOCK_STREAM) as made:
        made.setblocking(False)
        with world.machine.refuses("refused_through"):
            made.connect_ex((ELSEWHERE, 443))


def test_loading_it_again_replaces_it_and_touches_no_other_table(
    world: World, tmp_path: Path
) -> None:
    world.machine.run("nft", "add", "table", "inet", "somebody_else")
    for _ in range(2):
        world.close_up(tmp_path)
    listed = world.machine.run("nft", "list", "tables").split("\n")
    assert sorted(filter(None, listed)) == ["table inet leitstand", "table inet somebody_else"]
    assert world.machine.run("nft", "list", "table", "inet", "leitstand").count("hook output") == 1
