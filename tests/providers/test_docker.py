"""Machines of one's own over the Docker Engine API: a real engine (Podman), and one that goes wrong."""

import contextlib
import json
import os
import re

import httpx
import pytest

from leitstand.core.placement import Requirements
from leitstand.core.problem import Problem
from leitstand.ports import (
    NoCapacity,
    ProviderError,
    Rejected,
    Status,
    Unavailable,
    UnknownOutcome,
)
from leitstand.providers.docker import Docker
from leitstand.providers.docker_engine import _demultiplexed
from tests.contracts.worlds import LABEL, TOKEN, DockerWorld, offer, spec
from tests.providers.tls import Front, certificates

MIB = 1 << 20
TRIES_MAX = 1000


class Meddling(httpx.BaseTransport):
    """A line to the engine that keeps what was asked and may lose or change answers. `faults` are by
    method and a pattern of the path: what to do with the answer, or None to lose it."""

    def __init__(self, socket):
        self.inner = httpx.HTTPTransport(
            uds=str(socket), limits=httpx.Limits(max_keepalive_connections=0)
        )
        self.asked = []
        self.faults = {}

    def handle_request(self, request):
        self.asked.append(request)
        for (method, path), change in self.faults.items():
            if request.method == method and re.search(path, request.url.path):
                if isinstance(change, Exception):
                    raise change
                reply = self.inner.handle_request(request)
                reply.read()
                reply.close()
                if change is None:
                    raise httpx.ReadError("gone", request=request)
                return change(reply)
        return self.inner.handle_request(request)


@pytest.fixture
def world(tmp_path):
    made = DockerWorld(tmp_path)
    yield made
    made.clean("ls1-abcdefgh")


@pytest.fixture
def provider(world):
    return world.connect()


@pytest.fixture
def line(world):
    return Meddling(world.engine.socket)


def through(world, line, **host):
    """A provider whose calls go through a line; `host` changes what is set of its machine."""
    box = json.loads(world.settings["hosts"])["box"] | host
    return Docker(world.settings | {"hosts": json.dumps({"box": box})}, {"box": line})


def launched(provider, label=LABEL):
    return provider.launch(offer(provider), spec(), label)


def status(provider):
    return [seen.status for seen in provider.list() if seen.label == LABEL]


def said(provider, made):
    """What the instance printed, once it printed its last line."""
    for _ in range(TRIES_MAX):
        lines = list(provider.logs(made.provider_id))
        if lines and lines[-1].text == "it stays":
            return lines
    raise AssertionError(lines)


# --- what an instance may --------------------------------------------------------------------------


def test_an_instance_is_nobody_and_has_its_share_of_the_machine(world, provider):
    wanted = offer(provider)
    lines = [line.text for line in said(provider, launched(provider))]
    assert "user 10001" in lines
    assert "NoNewPrivs: 1" in lines
    assert "CapEff: 0000000000000000" in lines
    assert "CapBnd: 0000000000000000" in lines
    assert [line for line in lines if line.startswith("writable")] == [
        "writable /tmp",
        "writable /var/tmp",
    ]
    [memory] = [int(line.split()[1]) for line in lines if line.startswith("memory")]
    assert abs(memory - wanted.ram_gib * 1024 * MIB) < MIB
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert memory < whole / 2


def test_limits_of_processor_and_processes_are_the_engines(world, provider):
    launched(provider)
    found = json.loads(world.engine.run("inspect", "leitstand-0"))[0]["HostConfig"]
    assert found["NanoCpus"] == os.cpu_count() * 10**9 // 2
    assert found["MemorySwap"] == found["Memory"] > 0
    assert found["PidsLimit"] == 2048
    assert found["NetworkMode"] == "none"
    assert found["Privileged"] is False


def test_lines_have_their_time_and_their_source_and_no_secret(world, provider):
    lines = said(provider, launched(provider))
    assert all(line.at is not None and line.source == "stdout" for line in lines)
    assert "told (secret)" in [line.text for line in lines]
    assert len(list(provider.logs(provider.list()[0].provider_id, 1))) == 1


def test_frames_of_a_log_are_joined_and_one_that_is_cut_off_is_no_error():
    def frame(source, text):
        return bytes([source, 0, 0, 0]) + len(text).to_bytes(4, "big") + text

    content = frame(1, b"a") + frame(2, b"x\n") + frame(1, b"b\nc") + b"\x01\x00"
    assert _demultiplexed(content) == [("stderr", "x"), ("stdout", "ab"), ("stdout", "c")]


# --- pause, resume, end ----------------------------------------------------------------------------


def test_pause_freezes_and_resume_lets_go_on(provider):
    made = launched(provider)
    assert status(provider) == [Status.RUNNING]
    for _ in range(2):
        provider.pause(made.provider_id)
        assert status(provider) == [Status.STOPPED]
    for _ in range(2):
        provider.resume(made.provider_id)
        assert status(provider) == [Status.RUNNING]


def test_a_frozen_instance_can_be_ended(provider):
    made = launched(provider)
    provider.pause(made.provider_id)
    provider.terminate(made.provider_id)
    assert status(provider) == []


def test_what_ended_by_itself_is_seen_stopped_and_is_not_resumed(world, provider):
    made = launched(provider)
    world.engine.run("kill", "leitstand-0")
    world.engine.run("wait", "leitstand-0")
    [seen] = provider.list()
    assert (seen.status, seen.raw) == (Status.STOPPED, "exited")
    for turn in (provider.pause, provider.resume):
        with pytest.raises(NoCapacity):
            turn(made.provider_id)
    provider.terminate(made.provider_id)
    assert status(provider) == []


def test_what_an_instance_wrote_goes_with_it_and_models_stay(world, provider):
    made = launched(provider)
    before = world.engine.run("volume", "ls", "--quiet").split()
    assert "leitstand-models" in before and len(before) == 2
    provider.terminate(made.provider_id)
    assert world.engine.run("volume", "ls", "--quiet").split() == ["leitstand-models"]


def test_only_ids_of_this_provider_reach_an_engine(provider):
    for wrong in ("", "box", "box/..", "box/" + "a" * 63, f"box/{'a' * 64}/json"):
        with pytest.raises(Rejected):
            provider.terminate(wrong)


# --- places ----------------------------------------------------------------------------------------


def test_a_place_is_offered_until_it_is_taken(provider):
    places = [one.offer_id for one in provider.offers(Requirements())]
    assert places == ["box/0", "box/1"]
    launched(provider)
    assert [one.offer_id for one in provider.offers(Requirements())] == ["box/1"]


def test_two_that_want_one_place_do_not_both_get_it(world, provider):
    wanted = offer(provider)
    provider.launch(wanted, spec(), LABEL)
    with pytest.raises(NoCapacity):
        world.connect().launch(wanted, spec(), "ls1-abcdefgh-B-1")
    assert [seen.label for seen in provider.list()] == [LABEL]


def test_what_is_not_ours_is_neither_listed_nor_counted(world, provider):
    for name, label in (("other", "leitstand.label=somebody-elses"), ("none", "x=y")):
        world.engine.run(
            *("run", "--detach", "--network=none", "--name", name, "--label", label),
            *("--ulimit=nofile=64:64", "--ulimit=nproc=64:64", "localhost/stock:1", "/bin/python3"),
        )
    try:
        assert list(provider.list()) == []
        assert len(list(provider.offers(Requirements()))) == 2
    finally:
        world.engine.run("rm", "--force", "--time", "0", "other", "none")


def test_a_place_that_is_no_more_is_no_capacity(world, provider):
    wanted = offer(provider)
    moved = json.dumps({"other": json.loads(world.settings["hosts"])["box"]})
    with pytest.raises(NoCapacity):
        world.connect(hosts=moved).launch(wanted, spec(), LABEL)


# --- a launch that goes wrong ----------------------------------------------------------------------


def test_an_image_that_is_not_there_is_said_with_the_machine(world):
    provider = world.connect(image="localhost/other@sha256:" + "0" * 64)
    with pytest.raises(Rejected, match="box"):
        launched(provider)
    assert status(provider) == []


@pytest.mark.parametrize("settings", [{"image": ""}, {"image": None}])
def test_without_an_image_nothing_is_launched(world, settings):
    with pytest.raises(Rejected, match="image"):
        launched(world.connect(**settings))


@pytest.mark.parametrize("lost", ["answer", "shape", "502"])
def test_a_create_without_an_answer_is_unknown_and_found_by_its_label(world, line, lost):
    changes = {
        "answer": None,
        "shape": lambda reply: httpx.Response(201, json={}),
        "502": lambda reply: httpx.Response(502, text="<html>"),
    }
    line.faults["POST", "/create$"] = changes[lost]
    if lost == "502":
        line.faults["GET", "/leitstand-0/json"] = httpx.ConnectError("down")
    provider = through(world, line)
    with pytest.raises(UnknownOutcome):
        launched(provider)
    assert status(world.connect()) == [Status.STARTING]


ONE = r"/containers/[0-9a-f]{64}/json$"


@pytest.mark.parametrize("call", [("POST", "/start$"), ("GET", ONE)])
def test_what_does_not_start_is_removed(world, line, call):
    provider = through(world, line)
    wanted = offer(provider)
    line.faults[call] = lambda reply: httpx.Response(500, json={"message": "no runtime"})
    with pytest.raises(NoCapacity):
        provider.launch(wanted, spec(), LABEL)
    assert status(world.connect()) == []


def test_what_could_not_be_removed_is_named(world, line):
    provider = through(world, line)
    line.faults["POST", "/start$"] = lambda reply: httpx.Response(500, json={"message": TOKEN})
    line.faults["DELETE", ""] = httpx.ConnectError("down")
    with pytest.raises(UnknownOutcome) as raised:
        launched(provider)
    [seen] = world.connect().list()
    assert raised.value.seen.provider_id == seen.provider_id
    assert TOKEN not in repr(raised.value)


def test_an_image_that_starts_a_worker_by_itself_is_told_and_nothing_more(world, line):
    image = {"Config": {"Labels": {"leitstand-worker": "1"}}}
    line.faults["GET", "/images/"] = lambda reply: httpx.Response(200, json=image)
    with contextlib.suppress(ProviderError):
        launched(through(world, line))
    [create] = [json.loads(r.content) for r in line.asked if r.url.path.endswith("/create")]
    assert "Entrypoint" not in create and "Cmd" not in create
    [told] = [one for one in create["Env"] if one.startswith("LEITSTAND_WORKER_SPEC=")]
    assert TOKEN in told


def test_a_limit_that_the_engine_dropped_is_no_capacity(world, line):
    def without(reply):
        found = json.loads(reply.content)
        found["HostConfig"]["Memory"] = 0
        return httpx.Response(200, json=found)

    provider = through(world, line)
    wanted = offer(provider)
    line.faults["GET", ONE] = without
    with pytest.raises(NoCapacity, match="Memory"):
        provider.launch(wanted, spec(), LABEL)
    assert status(world.connect()) == []


GPU = {
    "gpu": "NVIDIA RTX A6000",
    "gpus": 2,
    "vram_gib": 48,
    "cuda": "12.4",
    "compute_capability": "8.6",
}


def test_each_place_of_a_gpu_machine_has_one_gpu_and_asks_for_it(world, line):
    provider = through(world, line, **GPU)
    _first, second = provider.offers(Requirements())
    assert (second.gpu, second.gpus, second.vram_gib) == ("NVIDIA RTX A6000", 1, 48)
    assert second.accelerator == "nvidia"
    with pytest.raises(NoCapacity, match="DeviceRequests"):
        provider.launch(second, spec(), LABEL)  # Podman drops the request: it is not taken for one
    [create] = [json.loads(r.content) for r in line.asked if r.url.path.endswith("/create")]
    [request] = create["HostConfig"]["DeviceRequests"]
    assert request == {"Driver": "nvidia", "DeviceIDs": ["1"], "Capabilities": [["gpu"]]}
    assert status(provider) == []


# --- several machines ------------------------------------------------------------------------------


def two(world, line):
    box = json.loads(world.settings["hosts"])["box"]
    line.faults["GET", ""] = httpx.ConnectError("down")
    hosts = json.dumps({"box": box, "dark": box})
    return Docker(world.settings | {"hosts": hosts}, {"dark": line})


def test_a_machine_that_is_off_hides_no_other_but_no_list_is_complete_without_it(world, line):
    provider = two(world, line)
    assert {one.host for one in provider.offers(Requirements())} == {"box"}
    made = launched(provider)
    with pytest.raises(Unavailable):
        provider.list()
    provider.terminate(made.provider_id)


def test_offers_need_one_machine_that_answers(world, line):
    line.faults["GET", ""] = httpx.ConnectError("down")
    with pytest.raises(Unavailable):
        list(through(world, line).offers(Requirements()))


@pytest.mark.parametrize("body", [{}, [{"Id": "x"}], [{}], None, "text"])
def test_an_answer_of_another_shape_is_never_an_empty_list(world, line, body):
    line.faults["GET", "/containers/json$"] = lambda reply: httpx.Response(200, json=body)
    with pytest.raises(ProviderError):
        through(world, line).list()


def test_a_state_nobody_knows_is_unknown(world, line):
    provider = through(world, line)
    launched(provider)

    def other(reply):
        [row] = json.loads(reply.content)
        return httpx.Response(200, json=[row | {"State": "levitating"}])

    line.faults["GET", "/containers/json$"] = other
    assert status(provider) == [Status.UNKNOWN]


def test_each_machine_has_its_price_or_that_of_all(world):
    box = json.loads(world.settings["hosts"])["box"]
    hosts = json.dumps({"dear": box | {"price_eur_per_hour": "0.80"}, "free": box})
    provider = world.connect(hosts=hosts, price_eur_per_hour="0.10")
    found = {one.host: str(one.price_eur_per_hour) for one in provider.offers(Requirements())}
    assert found == {"dear": "0.80", "free": "0.10"}


@pytest.mark.parametrize(
    "hosts", ["{", '{"box": 1}', '{"box": {"gpus": 2}}', '{"box": {"price_eur_per_hour": "much"}}']
)
def test_settings_that_are_none_are_refused(hosts):
    with pytest.raises(Rejected):
        Docker({"hosts": hosts})


# --- over the network ------------------------------------------------------------------------------


def test_over_the_network_both_sides_show_a_certificate(world, tmp_path):
    folder = certificates(tmp_path / "ours")
    with Front(folder, world.engine.socket) as front:
        host = {
            "url": f"tcp://127.0.0.1:{front.port}",
            "certificates": str(folder),
            "disk_gib": 20.0,
        }
        provider = world.connect(hosts=json.dumps({"far": host}))
        made = launched(provider)
        assert [seen.provider_id for seen in provider.list()] == [made.provider_id]
        provider.terminate(made.provider_id)
        strange = certificates(tmp_path / "strange")
        other = world.connect(hosts=json.dumps({"far": host | {"certificates": str(strange)}}))
        with pytest.raises(Unavailable):
            other.list()
        for name in ("cert.pem", "key.pem"):  # the right authority, somebody else's certificate
            (folder / name).write_bytes((strange / name).read_bytes())
        stolen = world.connect(hosts=json.dumps({"far": host}))
        with pytest.raises(Unavailable):
            stolen.list()


def test_a_key_that_others_can_read_is_not_used(world, tmp_path):
    folder = certificates(tmp_path / "ours")
    host = {"url": "tcp://127.0.0.1:1", "certificates": str(folder)}
    (folder / "key.pem").chmod(0o644)
    with pytest.raises(Problem) as raised:
        world.connect(hosts=json.dumps({"far": host}))
    assert raised.value.code == "key-file-readable"
    (folder / "key.pem").chmod(0o600)
    (folder / "cert.pem").write_text("no certificate")
    with pytest.raises(Problem) as raised:
        world.connect(hosts=json.dumps({"far": host}))
    assert raised.value.code == "certificates-damaged"
    (folder / "ca.pem").unlink()
    with pytest.raises(Problem) as raised:
        world.connect(hosts=json.dumps({"far": host}))
    assert raised.value.code == "unreadable-path"
