"""What is RunPod's own in its adapter: its catalogue, its words, its pods, its money."""

import dataclasses
from datetime import timedelta
from decimal import Decimal

import pytest

from leitstand.boot.program import told
from leitstand.core.placement import Requirements, first_fault
from leitstand.launch import decode
from leitstand.ports import (
    Capability,
    NoCapacity,
    NoFunds,
    Rejected,
    Retired,
    Status,
    Unavailable,
    UnknownOutcome,
    Unwanted,
)
from leitstand.providers.runpod import INSTANCE
from leitstand.providers.runpod import LABEL as LEITSTAND
from leitstand.providers.runpod_answers import compute_capability
from tests.contracts.worlds import LABEL, RunPodWorld, end, launch, offer, ours, spec
from tests.wire import faults
from tests.wire.runpod_world import Fate, _type

GPU = "NVIDIA GeForce RTX 4090"


@pytest.fixture
def world(tmp_path):
    return RunPodWorld(tmp_path)


@pytest.fixture
def provider(world):
    return world.connect()


@pytest.fixture
def agreed(world, tmp_path):
    signed = tmp_path / "signed.pdf"
    signed.write_text("signed")
    return world.connect(agreement_file=str(signed))


def of_type(provider, gpu=GPU, **want):
    return [one for one in provider.offers(Requirements(**want)) if one.gpu == gpu]


# --- offers ----------------------------------------------------------------------------------------


def test_an_offer_is_a_type_in_a_place_with_the_wanted_disk_in_its_price(agreed):
    secure = [one for one in of_type(agreed, disk_gib=100) if one.region]
    assert {(one.region, one.tier) for one in secure} == {("RO", "B"), ("CZ", "B"), ("US", "B")}
    one = secure[0]
    assert (one.vram_gib, one.compute_capability, one.accelerator) == (24, "8.9", "nvidia")
    assert one.price_eur_per_hour == Decimal("0.345")
    assert one.quoted == "0.69 USD × 0.5"
    assert one.disk_gib >= 100
    assert one.storage_eur_per_hour == Decimal("0.007398")


def test_the_community_cloud_is_one_offer_of_no_known_place_and_tier_c(agreed):
    [one] = [one for one in of_type(agreed) if one.region is None]
    assert (one.tier, one.tier_if_agreed) == ("C", "C")
    assert one.price_eur_per_hour == Decimal("0.17")


def test_without_an_agreement_nothing_is_tier_b_and_it_is_said_what_would_be(provider):
    offers = of_type(provider)
    assert {one.tier for one in offers} == {"C"}
    assert {one.tier_if_agreed for one in offers} == {"B", "C"}


def test_what_is_out_of_stock_is_not_offered(world, provider):
    world.sell_out(of_type(provider)[0])
    world.forward(minutes=1)
    assert of_type(provider) == []


def test_a_card_of_another_maker_is_offered_as_what_it_is(world, provider):
    world.account.gpu_types += (_type("AMD Instinct MI300X", 192, "2.69", None, ""),)
    world.account.places[0].gpu = "AMD Instinct MI300X"
    [one] = of_type(provider, "AMD Instinct MI300X")
    assert (one.accelerator, one.cuda, one.compute_capability) == ("amd", None, None)
    fault = first_fault(one, Requirements(vram_gib=24))
    assert (fault.rule, fault.has, fault.needs) == ("accelerator", "amd", "nvidia, cpu")


def test_a_slice_of_a_card_has_its_capability_and_an_unknown_card_none():
    assert compute_capability("NVIDIA H100 80GB HBM3 MIG 1g.10gb") == "9.0"
    assert compute_capability("NVIDIA of Tomorrow") is None


def test_the_driver_asked_for_is_the_least_that_will_do(provider):
    assert {one.cuda for one in of_type(provider, cuda_min="12.0")} == {"12.4", "12.8"}


def test_the_catalogue_is_asked_twice_in_twenty_seconds_however_many_ask(world, provider):
    for _ in range(5):
        provider.offers(Requirements())
    paths = [request.url.path for request in world.asked]
    assert (paths.count("/v2/catalog/gpus"), paths.count("/v2/catalog/datacenters")) == (2, 1)


# --- launch ----------------------------------------------------------------------------------------


def test_a_launch_says_everything_and_leaves_nothing_to_templates(world, provider):
    wanted = of_type(provider, disk_gib=100)[0]
    provider.launch(wanted, spec(), LABEL)
    [pod] = world.account.live()
    assert (pod.name, pod.disk, pod.gpu) == (LABEL, 108, GPU)
    assert pod.entrypoint == ["/bin/sh"]
    assert pod.ports == []
    assert pod.env["LEITSTAND_LABEL"] == LABEL
    assert pod.env["LEITSTAND_INSTANCE_ID"] == spec().instance_id
    assert decode(told(pod.env)).url == spec().url
    assert not any("RUNPOD" in name for name in pod.env)


def test_without_an_image_or_with_somebody_elses_offer_nothing_is_sent(world, provider):
    wanted = offer(provider)
    bare = world.connect(image="")
    for launching, one in ((bare, wanted), (provider, offer_of_another(wanted))):
        with pytest.raises(Rejected):
            launching.launch(one, spec(), LABEL)
    assert world.creates() == 0


def offer_of_another(one):
    return dataclasses.replace(one, offer_id="12345")


def test_unknown_words_speak_of_the_offer_until_several_offers_have_met_them(world, provider):
    offers = of_type(provider)
    body = {"error": "the flux is not aligned"}
    raised = []
    for one in offers[:3]:
        world.faults.append(faults.replaced(*world.CREATE, 400, body, effect=False))
        with pytest.raises((NoCapacity, Rejected)) as error:
            provider.launch(one, spec(), LABEL)
        raised.append(error.type)
    assert raised == [NoCapacity, NoCapacity, Rejected]


@pytest.mark.parametrize(
    ("status", "detail", "error"),
    [
        (400, "There are no longer any instances available with enough disk space.", NoCapacity),
        (400, "There are no instances currently available.", NoCapacity),
        (400, "exactly one of gpu or cpu must be set", Rejected),
        (400, "this would exceed your account's spend limit of $80/hr", NoFunds),
        (402, "insufficient balance", NoFunds),
        (404, "container registry auth x not found", Rejected),
        (413, "too large", Rejected),
        (422, "validation failed", Rejected),
        (500, "There are no instances currently available.", UnknownOutcome),
    ],
)
@pytest.mark.parametrize("field", ["detail", "error", "message", "title"])
def test_a_refusal_is_read_by_status_and_words(world, provider, status, detail, error, field):
    wanted = offer(provider)
    world.faults.append(faults.replaced(*world.CREATE, status, {field: detail}, effect=False))
    with pytest.raises(error) as raised:
        provider.launch(wanted, spec(), LABEL)
    assert raised.type is error


@pytest.mark.parametrize("form", ["problem", "bare", "empty"])
def test_capacity_is_known_in_every_form_of_error(world, provider, form):
    wanted = offer(provider)
    world.sell_out(wanted)
    world.account.conduct.errors = form
    with pytest.raises(NoCapacity):
        provider.launch(wanted, spec(), LABEL)


def test_what_could_not_be_ended_is_in_the_error(world, provider):
    world.account.fates.append(Fate(gpu="NVIDIA L4"))
    world.faults.append(faults.failed_before(*world.END))
    with pytest.raises(Unwanted) as unknown:
        provider.launch(offer(provider), spec(), LABEL)
    assert {unknown.value.seen.provider_id} == world.alive()


# --- what is rented --------------------------------------------------------------------------------


def test_a_pod_that_only_bears_our_name_is_counted_and_doubted(world, provider):
    planted = world.plant(LABEL)
    (seen,) = ours(world, provider, "")
    assert (seen.provider_id, seen.label, seen.status) == (planted, LABEL, Status.UNKNOWN)
    assert seen.doubtful


@pytest.mark.parametrize("env", [{}, {INSTANCE: "x"}, {LEITSTAND: None}, {LEITSTAND: "theirs"}])
def test_a_pod_of_ours_that_lost_its_environment_is_not_lost(world, provider, env):
    made = launch(world, provider, LABEL)
    world.account.pod(made.provider_id).env = env
    (seen,) = ours(world, provider, LABEL)
    assert (seen.provider_id, seen.status, seen.doubtful) == (
        made.provider_id,
        Status.UNKNOWN,
        True,
    )


@pytest.mark.parametrize("name", ["mine", "ls1-zzzzzzzz-A-1"])
def test_a_pod_of_ours_that_was_renamed_is_ours_and_not_believed(world, provider, name):
    made = launch(world, provider, LABEL)
    world.account.pod(made.provider_id).name = name
    (seen,) = ours(world, provider, LABEL)
    assert (seen.provider_id, seen.status, seen.doubtful) == (
        made.provider_id,
        Status.UNKNOWN,
        False,
    )


def test_a_pod_that_neither_name_nor_environment_calls_ours_is_nobodys_business(world, provider):
    world.plant("somebody-elses")
    assert ours(world, provider, "") == []


def test_a_pod_whose_environment_cannot_be_read_is_known_by_its_name(world, provider):
    world.befall(env_null=True)
    made = launch(world, provider, LABEL)
    assert [seen.provider_id for seen in ours(world, provider, LABEL)] == [made.provider_id]


def test_a_pod_that_says_nothing_of_whose_it_is_makes_the_list_an_error(world, provider):
    world.befall(env_null=True, nulls=("name",))
    launch(world, provider, LABEL)
    world.forward(minutes=1)
    with pytest.raises(Unavailable):
        provider.list()


def test_a_list_whose_next_page_is_nowhere_is_an_error(world, provider):
    def endless(body):
        return body | {"pagination": {"hasNextPage": True, "nextCursor": None}}

    world.faults.append(faults.rewritten(*world.LIST, rewrite=endless))
    with pytest.raises(Unavailable):
        provider.list()


def test_the_older_list_without_pages_is_read(world, provider):
    world.account.conduct.pagination = False
    made = launch(world, provider, LABEL)
    assert [seen.provider_id for seen in ours(world, provider, LABEL)] == [made.provider_id]


def test_a_terminated_pod_that_is_still_shown_is_gone(world, provider):
    world.account.conduct.terminated_shown = timedelta(hours=1)
    made = launch(world, provider, LABEL)
    world.forward(minutes=1)
    end(world, provider, made.provider_id)
    assert list(provider.list()) == []


def test_a_resume_without_gpus_is_stopped_again(world, provider):
    world.befall(resumes_with=0)
    made = launch(world, provider, LABEL)
    world.forward(minutes=10)
    provider.pause(made.provider_id)
    provider.pause(made.provider_id)
    with pytest.raises(NoCapacity):
        provider.resume(made.provider_id)
    assert not world.running(made.provider_id)


def test_a_404_that_is_not_the_apis_own_is_no_absence(world, provider):
    made = launch(world, provider, LABEL)
    world.forward(minutes=5)
    world.faults.append(faults.html(*world.END, status=404, effect=False))
    with pytest.raises(Unavailable):
        provider.terminate(made.provider_id)


@pytest.mark.parametrize("provider_id", ["", ".", "..", "../catalog/gpus", "a/b?c"])
def test_an_id_never_leads_out_of_its_path(world, provider, provider_id):
    try:
        provider.terminate(provider_id)
    except Rejected:
        assert world.asked == []
    else:
        assert world.asked[-1].url.raw_path.count(b"/") == 3


# --- beside the port -------------------------------------------------------------------------------


def test_logs_end_although_their_stream_does_not(world, provider):
    lines = ((timedelta(seconds=90), "container", f"boot with {spec().token}"),)
    world.befall(lines=lines)
    made = launch(world, provider, LABEL)
    world.forward(minutes=10)
    said = list(provider.logs(made.provider_id))
    assert {line.source for line in said} == {"system", "container"}
    assert said[0].at is not None
    assert len(list(provider.logs(made.provider_id, lines=1))) == 1


def test_volumes_are_made_listed_and_deleted(world, provider):
    provider.offers(Requirements())
    made = provider.account.create_volume("models", 50, "EU-RO-1")
    assert provider.account.volumes() == [made]
    assert (made.region, made.place, made.size_gb) == ("RO", "EU-RO-1", 50)
    provider.account.delete_volume(made.volume_id)
    provider.account.delete_volume(made.volume_id)
    assert provider.account.volumes() == []
    assert Capability.VOLUMES in provider.capabilities


def test_a_volume_whose_answer_is_lost_is_unknown(world, provider):
    world.faults.append(faults.lost_after("POST", "/v2/network-volumes"))
    with pytest.raises(UnknownOutcome):
        provider.account.create_volume("models", 50, "EU-RO-1")
    assert [volume.name for volume in provider.account.volumes()] == ["models"]


def test_the_balance_is_retired_with_graphql_and_nothing_else_is(world, provider):
    world.faults.append(faults.replaced("POST", "/graphql", 410, {"error": "gone"}))
    with pytest.raises(Retired):
        provider.account.balance()
    assert list(provider.list()) == []


def test_a_graphql_error_with_status_200_is_one(world, provider):
    body = {"errors": [{"message": "x", "extensions": {"code": "INTERNAL"}}], "data": None}
    world.faults.append(faults.shape("POST", "/graphql", body))
    with pytest.raises(Unavailable):
        provider.account.balance()


def test_a_container_that_will_not_come_back_is_stopped(world, provider):
    world.befall(fails_after=timedelta(minutes=3), fails_as="ERROR")
    launch(world, provider, LABEL)
    world.forward(minutes=10)
    [seen] = provider.list()
    assert (seen.status, seen.raw) == (Status.STOPPED, "ERROR")


def test_spot_and_reserve_are_absent(provider):
    assert provider.capabilities == {
        Capability.PAUSE,
        Capability.VOLUMES,
        Capability.SELF_END,
    }
