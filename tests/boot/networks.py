"""Network namespaces for tests: machines with cables, on which sockets are opened as any user.

Each namespace has a thread that lives in it; a socket belongs to where it was opened, and is used
from anywhere afterwards. This needs root, as the rules and the tunnels that are tested do.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import json
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
SECONDS_MAX = 20.0
CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
_numbers = itertools.count()


class Place:
    """One namespace, with its loopback up."""

    def __init__(self) -> None:
        self.name = f"ls{os.getpid()}-{next(_numbers)}"
        ip("netns", "add", self.name)
        self._thread = ThreadPoolExecutor(1, initializer=self._enter)
        self.ip("link", "set", "lo", "up")

    def close(self) -> None:
        self._thread.shutdown()
        ip("netns", "del", self.name)

    def _enter(self) -> None:
        with Path(f"/run/netns/{self.name}").open() as file:
            if _libc.setns(file.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")

    def do(self, call: Callable[[], T]) -> T:
        """`call`, in this namespace."""
        return self._thread.submit(call).result()

    def run(self, *command: str, told: str | None = None) -> str:
        """What a command says that runs here. `told` is its input."""
        ran = subprocess.run(
            ["ip", "netns", "exec", self.name, *command],
            input=told,
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
        )
        assert ran.returncode == 0, (command, ran.stdout + ran.stderr)
        return ran.stdout

    def ip(self, *words: str) -> None:
        ip("-netns", self.name, *words)

    def cable(self, other: Place, here: list[str], there: list[str]) -> str:
        """Join the two, with these addresses at the ends; the name of the interface here."""
        number = next(_numbers)
        ends = ((self, f"c{number}a", here), (other, f"c{number}b", there))
        (_, mine, _), (_, theirs, _) = ends
        self.ip("link", "add", mine, "type", "veth", "peer", theirs, "netns", other.name)
        for place, interface, addresses in ends:
            for address in addresses:
                place.ip("addr", "add", address, "dev", interface, *_at_once(address))
            place.ip("link", "set", interface, "up")
        return mine

    def opens(self, address: str, kind: int, uid: int = 0) -> socket.socket:
        """A socket of this user for that kind of address."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET

        def opened() -> socket.socket:
            _libc.setfsuid(uid)
            try:
                return socket.socket(family, kind)
            finally:
                _libc.setfsuid(0)

        made = self.do(opened)
        made.settimeout(SECONDS_MAX)
        return made

    def listens(self, address: str, port: int, kind: int = socket.SOCK_STREAM) -> socket.socket:
        """A listener; what is sent to it waits there."""
        made = self.opens(address, kind)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((address, port))
        if kind == socket.SOCK_STREAM:
            made.listen()
        return made

    def dials(self, address: str, port: int, uid: int = 0) -> bool:
        """Whether this user gets through."""
        with self.opens(address, socket.SOCK_STREAM, uid) as made:
            try:
                made.connect((address, port))
            except TimeoutError:
                raise
            except OSError:
                return False
            return True

    def sends(self, address: str, port: int, uid: int = 0) -> bool:
        """Whether a datagram of this user may leave."""
        with self.opens(address, socket.SOCK_DGRAM, uid) as made:
            try:
                made.sendto(b"x", (address, port))
            except OSError:
                return False
            return True

    def refused(self, counter: str) -> int:
        """Packets that the firewall has counted there."""
        text = self.run("nft", "-j", "list", "counter", "inet", "leitstand", counter)
        (found,) = [one["counter"] for one in json.loads(text)["nftables"] if "counter" in one]
        return int(found["packets"])

    @contextlib.contextmanager
    def refuses(self, counter: str) -> Iterator[None]:
        """What is sent within the block is counted there, sooner or later."""
        before = self.refused(counter)
        yield
        pause = threading.Event()
        while self.refused(counter) == before:
            pause.wait(0.01)


def _at_once(address: str) -> list[str]:
    """IPv6 would first ask whether anybody else has the address."""
    return ["nodad"] if ":" in address else []


def ip(*words: str) -> None:
    ran = subprocess.run(["ip", *words], capture_output=True, text=True, timeout=SECONDS_MAX)
    assert ran.returncode == 0, (words, ran.stderr)


@contextlib.contextmanager
def places(count: int) -> Iterator[list[Place]]:
    """So many namespaces, gone afterwards with all that is in them."""
    with contextlib.ExitStack() as left:
        made = []
        for _ in range(count):
            made.append(Place())
            left.callback(made[-1].close)
        yield made
