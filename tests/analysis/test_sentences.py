"""A report tells what the results show, and claims no more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leitstand.analysis.fuse import validate
from leitstand.core.finding import Detection, Face, Frame, Gap, Line, Stats
from leitstand.core.report import headline
from leitstand.messages import LANGUAGES, Texts
from tests.analysis.documents import (
    SEGMENT_US,
    VIDEO,
    Job,
    still,
    street,
    vtest_frames,
)
from tests.analysis.reports import made, of_kind, sentences


def test_the_street_video_reads_as_it_is(report: dict[str, Any]) -> None:
    (counted,) = (f for f in report["findings"] if f["label"] == "person-count")
    assert 6 <= counted["values"]["mean"] <= 9
    assert sum(f["frames"] >= 20 for f in of_kind(report, "track")) >= 20
    assert sentences(report)[0].endswith("on average.")
    assert "Speech is heard 3 times, 0:14 in all, in German (16 words)." in sentences(report)
    assert "It is day and outdoors, by a rule." in sentences(report)


def test_a_conflict_between_clock_and_light_is_kept_with_both(report: dict[str, Any]) -> None:
    (said,) = (e for e in report["summary"] if e["message"] == "sum-conflict-time")
    assert said["sentence"] == "The file says 01:40, the light says day. Both are kept."
    kinds = {f["id"]: f["kind"] for f in report["findings"]}
    assert {kinds[id] for id in said["evidence"]} == {"event", "scene"}


def test_a_sentence_over_a_border_is_one_utterance(report: dict[str, Any]) -> None:
    spoken = of_kind(report, "speech")
    assert [f["text"] for f in spoken] == [
        "Bitte beachten Sie, Gleis zwei, Einfahrt.",
        "Bitte zurücktreten, der Zug fährt durch.",
        "Danke für Ihr Verständnis.",
    ]
    assert spoken[1]["interval"] == [28.0, 32.0]
    assert [w["word"] for w in spoken[1]["words"]][2:4] == ["der", "Zug"]
    starts = [w["start"] for f in spoken for w in f["words"]]
    assert starts == sorted(starts)


def test_a_gap_is_told_and_nobody_is_counted_in_it(report: dict[str, Any]) -> None:
    assert report["gaps"] == [
        {
            "media": VIDEO,
            "stream": "video:0",
            "from_s": 33.0,
            "to_s": 34.2,
            "reason": "unreadable",
            "sentence": "could not be read",
        }
    ]
    told = [line["sentence"] for line in report["not_known"]]
    assert told[0].startswith("0:33.0 to 0:34.2 of the pictures could not be read")
    assert any("dotted" in line for line in told)
    assert any("Not looked for: the area persons cover" in line for line in told)
    assert told[-1].startswith("Nobody was identified")


def test_a_picture_is_told_by_what_is_in_it() -> None:
    job = Job()
    still(job)
    report = made(job).report
    assert sentences(report) == [
        "Seen in the picture: 2 persons and 1 bus.",
        "One face is visible; nobody was identified.",
        "The posture of one person was estimated.",
        "Persons cover 12 % of the picture.",
        "A model calls the scene “minibus” (52 %).",
        "It is outdoors, by a rule.",
        "One source says outdoors, another indoors. Both are kept.",
    ]
    assert headline(report["media"][0]["headline"], Texts("en")) == "2 persons, 1 bus; outdoors"
    assert [f["label"] for f in of_kind(report, "object")] == ["bus", "person", "person"]


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        ({"faces": 1}, "one face"),
        ({"faces": 3, "objects": {"dog": 1}}, "1 dog; 3 faces"),
        ({"face_tracks": 1}, "a face on one track"),
        ({"face_tracks": 2}, "faces on 2 tracks"),
        ({"faces": 2, "objects": {"person": 2}}, "2 persons"),
        ({}, "nothing recognised"),
    ],
)
def test_a_headline_names_faces_where_no_person_was_counted(
    seen: dict[str, Any], told: str
) -> None:
    empty = dict.fromkeys(
        ("tracks", "persons_mean", "persons_most", "place", "light", "words", "language")
    )
    none = {"objects": {}, "faces": 0, "face_tracks": 0}
    assert headline({**none, **empty, **seen}, Texts("en")) == told


def test_headlines_in_german() -> None:
    report = made(street("de")).report
    told = headline(report["media"][0]["headline"], Texts("de"))
    assert told.endswith("Personen; im Freien, Tag; 16 Wörter, Deutsch")
    assert sentences(report)[0].startswith("Zu jeder Zeit sind ")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_silence_and_emptiness_are_findings_too(lang: str) -> None:
    job = Job(lang)
    audio = {"stream": "audio:0", "number": 0, "from_us": 0, "to_us": SEGMENT_US}
    job.medium("medium_a", "quiet.wav", "audio", segments=[audio])
    job.result("medium_a", "audio:0", 0, [Stats("audio", 480_000, 0)])
    image = {"stream": "image:0", "number": 0, "from_us": 0, "to_us": 1}
    job.medium("medium_b", "wall.jpg", "image", segments=[image])
    job.result("medium_b", "image:0", 0, [Frame(0), Stats("image", 1, 1)])
    video = {"stream": "video:0", "number": 0, "from_us": 0, "to_us": SEGMENT_US}
    job.medium("medium_c", "wall.mp4", "video", segments=[video])
    frames: list[Line] = [Frame(i * 100_000) for i in range(300)]
    job.result("medium_c", "video:0", 0, [*frames, Stats("video", 300, 300)])
    report = made(job).report
    assert [entry["message"] for entry in report["summary"]] == [
        "sum-no-speech",
        "sum-nothing",
        "sum-no-person",
    ]
    assert validate(report) == []


def watched(frames: Sequence[Frame], lang: str = "en") -> dict[str, Any]:
    """The report on a video in which a detector saw this."""
    job = Job(lang)
    span = {"stream": "video:0", "number": 0, "from_us": 0, "to_us": SEGMENT_US}
    job.medium("medium_v", "clip.mp4", "video", segments=[span])
    lines: list[Line] = [*frames, Stats("video", len(frames), len(frames))]
    job.result("medium_v", "video:0", 0, lines)
    report = made(job).report
    assert validate(report) == []
    return report


COME_BACK = {
    "en": """\
Also followed through the video, on 2 tracks, several of which may be one thing: 2 buses.
Faces were followed on 2 tracks, several of which may be one person; nobody was identified.
Posture was followed on 2 tracks, several of which may be one person.""",
    "de": """\
Außerdem durch das Video verfolgt, auf 2 Spuren, von denen mehrere dasselbe Ding sein können: 2 Busse.
Gesichter wurden auf 2 Spuren verfolgt, von denen mehrere dieselbe Person sein können; \
niemand wurde identifiziert.
Die Haltung wurde auf 2 Spuren verfolgt, von denen mehrere dieselbe Person sein können.""",
}


@pytest.mark.parametrize("lang", LANGUAGES)
def test_whoever_leaves_and_comes_back_is_told_as_two_tracks_and_not_as_two_persons(
    lang: str,
) -> None:
    posture = tuple([(60.0, 120.0, 0.8)] * 17)
    seen = (
        Detection((10.0, 10.0, 60.0, 160.0), "person", 0.9, posture),
        Detection((300.0, 10.0, 600.0, 160.0), "bus", 0.9),
    )
    face = (Face((20.0, 15.0, 40.0, 40.0), 0.9, ((30.0, 25.0, 1.0),)),)
    frames = [
        Frame(i * 66_667, seen, face) if i < 40 or i >= 260 else Frame(i * 66_667)
        for i in range(300)
    ]
    assert "\n".join(sentences(watched(frames, lang))[-3:]) == COME_BACK[lang]


def says_none(report: dict[str, Any]) -> bool:
    """Whether any part of the report says that no person was seen."""
    told = headline(report["media"][0]["headline"], Texts("en"))
    return (
        any(entry["message"] == "sum-no-person" for entry in report["summary"])
        or any(finding["label"] == "no-person" for finding in report["findings"])
        or "no person" in told
        or "nothing" in told
    )


_SEEN = st.lists(
    st.builds(
        lambda x, score, label: Detection((x, 10.0, x + 40.0, 120.0), label, score),
        st.floats(0, 600),
        st.floats(0.2, 1.0),
        st.sampled_from(("person", "bus")),
    ),
    max_size=3,
)


@given(
    st.dictionaries(st.integers(0, 250), _SEEN, min_size=1, max_size=8), st.sampled_from((0, 250))
)
@settings(max_examples=60, deadline=None)
def test_none_seen_is_said_only_where_no_frame_shows_one(
    seen: dict[int, list[Detection]], length: int
) -> None:
    """Short or long, followed or not: one sighting that counts, in one frame, forbids it."""
    slots = sorted({*range(length), *seen})
    report = watched([Frame(i * 66_667, tuple(seen.get(i, ()))) for i in slots])
    persons = [
        d for found in seen.values() for d in found if d.label == "person" and d.score >= 0.35
    ]
    assert says_none(report) == (not persons)


@pytest.mark.parametrize(
    ("lang", "told", "short"),
    [
        (
            "en",
            "A voice seems to speak for 2.5 s in all; no word of it was recognised.",
            "a voice, no words",
        ),
        (
            "de",
            "Eine Stimme scheint insgesamt 2,5 s lang zu sprechen; kein Wort davon wurde erkannt.",
            "eine Stimme, keine Worte",
        ),
    ],
)
def test_no_speech_is_said_only_where_no_voice_was_heard(lang: str, told: str, short: str) -> None:
    job = Job(lang)
    span = {"stream": "audio:0", "number": 0, "from_us": 0, "to_us": SEGMENT_US}
    job.medium("medium_a", "mumble.wav", "audio", segments=[span])
    job.result("medium_a", "audio:0", 0, [Stats("audio", 480_000, 40_000)])
    report = made(job).report
    assert validate(report) == []
    assert sentences(report) == [told]
    assert headline(report["media"][0]["headline"], Texts(lang)) == short
    (found,) = report["findings"]
    assert (found["label"], found["values"]["voiced_s"]) == ("no-words", 2.5)
    assert found["model"]["name"] == "voice-model"


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("count", [1, 2, 4])
def test_persons_in_a_video_too_short_to_follow_anybody_are_told_by_frame(
    lang: str, count: int
) -> None:
    report = watched(vtest_frames()[:count], lang)
    (found,) = (f for f in report["findings"] if f["label"] == "person-count")
    values = found["values"]
    assert values["peopled"] == values["frames"] == count
    assert values["high"] >= values["low"] >= 2
    assert found["basis"] == ["single frames"]
    assert of_kind(report, "track") == []
    told = headline(report["media"][0]["headline"], Texts(lang))
    first = sentences(report)[0]
    assert str(values["high"]) in first and str(values["high"]) in told
    assert first.startswith("Up to " if lang == "en" else "Bis zu ")


def test_a_person_who_flashes_by_in_a_long_video_is_told() -> None:
    person = Detection((10.0, 10.0, 60.0, 160.0), "person", 0.9)
    frames = [Frame(i * 66_667, (person,) if i in (200, 201) else ()) for i in range(400)]
    assert sentences(watched(frames))[0] == (
        "One person at a time is seen in 2 of 400 frames looked at; "
        "nobody could be followed from frame to frame."
    )


PICTURE = {"stream": "image:0", "number": 0, "from_us": 0, "to_us": 1}
CUT = {"stream": "image:0", "from_us": 0, "to_us": 1, "reason": "truncated"}


def pictured(lang: str, **image: Any) -> dict[str, Any]:
    """The report on one picture whose file says this about itself."""
    job = Job(lang)
    gaps = [CUT] if "readable" in image else []
    about = {"segments": [PICTURE], "gaps": gaps, "technical": {"image": image}}
    job.medium("medium_p", "p.jpg", "image", state="partial" if gaps else "done", **about)
    job.result("medium_p", "image:0", 0, [Frame(0), *(Gap(0, 1, "truncated") for _ in gaps)])
    report = made(job).report
    assert validate(report) == []
    return report


@pytest.mark.parametrize(
    ("lang", "readable", "told"),
    [
        ("en", 0.619, "at least 61 % of it could be read"),
        ("en", None, "how much of it could be read is not known"),
        ("en", 1.0, "how much of it could be read is not known"),
        ("de", 0.619, "mindestens 61 % davon waren lesbar"),
        ("de", None, "wie viel davon lesbar war, ist nicht bekannt"),
    ],
)
def test_a_picture_cut_short_is_told_by_how_much_there_is_of_it(
    lang: str, readable: float | None, told: str
) -> None:
    report = pictured(lang, readable=readable)
    (gap,) = report["gaps"]
    assert (gap["from_s"], gap["to_s"], gap["reason"]) == (0, 0, "truncated")
    assert told in gap["sentence"].replace("\u00a0", " ")
    (line,) = (u for u in report["not_known"] if u["message"] == "unknown-gap-image")
    assert gap["sentence"] in line["sentence"]
    assert "0:00" not in line["sentence"]


@pytest.mark.parametrize(
    ("lang", "told"),
    [
        ("en", "1 of 7 pictures in the file was looked at, the first."),
        ("de", "1 von 7 Bildern der Datei wurde betrachtet, das erste."),
    ],
)
def test_of_several_pictures_in_a_file_it_is_said_that_one_was_looked_at(
    lang: str, told: str
) -> None:
    several, single = pictured(lang, frames=7), pictured(lang)
    (line,) = (u for u in several["not_known"] if u["message"] == "unknown-further-pictures")
    assert line["sentence"].startswith(told)
    assert "unknown-further-pictures" not in {u["message"] for u in single["not_known"]}
