"""The audio pipeline transcribes what is said in a segment once, at the right time, and nothing
where nobody speaks."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from leitstand.analysis import audio
from leitstand.core.finding import Gap, Line, Speech, Stats, decode, encode
from leitstand.models.speech import Sentence, Transcript
from leitstand.ports import Model
from tests import weights
from tests.analysis.segments import RATE, Given, Segment, real

SECOND = 1_000_000


def quiet(seconds: float) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.zeros(round(seconds * RATE), np.float32)


def read_aloud(count: int = 2) -> tuple[np.ndarray[tuple[int], np.dtype[np.float32]], list[str]]:
    """Two seconds of silence, sentences with a second between them, a second of silence."""
    parts, words = [quiet(2)], []
    for samples, reference in weights.librivox()[:count]:
        parts += [samples, quiet(1)]
        words += reference
    return np.concatenate(parts), words


def run(
    samples: np.ndarray[tuple[int], np.dtype[np.float32]],
    from_s: float,
    to_s: float,
    margin_s: float = 15.0,
    models: Mapping[str, Model] | None = None,
) -> list[Line]:
    """The pipeline over [from, to) of some sound, given with its margins."""
    start = max(0.0, from_s - margin_s)
    piece = samples[round(start * RATE) : round((to_s + margin_s) * RATE)]
    source = Segment(
        round(from_s * SECOND), round(to_s * SECOND), sound=(round(start * SECOND), piece)
    )
    given = models or real("voice", "speech")
    return list(audio.run("audio", source, given, lambda units: None))


def speech_in(lines: Sequence[Line]) -> list[Speech]:
    return [line for line in lines if isinstance(line, Speech)]


def recogniser(*sentences: Sentence, language: str = "en") -> Given:
    return Given(lambda item: Transcript(item[1] or language, 0.9, tuple(sentences)))


def sentence(*words: tuple[str, float, float]) -> Sentence:
    timed = tuple((word, start, end, 0.9) for word, start, end in words)
    text = "".join(word for word, _, _ in words).strip()
    return Sentence(timed[0][1], timed[-1][2], text, timed)


def voice(*spoken: tuple[float, float]) -> Given:
    return Given(lambda samples: [(start, end, 0.9) for start, end in spoken])


# --- real voices ---------------------------------------------------------------------------------


def test_what_is_read_aloud_is_written_down_at_the_right_time() -> None:
    samples, words = read_aloud()
    lines = run(samples, 0, samples.size / RATE)
    spoken = speech_in(lines)
    heard = weights.words_of(" ".join(line.text for line in spoken))
    assert weights.word_errors(words, heard) / len(words) <= 0.10
    assert abs(spoken[0].from_us / SECOND - 2.2) < 0.4
    assert abs(spoken[-1].to_us / SECOND - (samples.size / RATE - 1.2)) < 0.5
    assert all(line.language == "en" for line in spoken)
    for line in spoken:
        assert [w.word for w in line.words] == line.text.split()
        assert line.words[0].from_us == line.from_us
        assert line.words[-1].to_us == line.to_us
    assert list(decode(encode(lines))) == lines


def test_segments_tell_together_what_the_whole_tells() -> None:
    samples, words = read_aloud()
    end = samples.size / RATE
    borders = [0.0, end / 3, 2 * end / 3, end]
    heard: list[str] = []
    last = 0
    for start, stop in itertools.pairwise(borders):
        for line in speech_in(run(samples, start, stop)):
            for word in line.words:
                middle = (word.from_us + word.to_us) / 2
                assert start * SECOND <= middle <= stop * SECOND
                assert word.from_us >= last - SECOND // 5
                last = word.to_us
            heard += weights.words_of(line.text)
    assert weights.word_errors(words, heard) / len(words) <= 0.10


@pytest.mark.parametrize("sound", ["silence", "noise", "nothing"])
def test_where_nobody_speaks_the_recogniser_is_not_asked(sound: str) -> None:
    samples = {
        "silence": quiet(30),
        "noise": np.random.default_rng(1).normal(0, 0.02, 30 * RATE).astype(np.float32),
        "nothing": quiet(0),
    }[sound]
    speech = recogniser(sentence((" Thanks for watching!", 0.0, 1.0)))
    lines = run(samples, 0, 30, models={"voice": real("voice")["voice"], "speech": speech})
    assert speech.asked == 0
    assert lines == [Stats("audio", samples.size, 0)]


# --- what belongs to a segment -------------------------------------------------------------------


def test_a_word_belongs_to_the_segment_its_middle_lies_in() -> None:
    said = sentence((" one", 0.6, 1.2), (" two", 1.2, 2.2), (" three", 2.2, 2.9))
    models = {"voice": voice((0.2, 3.0)), "speech": recogniser(said)}
    early = speech_in(run(quiet(4), 0, 1.7, models=models))
    late = speech_in(run(quiet(4), 1.7, 4, models=models))
    assert [line.text for line in early] == ["one two"] or [x.text for x in early] == ["one"]
    assert " ".join([line.text for line in early + late]) == "one two three"


def test_times_are_on_the_clock_of_the_medium() -> None:
    said = sentence((" hello", 0.2, 0.7))
    models = {"voice": voice((20.0, 21.0)), "speech": recogniser(said)}
    (line,) = speech_in(run(quiet(60), 100, 130, models=models))
    start = 85 + 20 - audio.AIR_SECONDS
    assert line.from_us == round((start + 0.2) * SECOND)


def test_words_far_from_any_speech_were_invented_and_are_left_out() -> None:
    said = sentence((" real", 0.3, 0.8), (" ghost", 4.0, 4.5))
    models = {"voice": voice((1.0, 2.0), (2.5, 2.9)), "speech": recogniser(said)}
    (line,) = speech_in(run(quiet(10), 0, 10, models=models))
    assert line.text == "real"


def test_speech_only_in_the_margins_is_not_heard() -> None:
    speech = recogniser(sentence((" outside", 0.1, 0.4)))
    models = {"voice": voice((1.0, 3.0), (40.0, 42.0)), "speech": speech}
    assert speech_in(run(quiet(60), 15, 30, models=models)) == []
    assert speech.asked == 0


def test_gaps_are_told() -> None:
    source = Segment(0, SECOND, sound=(0, quiet(1)), lost=[(0, 5, "decode-failed")])
    models = {"voice": voice(), "speech": recogniser()}
    lines = list(audio.run("audio", source, models, lambda units: None))
    assert lines == [Gap(0, 5, "decode-failed"), Stats("audio", RATE, 0)]


# --- windows and utterances ----------------------------------------------------------------------


def test_long_speech_is_cut_at_its_longest_pause() -> None:
    spoken = [(0.0, 9.0), (9.2, 18.0), (19.0, 27.0), (27.3, 33.0)]
    assert audio.windows(spoken, 0, 33) == [spoken[:2], spoken[2:]]


def test_a_long_silence_begins_a_new_window_and_short_ones_do_not() -> None:
    spoken = [(0.0, 2.0), (4.0, 5.0), (9.0, 10.0)]
    assert audio.windows(spoken, 0, 30) == [spoken[:2], spoken[2:]]


def test_one_stretch_without_pause_stays_whole_however_long() -> None:
    assert audio.windows([(0.0, 55.0)], 15, 45) == [[(0.0, 55.0)]]


def test_an_hour_of_short_sentences_is_cut_without_end() -> None:
    spoken = [(2.0 * n, 2.0 * n + 1.5) for n in range(1800)]
    pieces = audio.windows(spoken, 0, 3600)
    assert [span for piece in pieces for span in piece] == spoken
    assert all(piece[-1][1] - piece[0][0] <= audio.WINDOW_SECONDS_MAX for piece in pieces)


def test_utterances_end_with_a_sentence_or_a_pause_and_not_after_an_abbreviation() -> None:
    said = sentence(
        (" Mr.", 0.0, 0.3),
        (" Dashwood", 0.35, 0.9),
        (" sat.", 0.9, 1.2),
        (" He", 1.8, 2.0),
        (" waited", 2.0, 2.5),
        (" long", 4.0, 4.4),
    )
    models = {"voice": voice((0.2, 5.0)), "speech": recogniser(said)}
    texts = [line.text for line in speech_in(run(quiet(6), 0, 6, models=models))]
    assert texts == ["Mr. Dashwood sat.", "He waited", "long"]


def test_languages_without_spaces_keep_none() -> None:
    said = sentence(("你", 0.0, 0.3), ("好", 0.3, 0.6))
    models = {"voice": voice((0.2, 2.0)), "speech": recogniser(said, language="zh")}
    (line,) = speech_in(run(quiet(3), 0, 3, models=models))
    assert (line.text, line.language) == ("你好", "zh")


def test_a_short_window_takes_the_language_of_the_longest() -> None:
    asked: list[str | None] = []

    def hear(item: tuple[object, str | None]) -> Transcript:
        asked.append(item[1])
        said = (sentence((" ja", 0.3, 0.6)),)
        return Transcript(item[1] or "de", 1.0 if item[1] else 0.8, said)

    models = {"voice": voice((1.0, 2.0), (10.0, 18.0)), "speech": Given(hear)}
    lines = speech_in(run(quiet(20), 0, 20, models=models))
    assert asked == [None, "de"]
    assert [(line.language, line.language_score) for line in lines] == [("de", 0.8), ("de", 0.8)]
