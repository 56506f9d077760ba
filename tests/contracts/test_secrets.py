"""A planted key and a planted token, and every place where a provider could leave them."""

import dataclasses
import json
import logging
import traceback
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal

import pytest
import sqlalchemy as sa
from tests.contracts.plane import Plane
from tests.contracts.worlds import IMAGE, KEY, LABEL, RENTED, TOKEN, offer, spec
from tests.wire import faults
from tests.wire.clock import Clock
from tests.wire.faults import Fault
from tests.wire.runpod_server import ServedRunPod
from tests.wire.vast_server import ServedVast

from leitstand.boot.program import told
from leitstand.core.placement import Requirements
from leitstand.launch import decode
from leitstand.ports import Capability, ProviderError, RateLimited
from leitstand.store.engine import Database

SERVED = {"runpod": ServedRunPod, "vast": ServedVast}
ECHO = f"Bearer {KEY} sent {TOKEN}"


class Watched:
    """A provider over loopback, and all that it said, sent and gave back."""

    def __init__(self, name, line, folder):
        world = RENTED[name]
        self.CREATE, self.LIST, self.END, self.OFFERS = (
            world.CREATE, world.LIST, world.END, world.OFFERS,
        )  # fmt: skip
        self.line, self.clock = line, line.clock
        line.sim.keys[KEY] = world.RIGHTS
        line.sim.account.conduct.read_lag = timedelta(0)
        path = folder / "provider.key"
        path.touch(0o600)
        path.write_text(KEY)
        settings = {"key_file": str(path), "usd_eur": "0.5", "image": IMAGE, "base_url": line.url}
        settings["reserve"] = "yes"
        self.provider = world.ADAPTER(settings, None, self.clock.monotonic, self.sleep)
        self.said = []
        self.sent = []
        self.inner, line.exchange = line.exchange, self.exchange

    def sleep(self, seconds):
        self.clock.forward(seconds=seconds)

    def exchange(self, method, target, headers, body):
        self.sent.append((target, {n.lower(): v for n, v in headers.items()}, body))
        return self.inner(method, target, headers, body)

    def ask(self, call):
        """A call; whatever comes of it is kept as somebody could print it."""
        self.clock.forward(minutes=2)
        try:
            found = call()
            found = list(found) if hasattr(found, "__iter__") else found
        except ProviderError as error:
            parts = [*traceback.format_exception(error), repr(error), repr(vars(error))]
            while error is not None:
                parts += [str(error), repr(error)]
                error = error.__cause__
            self.said += parts
            return None
        self.said.append(repr(found))
        for row in found if isinstance(found, list) else [found]:
            if dataclasses.is_dataclass(row):
                self.said.append(json.dumps(dataclasses.asdict(row), default=str))
        return found

    def everything(self):
        """Each call of the port and beside it."""
        provider, account, now = self.provider, self.provider.account, self.clock.now
        wanted = offer(provider)
        made = self.ask(lambda: provider.launch(wanted, spec(), LABEL))
        provider_id = made.provider_id if made else "1"
        calls = [
            lambda: provider.offers(Requirements(cuda_min="12.0", disk_gib=50)),
            provider.list,
            lambda: provider.pause(provider_id),
            lambda: provider.resume(provider_id),
            account.balance,
            lambda: account.billed(now() - timedelta(hours=1), now()),
        ]
        calls += [lambda: provider.logs(provider_id, 1)] * 4
        if Capability.VOLUMES in provider.capabilities:
            calls += [
                account.volumes,
                lambda: account.create_volume("ls1-abcdefgh-models", 10, "EU-RO-1"),
                lambda: account.delete_volume("gone"),
            ]
        if Capability.RESERVE in provider.capabilities:
            calls.append(lambda: provider.prepay(provider_id, Decimal(1)))
        for call in calls:
            self.ask(call)
        self.ask(lambda: provider.terminate(provider_id))


@pytest.fixture(params=SERVED)
def watched(request, tmp_path):
    with SERVED[request.param](Clock()) as line:
        yield Watched(request.param, line, tmp_path)


FAULTS = {
    "well": None,
    "400": (400, {"error": ECHO, "detail": ECHO, "msg": ECHO}),
    "401": (401, {"title": ECHO, "message": ECHO}),
    "422": (422, {"title": ECHO, "errors": [ECHO]}),
    "429": (429, {"detail": ECHO}),
    "500": (500, {"error": ECHO}),
    "success": (200, {"success": False, "error": ECHO, "msg": ECHO, "id": ECHO}),
    "shape": (200, [ECHO]),
}


@pytest.mark.parametrize("what", [*FAULTS, "lost", "page"])
def test_key_and_token_are_where_they_belong_and_nowhere_else(watched, caplog, what):
    caplog.set_level(logging.DEBUG)
    wanted = FAULTS.get(what)
    if wanted is not None:
        body = json.dumps(wanted[1]).encode()
        fault = Fault("", "", True, "replaced", wanted[0], dict(faults.JSON), body, times=10**6)
    elif what == "lost":
        fault = faults.lost_after(times=10**6)
    elif what == "page":
        fault = Fault(reply="replaced", status=502, body=ECHO.encode(), times=10**6)
    with suppress(RateLimited):
        offer(watched.provider)  # found while all is well, and kept
    if what != "well":
        watched.line.faults.append(fault)
    watched.everything()
    provider = watched.provider
    shown = [caplog.text, *watched.said, repr(provider), repr(vars(provider))]
    shown += [repr(vars(part)) for part in vars(provider).values() if hasattr(part, "__dict__")]
    shown += [target for target, _, _ in watched.sent]
    for secret in (KEY, TOKEN):
        assert [text for text in shown if secret in text] == []
    assert watched.sent
    for _, headers, body in watched.sent:
        assert KEY.encode() not in body
        assert KEY not in json.dumps({**headers, "authorization": ""})


def test_the_key_follows_no_redirect(watched):
    with SERVED["runpod"](Clock()) as elsewhere:
        moved = {"Location": elsewhere.url}
        watched.line.faults.append(Fault("GET", "", False, "replaced", 308, moved, b"", times=10))
        with pytest.raises(ProviderError):
            watched.provider.list()
        assert elsewhere.sim.calls == []


@pytest.mark.parametrize("name", RENTED)
def test_nothing_that_is_stored_or_told_holds_a_key_or_a_token(name, sqlite_url, tmp_path, caplog):
    """A provider repeats to us what it was sent, in every way that fails and in its listing."""
    caplog.set_level(logging.DEBUG)
    with Database.open(sqlite_url, relaxed=True) as database:
        plane = Plane(database, tmp_path, name)
        world = plane.world
        job = plane.job(provider=name)
        for status in (400, 422, 500, 200):
            told_us = {"success": False, "error": ECHO, "detail": ECHO, "msg": ECHO, "id": ECHO}
            body = json.dumps(told_us).encode()
            world.faults.append(Fault(*world.CREATE, False, "replaced", status, {}, body))
        world.befall(status=ECHO)
        plane.until(lambda: bool(world.alive()))
        plane.later(minutes=2)
        plane.step(3)
        tokens = {decode(told(environment)).token for environment in world.told()}
        assert tokens and plane.job_state(job) in ("waiting", "running", "planned")

        def everything(conn):
            names = sa.inspect(conn).get_table_names()
            return [repr(conn.exec_driver_sql(f"SELECT * FROM {name}").all()) for name in names]

        stored = [*plane.read(everything), caplog.text]
        stored += [path.read_bytes().hex() for path in tmp_path.rglob("*.db*")]
    for secret in (KEY, *tokens):
        assert [text for text in stored if secret in text or secret.encode().hex() in text] == []
