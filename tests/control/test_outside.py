"""No money flows for a machine that could not dial in, or that we could not make a worker of."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from leitstand.control.cases import OpenCase
from leitstand.control.decision import replayed
from leitstand.control.outside import BOOT_FILES, KEPT_SECONDS, Outside, resolve
from leitstand.control.plan import Planner, Wish
from leitstand.core.placement import Rejection
from leitstand.core.reach import LOOPBACK, PRIVATE, UNRESOLVABLE
from leitstand.store.jobs import Decision
from tests.control.rig import OPERATOR, OneModel, Rig

URL = "https://leitstand.example:8443"


class Files:
    """See `ports.BootFiles`."""

    body: bytes | None = b"{}"

    def manifest(self) -> bytes | None:
        return self.body

    def open(self, sha256: str) -> None:
        return None


class Names:
    """A resolver that a test writes, and what it was asked."""

    def __init__(self, *addresses: str) -> None:
        self.addresses: Sequence[str] = addresses
        self.asked: list[str] = []

    def __call__(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        return self.addresses


def outside(rig: Rig, names: Names, files: Files | None = None) -> Outside:
    return Outside(URL, files or Files(), rig, names)


def decide(rig: Rig, fault: Rejection | None) -> Decision:
    planner = Planner(
        rig.door, {"rented": rig.rented}, OneModel(), rig.planner.rules, lambda: fault
    )
    case = rig.run(OpenCase("inbox"))
    medium = rig.medium(case.id)
    wish = Wish(case.id, (medium,), "people", "en")
    return planner.decide(wish, OPERATOR, rig.time)


def rules(decision: Decision) -> list[str]:
    return [row["rule"] for row in decision.reasons["rejected"]]


def test_a_public_address_and_files_let_it_rent(rig: Rig) -> None:
    assert outside(rig, Names("93.184.216.34")).fault() is None


def test_without_files_nothing_could_start(rig: Rig) -> None:
    files = Files()
    files.body = None
    found = outside(rig, Names("93.184.216.34"), files).fault()
    assert found is not None and found.rule == BOOT_FILES


def test_the_reason_names_what_would_be_dialled(rig: Rig) -> None:
    found = outside(rig, Names("192.168.1.2")).fault()
    assert found is not None
    assert (found.rule, found.has) == (PRIVATE, URL)


def test_an_own_machine_of_this_network_reaches_a_private_address(rig: Rig) -> None:
    assert outside(rig, Names("192.168.1.2")).nearby() is None
    found = outside(rig, Names("127.0.0.1")).nearby()
    assert found is not None and found.rule == LOOPBACK
    files = Files()
    files.body = None
    found = outside(rig, Names("192.168.1.2"), files).nearby()
    assert found is not None and found.rule == BOOT_FILES


def test_a_name_is_asked_for_again_only_after_a_while(rig: Rig) -> None:
    names = Names()
    looked = outside(rig, names)
    first = looked.fault()
    assert first is not None and first.rule == UNRESOLVABLE
    assert looked.fault() == first
    names.addresses = ("93.184.216.34",)
    assert looked.fault() is not None
    rig.later(seconds=KEPT_SECONDS)
    assert looked.fault() is None
    assert names.asked == ["leitstand.example"] * 2


def test_an_address_resolves_to_itself_and_nonsense_to_nothing() -> None:
    assert resolve("127.0.0.1") == ["127.0.0.1"]
    assert resolve("::1") == ["::1"]
    assert resolve("no such name") == ()
    assert resolve("x" * 300 + ".example") == ()


FAULT = Rejection(LOOPBACK, "https://127.0.0.1:1", "a public https address")


@pytest.mark.parametrize(("tier", "fault"), [("L", FAULT), ("L", None), ("B", None)])
def test_an_own_machine_and_a_reachable_plane_are_planned(
    rig: Rig, tier: str, fault: Rejection | None
) -> None:
    rig.rented.tier = tier
    decision = decide(rig, fault)
    assert decision.verdict["chosen"] is not None
    assert rules(decision) == []


def test_a_machine_elsewhere_falls_on_the_address_before_money_flows(rig: Rig) -> None:
    rig.rented.tier = "B"
    decision = decide(rig, FAULT)
    assert decision.verdict["chosen"] is None
    assert rules(decision) == [LOOPBACK]
    assert replayed(decision) is True


def test_what_may_not_see_the_media_anyway_falls_on_that(rig: Rig) -> None:
    """Another address would not help there."""
    rig.rented.tier = "D"
    assert rules(decide(rig, FAULT)) == ["tier"]
