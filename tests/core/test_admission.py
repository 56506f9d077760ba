"""Admission: each check alone refuses, and is named."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from leitstand.core import limits
from leitstand.core.admission import SANDBOX, faults, same_model

GOOD: dict[str, Any] = {
    "facts": {"swap_gib": 0.0, "gpus": [{"name": "NVIDIA GeForce RTX 4090", "vram_gib": 23.6}]},
    "sandbox": {"no_new_privs": True, "rlimits": True, "landlock": True, "seccomp": True},
    "self_test": {"inference": True, "decode": True},
}
OFFER = {"accelerator": "nvidia", "gpu": "RTX 4090", "vram_gib": 24.0}


def checked(
    change: Callable[[dict[str, Any]], object] | None = None,
    *,
    data_class: int = 2,
    own: bool = False,
    skew: float = 0.0,
) -> list[str]:
    measured = copy.deepcopy(GOOD)
    if change is not None:
        change(measured)
    found = faults(OFFER, measured, data_class=data_class, own=own, clock_skew_seconds=skew)
    return [fault.check for fault in found]


def test_what_was_offered_and_works_is_admitted() -> None:
    assert checked() == []


@pytest.mark.parametrize(
    ("check", "change"),
    [
        ("self-test-inference", lambda m: m["self_test"].update(inference=False)),
        ("self-test-decode", lambda m: m["self_test"].pop("decode")),
        (
            "execution-provider",
            lambda m: m["self_test"].update(execution_provider="CPUExecutionProvider"),
        ),
        ("sandbox-no_new_privs", lambda m: m["sandbox"].update(no_new_privs=False)),
        ("sandbox-rlimits", lambda m: m["sandbox"].pop("rlimits")),
        ("sandbox-landlock", lambda m: m["sandbox"].pop("landlock")),
        ("sandbox-seccomp", lambda m: m["sandbox"].update(seccomp=False)),
        ("swap", lambda m: m["facts"].update(swap_gib=2.0)),
        ("gpu", lambda m: m["facts"].update(gpus=[])),
        ("gpu-model", lambda m: m["facts"]["gpus"][0].update(name="Tesla T4")),
        ("vram", lambda m: m["facts"]["gpus"][0].update(vram_gib=11.0)),
    ],
)
def test_each_check_alone_refuses(check: str, change: Callable[[dict[str, Any]], object]) -> None:
    assert checked(change) == [check]


@pytest.mark.parametrize("accelerator", ["nvidia", "cuda"])
def test_a_rented_gpu_is_computed_on_and_an_own_one_may_idle(accelerator: str) -> None:
    """An offer of before says cuda."""
    for provider, own, found in (
        ("CUDAExecutionProvider", False, []),
        ("CPUExecutionProvider", False, ["execution-provider"]),
        ("MIGraphXExecutionProvider", False, ["execution-provider"]),
        ("CPUExecutionProvider", True, []),
    ):
        measured = copy.deepcopy(GOOD)
        measured["self_test"]["execution_provider"] = provider
        told = faults(
            OFFER | {"accelerator": accelerator},
            measured,
            data_class=2,
            own=own,
            clock_skew_seconds=0.0,
        )
        assert [fault.check for fault in told] == found


def test_a_truthy_word_is_no_passed_test() -> None:
    assert checked(lambda m: m["self_test"].update(decode="yes")) == ["self-test-decode"]


@pytest.mark.parametrize("ability", SANDBOX)
@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("data_class", [1, 2])
def test_without_any_ability_of_the_sandbox_nothing_is_decoded_anywhere(
    ability: str, own: bool, data_class: int
) -> None:
    found = checked(lambda m: m["sandbox"].pop(ability), own=own, data_class=data_class)
    assert found == [f"sandbox-{ability}"]


def test_the_own_machine_and_class_1_media_may_have_swap() -> None:
    def swapping(measured: dict[str, Any]) -> None:
        measured["facts"]["swap_gib"] = 4.0

    assert checked(swapping, own=True) == []
    assert checked(swapping, data_class=1) == []


def test_a_clock_may_be_a_minute_off() -> None:
    most = limits.CLOCK_SKEW_MAX.total_seconds()
    assert checked(skew=most) == checked(skew=-most) == []
    assert checked(skew=most + 1) == checked(skew=-most - 1) == ["clock"]


@pytest.mark.parametrize(
    ("offered", "seen", "same"),
    [
        ("NVIDIA GeForce RTX 4090", "NVIDIA GeForce RTX 4090", True),
        ("RTX 4090", "NVIDIA GeForce RTX 4090", True),
        ("RTX 4090", "NVIDIA GeForce RTX 4080", False),
        ("RTX 6000Ada", "NVIDIA RTX 6000 Ada Generation", True),
        ("A100 SXM4", "NVIDIA A100-SXM4-80GB", True),
        ("A100 PCIE", "NVIDIA A100 80GB PCIe", True),
        ("A100 SXM4", "NVIDIA A100 80GB PCIe", False),
        ("H100 SXM", "NVIDIA H100 80GB HBM3", True),
        ("H100 SXM", "NVIDIA H100 PCIe", False),
        ("Tesla V100", "Tesla V100-SXM2-16GB", True),
        ("L4", "NVIDIA L40S", False),
        ("A100", "NVIDIA RTX A1000", False),
        ("RTX 3090", "", False),
    ],
)
def test_a_card_is_known_under_both_its_names(offered: str, seen: str, same: bool) -> None:
    assert same_model(offered, seen) is same
