"""Customers keep a way to their media without us: Debian's `age` opens what we store."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests import weights
from tests.e2e.conftest import Install


def test_age_opens_a_medium_with_its_exported_identity_until_it_is_erased(
    install: Install, tmp_path: Path
) -> None:
    here = install()
    picture = weights.picture_path("astronaut.png")
    ran = here.run("analyze", "--case", "Prüfung 7", picture)
    assert ran.code == 0, ran.err
    with here.client() as client:
        (medium,) = client.get("/media")["items"]
    assert medium["state"] == "ready"

    taken = here.run("media", "download", medium["id"], "--out", tmp_path)
    assert taken.code == 0, taken.err
    exported = here.run("media", "export-identity", medium["id"])
    assert exported.code == 0, exported.err
    key = tmp_path / "key.txt"
    key.write_text(exported.out)
    (file,) = tmp_path.glob("*.age")
    opened = subprocess.run(["age", "-d", "-i", key, file], capture_output=True)
    assert opened.returncode == 0, opened.stderr
    assert opened.stdout == picture.read_bytes()

    erased = here.run("media", "erase", "--yes", medium["id"])
    assert erased.code == 0, erased.err
    refused = here.run("media", "export-identity", medium["id"], "--json")
    assert refused.code != 0
    assert "AGE-SECRET-KEY" not in refused.out + refused.err
    assert json.loads(refused.err.splitlines()[-1])["error"]["code"]
    with here.client() as client:
        assert client.get(f"/media/{medium['id']}")["state"] in ("erasing", "erased")
    receipt = here.run("audit", "show", "--json")
    assert receipt.code == 0, receipt.err
    entries = json.loads(receipt.out)["items"]
    acts = [entry["type"] for entry in entries if entry["subject"] == medium["id"]]
    assert acts.count("medium.export_identity") == 1
    assert "medium.erase" in acts
    assert here.run("audit", "verify").code == 0
