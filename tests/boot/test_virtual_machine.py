"""The rendered user data in a real machine: Debian with cloud-init under QEMU, without KVM. What
becomes the worker there looks around and says what it sees on the serial console. Debian comes from
whatever mirror this machine's apt uses."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from leitstand import launch
from leitstand.boot import firewall, render
from leitstand.ports import LaunchSpec
from leitstand.store.engine import Database
from tests.api.served import Workers, workers
from tests.boot import stock
from tests.control.rig import Rig

pytestmark = [
    pytest.mark.full,
    pytest.mark.timeout(5400),
    pytest.mark.skipif(os.geteuid() != 0, reason="making a root file system needs root"),
]

NAME, HOST, NAMES = "leitstand.example", "10.0.2.2", "10.0.2.3"
"""QEMU shows the loopback of this machine, and its name server, at these addresses."""
PACKAGES = "systemd-sysv,udev,cloud-init,python3,nftables,unattended-upgrades,iproute2,kmod"
KERNEL = "linux-image-cloud-amd64"
SECONDS_MAX = 1800
LOOKS = f"""
import json, os, socket, sys
from leitstand.elsewhere import PORT

def can(call):
    try:
        call()
        return True
    except OSError:
        return False

def asks():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.sendto(b"x", ("{NAMES}", 53))

print("SEEN " + json.dumps({{
    "arguments": sys.argv[1:],
    "uid": os.getuid(),
    "name": socket.gethostbyname("{NAME}"),
    "reads_what_root_was_told": can(lambda: open("/run/leitstand/environment")),
    "writes_system": can(lambda: open("/etc/written", "w")),
    "dials_elsewhere": can(lambda: socket.create_connection(("{HOST}", PORT), 20).close()),
    "asks_names": can(asks),
}}), flush=True)
"""
OBSERVES = """#!/bin/sh
# Root's view, after the worker: `ExecStopPost` of its unit.
exec >/dev/console 2>&1
say() { echo "FOUND $1 $2"; }
say result "$SERVICE_RESULT"
say mode "$(stat -c %a:%U /run/leitstand/environment)"
say drops "$(nft list table inet leitstand | grep -c 'policy drop')"
say timer "$(systemctl is-enabled apt-daily-upgrade.timer)"
say periodic "$(apt-config dump APT::Periodic::Unattended-Upgrade)"
systemctl start apt-daily-upgrade.service
say upgrades "$(grep -c 'Starting unattended upgrades script' \
    /var/log/unattended-upgrades/unattended-upgrades.log)"
systemctl poweroff --no-block
"""
FILES = {
    "etc/apt/sources.list": "",
    "etc/fstab": "LABEL=root / ext4 defaults 0 1\n",
    "etc/hostname": "machine\n",
    "etc/cloud/cloud.cfg.d/99-network.cfg": "network: {config: disabled}\n",
    "etc/systemd/network/10-wired.network": "[Match]\nName=en* eth*\n[Network]\nDHCP=ipv4\nIPv6AcceptRA=no\n",
    "etc/systemd/system/leitstand-worker.service.d/observe.conf": "[Service]\n"
    "ExecStopPost=+/bin/sh /observe.sh\nStandardOutput=journal+console\n"
    "StandardError=journal+console\n",
    "observe.sh": OBSERVES,
    "var/lib/cloud/seed/nocloud/meta-data": "instance-id: one\n",
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Debian 12 as a folder."""
    folder = tmp_path_factory.mktemp("machine") / "root"
    include = f"--include={PACKAGES},{KERNEL}"
    command = ["mmdebstrap", "--quiet", "--variant=minbase", include, "bookworm", str(folder)]
    subprocess.run(command, check=True, timeout=SECONDS_MAX)
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    for unit, target in (
        ("systemd-networkd.service", "multi-user.target"),
        ("systemd-networkd-wait-online.service", "network-online.target"),
    ):
        wants = folder / "etc/systemd/system" / f"{target}.wants"
        wants.mkdir(exist_ok=True)
        (wants / unit).symlink_to(f"/lib/systemd/system/{unit}")
    return folder


@pytest.fixture
def elsewhere() -> Iterator[int]:
    """The port of a listener that is not the control plane's."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def booted(folder: Path, root: Path, user_data: str) -> str:
    """The serial console of this machine from its start to its end."""
    (root / "var/lib/cloud/seed/nocloud/user-data").write_text(user_data, "utf-8")
    disk = folder / "disk.img"
    make = ["mkfs.ext4", "-q", "-L", "root", "-d", str(root), str(disk), "4G"]
    subprocess.run(make, check=True, timeout=SECONDS_MAX)
    (kernel,), (initrd,) = (root / "boot").glob("vmlinuz-*"), (root / "boot").glob("initrd.img-*")
    console = folder / "console"
    command = ["qemu-system-x86_64", "-accel", "tcg", "-m", "1024", "-smp", "2", "-no-reboot"]
    command += ["-display", "none", "-monitor", "none", "-serial", f"file:{console}"]
    command += ["-nic", "user,model=virtio-net-pci"]
    command += ["-drive", f"file={disk},format=raw,if=virtio"]
    command += ["-kernel", str(kernel), "-initrd", str(initrd), "-append"]
    line = "root=LABEL=root rw console=ttyS0 ds=nocloud"
    subprocess.run([*command, line], check=True, timeout=SECONDS_MAX)
    return console.read_text("utf-8", "replace")


def told(plane: Workers, files: stock.Files) -> LaunchSpec:
    return LaunchSpec(
        url=f"https://{NAME}:{plane.port}",
        ca_sha256=plane.authority.sha256,
        instance_id="instance_01JDABCDEFGHJKMNPQRSTVWXYZ",
        token="canary-token-of-a-machine",
        end_by=datetime.now(UTC) + timedelta(hours=1),
        slots=1,
        environment={launch.MANIFEST_VARIABLE: files.sha256},
    )


def test_a_virtual_machine_boots_closes_up_and_works(
    root: Path, sqlite_url: str, tmp_path: Path, elsewhere: int
) -> None:
    modules = {
        "leitstand/__init__.py": "",
        "leitstand/__main__.py": LOOKS,
        "leitstand/elsewhere.py": f"PORT = {elsewhere}\n",
    }
    wheel = stock.wheel(tmp_path, "leitstand", modules)
    files = stock.handed_out(tmp_path / "boot", wheel)
    files.changes = {"python": "3.11"}
    with (
        Database.open(sqlite_url, relaxed=True) as database,
        workers(Rig(database, tmp_path), tmp_path, boot=files, names=[NAME]) as plane,
    ):
        spec = told(plane, files)
        text = render.cloud_init(spec, [firewall.way(spec.url, [HOST])])
        console = booted(tmp_path, root, text)
    (line,) = re.findall(r"SEEN (\{.*\})", console)
    seen: dict[str, Any] = json.loads(line)
    assert seen == {
        "arguments": ["worker", "--label", spec.instance_id],
        "uid": firewall.WORKER_UID,
        "name": HOST,
        "reads_what_root_was_told": False,
        "writes_system": False,
        "dials_elsewhere": False,
        "asks_names": False,
    }
    found = dict(re.findall(r"FOUND (\w+) (.*?)\r?$", console, re.MULTILINE))
    assert found == {
        "result": "success",
        "mode": "600:root",
        "drops": "3",
        "timer": "enabled",
        "periodic": 'APT::Periodic::Unattended-Upgrade "1";',
        "upgrades": "1",
    }
