"""One bootstrap, as each kind of provider takes it: arrays and variables, never a shell string made
of what anybody else wrote.

A fresh machine needs `/bin/sh` and a `python3` with TLS 1.3 and `venv`: the official `python` images
have both, and so has Debian without `python3-venv`. Program and launch spec travel in base64, in
numbered variables of at most 256 characters, so that nothing needs quoting anywhere and the command
is one constant line.
"""

from __future__ import annotations

import ast
import base64
import inspect
import json
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from leitstand import launch
from leitstand.boot import firewall, program
from leitstand.boot.firewall import Way
from leitstand.core.boot import REFUSED
from leitstand.ports import LaunchSpec

VALUE_MAX = 256
"""Characters of one variable at Vast.ai, where this is the least."""
VARIABLES_MAX = 32_768
VAST_COMMAND_MAX = 4096
"""Characters of `args`, `args_str` and `onstart` together (Vast.ai, create instance)."""
RUNPOD_BODY_MAX = 102_400
DOCKER_BOOT_FOLDER = "/tmp"
_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_WORKER_USER = "leitstand"
PREBUILT = "/opt/leitstand/bin/python"
"""Where an image of `Containerfile` has the worker."""
SHELL_LINE = (
    f"[ ! -x {PREBUILT} ] || exec {PREBUILT} -I /opt/leitstand/boot.py --installed;"
    " command -v python3 >/dev/null 2>&1 ||"
    f" {{ echo '{REFUSED}this image has no python3' >&2; exit 3; }};"
    " exec python3 -I -c 'import base64,os,zlib;"
    f'get=lambda n:os.environ.get("{program.PROGRAM}"+str(n),"");'
    f'exec(zlib.decompress(base64.b64decode("".join(map(get,range({program.PARTS_MAX}))))))\''
)
"""POSIX shell: the worker where the image has it, the program where there is a `python3`, else a last
line that says so."""


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """What runs, and in which variables it finds what it is told."""

    command: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)


def bootstrap(spec: LaunchSpec, cache_folder: str | None = None) -> Bootstrap:
    """The bootstrap of one instance. `spec.environment` must name the manifest
    (`launch.MANIFEST_VARIABLE`); the rest of it is passed on. `cache_folder` holds models between instances.

    Raises ValueError on a launch spec that names no manifest or does not fit.
    """
    if not re.fullmatch(r"[0-9a-f]{64}", spec.environment.get(launch.MANIFEST_VARIABLE, "")):
        raise ValueError("the launch spec names no manifest")
    environment = dict(spec.environment)
    # An image without CUDA of its own still gets the driver (NVIDIA Container Toolkit).
    environment.setdefault("NVIDIA_DRIVER_CAPABILITIES", "compute,utility")
    environment |= _numbered(program.PART, launch.encode(spec, cache_folder).encode())
    environment |= _numbered(program.PROGRAM, _packed())
    for name, value in environment.items():
        if not _NAME.fullmatch(name) or len(value) > VALUE_MAX or not value.isprintable():
            raise ValueError(f"{name} is no variable that every provider takes")
    size = sum(len(name) + len(value) for name, value in environment.items())
    if size > VARIABLES_MAX:
        raise ValueError("the launch spec is too large")
    return Bootstrap(("/bin/sh", "-c", SHELL_LINE), environment)


def _numbered(prefix: str, body: bytes) -> dict[str, str]:
    """`body` in base64, cut into variables."""
    text = base64.b64encode(body).decode()
    parts = [text[at : at + VALUE_MAX] for at in range(0, len(text), VALUE_MAX)]
    if len(parts) > program.PARTS_MAX:
        raise ValueError("the launch spec is too large")
    return {f"{prefix}{number}": part for number, part in enumerate(parts)}


def runpod(spec: LaunchSpec, cache_folder: str | None = None) -> dict[str, Any]:
    """Fields of `POST /v2/pods`: the exec form replaces what the image would run."""
    made = bootstrap(spec, cache_folder)
    return {
        "entrypoint": list(made.command[:1]),
        "cmd": list(made.command[1:]),
        "env": dict(made.environment)
        | _end("https://api.runpod.io/v2/pods/{RUNPOD_POD_ID}", "RUNPOD"),
    }


def vast(spec: LaunchSpec, cache_folder: str | None = None) -> dict[str, Any]:
    """Fields of `PUT /api/v0/asks/{id}/`: `args` keeps the image's entry point, which must pass its
    arguments on or be absent, and opens no SSH port."""
    made = bootstrap(spec, cache_folder)
    if sum(len(word) for word in made.command) > VAST_COMMAND_MAX:
        raise ValueError("the bootstrap is longer than Vast.ai takes")
    end = _end("https://console.vast.ai/api/v0/instances/{CONTAINER_ID}/", "CONTAINER")
    environment = dict(made.environment) | end | {program.END_BODY: "{}"}
    return {"runtype": "args", "args": list(made.command), "env": environment}


def _end(url: str, named: str) -> dict[str, str]:
    """How a machine ends itself: by the key that its provider gives it for nothing else."""
    return {program.END_URL: url, program.END_KEY: f"{named}_API_KEY"}


def docker(
    spec: LaunchSpec, cache_folder: str | None = None, *, installed: bool = False
) -> dict[str, Any]:
    """Fields of `POST /containers/create` (Docker Engine API). `DOCKER_BOOT_FOLDER` is where the
    worker is installed: the container must be able to write and run files there. `installed`: the
    image has it (`deploy/Containerfile`), and is told and nothing more."""
    if installed:
        kept = {**spec.environment, launch.VARIABLE: launch.encode(spec, cache_folder)}
        return {"Env": [f"{name}={value}" for name, value in sorted(kept.items())]}
    made = bootstrap(spec, cache_folder)
    told = {**made.environment, program.FOLDER: DOCKER_BOOT_FOLDER}
    return {
        "Entrypoint": list(made.command[:1]),
        "Cmd": list(made.command[1:]),
        "Env": [f"{name}={value}" for name, value in sorted(told.items())],
    }


def cloud_init(spec: LaunchSpec, ways: Sequence[Way], cache_folder: str | None = None) -> str:
    """User data of a VM with Python 3.11 or newer (Debian 12, Ubuntu 24.04). `ways`: all that it may
    dial, the control plane among it.

    What is told lies below `/run`, in memory; cloud-init itself keeps user data on disk, readable by
    root, and with it the token, which is spent by then. The worker is no root, starts behind its
    firewall or not at all, and finds names in a file of its own. Security updates install themselves,
    now and daily, and restart nothing: the machine is gone before a new kernel would matter.

    Raises ValueError as `bootstrap` does, and where no way leads to the control plane.
    """
    made = bootstrap(spec, cache_folder)
    plane = urlsplit(spec.url)
    if (plane.hostname, plane.port or 443) not in {(way.host, way.port) for way in ways}:
        raise ValueError("no way leads to the control plane")
    variables = "".join(f"{name}={value}\n" for name, value in sorted(made.environment.items()))
    document = {
        "package_update": True,
        "packages": ["nftables", "python3", "unattended-upgrades"],
        "apt": {"preserve_sources_list": True, "conf": _UPDATES},
        "users": [
            {
                "name": _WORKER_USER,
                "uid": firewall.WORKER_UID,
                "system": True,
                "lock_passwd": True,
                "shell": "/usr/sbin/nologin",
            }
        ],
        "ssh_pwauth": False,
        "disable_root": True,
        "write_files": [
            _file("/run/leitstand/environment", variables),
            _file("/run/leitstand/boot.sh", SHELL_LINE + "\n"),
            _file("/run/leitstand/hosts", firewall.hosts(ways)),
            _file("/run/leitstand/firewall.nft", firewall.nftables(ways)),
            _file("/run/systemd/system/leitstand-firewall.service", _FIREWALL_UNIT),
            _file("/run/systemd/system/leitstand-worker.service", _UNIT),
        ],
        "runcmd": [
            ["systemctl", "daemon-reload"],
            ["systemctl", "start", "--no-block", "leitstand-worker.service"],
            ["systemctl", "start", "--no-block", "apt-daily-upgrade.service"],
        ],
    }
    return "#cloud-config\n" + json.dumps(document, indent=1) + "\n"  # JSON is YAML


def _file(path: str, content: str) -> dict[str, str]:
    mode = "0600" if path.endswith(("/environment", ".nft")) else "0644"
    return {"path": path, "owner": "root:root", "permissions": mode, "content": content}


_UPDATES = """APT::Periodic::Update-Package-Lists "1";
APT::Periodic::Unattended-Upgrade "1";
Unattended-Upgrade::Automatic-Reboot "false";
"""
_FIREWALL_UNIT = """[Unit]
Description=What a Leitstand worker may dial

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft -f /run/leitstand/firewall.nft
"""
_UNIT = f"""[Unit]
Description=Leitstand worker
Requires=leitstand-firewall.service
Wants=network-online.target
After=leitstand-firewall.service network-online.target

[Service]
User={_WORKER_USER}
EnvironmentFile=/run/leitstand/environment
ExecStart=/bin/sh /run/leitstand/boot.sh
BindReadOnlyPaths=/run/leitstand/hosts:/etc/hosts
InaccessiblePaths=-/run/systemd/resolve -/run/dbus
CacheDirectory=leitstand
PrivateTmp=yes
ProtectSystem=strict
ProtectHome=yes
NoNewPrivileges=yes
LimitCORE=0
Restart=no
"""


@cache
def _packed() -> bytes:
    """`program.py` without what only its readers need."""
    tree = _Bare().visit(ast.parse(inspect.getsource(program)))
    bare = ast.unparse(ast.fix_missing_locations(tree))
    return zlib.compress(bare.encode(), 9)


class _Bare(ast.NodeTransformer):
    """Drops docstrings and annotations."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        for argument in node.args.args:
            argument.annotation = None
        return self._without_docstring(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self._without_docstring(node)

    def visit_Module(self, node: ast.Module) -> ast.AST:
        return self._without_docstring(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        if node.value is None:
            return None
        return ast.copy_location(ast.Assign([node.target], node.value), node)

    def _without_docstring(self, node: ast.FunctionDef | ast.ClassDef | ast.Module) -> ast.AST:
        if ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
        return self.generic_visit(node)
