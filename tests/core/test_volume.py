"""What is done about volumes, given what a list shows: a table of cases."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from leitstand.core.board import Board
from leitstand.core.offer import Offer, Requirements
from leitstand.core.outlook import Load, Odds, outlook
from leitstand.core.placement import Terms, place
from leitstand.core.rented import Volume
from leitstand.core.volume import (
    VOLUME,
    Create,
    Delete,
    Intend,
    NoteMissing,
    Shelf,
    Sight,
    Step,
    acts,
    cost,
    name_of,
    owner_of,
    shelved,
    whole_hours,
)

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
OURS, PLACE = "abcd1234", "EU-RO-1"
NAME = name_of(OURS, PLACE)


def shelf(state: str = "ready", **values: Any) -> Shelf:
    born = NOW - timedelta(days=1)
    known = Shelf(
        id="volume_1",
        tenant_id="local",
        provider="runpod",
        provider_id=None if state == "intended" else "vol1",
        name=NAME,
        place=PLACE,
        region="RO",
        size_gb=30,
        price=Decimal("0.0015"),
        state=state,
        reason=None,
        holds=[],
        asked_at=None,
        used_at=None,
        booked_at=None,
        absent_since=None,
        version=1,
        created_at=born,
        updated_at=born,
    )
    return replace(known, **values)


def volume(volume_id: str = "vol1", name: str = NAME) -> Volume:
    return Volume(volume_id, name, 30, "RO", PLACE)


def sight(*listed: Volume, **values: Any) -> Sight:
    seen = Sight(
        listed=listed,
        wanted={PLACE: 30},
        needed=frozenset(),
        mounted=frozenset(),
        affordable=True,
        paid=True,
        idle_max=timedelta(days=14),
        lag=timedelta(seconds=30),
        now=NOW,
    )
    return replace(seen, **values)


def test_a_volume_says_whose_it_is_and_nobody_elses_name_does() -> None:
    assert owner_of(NAME) == OURS
    for other in ("models", "ls1-abcd1234-A-1", "ls1-ABCD1234-models-x", f"x{NAME}", f"{NAME}\n"):
        assert owner_of(other) is None


def test_none_is_made_before_a_machine_is_rented_there_or_beyond_the_budgets() -> None:
    here = frozenset({PLACE})
    assert acts([], sight()) == []
    assert acts([], sight(needed=here)) == [Intend(PLACE, 30)]
    assert acts([], sight(needed=here, affordable=False)) == []
    assert acts([], sight(needed=here, wanted={"US-KS-2": 30})) == []
    assert acts([shelf()], sight(volume(), needed=here)) == []


def test_of_several_places_one_is_made_at_a_time_as_what_is_left_is_reckoned_for_one() -> None:
    places = {"EU-CZ-1": 30, PLACE: 30, "US-KS-2": 30}
    seen = sight(wanted=places, needed=frozenset(places))
    assert acts([], seen) == [Intend("EU-CZ-1", 30)]
    made = shelf(place="EU-CZ-1", provider_id="vol1")
    there = volume()
    assert acts([made], replace(seen, listed=(there,))) == [Intend(PLACE, 30)]


def test_one_that_is_intended_is_looked_for_before_it_is_asked_for_again() -> None:
    new = shelf("intended")
    assert acts([new], sight()) == [Create(new)]
    asked = replace(new, asked_at=NOW - timedelta(minutes=1))
    assert acts([asked], sight()) == []
    late = replace(new, asked_at=NOW - timedelta(minutes=2))
    assert acts([late], sight()) == [Create(late)]
    assert acts([late], sight(volume("vol7"))) == [Step(late, "made", provider_id="vol7")]
    assert acts([new], sight(wanted={})) == [Step(new, "end", "volume-unset")]


@pytest.mark.parametrize(
    ("kept", "seen", "why"),
    [
        (shelf(), {"wanted": {}}, "volume-unset"),
        (shelf(), {"paid": False}, "volume-unpaid"),
        (shelf(created_at=NOW - timedelta(days=14)), {}, "volume-idle"),
        (
            shelf(used_at=NOW - timedelta(days=14), created_at=NOW - timedelta(days=20)),
            {},
            "volume-idle",
        ),
    ],
)
def test_one_that_is_not_kept_goes_unless_an_instance_has_it(
    kept: Shelf, seen: dict[str, Any], why: str
) -> None:
    assert acts([kept], sight(volume(), **seen)) == [Step(kept, "end", why)]
    assert acts([kept], sight(volume(), mounted=frozenset({"vol1"}), **seen)) == []


def test_one_that_was_used_lately_is_kept() -> None:
    kept = shelf(created_at=NOW - timedelta(days=20), used_at=NOW - timedelta(days=13))
    assert acts([kept], sight(volume())) == []


def test_of_two_in_one_place_the_older_is_kept_whoever_made_the_other() -> None:
    first, second = shelf(), shelf(id="volume_2", provider_id="vol2", created_at=NOW)
    both = [volume(), volume("vol2")]
    assert acts([first], sight(*both)) == [Intend(PLACE, 30, both[1])]
    assert acts([first, second], sight(*both)) == [Step(second, "end", "volume-double")]


def test_one_of_ours_without_a_record_gets_one_and_goes_where_nothing_wants_it() -> None:
    assert acts([], sight(volume(), wanted={})) == [Intend(PLACE, 30, volume())]


def test_gone_is_what_two_lists_do_not_show() -> None:
    for state, code in (("ready", "volume-gone"), ("deleting", None)):
        kept = shelf(state)
        assert acts([kept], sight()) == [NoteMissing(kept, True)]
        once = replace(kept, absent_since=NOW - timedelta(seconds=30))
        assert acts([once], sight()) == []
        twice = replace(kept, absent_since=NOW - timedelta(seconds=31))
        assert acts([twice], sight()) == [Step(twice, "absent", code)]
        assert NoteMissing(twice, False) in acts([twice], sight(volume()))
    going = shelf("deleting")
    assert acts([going], sight(volume())) == [Delete(going)]
    assert acts([going], sight(volume(), mounted=frozenset({"vol1"}))) == []


def test_hours_that_are_over_are_booked_and_no_part_of_one() -> None:
    assert whole_hours(NOW, NOW + timedelta(minutes=59)) == (NOW, 0)
    assert whole_hours(NOW, NOW + timedelta(minutes=125)) == (NOW + timedelta(hours=2), 2)
    assert whole_hours(NOW, NOW - timedelta(minutes=1)) == (NOW, 0)
    assert cost(Decimal("0.0000333333"), 3) == Decimal("0.000100")


def test_every_state_leads_to_deleted() -> None:
    assert VOLUME.after(VOLUME.after("intended", "end"), "absent") == "deleted"
    assert VOLUME.states() == {"intended", "ready", "deleting", "deleted"}


# --- what it saves ---------------------------------------------------------------------------------


def offer(**values: Any) -> Offer:
    known = Offer(
        "runpod", "a", "cuda", "T4", 1, 24.0, "12.4", "7.5", None, 4, 16.0, 200.0, 100.0, "B", "RO",
        None, Decimal("0.40"), place=PLACE,
    )  # fmt: skip
    return replace(known, **values)


MODELS = {"a" * 64: 3 << 30, "b" * 64: 1 << 30}


def test_an_offer_gets_the_volume_of_its_place_with_what_lies_on_it_of_these_models() -> None:
    there, elsewhere = offer(), offer(place="EU-CZ-1", offer_id="b")
    kept = shelf(holds=["a" * 64, "c" * 64])
    first, second = shelved([there, elsewhere], [kept], frozenset(), MODELS)
    assert (first.volume, first.cached_gib) == ("vol1", 3.0)
    assert second == elsewhere
    assert shelved([there], [kept], frozenset({"vol1"}), MODELS) == [there]
    assert shelved([there], [shelf("deleting")], frozenset(), MODELS) == [there]


def test_the_saved_download_decides_between_two_places() -> None:
    far = offer(offer_id="b", place="EU-CZ-1", price_eur_per_hour=Decimal("0.39"))
    near = offer(volume="vol1", cached_gib=4.0)
    load, odds = Load(600.0, 5.0), Odds(ready_seconds=60.0, losses_per_hour=0.3, speed=2.0)
    terms, want = Terms(NOW), Requirements(end_by=NOW + timedelta(hours=8))
    assert outlook(near, load, odds).transfer_seconds * 5 == pytest.approx(
        outlook(far, load, odds).transfer_seconds
    )
    whole = place([far, near], want, terms, lambda one: outlook(one, load, odds))
    assert whole.chosen is not None
    assert whole.chosen.offer.volume == "vol1"
    for due_at in (None, whole.chosen.finish_at, whole.chosen.finish_at - timedelta(seconds=1)):
        limited = replace(terms, due_at=due_at)
        board = Board([far, near], {"runpod": want}, lambda one: odds, NOW)
        of_all = place([far, near], want, limited, lambda one: outlook(one, load, odds))
        chosen = board.place(load, limited).chosen
        assert (chosen and chosen.offer) == (of_all.chosen and of_all.chosen.offer)
