"""A picture on a rented machine, from the key in a file to the empty account."""

from __future__ import annotations

import os
import pty
import re
import shutil
import subprocess
import termios
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from leitstand.app import TENANT
from leitstand.boot import bundle
from leitstand.clockwork import SystemClock, SystemIds
from leitstand.config import Settings
from leitstand.control.bills import Bills
from leitstand.control.commands import Door
from leitstand.core.admission import same_model
from leitstand.ports import Provider
from leitstand.providers.runpod import RunPod
from leitstand.providers.vast import Vast
from leitstand.rules import retention
from leitstand.store import money
from leitstand.store.engine import Database
from leitstand.told import told
from leitstand.vault.strongbox import Strongbox
from tests import weights
from tests.boot import stock
from tests.e2e import rented
from tests.e2e.conftest import Install
from tests.e2e.installation import Installation, Ran
from tests.e2e.rented import Hosts, Machines
from tests.e2e.test_mailbox import free_port
from tests.wire.faults import replaced
from tests.wire.runpod_rules import NO_INSTANCES
from tests.wire.server import Wire
from tests.wire.vast_rules import PERMISSIONS

KEY = "CANARYKEYOFATEST0123456789abcdef"
RATE = Decimal("0.92")
SCREEN = (50, 200)
STYLE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
SETTINGS = """
[worker]
listen = "127.0.0.1:{port}"
advertise_url = "https://1.1.1.1:{port}"
probe_seconds = 0

[money]
usd_eur = "{rate}"
usd_eur_date = 2026-11-20

[budgets]
month_eur = "50"

[providers.{name}]
key_file = "{key}"
base_url = "{url}"
agreement_file = "{agreement}"
regions = ["CZ", "DE", "NL", "NO", "RO", "SE"]
image = "registry.example/python@sha256:{digest}"
image_date = "{day}"
"""
FINAL = timedelta(days=40)
"""After this a bill is believed whatever it says."""
QUESTION = "Rent it and start? [y/N, ? for why]"
FULL = {
    "title": "Bad Request",
    "status": 400,
    "detail": NO_INSTANCES,
}
ADAPTERS: dict[str, Callable[..., Provider]] = {"runpod": RunPod, "vast": Vast}
CREATES = {"runpod": ("POST", "/v2/pods"), "vast": ("PUT", "/api/v0/asks/")}


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("wheels")
    return [bundle.own_wheel(folder), *rented.libraries(folder)]


@contextmanager
def story(
    name: str, install: Install, wheels: list[Path], folder: Path
) -> Iterator[tuple[Installation, Hosts, Machines]]:
    """An installation that rents there, with all that a launch needs, and what would be rented."""
    with ExitStack() as stack:
        hosts = stack.enter_context(rented.account(name, KEY, frozenset(PERMISSIONS)))
        machines = stack.enter_context(Machines(hosts, folder / "machines"))
        here = install()
        stack.callback(here.close)
        key, agreement = folder / "key", folder / "agreement.pdf"
        key.touch(0o600)
        key.write_text(f"{KEY}\n")
        agreement.write_text("signed")
        text = SETTINGS.format(
            port=free_port(),
            rate=RATE,
            name=name,
            key=key,
            url=hosts.served.url,
            agreement=agreement,
            digest="0" * 64,
            day=hosts.served.clock.now().date(),
        )
        here.folders.settings_file.parent.mkdir(parents=True, exist_ok=True)
        here.folders.settings_file.write_text(text)
        mine = [Path(shutil.copy(wheel, folder)) for wheel in wheels]  # they are moved from here
        stock.handed_out(here.folders.boot, *mine)
        yield here, hosts, machines


def typed(here: Installation, answers: list[bytes], *arguments: str | Path) -> Ran:
    """The command at a terminal; a person gives these answers to its questions."""
    near, far = pty.openpty()
    termios.tcsetwinsize(far, SCREEN)
    process = subprocess.Popen(
        here.command(*arguments),
        cwd=here.work,
        env={**here.environment, "TERM": "xterm"},
        stdin=far,
        stdout=far,
        stderr=far,
        start_new_session=True,
    )
    os.close(far)
    shown, asked = b"", 0
    with suppress(OSError):  # the terminal is closed once nobody holds it
        while piece := os.read(near, 65_536):
            shown += piece
            while shown.count(QUESTION.encode()) > asked:
                os.write(near, answers[asked] + b"\n")
                asked += 1
    os.close(near)
    text = (
        STYLE.sub("", shown.decode("utf-8", "replace")).replace("\r\n", "\n").replace("\xa0", " ")
    )
    return Ran(process.wait(), text, "", here.work)


def creates(hosts: Hosts, name: str) -> list[int]:
    """Statuses of every create that reached the simulator."""
    method, path = CREATES[name]
    calls = hosts.served.sim.calls
    return [status for verb, target, status in calls if verb == method and target.startswith(path)]


def booked(here: Installation, hosts: Hosts) -> Decimal:
    """What is booked once the last bill was looked at, long after all this."""
    hosts.served.clock.forward(seconds=FINAL.total_seconds())
    settings = Settings.load(here.folders)
    vault = Strongbox(here.folders.keys)
    with Database.open(f"sqlite:///{here.folders.database}") as database:
        door = Door(database, vault, SystemIds(), TENANT, SystemClock(), retention(settings))
        line = Wire(hosts.served)
        said = told(settings.provider(hosts.name), settings.money)
        bills = Bills(door, {hosts.name: ADAPTERS[hosts.name](said, line)})
        bills.step(SystemClock().now() + FINAL)
        return database.read(lambda conn: money.spent(conn, TENANT))


def check(
    name: str, here: Installation, hosts: Hosts, machines: Machines, ran: Ran
) -> dict[str, Any]:
    """Findings, an empty account, money to the cent, an audit that holds, a key that stayed."""
    assert ran.code == 0, ran.out + ran.err + machines.said()
    assert machines.errors == []
    findings = [f for f in ran.report()["findings"] if f["kind"] == "object"]
    labels = [finding["label"] for finding in findings]
    assert "bus" in labels
    assert labels.count("person") >= 2
    (one,) = hosts.all()
    assert one.gone
    assert machines.processes == {}
    with here.client() as client:
        (job,) = client.get("/jobs")["items"]
        whole = client.get(f"/jobs/{job['id']}")
        whole["decided"] = client.get(f"/decisions/{whole['decision']}")
        assert client.get("/ledger/verify")["verified"] is True
    worked = {a["instance"] for a in whole["attempts"] if a["pipeline"] == "image"}
    rents = [i for i in whole["instances"] if i["provider"] == name and i["id"] in worked]
    assert len(rents) == 1
    assert {i["state"] for i in whole["instances"]} == {"terminated"}
    assert [m["medium_state"] for m in whole["media"]] == ["erased"]
    audit = here.run("audit", "verify")
    assert audit.code == 0, audit.err
    here.close()
    euros = booked(here, hosts)
    invoice = hosts.invoice()
    assert list(invoice) == [one.id]
    assert invoice[one.id] > 0
    assert abs(euros - invoice[one.id] * RATE) < Decimal("0.00001")
    secret = KEY.encode()
    assert [p for p in here.files() if secret in p.read_bytes()] == []
    assert KEY not in ran.out + ran.err + audit.out + audit.err + machines.said()
    assert all(KEY not in text for env in machines.environments.values() for text in env.values())
    return dict(whole)


@pytest.mark.parametrize("name", ["runpod", pytest.param("vast", marks=pytest.mark.full)])
def test_a_picture_is_analysed_on_a_rented_machine_and_the_account_is_empty_afterwards(
    install: Install, tmp_path: Path, wheels: list[Path], name: str
) -> None:
    with story(name, install, wheels, tmp_path) as (here, hosts, machines):
        picture = weights.picture_path("bus.jpg")
        ran = typed(here, [b"y"], "analyze", "--provider", name, picture)
        whole = check(name, here, hosts, machines, ran)
        (one,) = hosts.all()
        assert ran.out.count(QUESTION) == 1
        before, _, after = ran.out.partition(QUESTION)
        chosen = whole["decided"]["chosen"]["offer"]
        assert same_model(chosen["gpu"], one.gpu)
        for column in ("GPU", "WHERE", "TIER", "€/H", "EXPECTED", "AT MOST"):
            assert column in before
        (row,) = [line for line in before.splitlines() if line.endswith("chosen")]
        assert f"{chosen['gpu']} " in row
        assert f"{name} {chosen['region']}  {chosen['tier']} " in row
        assert f" {Decimal(chosen['price_eur_per_hour']):.2f} " in row
        assert row.count(" €") == 2
        assert "50.00 € of the budget is free before that" in before
        assert "seen absent" in after
        assert "!" not in after
        assert creates(hosts, name) == [201 if name == "runpod" else 200]


@pytest.mark.full
def test_what_is_refused_is_replaced_by_the_next_offer(
    install: Install, tmp_path: Path, wheels: list[Path]
) -> None:
    with story("runpod", install, wheels, tmp_path) as (here, hosts, machines):
        hosts.served.faults.append(replaced("POST", "/v2/pods", 400, FULL, effect=False))
        picture = weights.picture_path("bus.jpg")
        ran = typed(here, [b"?", b"y"], "analyze", "--provider", "runpod", picture)
        whole = check("runpod", here, hosts, machines, ran)
        assert "WHY NOT" in ran.out
        assert ran.out.count(QUESTION) == 2
        refused = [
            i for i in whole["instances"] if (i["reason"] or {}).get("code") == "no-capacity"
        ]
        assert len(refused) == 1
        assert creates(hosts, "runpod") == [201]


def test_a_no_rents_nothing_and_takes_back_what_was_sent(
    install: Install, tmp_path: Path, wheels: list[Path]
) -> None:
    with story("runpod", install, wheels, tmp_path) as (here, hosts, _):
        picture = weights.picture_path("bus.jpg")
        ran = typed(here, [b"n"], "analyze", "--provider", "runpod", picture)
        assert ran.code == 2, ran.out
        assert creates(hosts, "runpod") == []
        assert hosts.all() == []
        with here.client() as client:
            assert client.get("/jobs")["items"] == []
            assert {medium["state"] for medium in client.get("/media")["items"]} <= {"erased"}
