"""What a fresh machine runs to become a worker. `render.py` sends this file with a launch.

It needs Python's standard library and nothing else; Python 3.7 can read it, so that an older one is
refused in words. Trust comes from the launch spec alone: the authority's digest says whom to talk
to, the manifest's digest says what to install. The one-time token is not used here: the worker
spends it. What is said goes to stderr; the last line says how it ended.
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import hashlib
import http.client
import json
import os
import platform
import re
import select
import shutil
import signal
import ssl
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from subprocess import DEVNULL, PIPE, STDOUT, run
from typing import Any, NoReturn
from urllib.parse import urlsplit

SPEC = "LEITSTAND_WORKER_SPEC"
PART = "LEITSTAND_SPEC_"
PROGRAM = "LEITSTAND_PROGRAM_"
MANIFEST = "LEITSTAND_BOOT_MANIFEST"
PATIENCE = "LEITSTAND_BOOT_PATIENCE"
FOLDER = "LEITSTAND_BOOT_FOLDER"
END_URL, END_KEY = "LEITSTAND_END_URL", "LEITSTAND_END_KEY"
END_BODY, END_GRACE = "LEITSTAND_END_BODY", "LEITSTAND_END_GRACE"
BEATS = "LEITSTAND_BEATS"
FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
SILENCE_SECONDS, GRACE_SECONDS = 900.0, 60.0
STARTS_MAX = 3
PARTS_MAX = 64
MANIFEST_BYTES_MAX = 1 << 20
FILES_MAX = 500
BYTES_MAX = 8 << 30
SECONDS_MAX = 3600.0
TIMEOUT = 30.0
PIECE = 1 << 20
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]{0,200}\.whl")
HEX = re.compile(r"[0-9a-f]{64}")


class Refused(Exception):
    """No use to go on; `code` is the exit code (docs/cli.md)."""

    def __init__(self, text: str, code: int = 3) -> None:
        super().__init__(text)
        self.code = code


def say(text: str) -> None:
    """One line to whoever reads the log of this machine."""
    sys.stderr.write("leitstand boot: " + text + "\n")
    sys.stderr.flush()


class Switch:
    """The dead-man switch: ends this machine by the provider's own key of it, which no worker sees,
    at `end_by` or once the control plane was not heard for too long."""

    def __init__(self, environ: dict[str, str]) -> None:
        self.key = environ.get(environ.get(END_KEY, ""), "")
        self.url = re.sub("{(.*?)}", lambda m: environ.get(m[1]) or m[0], environ.get(END_URL, ""))
        safe = re.fullmatch(r"(https://[^/{}]+|http://127\.0\.0\.1:\d+)/[^{}]+", self.url)
        self.armed = bool(self.key and safe)
        self.body = environ.get(END_BODY)
        self.grace = float(environ.get(END_GRACE) or GRACE_SECONDS)
        self.pipe = self.child = -1

    def start(self, seconds: float) -> None:
        """Goes on in a child; this process watches and outlives it, as the first of a container
        must. None of this user can read its key: before there is a child it is not dumpable."""
        if not self.armed:
            return
        if ctypes.CDLL(None).prctl(4, 0, 0, 0, 0):  # PR_SET_DUMPABLE
            raise Refused("the key of this machine cannot be kept from the worker")
        read, self.pipe = os.pipe()
        signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED)
        self.child = os.fork()
        if self.child:
            os.close(self.pipe)
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
            for number in FORWARDED:
                signal.signal(number, self.forward)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
            self.watch(read, seconds)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
        os.close(read)
        os.set_blocking(self.pipe, False)
        os.set_inheritable(self.pipe, True)

    def forward(self, number: int, _: Any) -> None:
        with contextlib.suppress(OSError):
            os.kill(self.child, number)

    def heard(self) -> None:
        with contextlib.suppress(OSError):
            os.write(self.pipe, b".")

    def watch(self, beats: int, seconds: float, silence: float = SILENCE_SECONDS) -> NoReturn:
        """Until it is time, then end this machine."""
        heard = time.monotonic()
        over, why = heard + seconds, "its time is over"
        while True:
            left = min(over, heard + silence) - time.monotonic()
            if left <= 0:
                break
            if select.select([beats], [], [], min(left, 60.0))[0]:
                if not os.read(beats, 4096):
                    why = "what ran here has ended"
                    time.sleep(min(self.grace, left))
                    break
                heard = time.monotonic()
        self.end(why)

    def end(self, why: str) -> NoReturn:
        """Ask as long as this runs, whatever is answered: a machine that was ended runs nothing."""
        say("ending this machine: " + why)
        pause = 1.0
        while True:
            self.ask()
            time.sleep(pause)
            pause = min(pause * 2, 60.0)

    def ask(self) -> None:
        parts = urlsplit(self.url)
        kind: Any = getattr(http.client, parts.scheme.upper() + "Connection")
        headers = {"Authorization": "Bearer " + self.key, "Content-Type": "application/json"}
        try:
            with contextlib.closing(kind(parts.hostname, parts.port, timeout=TIMEOUT)) as link:
                link.request("DELETE", parts.path, self.body, headers)
                say(f"its provider answers HTTP {link.getresponse().status}")
        except Exception as error:
            say("it could not be asked: " + type(error).__name__)


class Server:
    """The control plane. `pin` must come before anything else is asked of it."""

    def __init__(self, url: str, patience: float, switch: Switch) -> None:
        self.heard = switch.heard
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname:
            raise Refused("the address of the control plane is not https", 2)
        self.host, self.port = parts.hostname, parts.port or 443
        self.url, self.patience = url, patience
        self.ends = time.monotonic() + SECONDS_MAX
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_3

    def pin(self, sha256: str) -> None:
        """Believe the authority with this digest and no other. Nothing is sent before."""
        blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        blind.check_hostname = False
        blind.verify_mode = ssl.CERT_NONE
        blind.minimum_version = ssl.TLSVersion.TLSv1_3
        pem = self.small("/w/1/ca", 65536, blind)
        try:
            text = pem.decode("ascii").strip()
            der = ssl.PEM_cert_to_DER_cert(text)
        except ValueError:
            der = b""
        if hashlib.sha256(der).hexdigest() != sha256:
            raise Refused(f"the authority at {self.url} is not the one of the launch spec")
        self.context.load_verify_locations(cadata=text)

    def small(self, path: str, most: int, context: Any = None) -> bytes:
        """A body of `most` bytes at most."""
        body = b""

        def read() -> None:
            nonlocal body
            reply = self.ask(path, 0, context)
            body = reply.read(most + 1)
            if len(body) < int(reply.getheader("Content-Length") or len(body)):
                raise OSError("the answer was cut off")

        self.patiently(read, lambda: 0)
        if len(body) > most:
            raise Refused(f"the answer to {path} is too large")
        return body

    def ask(self, path: str, start: int, context: Any = None) -> http.client.HTTPResponse:
        how: Any = {"timeout": TIMEOUT, "context": context or self.context}
        link = http.client.HTTPSConnection(self.host, self.port, **how)
        headers = {"Leitstand-Protocol": "1", "Connection": "close"}
        headers.update({"Range": f"bytes={start}-"} if start else {})
        link.request("GET", path, headers=headers)
        reply = link.getresponse()
        if reply.status == 429 or reply.status >= 500:
            raise OSError(f"HTTP {reply.status}")
        self.heard()
        if reply.status != (206 if start else 200):
            raise Refused(f"the control plane answers HTTP {reply.status} to {path}")
        return reply

    def patiently(self, call: Callable[[], None], have: Callable[[], int]) -> None:
        """`call`, again after growing pauses while the network is at fault; what `have` counts
        renews the patience."""
        pause, had = 0.25, have()
        until = time.monotonic() + self.patience
        while True:
            try:
                return call()
            except ssl.SSLCertVerificationError:
                raise Refused(
                    f"{self.url} has no certificate of the authority in the launch spec"
                ) from None
            except (OSError, http.client.HTTPException) as error:
                now = time.monotonic()
                if have() > had:
                    pause, had, until = 0.25, have(), now + self.patience
                if now + pause > min(until, self.ends):
                    said = str(error) or type(error).__name__
                    raise Refused(f"{self.url} cannot be reached: {said}", 5) from None
            time.sleep(pause)
            pause = min(pause * 2, 15.0)

    def fetch(self, file: dict[str, Any], target: str) -> None:
        """One file, resumed where it broke off, with the digest of the manifest."""
        size, have, digest = file["bytes"], 0, hashlib.sha256()
        with open(target, "wb") as out:

            def more() -> None:
                nonlocal have
                reply = self.ask("/w/1/boot/files/" + file["sha256"], have)
                while have < size:
                    piece = reply.read(min(PIECE, size - have))
                    if not piece:
                        raise OSError(f"{file['name']} ended at {have} of {size} bytes")
                    out.write(piece)
                    digest.update(piece)
                    have += len(piece)
                    if time.monotonic() > self.ends:
                        raise Refused(f"the download takes longer than {SECONDS_MAX:.0f} s", 5)

            self.patiently(more, lambda: have)
        if digest.hexdigest() != file["sha256"]:
            raise Refused("{} is not the file that the manifest names".format(file["name"]))


def told(environ: dict[str, str]) -> str:
    """The launch spec, from one variable or from numbered parts in base64."""
    if environ.get(SPEC):
        return environ[SPEC]
    parts = [environ.get(PART + str(number), "") for number in range(PARTS_MAX)]
    try:
        return base64.b64decode("".join(parts), validate=True).decode("utf-8")
    except ValueError:
        return ""


def manifest_of(body: bytes, sha256: str) -> dict[str, Any]:
    """What to install, if these are the bytes that the launch spec names and they fit this machine."""
    if hashlib.sha256(body).hexdigest() != sha256:
        raise Refused("the manifest is not the one of the launch spec")
    manifest: dict[str, Any] = json.loads(body.decode("utf-8"))
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if manifest["python"] != here:
        raise Refused("the worker is built for Python {python}, not {}".format(here, **manifest))
    if manifest["machine"] != platform.machine():
        raise Refused("the worker is built for {machine}".format(**manifest))
    files = manifest["files"]
    sizes = [file["bytes"] for file in files]
    if len(files) > FILES_MAX or any(size < 0 for size in sizes) or sum(sizes) > BYTES_MAX:
        raise Refused("the manifest asks for too much")
    for file in files:
        if not (NAME.fullmatch(file["name"]) and HEX.fullmatch(file["sha256"])):
            raise Refused("the manifest names a file that is none")
    return manifest


def room(base: str, spec: str) -> str:
    """A folder of our own; refused where this spec has been started here too often."""
    name = hashlib.sha256(spec.encode("utf-8")).hexdigest()[:16]
    folder = os.path.join(base, "leitstand-boot-" + name)
    os.makedirs(folder, 0o700, exist_ok=True)
    if os.stat(folder).st_uid != os.getuid() or os.path.islink(folder):
        raise Refused(f"{folder} belongs to somebody else")
    marks = [name for name in os.listdir(folder) if name.startswith("start-")]
    if len(marks) >= STARTS_MAX:
        raise Refused(f"this machine has started {len(marks)} times without a worker")
    os.mkdir(os.path.join(folder, f"start-{len(marks)}"))
    for left in ("wheels", "venv"):
        shutil.rmtree(os.path.join(folder, left), ignore_errors=True)
    return folder


def install(folder: str, wheels: dict[str, str]) -> str:
    """A venv of these wheels alone, by the pip among them; its interpreter."""
    venv = folder + "/venv"
    python = venv + "/bin/python"
    pips = [path for path in wheels if os.path.basename(path).startswith("pip-")]
    if not pips:
        raise Refused("the manifest has no pip")
    listed = folder + "/requirements.txt"
    with open(listed, "w") as out:
        out.writelines(f"{path} --hash=sha256:{wheels[path]}\n" for path in sorted(wheels))
    options = (
        "--no-index --no-deps --require-hashes --only-binary=:all: --no-cache-dir --no-compile"
    )
    options += " --disable-pip-version-check --no-input --quiet --root-user-action=ignore"
    for what, command in (
        ("venv", [sys.executable, "-I", "-m", "venv", "--without-pip", venv]),
        ("pip", [python, "-I", pips[0] + "/pip", "install", *options.split(), "-r", listed]),
    ):
        clean = {"PATH": os.defpath, "LANG": "C.UTF-8", "HOME": folder, "TMPDIR": folder}
        clean["PIP_CONFIG_FILE"] = os.devnull
        ran = run(command, check=False, env=clean, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT)
        if ran.returncode:
            lines = ran.stdout.decode("utf-8", "replace").strip().splitlines() or ["no word"]
            raise Refused(f"{what} failed: {lines[-1][:300]}", 1)
    return python


def prepare(environ: dict[str, str], raw: str, spec: dict[str, Any], switch: Switch) -> str:
    """From the launch spec to an interpreter that has the worker."""
    wanted = environ.get(MANIFEST, "")
    if not HEX.fullmatch(wanted):
        raise Refused(f"{MANIFEST} holds no digest", 2)
    folder = room(environ.get(FOLDER) or tempfile.gettempdir(), raw)
    server = Server(spec["url"], float(environ.get(PATIENCE) or 300), switch)
    server.pin(spec["ca_sha256"].lower())
    body = server.small("/w/1/boot/manifest", MANIFEST_BYTES_MAX)
    manifest = manifest_of(body, wanted)
    files: list[dict[str, Any]] = manifest["files"]
    size = sum(file["bytes"] for file in files)
    free = shutil.disk_usage(folder).free
    if free < 4 * size:
        raise Refused(f"the disk has {free // 10**6} MB, {4 * size // 10**6} are needed")
    wheels = folder + "/wheels"
    os.mkdir(wheels, 0o700)
    say(f"fetching {len(files)} files, {size // 10**6} MB, from {spec['url']}")
    for file in files:
        server.fetch(file, wheels + "/" + file["name"])
    found = {wheels + "/" + file["name"]: file["sha256"] for file in files}
    say("every digest matches; installing")
    python = install(folder, found)
    shutil.rmtree(wheels)
    return python


def main(environ: dict[str, str], installed: bool) -> int:
    """Does not return where all went well: the worker takes the process over. `installed`: this
    interpreter has the worker, as a prebuilt image does."""
    switch = Switch(environ)
    code = boot(environ, installed, switch)
    if switch.armed and switch.child:
        time.sleep(switch.grace)
        switch.end("it did not become a worker")
    return code


def boot(environ: dict[str, str], installed: bool, switch: Switch) -> int:
    """The exit code of a boot that came to nothing."""
    try:
        if not hasattr(ssl, "TLSVersion") or not ssl.HAS_TLSv1_3:
            raise Refused("this Python has no TLS 1.3")
        raw = told(environ)
        try:
            spec = json.loads(raw)
            instance = str(spec["instance_id"])
            str(spec["url"] + spec["ca_sha256"] + spec["token"])
            left = datetime.fromisoformat(spec["end_by"]).timestamp() - time.time()
        except (KeyError, TypeError, ValueError):
            raise Refused(f"there is no launch spec in {SPEC}", 2) from None
        switch.start(left)
        python = sys.executable if installed else prepare(environ, raw, spec, switch)
        ours = (PART, PROGRAM, "LEITSTAND_BOOT_", "LEITSTAND_END_", "PYTHON", "PIP_")
        kept = {name: value for name, value in environ.items() if not name.startswith(ours)}
        kept.pop(environ.get(END_KEY, ""), None)
        kept[SPEC] = raw
        if switch.armed:
            kept[BEATS] = str(switch.pipe)
        say("starting the worker of " + instance)
        os.execve(python, [python, "-P", "-m", "leitstand", "worker", "--label", instance], kept)
    except Refused as refusal:
        say(f"refused: {refusal}")
        return refusal.code
    except Exception as error:
        say(f"refused: {type(error).__name__}: {str(error)[:300]}")
        return 1


if __name__ == "__main__":
    sys.exit(main(dict(os.environ), "--installed" in sys.argv[1:]))
