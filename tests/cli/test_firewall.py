"""`images firewall`: from a setting to a file that nft takes."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from leitstand.config import Folders
from tests.cli.conftest import Command


@pytest.fixture
def dialled(home: Folders) -> None:
    address = 'advertise_url = "https://localhost:8443"'
    home.settings_file.write_text(f"[worker]\n{address}\n", "utf-8")


@pytest.mark.usefixtures("dialled")
def test_the_rules_hold_the_addresses_of_the_control_plane(run: Command) -> None:
    done = run("images", "firewall", "worker.nft", "--admin", "198.51.100.0/24", "--json")
    assert done.exit == 0, done.err
    (last,) = map(json.loads, done.lines())
    assert "127.0.0.1" in last["addresses"]
    text = Path("worker.nft").read_text("utf-8")
    assert "127.0.0.1 . tcp . 8443" in text and "elements = { 198.51.100.0/24 }" in text
    command = ["unshare", "--map-root-user", "--net", "nft", "-c", "-f", "worker.nft"]
    checked = subprocess.run(command, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr


@pytest.mark.usefixtures("dialled")
def test_the_mailbox_is_the_other_way_where_there_is_one(
    run: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (
        ("LEITSTAND_BLOBS__URL", "s3://bucket/ours"),
        ("AWS_ACCESS_KEY_ID", "leitstand"),
        ("AWS_SECRET_ACCESS_KEY", "canary-secret"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9443"),
    ):
        monkeypatch.setenv(name, value)
    done = run("images", "firewall", "worker.nft", "--json")
    assert done.exit == 0, done.err
    (last,) = map(json.loads, done.lines())
    assert last["mailbox"] == "http://127.0.0.1:9443"
    text = Path("worker.nft").read_text("utf-8")
    assert "127.0.0.1 . tcp . 8443" in text and "127.0.0.1 . tcp . 9443" in text
    assert "canary" not in text + done.out + done.err


@pytest.mark.usefixtures("dialled")
def test_what_is_no_network_is_refused(run: Command) -> None:
    done = run("images", "firewall", "worker.nft", "--admin", "office")
    assert done.exit == 2
    assert "office" in done.err and not Path("worker.nft").exists()


def test_without_an_address_to_dial_there_is_no_way_to_leave_open(run: Command) -> None:
    done = run("images", "firewall", "worker.nft")
    assert done.exit == 2
    assert "worker.advertise_url" in done.err
