"""A report holds what the results say, cites what it says, and is the same every time."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from leitstand.analysis import choose as choosing
from leitstand.analysis import fuse as fusing
from leitstand.analysis.fuse import Inputs, fuse, validate
from leitstand.core.finding import Line, Scene, Stats, decode, encode
from leitstand.core.problem import Problem
from leitstand.core.report import check
from tests.analysis import documents
from tests.analysis.documents import (
    VIDEO,
    Job,
    picture,
    speech,
    still,
    street,
)
from tests.analysis.reports import made, sentences
from tests.same import differences, same_findings


def test_work_that_reads_no_results_advances_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lease lives by progress; a large report is worked on long after its last result is read."""
    log: list[str] = []

    def logged(name: str) -> None:
        does = getattr(fusing, name)

        def instead(*given: Any) -> Any:
            log.append(name)
            return does(*given)

        monkeypatch.setattr(fusing, name, instead)

    for name in ("_facts", "assemble", "_images", "render", "validate"):
        logged(name)
    monkeypatch.setattr(fusing, "PAGE_BYTES_MAX", 0)
    job = street()
    fuse(Inputs.parse(job.document), job.results, lambda: log.append("advance"))
    once = ["assemble", "advance", "_images", "advance", "render", "advance"]
    budgets = len(fusing.PICTURE_BUDGETS)
    assert log == ["_facts", "advance", *once * budgets, "validate", "advance"]


def test_every_sentence_cites_findings_that_exist(report: dict[str, Any]) -> None:
    assert validate(report) == []
    ids = {finding["id"] for finding in report["findings"]}
    assert all(entry["evidence"] and set(entry["evidence"]) <= ids for entry in report["summary"])


def test_a_failed_medium_has_a_reason_and_the_rest_goes_on() -> None:
    job = street("de")
    reason = {"code": "empty-file", "params": {}}
    job.medium("medium_x", "leer.wav", None, state="failed", reason=reason, sha256=None)
    report = made(job).report
    failed = report["media"][1]
    assert failed["reason"]["what"].startswith("leer.wav enthält nichts zum Auswerten")
    assert failed["headline"] is None
    assert any("leer.wav" in line["sentence"] for line in report["not_known"])
    assert sentences(report)


def test_a_medium_that_nobody_looked_at_is_failed_in_the_report() -> None:
    job = street()
    reason = {"code": "not-in-profile", "params": {"profile": "people"}}
    span = {"stream": "audio:0", "number": 0, "from_us": 0, "to_us": 30_000_000}
    job.medium("medium_x", "a.wav", "audio", state="failed", reason=reason, segments=[span])
    report = made(job).report
    left_out = report["media"][1]
    assert left_out["reason"]["what"].startswith("a.wav was not analysed: the profile people")
    assert any("a.wav" in line["sentence"] for line in report["not_known"])
    assert all(gap["media"] != "medium_x" for gap in report["gaps"])


def test_a_job_in_which_everything_failed_is_still_a_report() -> None:
    job = Job()
    reason = {"code": "a-code-of-tomorrow", "params": {"n": 1}}
    job.medium("medium_x", "x", None, state="failed", reason=reason, sha256=None)
    fused = made(job)
    assert fused.report["summary"] == []
    assert "a-code-of-tomorrow" in fused.report["media"][0]["reason"]["what"]


def test_a_segment_without_result_is_a_gap_and_a_stream_without_any_is_said() -> None:
    job = street()
    job.document["results"] = [
        r for r in job.document["results"] if r["stream"] == "video:0" and r["segment"] != 1
    ]
    report = made(job).report
    assert [(g["reason"], g["from_s"], g["to_s"]) for g in report["gaps"]] == [
        ("not-analysed", 30.0, 60.0)
    ]
    told = [line["sentence"] for line in report["not_known"]]
    assert "The sound was not analysed." in told


def test_the_same_inputs_give_the_same_report_bit_for_bit() -> None:
    first, second = made(street()), made(street())
    assert first == second
    assert json.dumps(first.report) == json.dumps(second.report)


def test_the_order_in_which_results_were_committed_does_not_show() -> None:
    job = street()
    job.document["results"].reverse()
    shuffled = made(job).report
    assert same_findings(made(street()).report, shuffled)


def test_who_made_it_when_and_for_how_much_does_not_count_as_a_difference() -> None:
    job = street()
    document = json.loads(json.dumps(job.document).replace(VIDEO, "medium_other"))
    document["made_at"] = "2027-01-01T00:00:00Z"
    document["costs"] = {"total_eur": "9.99"}
    document["instances"] = []
    document["job"]["id"] = "job_other"
    for step in document["steps"]:
        step["instance"] = "instance_other"
    other = fuse(Inputs.parse(document), job.results, lambda: None).report
    report = made(street()).report
    assert other["id"] != report["id"]
    assert differences(report, other) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("findings", 1, "frames"), 1),
        (("findings", 1, "box"), [0.0, 0.0, 1.0, 1.0]),
        (("findings", 0, "values"), {}),
        (("summary", 0, "sentence"), "Something else."),
        (("gaps",), []),
        (("media", 0, "state"), "done"),
    ],
)
def test_a_different_finding_is_a_difference(
    report: dict[str, Any], path: tuple[Any, ...], value: Any
) -> None:
    other = copy.deepcopy(report)
    place: Any = other
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert not same_findings(report, other)


def test_less_than_a_pixel_and_a_thousandth_is_no_difference(report: dict[str, Any]) -> None:
    other = copy.deepcopy(report)
    for finding in other["findings"]:
        if "score" in finding:
            finding["score"] = round(finding["score"], 3)
        if "box" in finding:
            finding["box"] = [round(value) for value in finding["box"]]
    assert differences(report, other) == []


def test_the_checks_find_what_they_promise(report: dict[str, Any]) -> None:
    def broken(change: Any) -> list[str]:
        other = copy.deepcopy(report)
        change(other)
        return check(other)

    assert broken(lambda r: r["summary"][0]["evidence"].append("f99999"))
    assert broken(lambda r: r["summary"][0]["evidence"].clear())
    assert broken(lambda r: r["findings"][0].update(media="medium_none"))
    assert broken(lambda r: r["findings"][0].update(evidence=["f99999"]))
    assert broken(lambda r: r["findings"][1].update(id="f1"))
    assert broken(lambda r: r["findings"][1].update(score=1.5))
    assert broken(lambda r: r["findings"][1].update(interval=[2, 1]))
    assert broken(lambda r: r["gaps"][0].update(media="medium_none"))
    assert broken(lambda r: r["media"][0].update(state="failed"))
    assert broken(lambda r: r["media"][0].update(state="done"))


def test_the_schema_refuses_what_is_not_a_report(report: dict[str, Any]) -> None:
    for path, value in (
        (("schema",), "leitstand.report/2"),
        (("findings", 0, "kind"), "guess"),
        (("findings", 1, "box"), [1, 2, 3]),
        (("summary", 0, "evidence"), []),
        (("media", 0, "state"), "fine"),
        (("costs", "total_eur"), 0.04),
    ):
        other = copy.deepcopy(report)
        place: Any = other
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value
        assert validate(other), path


def test_a_report_that_breaks_its_promises_is_not_delivered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fusing, "check", lambda report: ["s1 cites nothing"])
    with pytest.raises(fusing.ReportError, match="s1 cites nothing"):
        made(street())


def test_results_are_read_once_and_pictures_a_second_time() -> None:
    job = street()
    made(job)
    counts = {id: job.reads.count(id) for id in job.objects}
    assert max(counts.values()) == 2
    assert all(
        counts[r["object_id"]] == 1 for r in job.document["results"] if "audio" in r["stream"]
    )


def test_pictures_that_do_not_fit_are_left_out_and_it_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = Job()
    for number in range(5):
        still(job, f"medium_{number}", f"bus-{number}.jpg")
    size = len(picture().jpeg_base64) * 3 // 4
    monkeypatch.setattr(fusing, "PICTURE_BUDGETS", (3 * size + 10,))
    fused = made(job)
    assert fused.report["provenance"]["pictures"] == {"shown": 3, "of": 5}
    assert fused.html.count("data:image/jpeg") == 3
    told = [line["sentence"] for line in fused.report["not_known"]]
    assert any(line.startswith("3 of 5 pictures are in this file") for line in told)


def test_a_report_that_could_blur_nobody_says_why_it_has_no_pictures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = Job()
    monkeypatch.setattr(documents, "picture", lambda: Stats("image", 0, 0))
    still(job)
    silent = made(job).report["not_known"]
    job.document["missing"].append({"family": "face", "capability": "face-detection"})
    told = made(job).report["not_known"]
    assert "unknown-unblurred" not in {line["message"] for line in silent}
    assert "unknown-unblurred" in {line["message"] for line in told}


def test_every_medium_gets_a_picture_before_any_gets_a_second() -> None:
    job = street()
    still(job)
    everything = [
        fusing._facts(Inputs.parse(job.document), medium, job.results)
        for medium in Inputs.parse(job.document).media
    ]
    smallest = max(shot.bytes for fact in everything for shot in fact.shots)
    assert [len(kept) for kept in choosing.choose(everything, 2 * smallest)] == [1, 1]


def test_inputs_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="inputs/1"):
        Inputs.parse({"schema": "leitstand.inputs/2"})
    with pytest.raises(ValueError, match="inputs/1"):
        Inputs.parse({"schema": "leitstand.inputs/1", "media": 4})
    job = street("fr")
    with pytest.raises(Problem, match="unknown-language"):
        made(job)


def test_many_media_of_all_kinds() -> None:
    job = street()
    for number in range(30):
        still(job, f"medium_{number}", f"{number}.jpg")
    fused = made(job)
    assert validate(fused.report) == []
    assert len(fused.report["media"]) == 31
    ids = [finding["id"] for finding in fused.report["findings"]]
    assert ids == [f"f{n}" for n in range(1, len(ids) + 1)]


def test_lines_survive_their_encoding() -> None:
    lines: list[Line] = [
        picture(),
        speech(0, 1, "Ja \u2028 nein"),
        Scene(0, "light", "day", 1.0, "rule"),
    ]
    assert list(decode(encode(lines))) == lines
