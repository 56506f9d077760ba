"""What stands behind a choice, and machines by our own record, as people and programs read them."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.cli.conftest import Command
from tests.cli.plane import Plane
from tests.cli.stories import paid

HOST = "host_01KAR3W6V9Q4T8ZC5N0EXB1877"


def offer(**more: Any) -> dict[str, Any]:
    found = {"provider": "vast", "offer_id": "7", "gpu": "RTX 4090", "region": "DE", "tier": "B"}
    return {**found, "price_eur_per_hour": "0.41", **more}


def change(kind: str, to: str) -> dict[str, Any]:
    return {
        "kind": kind, "offer": offer(), "to": to, "by": 0.07, "expected_eur": "1.29",
        "finish_at": "2026-11-24T10:41:00Z",
    }  # fmt: skip


def host(state: str, **more: Any) -> dict[str, Any]:
    return {
        "id": HOST, "provider": "vast", "host": "31877", "gpu": "RTX 4090", "region": "DE",
        "bid": False, "attempts": 41, "losses": 1.0, "failed_starts": 2.0, "failed_at": None,
        "holds": 0.93, "holds_low": 0.874, "holds_high": 0.981, "ready_seconds": 312.0,
        "speed": 0.97, "probe": 0.95, "state": state, "until": None, **more,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "to", "said"),
    [
        ("price", "0.38", "RTX 4090, vast DE cost under 0.38 € an hour."),
        ("own-price", "0.62", "the chosen one cost over 0.62 € an hour: then RTX 4090, vast DE,"),
        ("budget", "2.40", "2.40 € were left: then RTX 4090, vast DE, 1.29 €."),
        ("price-max", "0.80", "an hour might cost 0.80 €: then RTX 4090, vast DE, 1.29 €."),
        ("losses", "0.2500", "RTX 4090, vast DE were lost less than 0.2500 times an hour."),
        ("deadline", "2126-11-24T18:30:00+00:00", "if you had until 24 Nov"),
        ("vram", "22.5 GiB", "RTX 4090, vast DE: it has 22.5 GiB of VRAM."),
    ],
)
def test_explain_names_the_least_change(
    run: Command, plane: Plane, kind: str, to: str, said: str
) -> None:
    plane.decision = paid() | {"would_change": [change(kind, to)], "replayed": True}
    done = run("explain", "d-5540", terminal=True)
    shown = done.out.replace("\u00a0", " ")
    assert said in shown
    assert "the facts that were kept give the same choice again" in shown


@pytest.mark.parametrize(
    ("allowed", "said"),
    [
        (True, "A bid for RTX 4090, vast DE costs less than RTX 4090, runpod RO while it is lost"),
        (False, "No bids: lost once, RTX 4090, vast DE would be late."),
    ],
)
def test_the_break_even_of_bids_is_shown(
    run: Command, plane: Plane, allowed: bool, said: str
) -> None:
    bids = {
        "bid": offer(), "firm": offer(provider="runpod", region="RO"), "allowed": allowed,
        "losses_per_hour": 0.1, "break_even_losses_per_hour": 0.8312,
    }  # fmt: skip
    plane.decision = paid() | {"bids": bids}
    shown = run("explain", "d-5540", terminal=True).out
    assert said in shown
    assert "under 0.83 times an hour (known: 0.10)" in shown


def test_what_a_prebuilt_image_would_save_is_shown(run: Command, plane: Plane) -> None:
    plane.decision = paid() | {"prebuilt": {"seconds": 394.0, "eur": "0.044000", "bytes": 9}}
    shown = run("explain", "d-5540", terminal=True).out.replace("\u00a0", " ")
    assert "would save about 6 min 34 s and 0.04 € at each start" in shown


def test_a_decision_that_is_not_the_one_that_was_made_says_so(run: Command, plane: Plane) -> None:
    plane.decision = paid() | {"replayed": False}
    assert "give another choice" in run("explain", "d-5540", terminal=True).out
    plane.decision = paid() | {"replayed": None}
    assert "too many offers" in run("explain", "d-5540", terminal=True).out


def test_explain_shows_the_candidates_that_were_launched_in_vain(
    run: Command, plane: Plane
) -> None:
    said = "OCI runtime create failed"
    reasons = [
        {"code": "no-capacity", "params": {"said": "HTTP 400 no_such_ask"}},
        {"code": "boot-failed", "params": {"said": said}},
        {"code": "never-ready", "params": {}},
    ]
    plane.decision = paid() | {
        "failed_launches": [
            offer(id=f"instance_01KAR3W6V9Q4T8ZC5N0EXB600{n}", reason=reason, cost_eur="0.02")
            for n, reason in enumerate(reasons)
        ]
    }
    shown = run("explain", "d-5540", terminal=True).out
    lines = shown[shown.index("3 candidates were launched in vain") :].splitlines()
    assert "the offer was gone: “HTTP 400 no_such_ask”" in lines[2]
    assert f"its machine could not start it: “{said}”" in lines[3]
    assert "it was not ready in time" in lines[4]


def test_an_old_answer_is_shown_with_its_age(run: Command, plane: Plane) -> None:
    plane.decision = paid() | {"aged": {"vast": 118.0}}
    done = run("explain", "d-5540", terminal=True)
    assert "vast is slow; its offers are 1 min 58 s old" in done.err.replace("\u00a0", " ")


@pytest.mark.parametrize(("days", "words"), [(61, "61 days old"), (None, "unknown age")])
def test_what_machines_start_from_is_said_to_be_old(
    run: Command, plane: Plane, days: int | None, words: str
) -> None:
    plane.decision = paid() | {"old_images": {"vast": days}}
    assert words in run("explain", "d-5540", terminal=True).err.replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("age", "words"), [(31, None), (32, "is of 20"), (None, "nobody says of which day")]
)
def test_a_rate_of_no_day_or_one_long_ago_is_said(
    run: Command, plane: Plane, age: int | None, words: str | None
) -> None:
    decision = paid()
    made = datetime.fromisoformat(decision["made_at"]).date()
    day = None if age is None else str(made - timedelta(days=age))
    for row in decision["ranked"]:
        row["offer"] |= {"usd_eur": "0.920000", "usd_eur_date": day}
    plane.decision = decision
    said = run("explain", "d-5540", terminal=True).err
    assert ("makes euros of dollars" in said) is (words is not None)
    assert words is None or words in said


def test_hosts_on_a_terminal(run: Command, plane: Plane) -> None:
    until = "2126-11-28T03:12:00Z"
    plane.lists["hosts"] = [
        host("trusted"),
        host("quarantine", id=HOST[:-4] + "0417", until=until, speed=None, ready_seconds=None),
        host("watched", id=HOST[:-4] + "0418", bid=True),
    ]
    head, one, two, three = run("hosts", terminal=True).lines()
    assert head.split("  ")[0] == "HOST"
    assert "HOLDS (95 %)" in head
    assert one.replace("\u00a0", " ").endswith("41  0.87 to 0.98   5:12   97 %  trusted")
    assert "quarantine until 28 Nov" in two.replace("\u00a0", " ")
    assert three.endswith("watched (bids)")


def test_a_host_on_parole_says_what_that_means(run: Command, plane: Plane) -> None:
    plane.lists["hosts"] = [host("parole")]
    _, row = run("hosts", terminal=True).lines()
    assert row.endswith("parole: the next failure is quarantine again")


def test_hosts_for_programs_and_pipes(run: Command, plane: Plane) -> None:
    plane.lists["hosts"] = [host("trusted")]
    (line,) = run("hosts", "--json").lines()
    found = json.loads(line)
    assert found["schema"] == "leitstand.hosts/1"
    assert found["items"][0]["holds_low"] == 0.874
    (raw,) = run("hosts").lines()
    assert raw.split("\t") == [
        HOST, "RTX 4090", "vast/DE", "31877", "41", "0.874/0.981", "312.0", "0.97", "0.95", "trusted",
    ]  # fmt: skip


def test_no_record_yet_is_said(run: Command, plane: Plane) -> None:
    plane.lists["hosts"] = []
    assert "No machine has a record yet" in run("hosts", terminal=True).out


def test_explain_says_what_was_launched_from_and_what_has_changed_since(
    run: Command, plane: Plane
) -> None:
    needs = {"disk_gib": 100.0, "vram_gib": 24.0, "cuda_min": "11.8"}
    spec = {
        "modality": "video", "digest": "a" * 64, "now": "b" * 64, "models": ["x", "y"],
        "images": {"runpod": "python@sha256:" + "1" * 64}, "needs": needs,
    }  # fmt: skip
    plane.decision = paid() | {"launch_specs": [spec]}
    done = run("explain", "d-5540", terminal=True)
    shown = " ".join(done.out.replace("\u00a0", " ").split())
    assert "with launch spec aaaaaaaaaaaa: 100.0 GiB of disk, 24.0 GiB of VRAM, CUDA 11.8" in shown
    assert "a launch now would be by bbbbbbbbbbbb" in " ".join(done.err.split())
    plane.decision = paid() | {"launch_specs": [spec | {"now": "a" * 64}]}
    assert "would be by" not in run("explain", "d-5540", terminal=True).err
