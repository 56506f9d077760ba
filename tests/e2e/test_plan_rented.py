"""`leitstand plan --provider`: what a provider behind HTTP offers, as a person sees it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from leitstand import __version__
from tests import weights
from tests.e2e.conftest import Install
from tests.e2e.installation import Installation
from tests.wire.clock import Clock
from tests.wire.runpod_server import ServedRunPod
from tests.wire.server import Served
from tests.wire.vast_rules import PERMISSIONS
from tests.wire.vast_server import ServedVast

KEY = "CANARYKEYOFATEST0123456789abcdef"
SETTINGS = """
[worker]
advertise_url = "https://1.1.1.1:8443"

[money]
usd_eur = "0.92"
usd_eur_date = 2026-11-20

[providers.{name}]
key_file = "{key}"
base_url = "{url}"
agreement_file = "{agreement}"
regions = ["CZ", "DE", "NL", "RO", "SE"]
image = "registry.example/python@sha256:{digest}"
image_date = "{day}"
"""


@pytest.fixture(params=["runpod", "vast"])
def served(request: pytest.FixtureRequest) -> Iterator[tuple[str, Served]]:
    clock = Clock()
    made: ServedRunPod | ServedVast
    if request.param == "runpod":
        made = ServedRunPod(clock)
        made.sim.keys[KEY] = "all"
    else:
        made = ServedVast(clock)
        made.sim.keys[KEY] = frozenset(PERMISSIONS)
    with made:
        yield request.param, made


def configured(install: Install, tmp_path: Path, name: str, url: str) -> Installation:
    """An installation that rents there, with all that a launch would need."""
    here = install()
    key, agreement = tmp_path / "key", tmp_path / "agreement.pdf"
    key.touch(0o600)
    key.write_text(f"{KEY}\n")
    agreement.write_text("signed")
    day = datetime.now(UTC).date()
    text = SETTINGS.format(
        name=name, key=key, url=url, agreement=agreement, digest="0" * 64, day=day
    )
    here.folders.settings_file.parent.mkdir(parents=True, exist_ok=True)
    here.folders.settings_file.write_text(text)
    here.folders.boot.mkdir(parents=True)
    (here.folders.boot / "manifest.json").write_text(
        json.dumps({"version": __version__, "built_at": datetime.now(UTC).isoformat()})
    )
    return here


def test_a_plan_shows_what_is_offered_there_and_rents_nothing(
    install: Install, tmp_path: Path, served: tuple[str, Served]
) -> None:
    name, line = served
    here = configured(install, tmp_path, name, line.url)
    ran = here.run("plan", "--provider", name, "--json", weights.picture_path("bus.jpg"))
    assert ran.code == 0, ran.err
    decision = _decision(ran.out)
    offer = decision["chosen"]["offer"]
    assert (offer["provider"], offer["tier"]) == (name, "B")
    assert offer["region"] and offer["gpu"]
    assert "USD × 0.92 (2026-11-20)" in offer["quoted"]
    assert decision["rejected"]
    shown = here.run("plan", "--provider", name, weights.picture_path("bus.jpg"))
    assert shown.code == 0, shown.err
    assert offer["gpu"] in shown.out
    assert not [call for call in line.sim.calls if call[0] in ("PUT", "DELETE")]
    here.close()
    assert [path for path in here.files() if KEY.encode() in path.read_bytes()] == []
    assert KEY not in ran.out + ran.err + shown.out + shown.err


def _decision(out: str) -> dict[str, Any]:
    rows = [json.loads(line) for line in out.strip().splitlines()]
    found = next(row for row in rows if "rejected" in row or "rejected" in row.get("decision", {}))
    inner: dict[str, Any] = found.get("decision", found)
    return inner
