"""Each refusal of the simulated providers, taken away in turn, is noticed.

By a record of an official client that was refused so (`recorded/*/refusals.json`); and where none can
be made to ask for that, by an adapter whose request was spoilt on its way. Where the contract suite
itself meets a refusal, it too has to notice.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import httpx
import pytest
from tests.contracts import test_rented as rented
from tests.contracts import test_rented_answers as answers
from tests.contracts import test_rights as rights
from tests.contracts.worlds import LABEL, RENTED, launch, offer, spec
from tests.wire.refused import PROVOCATIONS, noticed, provoked, recorded
from tests.wire.runpod import LIFTED

from leitstand.core.placement import Requirements
from leitstand.ports import ProviderError, Rejected, Retired, Unauthorized, Unavailable

RULES = [(name, rule) for name, rules in PROVOCATIONS.items() for rule in rules]

Spoil = Callable[[dict[str, Any]], None]
"""Changes what `httpx.Request` is made of: method, url, headers, content."""


def _path(path: str) -> Spoil:
    return lambda sent: sent.update(url=sent["url"].copy_with(path=path, query=None))


def _query(path: str = "", **values: str) -> Spoil:
    def spoil(sent: dict[str, Any]) -> None:
        sent["url"] = sent["url"].copy_merge_params(values)
        if path:
            sent["url"] = sent["url"].copy_with(path=path)

    return spoil


def _twice(sent: dict[str, Any]) -> None:
    if sent["url"].path.startswith("/v2/catalog/gpus"):
        sent["url"] = sent["url"].copy_add_param("include", "AVAILABILITY")


def _no_key(sent: dict[str, Any]) -> None:
    del sent["headers"]["authorization"]


def _with_key(sent: dict[str, Any]) -> None:
    if sent["url"].path.startswith("/results/"):
        sent["headers"]["authorization"] = "Bearer something"


def _cut(sent: dict[str, Any]) -> None:
    sent["content"] = sent["content"][:-1]


def _put(sent: dict[str, Any]) -> None:
    sent["method"] = "PUT"


SLIPS: dict[tuple[str, str], tuple[str, Spoil, type[ProviderError]]] = {
    ("runpod", "retired"): ("list", _path("/v1/pods"), Retired),
    ("runpod", "no-key"): ("list", _no_key, Unauthorized),
    ("runpod", "no-route"): ("list", _path("/v2/potatoes"), Rejected),
    ("runpod", "wrong-method"): ("list", _put, Rejected),
    ("runpod", "not-json"): ("launch", _cut, Rejected),
    ("runpod", "repeated"): ("offers", _twice, Rejected),
    ("runpod", "cursor"): ("list", _query(cursor="bm9uc2Vuc2U6MQ=="), Rejected),
    ("runpod", "pod-logs?source:enum"): ("logs", _query(source="moon"), Rejected),
    ("runpod", "pod-logs?tail:type"): ("logs", _query(tail="many"), Rejected),
    ("runpod", "pod-logs?tail:minimum"): ("logs", _query(tail="-1"), Rejected),
    ("runpod", "pod-logs?tail:maximum"): ("logs", _query(tail="5001"), Rejected),
    ("vast", "not-json"): ("launch", _cut, Rejected),
    ("vast", "result-key"): ("logs", _with_key, Unavailable),
}
"""Rule to what the adapter is asked, how that is spoilt, and what the adapter makes of the answer."""

MASKED = {"not-json"}
"""What another rule refuses too, so that no caller can miss it."""

for _list, _place in (("pods", ""), ("volumes", ""), ("registries", "/v2/registries")):
    for _keyword, _limit in (("type", "many"), ("minimum", "0"), ("maximum", "5000")):
        _asked = "list" if _list == "pods" else "volumes"
        _slip = (_asked, _query(_place, limit=_limit), Rejected)
        SLIPS["runpod", f"list-{_list}?limit:{_keyword}"] = _slip


class Careless(httpx.BaseTransport):
    """Spoils what an adapter sends."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self.inner = inner
        self.spoil: Spoil | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if self.spoil is None:
            return self.inner.handle_request(request)
        sent = {
            "method": request.method,
            "url": request.url,
            "headers": dict(request.headers),
            "content": request.read(),
        }
        self.spoil(sent)
        sent["headers"].pop("content-length", None)
        return self.inner.handle_request(httpx.Request(**sent))


def _logs(world, provider, made):
    """The last lines, asked for again while they are on their way."""
    for _ in range(3):
        with suppress(Unavailable):
            return list(provider.logs(made.provider_id, 50))
        world.forward(minutes=1)
    return list(provider.logs(made.provider_id, 50))


def slip(folder, name, rule):
    """An adapter asks, and somebody spoils it; it says so with the error of its kind. The world."""
    asked, spoil, error = SLIPS[name, rule]
    world = RENTED[name](folder)
    line = world.transport = Careless(world.transport)
    provider = world.connect()
    wanted = offer(provider)
    made = launch(world, provider, LABEL)
    world.forward(minutes=10)
    calls = {
        "list": provider.list,
        "offers": lambda: list(provider.offers(Requirements(disk_gib=77))),
        "launch": lambda: provider.launch(wanted, spec(), "ls1-abcdefgh-B-1"),
        "logs": lambda: _logs(world, provider, made),
        "volumes": lambda: provider.account.volumes(),
    }
    line.spoil = spoil
    with pytest.raises(error) as raised:
        calls[asked]()
    assert raised.type is error
    return world


@pytest.fixture
def lift(monkeypatch):
    """Takes a refusal away from every simulator that is made from here on."""
    return lambda rule: monkeypatch.setenv(LIFTED, rule)


def _over(name: str, test: Callable[..., Any], **given: Any) -> Callable[[Any], None]:
    """A test of the contract suite over a new account."""

    def judge(folder):
        world = RENTED[name](folder)
        test(world=world, provider=world.connect(), **given)

    return judge


def _too_early(world, provider):
    """Logs are not there at once: that is no answer, and not an empty one."""
    made = launch(world, provider, LABEL)
    world.forward(minutes=10)
    with pytest.raises(Unavailable):
        provider.logs(made.provider_id, 50)


SUITE: dict[tuple[str, str], Callable[[Any], None]] = {
    ("runpod", "host-full"): _over(
        "runpod", rented.test_a_start_without_a_free_gpu_is_no_capacity_and_never_happens_later
    ),
    ("runpod", "no-pod"): _over("runpod", answers.test_what_was_just_made_or_ended_may_show_late),
    ("runpod", "read-only-key"): (
        rights.test_a_runpod_key_that_only_reads_shows_offers_and_rents_nothing
    ),
    ("vast", "no-instance"): _over("vast", answers.test_what_was_just_made_or_ended_may_show_late),
    ("vast", "result-early"): _over("vast", _too_early),
    ("vast", "search-quota"): _over(
        "vast", answers.test_a_quota_of_the_day_is_asked_again_the_next_day
    ),
    ("vast", "scope"): lambda folder: rights.test_none_of_them_can_be_left_out(folder, "misc"),
}
"""Rule to a test of the contract suite that meets it."""

for _name, _stock, _broke in (
    ("runpod", "capacity", "no-funds"),
    ("vast", "no-ask-410", "credit"),
):
    SUITE |= {
        (_name, _stock): _over(
            _name, rented.test_capacity_is_refused_by_offer_and_the_next_one_is_taken
        ),
        (_name, _broke): _over(_name, rented.test_without_credit_nothing_is_rented),
        (_name, "unknown-key"): _over(
            _name, answers.test_a_key_that_is_not_taken_stops_everything_there, ask="list"
        ),
    }


@pytest.mark.parametrize(("name", "rule"), SUITE)
def test_the_contract_suite_fails_without_what_it_meets(tmp_path, lift, name, rule):
    SUITE[name, rule](tmp_path / "whole")
    lift(rule)
    with pytest.raises(BaseException):  # noqa: B017
        SUITE[name, rule](tmp_path / "lifted")


@pytest.mark.parametrize(("name", "rule"), SLIPS)
def test_a_spoilt_request_is_refused_and_the_adapter_says_so(tmp_path, lift, name, rule):
    world = slip(tmp_path / "whole", name, rule)
    assert world.sim.rules.spoke[-1] == rule
    lift(rule)
    if rule in MASKED:
        assert slip(tmp_path / "lifted", name, rule).sim.rules.spoke[-1] != rule
        return
    with pytest.raises(BaseException):  # noqa: B017
        slip(tmp_path / "lifted", name, rule)


CLIENTS = [(name, rule) for name in RENTED for rule in recorded(name)]


@pytest.mark.parametrize(("name", "rule"), CLIENTS)
def test_what_an_official_client_was_refused_is_refused_and_missed_when_lifted(name, rule):
    """It is refused in the same words."""
    assert provoked(name, rule).last == recorded(name)[rule]
    assert noticed(name, rule)


def test_no_refusal_is_without_a_judge():
    """Between them, official clients and the adapters meet every rule of both simulators."""
    asked = {(name, rule) for name in RENTED for rule in recorded(name)}
    assert asked | SUITE.keys() | SLIPS.keys() == set(RULES)
