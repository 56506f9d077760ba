"""Which pictures a report shows: those that prove its sentences, within the size of one page."""

from __future__ import annotations

from collections.abc import Sequence

from leitstand.core.facts import MediumFacts, Shot
from leitstand.core.summary import notable

PAGE_BYTES_MAX = 15_000_000
PICTURE_BYTES_MAX = 8_000_000
"""Of all JPEGs together; as base64 they take a third more, and the text needs its share."""
PER_VIDEO_MAX = 6
PER_VIDEO_OF_MANY = 3
MANY_MEDIA = 20


def wanted(facts: Sequence[MediumFacts]) -> list[list[int]]:
    """For each medium the places of the shots worth showing, the most telling first."""
    per_video = PER_VIDEO_MAX if len(facts) <= MANY_MEDIA else PER_VIDEO_OF_MANY
    return [rank(fact)[: per_video if fact.count else None] for fact in facts]


def choose(facts: Sequence[MediumFacts], budget: int = PICTURE_BYTES_MAX) -> list[list[int]]:
    """For each medium the places of the shots to show, in order.

    Every medium gets its best picture before any gets a second; when the budget is spent, the rest
    goes without, and the report says how many are missing.
    """
    ranked = wanted(facts)
    kept: list[list[int]] = [[] for _ in facts]
    for place in range(max((len(order) for order in ranked), default=0)):
        for index, order in enumerate(ranked):
            if place >= len(order):
                continue
            size = facts[index].shots[order[place]].bytes
            if size > budget:
                continue
            budget -= size
            kept[index].append(order[place])
    return [sorted(order) for order in kept]


def rank(fact: MediumFacts) -> list[int]:
    """Places of a medium's shots, the most telling first.

    First the picture with most boxes, then for each notable track the one where it is largest,
    then whatever lies furthest in time from those already taken.
    """
    shots = fact.shots
    order: list[int] = []
    if not shots:
        return order
    order.append(max(range(len(shots)), key=lambda at: (len(shots[at].boxes), -at)))
    people = [track for track in fact.tracks if track.label == "person"]
    for track in notable(people, fact.width):
        showing = [at for at in range(len(shots)) if _height(shots[at], track.number)]
        best = max(showing, key=lambda at: (_height(shots[at], track.number), -at), default=None)
        if best is not None and best not in order:
            order.append(best)
    rest = [at for at in range(len(shots)) if at not in order]
    while rest and len(order) < PER_VIDEO_MAX:
        furthest = max(
            rest,
            key=lambda at: (min(abs(shots[at].time_us - shots[o].time_us) for o in order), -at),
        )
        rest.remove(furthest)
        order.append(furthest)
    return order + rest


def _height(shot: Shot, track: int) -> float:
    return max((box.box[3] - box.box[1] for box in shot.boxes if box.track == track), default=0.0)
