"""One call: what is sent, what each answer asks of the caller, and that the key stays in one header."""

import json
import logging
import traceback
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitstand.core.dollars import Rate
from leitstand.core.problem import Problem
from leitstand.ports import (
    NoCapacity,
    NoFunds,
    RateLimited,
    Rejected,
    Retired,
    Unauthorized,
    Unavailable,
    UnknownOutcome,
)
from leitstand.wire import call as calls
from leitstand.wire.call import Wire, refusal
from leitstand.wire.key import Key, read_key
from leitstand.wire.money import read_rate
from leitstand.wire.pace import Pace, Rank
from leitstand.wire.shape import Dollars, Shape, parsed

CANARY = "rpa_CANARYKEYOFATEST0123456789"
TOKEN = "one-time-token-of-a-launch"
ORIGIN = "https://provider.example"


class Line:
    """A transport that answers with what the test says, and keeps what was asked."""

    def __init__(self, answer):
        self.answer = answer
        self.asked = []

    def __call__(self, request):
        self.asked.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def wire(answer, **more):
    line = Line(answer)
    made = Wire(ORIGIN, Key(CANARY), Pace({}), httpx.MockTransport(line), **more)
    return made, line


def call(answer, **more):
    made, _ = wire(answer)
    return made.call(Rank.LOOK, "things", "GET", "/things", **more)


def test_the_key_is_in_one_header_and_nowhere_else():
    made, line = wire(httpx.Response(200, json={"a": 1}))
    reply = made.call(Rank.CREATE, "things", "POST", "/things", body={"b": 2}, query={"c": "3"})
    [asked] = line.asked
    assert asked.headers["Authorization"] == f"Bearer {CANARY}"
    assert json.loads(asked.content) == {"b": 2}
    assert CANARY not in str(asked.url) and str(asked.url).endswith("/things?c=3")
    assert reply.good and reply.body == {"a": 1}
    assert CANARY not in repr((made, reply, vars(made)))


@pytest.mark.parametrize(
    "address", ["http://provider.example", "https://u:p@provider.example", ORIGIN + "/v2", "x"]
)
def test_an_address_is_an_https_origin_or_on_loopback(address):
    Wire("http://127.0.0.1:9", Key(CANARY), Pace({}))
    with pytest.raises(Rejected):
        Wire(address, Key(CANARY), Pace({}))


def test_amounts_are_read_exactly_and_what_is_no_json_is_none():
    assert call(httpx.Response(200, text='{"x": 0.1}')).body == {"x": Decimal("0.1")}
    huge = '{"x": 1e99999999999999999999}'
    for text in ("", huge, "<html>", '{"x": ', '{"x": NaN}', "[" * 100_000):
        assert call(httpx.Response(200, text=text)).body is None


def test_a_redirect_is_not_followed():
    made, line = wire(httpx.Response(307, headers={"Location": "https://elsewhere.example/"}))
    reply = made.call(Rank.LOOK, "things", "GET", "/things")
    assert isinstance(refusal(reply), Unavailable)
    assert len(line.asked) == 1


TEXTS = (("no instances", NoCapacity), ("spend limit", NoFunds))
OF_A_STATUS = [
    (400, Rejected),
    (401, Unauthorized),
    (402, NoFunds),
    (403, Unauthorized),
    (404, Rejected),
    (409, Rejected),
    (410, Retired),
    (413, Rejected),
    (422, Rejected),
    (429, RateLimited),
]


@pytest.mark.parametrize("creating", [False, True])
@pytest.mark.parametrize(("status", "error"), OF_A_STATUS)
def test_a_status_says_what_to_do(status, error, creating):
    found = refusal(call(httpx.Response(status)), TEXTS, creating=creating)
    assert type(found) is error


@pytest.mark.parametrize("status", [302, 408, 500, 502, 503, 504])
def test_whoever_creates_does_not_know_what_an_outage_left(status):
    reply = call(httpx.Response(status))
    assert type(refusal(reply, TEXTS)) is Unavailable
    assert type(refusal(reply, TEXTS, creating=True)) is UnknownOutcome


@pytest.mark.parametrize("field", ["detail", "error", "message", "title"])
def test_where_a_status_says_nothing_the_words_do(field):
    for status, kind in ((400, NoCapacity), (404, NoCapacity), (422, Rejected)):
        reply = call(httpx.Response(status, json={field: "There are No Instances left"}))
        assert type(refusal(reply, TEXTS)) is kind
    assert "No Instances left" in str(refusal(reply, TEXTS))


def test_a_hint_when_to_come_again_is_handed_on_within_reason():
    for text, seconds in (("7", 7), ("999999999", 3600)):
        found = refusal(call(httpx.Response(429, headers={"Retry-After": text})))
        assert found.retry_after == timedelta(seconds=seconds)
    for text in ("", "-1", "soon", "Wed, 21 Oct 2026 07:28:00 GMT", "9" * 40):
        assert refusal(call(httpx.Response(429, headers={"Retry-After": text}))).retry_after is None


def test_a_refusal_with_a_hint_keeps_others_from_asking():
    made, line = wire(httpx.Response(429, headers={"Retry-After": "30"}))
    made.call(Rank.LOOK, "things", "GET", "/things")
    with pytest.raises(RateLimited):
        made.call(Rank.LOOK, "things", "GET", "/things")
    assert len(line.asked) == 1


@pytest.mark.parametrize("creating", [False, True])
def test_what_was_never_sent_has_no_effect(creating):
    for error in (httpx.ConnectError("x"), httpx.ConnectTimeout("x"), httpx.PoolTimeout("x")):
        with pytest.raises(Unavailable):
            call(error, creating=creating)


def test_what_may_have_been_sent_may_have_had_its_effect():
    for error in (httpx.ReadTimeout("x"), httpx.WriteError("x"), httpx.RemoteProtocolError("x")):
        with pytest.raises(UnknownOutcome):
            call(error, creating=True)
        with pytest.raises(Unavailable):
            call(error)


def test_an_answer_has_a_largest_size_and_a_longest_time(monkeypatch):
    monkeypatch.setattr(calls, "ANSWER_BYTES_MAX", 100)
    with pytest.raises(Unavailable):
        call(httpx.Response(200, content=b"x" * 101))

    ticks = iter(range(0, 10_000, 50))
    made, _ = wire(httpx.Response(200, stream=Drip()), monotonic=lambda: next(ticks))
    with pytest.raises(UnknownOutcome):
        made.call(Rank.CREATE, "things", "POST", "/things", creating=True)


class Drip(httpx.SyncByteStream):
    """One byte after the other."""

    def __iter__(self):
        for _ in range(50):
            yield b" "


def test_the_end_of_an_api_is_noted_when_it_is_announced():
    made, line = wire(httpx.Response(200, headers={"Sunset": "Sun, 15 Nov 2026 00:00:00 GMT"}))
    assert made.sunset is None
    made.call(Rank.LOOK, "things", "GET", "/things")
    assert made.sunset == datetime(2026, 11, 15, tzinfo=UTC)
    line.answer = httpx.Response(200, headers={"Sunset": "some day"})
    made.call(Rank.LOOK, "things", "GET", "/things")
    assert made.sunset == datetime(2026, 11, 15, tzinfo=UTC)


ECHOES = [
    httpx.Response(400, json={"detail": f"bad {CANARY} and {TOKEN}"}),
    httpx.Response(422, json={"title": "x", "errors": [f"env: {TOKEN}", f"key {CANARY}"]}),
    httpx.Response(500, text=f"<html>{CANARY} {TOKEN}"),
    httpx.Response(401, json=f"{CANARY}{TOKEN}"),
    httpx.ReadTimeout(CANARY),
    httpx.ConnectError(CANARY),
]


@pytest.mark.parametrize("answer", ECHOES)
def test_neither_key_nor_token_reaches_an_error_or_a_log(answer, caplog):
    caplog.set_level(logging.DEBUG)
    try:
        reply = call(answer, secrets=[TOKEN])
        raise refusal(reply)
    except Exception as error:
        shown = "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))
        cause = error.__cause__
    assert cause is None
    for secret in (CANARY, TOKEN):
        assert secret not in shown
        assert secret not in caplog.text


def test_what_a_provider_says_is_one_short_line():
    reply = call(httpx.Response(400, json={"detail": "a\n\x1b[31mb\u202e" + "x" * 5000}))
    assert reply.detail.startswith("a [31mb x") and len(reply.detail) == 200


# --- events that never end -----------------------------------------------------------------------


def test_a_stream_is_read_while_it_comes_and_its_refusal_is_one():
    made, _ = wire(httpx.Response(200, content=b"data: 1\n\n"))
    with made.streamed(Rank.LOOK, "logs", "/logs", idle_seconds=1) as reply:
        assert b"".join(reply.iter_bytes()) == b"data: 1\n\n"
    made, _ = wire(httpx.Response(404, json={"detail": CANARY}))
    with pytest.raises(Rejected) as refused, made.streamed(Rank.LOOK, "l", "/", idle_seconds=1):
        pass
    assert CANARY not in str(refused.value)
    made, _ = wire(httpx.ReadTimeout(CANARY))
    with pytest.raises(Unavailable), made.streamed(Rank.LOOK, "l", "/", idle_seconds=1):
        pass


# --- keys, money, shapes -------------------------------------------------------------------------


@pytest.fixture
def key_file(tmp_path):
    path = tmp_path / "provider.key"
    path.write_text(CANARY + "\n")
    path.chmod(0o600)
    return path


def test_a_key_comes_from_a_file_of_its_owner_alone(key_file):
    key = read_key("runpod", str(key_file))
    assert key.bearer() == f"Bearer {CANARY}"
    assert CANARY not in f"{key!r} {key}"
    for mode in (0o640, 0o604, 0o660):
        key_file.chmod(mode)
        with pytest.raises(Problem) as refused:
            read_key("runpod", str(key_file))
        assert refused.value.code == "key-file-readable"


@pytest.mark.parametrize(
    "content", ["", "\n", "two words", "short", "k" * 2000, "ключ-ключ-ключ", "a\nb\nc\nd\ne\nf"]
)
def test_a_file_that_holds_no_key_is_told_without_its_content(key_file, content):
    key_file.write_text(content)
    with pytest.raises(Problem) as refused:
        read_key("runpod", str(key_file))
    assert refused.value.code == "provider-key-damaged"
    assert refused.value.params == {"provider": "runpod", "path": str(key_file)}


def test_a_key_that_is_not_there_is_told(tmp_path):
    for path, code in ((None, "provider-key-unset"), (str(tmp_path / "no"), "unreadable-path")):
        with pytest.raises(Problem) as refused:
            read_key("runpod", path)
        assert refused.value.code == code


def test_dollars_become_euros_by_a_dated_rate():
    rate = read_rate({"usd_eur": "0.92", "usd_eur_date": "2026-11-20"})
    assert rate.euros(Decimal("2.07")) == Decimal("1.904400")
    assert rate.euros(Decimal("2.0699999999999998")) == rate.euros(Decimal("2.07"))
    assert rate.charged(Decimal("0.1")) == rate.asked(Decimal("0.1")) == Decimal("0.092")
    assert rate.quoted(Decimal("2.0700")) == "2.07 USD × 0.92 (2026-11-20)"
    assert Rate(Decimal(1)).quoted(Decimal(30)) == "30 USD × 1"


@given(
    st.decimals(0, 100, places=4),
    st.decimals(0, 1, places=3),
    st.integers(8, 4000),
    st.decimals("0.5", "1.5", places=5),
)
def test_a_price_that_was_kept_never_looks_dearer_than_it_was_offered(base, storage, disk, eur):
    rate, disk_usd = Rate(eur), storage * disk / 720
    read_back = Decimal(repr(float(base + disk_usd)))
    assert rate.charged(read_back) <= rate.asked(base) + rate.asked(disk_usd)


@pytest.mark.parametrize("text", ["", "0", "-1", "much", "NaN", "Infinity", "1000"])
def test_what_is_no_rate_is_refused(text):
    with pytest.raises(Rejected):
        read_rate({"usd_eur": text})


class Row(Shape):
    id: str
    cost: Dollars | None = None


def test_unknown_fields_and_nulls_are_fine_and_any_other_shape_is_an_error():
    assert parsed(Row, {"id": "a", "cost": None, "new": 1}).cost is None
    hostile = [{}, [], None, "x", {"id": None}, {"id": "a", "cost": "NaN"}, {"id": 5}]
    hostile += [{"id": "a", "cost": -1}, {"id": "a", "cost": 10**9}, {"id": "a", "cost": TOKEN}]
    for answer in hostile:
        with pytest.raises(Unavailable) as refused:
            parsed(Row, answer)
        assert TOKEN not in "".join(traceback.format_exception(refused.value))
