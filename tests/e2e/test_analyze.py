"""`leitstand analyze` on real media, as a newcomer runs it: findings, exit codes, what is left."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests import weights
from tests.e2e.conftest import Install
from tests.e2e.sound import write_wav
from tests.media_fixtures import people_with_speech
from tests.same import same_findings

BREATH = 0.75
"""Seconds around a sentence in which its words may be heard; the pauses are longer."""


def labels(report: dict[str, Any], kind: str, name: str) -> list[str]:
    """Labels of findings of one kind in the medium of this name."""
    medium = next(m["id"] for m in report["media"] if m["name"] == name)
    return [f["label"] for f in report["findings"] if f["kind"] == kind and f["media"] == medium]


def test_one_image_goes_through_all_six_stages_and_leaves_nothing_behind(install: Install) -> None:
    here = install()
    ran = here.run("analyze", weights.picture_path("bus.jpg"))
    assert ran.code == 0, ran.err
    report = ran.report()
    seen = labels(report, "object", "bus.jpg")
    assert seen.count("person") >= 2
    assert "bus" in seen
    assert report["media"][0]["state"] == "done"
    assert "<svg" in ran.html()
    with here.client() as client:
        job = client.get("/jobs")["items"][0]
        assert job["state"] == "done"
        whole = client.get(f"/jobs/{job['id']}")
        assert [i["state"] for i in whole["instances"]] == ["terminated"]
        assert [m["medium_state"] for m in whole["media"]] == ["erased"]
        assert client.get("/ledger/verify")["verified"] is True
    assert here.worker() is None
    audit = here.run("audit", "verify")
    assert audit.code == 0, audit.err


def test_json_output_ends_with_one_done_object(install: Install) -> None:
    here = install()
    ran = here.run("analyze", "--json", weights.picture_path("astronaut.png"))
    assert ran.code == 0, ran.err
    last = json.loads(ran.out.strip().splitlines()[-1])
    assert last["event"] == "done"
    assert last["media"] == {"done": 1, "failed": 0}
    report = json.loads((here.work / last["report"]).read_text("utf-8"))
    assert len(labels(report, "face", "astronaut.png")) == 1


@pytest.mark.full
def test_video_and_audio_reach_the_figures_of_the_issue(install: Install, tmp_path: Path) -> None:
    here = install()
    samples, words = zip(*weights.librivox(), strict=True)
    clip = write_wav(tmp_path / "librivox.wav", samples)
    ran = here.run("analyze", weights.vtest_path(), clip)
    assert ran.code == 0, ran.err
    report = ran.report()
    persons = [f for f in report["findings"] if f["kind"] == "track" and f["label"] == "person"]
    assert sum(1 for track in persons if track["frames"] >= 20) >= 20
    heard = [
        word
        for f in report["findings"]
        if f["kind"] == "speech"
        for word in weights.words_of(f["text"])
    ]
    said = [word for sentence in words for word in sentence]
    assert weights.word_errors(said, heard) <= 0.10 * len(said)


@pytest.mark.full
def test_one_worker_or_three_give_the_same_findings(install: Install) -> None:
    one = install()
    three = install(
        {
            "LEITSTAND_PLACEMENT__INSTANCES_MAX": "3",
            "LEITSTAND_PLACEMENT__SEGMENTS_PER_TASK": "1",
        }
    )
    first = one.run("analyze", weights.vtest_path())
    second = three.run("analyze", weights.vtest_path())
    assert (first.code, second.code) == (0, 0), second.err
    with three.client() as client:
        job = client.get(f"/jobs/{client.get('/jobs')['items'][0]['id']}")
    worked = {a["instance"] for a in job["attempts"] if a["pipeline"] == "video"}
    assert len(worked) >= 2
    assert same_findings(first.report(), second.report())


@pytest.mark.full
def test_a_clip_of_people_with_speech_gives_persons_and_words_at_their_times(
    install: Install,
) -> None:
    clip = people_with_speech()
    here = install()
    ran = here.run("analyze", clip.path)
    assert ran.code == 0, ran.err
    findings = ran.report()["findings"]
    tracks = [f for f in findings if f["kind"] == "track" and f["label"] == "person"]
    assert sum(1 for track in tracks if track["frames"] >= 20) >= 10
    heard = [word for f in findings if f["kind"] == "speech" for word in f["words"]]
    errors = said = 0
    for utterance in clip.utterances:
        inside = [
            spelled
            for word in heard
            if utterance.from_s - BREATH <= (word["start"] + word["end"]) / 2
            and (word["start"] + word["end"]) / 2 <= utterance.to_s + BREATH
            for spelled in weights.words_of(word["word"])
        ]
        errors += weights.word_errors(list(utterance.words), inside)
        said += len(utterance.words)
    assert errors <= 0.10 * said
