"""The WireGuard file of a machine of one's own, as wg-quick takes it, between two network namespaces."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from string import Template

import pytest

from leitstand.boot import firewall
from tests.boot.networks import SECONDS_MAX, Place, places

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")

FILE = Path(__file__).parents[2] / "deploy" / "wireguard" / "worker.conf"
PLANE, WORKER = "10.77.0.1", "10.77.0.2"
OUTSIDE, UDP_PORT = "203.0.113.7", 51820
CANARY = b"canary of a medium " * 20


def keys() -> tuple[str, str]:
    """A private key and its public one."""
    private = subprocess.run(["wg", "genkey"], capture_output=True, check=True, text=True).stdout
    command = ["wg", "pubkey"]
    made = subprocess.run(command, input=private, capture_output=True, check=True, text=True)
    return private.strip(), made.stdout.strip()


@contextlib.contextmanager
def control_plane(place: Place, folder: Path, private: str, worker_public: str) -> Iterator[None]:
    """Its end of the tunnel, as the head of the file says."""
    name = f"lsp{os.getpid()}"
    (folder / "plane.key").write_text(private)
    (folder / "plane.key").chmod(0o600)
    place.run("wireguard-go", name)
    try:
        place.run("wg", "set", name, "private-key", f"{folder}/plane.key", "listen-port", "51820")
        place.run("wg", "set", name, "peer", worker_public, "allowed-ips", f"{WORKER}/32")
        place.ip("addr", "add", f"{PLANE}/32", "dev", name)
        place.ip("link", "set", name, "up")
        place.ip("route", "add", f"{WORKER}/32", "dev", name)
        yield
    finally:
        place.ip("link", "del", name)


@contextlib.contextmanager
def worker(place: Place, folder: Path, **told: str) -> Iterator[None]:
    """The machine with the rendered file."""
    path = folder / f"lsw{os.getpid()}.conf"  # the interface is called so
    path.touch(mode=0o600)
    path.write_text(Template(FILE.read_text("utf-8")).substitute(told), "utf-8")
    place.run("wg-quick", "up", str(path))
    try:
        yield
    finally:
        place.run("wg-quick", "down", str(path))


def test_a_closed_machine_works_through_its_tunnel_alone(tmp_path: Path) -> None:
    (worker_private, worker_public), (plane_private, plane_public) = keys(), keys()
    told = {
        "worker_private_key": worker_private,
        "worker_address": WORKER,
        "plane_public_key": plane_public,
        "plane_address": PLANE,
        "plane_endpoint": f"{OUTSIDE}:{UDP_PORT}",
    }
    ways = [
        firewall.Way("tunnel", (OUTSIDE,), UDP_PORT, "udp"),
        firewall.way("https://leitstand.example:8443", [PLANE]),
    ]
    (tmp_path / "firewall.nft").write_text(firewall.nftables(ways), "utf-8")
    with places(2) as (machine, plane), contextlib.ExitStack() as left:
        cable = plane.cable(machine, [f"{OUTSIDE}/24"], ["203.0.113.9/24"])
        machine.run("nft", "-f", str(tmp_path / "firewall.nft"))
        left.enter_context(control_plane(plane, tmp_path, plane_private, worker_public))
        left.enter_context(worker(machine, tmp_path, **told))
        listener = left.enter_context(plane.listens("0.0.0.0", 8443))
        wire = left.enter_context(
            plane.do(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
        )
        wire.bind((cable, 3))  # every protocol

        with machine.opens(PLANE, socket.SOCK_STREAM, firewall.WORKER_UID) as sender:
            sender.connect((PLANE, 8443))
            heard, (source, _) = listener.accept()
            with heard:
                heard.settimeout(SECONDS_MAX)
                sender.sendall(CANARY)
                assert heard.recv(len(CANARY), socket.MSG_WAITALL) == CANARY
                assert source == WORKER
        assert not machine.dials(OUTSIDE, 8443, firewall.WORKER_UID)

        seen = b""
        while select.select([wire], [], [], 0)[0]:
            packet = wire.recv(65536)
            if packet[12:14] == b"\x08\x00":
                assert packet[23] == socket.IPPROTO_UDP
                assert UDP_PORT in (int.from_bytes(packet[at : at + 2]) for at in (34, 36))
                seen += packet
        assert len(seen) > len(CANARY) and CANARY[:20] not in seen
