"""The states of an instance as `docs/contracts.md` has them, and what `decide` may never do."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitstand.core import limits
from leitstand.core.instance import (
    BILLING,
    INSTANCE,
    Action,
    Adopt,
    AskEnd,
    Listing,
    Move,
    Need,
    NoteAbsent,
    NotePresent,
    decide,
    drain_at,
    label,
    mismatch,
    vouched,
)
from leitstand.core.machine import NotAllowed
from tests.core.rows import NOW, instance

BEFORE_THE_END = (
    "launching",
    "booting",
    "admitting",
    "ready",
    "draining",
    "terminating",
    "pausing",
    "paused",
    "resuming",
)
CONTRACT = {
    ("intended", "launch"): "launching",
    ("intended", "unwanted"): "terminated",
    ("launching", "launched"): "booting",
    ("launching", "never_created"): "terminated",
    ("launching", "refused"): "terminated",
    ("booting", "enrol"): "admitting",
    ("booting", "end"): "terminating",
    ("admitting", "admit"): "ready",
    ("admitting", "end"): "terminating",
    ("ready", "drain"): "draining",
    ("ready", "end"): "terminating",
    ("draining", "pause"): "pausing",
    ("draining", "end"): "terminating",
    ("ready", "stopped"): "paused",
    ("draining", "stopped"): "paused",
    ("pausing", "stopped"): "paused",
    ("paused", "resume"): "resuming",
    ("paused", "end"): "terminating",
    ("resuming", "running"): "admitting",
    ("resuming", "end"): "terminating",
} | {(state, "absent"): "terminated" for state in BEFORE_THE_END}
EVENTS = sorted({event for _, event in CONTRACT})
STATES = sorted({"intended", "terminated", *BEFORE_THE_END})
LAG = timedelta(seconds=10)


@pytest.mark.parametrize(("state", "event"), list(itertools.product(STATES, EVENTS)))
def test_every_pair_is_the_contracts_or_raises(state: str, event: str) -> None:
    wanted = CONTRACT.get((state, event))
    if wanted is None:
        with pytest.raises(NotAllowed):
            INSTANCE.after(state, event)
    else:
        assert INSTANCE.after(state, event) == wanted


def test_the_table_knows_no_other_states_and_nothing_leaves_the_end() -> None:
    assert INSTANCE.states() == set(STATES)
    assert not [pair for pair in INSTANCE.table if pair[0] == "terminated"]


def listings() -> list[Listing | None]:
    statuses = ("starting", "running", "stopped", "ending", "unknown")
    present = [Listing(NOW, LAG, "p1", status) for status in statuses]
    return [None, Listing(NOW, LAG, None, None), *present]


ABSENCES = (None, NOW - LAG, NOW - LAG - timedelta(microseconds=1), NOW - timedelta(hours=1))
NEEDS = [
    Need(wanted, live, launch, over)
    for wanted, live, launch, over in itertools.product(
        (True, False),
        (0, 1),
        ("none", "intended", "unknown", "done"),
        (None, NOW - 2 * LAG, NOW - 2 * LAG - timedelta(microseconds=1), NOW + LAG),
    )
]


def every_case() -> list[tuple[Any, Need, Listing | None, tuple[Action, ...]]]:
    """states × absence × deadlines × need × listing, with what is decided."""
    found = []
    for state, absent, overdue in itertools.product(STATES, ABSENCES, (False, True)):
        term = -timedelta(seconds=1) if overdue else timedelta(hours=1)
        row = instance(state=state, absent_since=absent, end_by=NOW + term, ready_by=NOW + term)
        row = replace(row, created_at=NOW - timedelta(hours=2), updated_at=NOW)
        found += [
            (row, need, listing, decide(row, need, listing, NOW))
            for need in NEEDS
            for listing in listings()
        ]
    return found


CASES = every_case()


def test_what_is_decided_is_always_in_the_table() -> None:
    for row, _, _, actions in CASES:
        for action in actions:
            if isinstance(action, Move):
                INSTANCE.after(row.state, action.event)
            if isinstance(action, Adopt):
                INSTANCE.after(row.state, "launched")


def test_nothing_ends_without_two_complete_listings_one_lag_apart() -> None:
    for row, need, listing, actions in CASES:
        for action in actions:
            if not isinstance(action, Move):
                continue
            after = INSTANCE.after(row.state, action.event)
            if after != "terminated":
                continue
            if action.event == "absent":
                assert listing is not None
                assert listing.provider_id is None
                assert row.absent_since is not None
                assert listing.at - row.absent_since > listing.lag
            elif action.event == "never_created":
                assert listing is not None
                assert listing.provider_id is None
                assert need.launch == "unknown"
                assert need.launch_over_at is not None
                assert listing.at - need.launch_over_at > 2 * listing.lag
            else:
                assert (row.state, action.event) == ("intended", "unwanted")


def test_a_silent_provider_ends_nothing_and_notes_nothing() -> None:
    for row, _, listing, actions in CASES:
        if listing is None:
            for action in actions:
                assert isinstance(action, Move)
                assert action.event in ("end", "drain", "unwanted")
                assert action.event == "unwanted" or row.state != "terminating"


def test_an_unknown_status_causes_nothing_that_silence_would_not() -> None:
    for row, need, listing, actions in CASES:
        if listing is not None and listing.status == "unknown":
            silent = decide(row, need, None, NOW)
            extra = [a for a in actions if a not in silent]
            assert all(isinstance(a, Adopt | NotePresent | AskEnd) for a in extra)


def test_a_listed_instance_is_never_called_absent() -> None:
    for _, _, listing, actions in CASES:
        if listing is not None and listing.provider_id is not None:
            assert NoteAbsent() not in actions
            events = {a.event for a in actions if isinstance(a, Move)}
            assert not events & {"absent", "never_created"}


def test_nothing_is_decided_about_what_has_ended() -> None:
    assert all(not actions for row, _, _, actions in CASES if row.state == "terminated")


def test_an_instance_with_work_is_not_drained_before_its_term_is_near() -> None:
    for row, need, _, actions in CASES:
        if row.state == "ready" and need.wanted and row.end_by > NOW:
            assert not [a for a in actions if isinstance(a, Move) and a.event == "drain"]


WANTED = Need(True, 0, "done")
UNWANTED = Need(False, 0, "done")


@pytest.mark.parametrize(
    ("row", "need", "listing", "wanted"),
    [
        (instance(state="booting"), UNWANTED, None, Move("end", "unwanted")),
        (instance(state="booting", ready_by=NOW), WANTED, None, Move("end", "never-ready")),
        (
            instance(state="admitting"),
            WANTED,
            Listing(NOW, LAG, "p1", "running", "price"),
            Move("end", "mismatch", "price"),
        ),
        *(
            (
                instance(state=state),
                Need(True, 1, "done"),
                Listing(NOW, LAG, "p1", "running", "region"),
                Move("end", "mismatch", "region"),
            )
            for state in ("booting", "ready", "draining")
        ),
        (
            instance(state="booting"),
            WANTED,
            Listing(NOW, LAG, "p1", "stopped", raw="exited: no such file"),
            Move("end", "boot-failed", "exited: no such file"),
        ),
        (
            instance(state="booting"),
            WANTED,
            Listing(NOW, LAG, "p1", "starting", fatal="manifest unknown", raw="created"),
            Move("end", "boot-failed", "manifest unknown"),
        ),
        (
            instance(state="booting", ready_by=NOW),
            WANTED,
            Listing(NOW, LAG, "p1", "starting", raw="loading: 3 of 9 layers"),
            Move("end", "never-ready", "loading: 3 of 9 layers"),
        ),
        (instance(state="ready"), UNWANTED, None, Move("drain", "idle")),
        (
            instance(
                state="ready",
                created_at=NOW - timedelta(hours=1),
                end_by=NOW + limits.DRAIN_GRACE,
            ),
            WANTED,
            None,
            Move("drain", "end-by"),
        ),
        (instance(state="draining"), WANTED, None, Move("end")),
        (
            instance(state="draining", updated_at=NOW - limits.DRAIN_GRACE),
            Need(True, 3, "done"),
            None,
            Move("end"),
        ),
        (
            instance(state="ready"),
            WANTED,
            Listing(NOW, LAG, "p1", "stopped"),
            Move("stopped", "stopped-by-host"),
        ),
        (instance(state="paused"), WANTED, None, Move("end")),
        (instance(state="terminating"), WANTED, Listing(NOW, LAG, "p1", "running"), AskEnd()),
        (
            instance(state="ready", absent_since=NOW),
            WANTED,
            Listing(NOW, LAG, "p1", "running"),
            NotePresent(),
        ),
        (
            instance(state="launching", provider_id=None),
            Need(True, 0, "unknown", NOW + LAG),
            Listing(NOW, LAG, "p7", "starting"),
            Adopt("p7"),
        ),
    ],
)
def test_what_is_decided(row: Any, need: Need, listing: Listing | None, wanted: Action) -> None:
    assert decide(row, need, listing, NOW) == (wanted,)


def test_a_draining_instance_with_work_keeps_its_grace() -> None:
    assert decide(instance(state="draining"), Need(False, 1, "done"), None, NOW) == ()


def test_a_launch_under_way_is_not_taken_for_one_that_never_happened() -> None:
    row = instance(state="launching", provider_id=None)
    gone = Listing(NOW, timedelta(0), None, None)
    under_way = Need(True, 0, "unknown", NOW + limits.LAUNCH_CALL_MAX)
    assert decide(row, under_way, gone, NOW) == ()
    lost = Need(True, 0, "unknown", NOW - timedelta(seconds=1))
    assert decide(row, lost, gone, NOW) == (Move("never_created", "never-created"),)


@given(st.timedeltas(timedelta(seconds=1), timedelta(days=30)))
def test_draining_begins_within_the_term(term: timedelta) -> None:
    row = instance(end_by=NOW + term)
    assert NOW < drain_at(row) < row.end_by
    assert row.end_by - drain_at(row) <= limits.DRAIN_GRACE


def test_only_what_exists_is_booked() -> None:
    assert set(STATES) - {"intended", "launching", "terminated"} == BILLING


def test_a_label_says_whose_and_until_when() -> None:
    end_by = datetime.fromisoformat("2026-11-24T08:30:59+00:00")
    made = label("abcd1234", "instance_01ARZ3NDEKTSV4RRFFQ69G5FAV", end_by)
    assert made == "ls1-abcd1234-01ARZ3NDEKTSV4RRFFQ69G5FAV-29925150"
    assert len(made) == 48


@pytest.mark.parametrize(
    ("price", "gpu", "region", "wanted"),
    [
        (None, None, None, None),
        ("0.36", None, "eu", None),
        ("0.30", None, None, None),
        ("0.38", None, None, None),
        ("0.39", None, "us", "price"),
        (None, "RTX 3090", None, "gpu"),
        (None, "RTX 4090", "us", "region"),
    ],
)
def test_what_is_read_back_otherwise_than_offered(
    price: str | None, gpu: str | None, region: str | None, wanted: str | None
) -> None:
    offer = {"gpu": "RTX 4090", "storage_eur_per_hour": "0.02"}
    assert mismatch(instance(offer=offer), price, gpu, region) == wanted


def test_a_contracted_tier_is_stated_or_comes_with_a_named_machine() -> None:
    row = instance(tier="B")
    assert not vouched(row, None)
    assert vouched(row, "B")
    assert vouched(instance(tier="B", offer={"host": "h1"}), None)
    assert vouched(instance(tier="C"), None)


@pytest.mark.parametrize(
    ("tier", "wanted"), [("C", "tier"), ("B", None), ("A", None), (None, None)]
)
def test_a_lower_tier_than_was_offered_is_read_back(tier: str | None, wanted: str | None) -> None:
    assert mismatch(instance(tier="B"), None, None, None, tier=tier) == wanted
