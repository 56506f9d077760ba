"""Whether two reports say the same, whoever made them, when and for how much.

*The same findings*: equal after dropping ids, times of processing, hosts and
costs, and rounding scores to 3 decimals and boxes to 1 pixel, on the same kind of device. Tests
that kill workers and control planes hold the outcome against the unbroken run with this.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

_BOXES = frozenset({"box", "polygons", "keypoints"})


def essence(report: Mapping[str, Any]) -> dict[str, Any]:
    """What two reports on the same media must share, whoever made them, when and for how much.

    Ids, times of processing, hosts, costs and digests of pictures are gone; scores are rounded to
    3 decimals, coordinates to a pixel; evidence is named by its place in the list.
    """
    media = {medium["id"]: index for index, medium in enumerate(report["media"])}
    places = {finding["id"]: index for index, finding in enumerate(report["findings"])}

    def cited(entry: Mapping[str, Any]) -> list[int]:
        return [places[id] for id in entry.get("evidence", ())]

    findings = [
        {
            **_rounded(
                {k: v for k, v in finding.items() if k not in {"id", "sha256", "media", "evidence"}}
            ),
            "media": media[finding["media"]],
            "evidence": cited(finding),
        }
        for finding in report["findings"]
    ]
    return {
        "schema": report["schema"],
        "lang": report["lang"],
        "media": [_rounded({k: v for k, v in m.items() if k != "id"}) for m in report["media"]],
        "findings": findings,
        "summary": [
            {"media": media[s["media"]], "sentence": s["sentence"], "evidence": cited(s)}
            for s in report["summary"]
        ],
        "not_known": [line["sentence"] for line in report["not_known"]],
        "gaps": [{**_rounded(gap), "media": media[gap["media"]]} for gap in report["gaps"]],
        "models": _rounded(report["provenance"]["models"]),
    }


def same_findings(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    """Whether two reports say the same (`design.md`, "the same findings")."""
    return not differences(a, b)


def differences(a: Mapping[str, Any], b: Mapping[str, Any], limit: int = 20) -> list[str]:
    """Where two reports differ in essence, as paths with both values; at most `limit`."""
    found: list[str] = []
    for difference in _differ("", essence(a), essence(b)):
        found.append(difference)
        if len(found) == limit:
            break
    return found


def _differ(path: str, a: Any, b: Any) -> Iterator[str]:
    if isinstance(a, dict) and isinstance(b, dict):
        for name in sorted(a.keys() | b.keys()):
            yield from _differ(f"{path}/{name}", a.get(name), b.get(name))
    elif isinstance(a, list) and isinstance(b, list):
        if len(a) != len(b):
            yield f"{path}: {len(a)} against {len(b)} entries"
        for index, (left, right) in enumerate(zip(a, b, strict=False)):
            yield from _differ(f"{path}/{index}", left, right)
    elif a != b:
        yield f"{path}: {json.dumps(a)[:200]} against {json.dumps(b)[:200]}"


def _rounded(value: Any, pixels: bool = False) -> Any:
    if isinstance(value, Mapping):
        return {name: _rounded(inner, pixels or name in _BOXES) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(inner, pixels) for inner in value]
    if isinstance(value, float):
        return round(value) if pixels and abs(value) > 1 else round(value, 3)
    return value
