"""Pipeline `audio`: what is said in one segment of sound, and when.

Voice activity first, so that silence costs nothing and the recogniser, which invents text for
silence, never hears any alone. What is heard reaches into the margins around the segment, to give
whole sentences; what is reported lies in the segment by the middle of each word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leitstand.core.finding import Gap, Line, Speech, Stats, Word
from leitstand.ports import Model, SegmentSource

if TYPE_CHECKING:
    from leitstand.core.transcript import Transcript
    from leitstand.ports import Samples

RATE = 16_000
WINDOW_SECONDS_MAX = 28.0
"""Whisper hears 30 s at once; a longer stretch is cut at its longest pause."""
PAUSE_SECONDS_MAX = 3.0
"""A longer silence is not heard at all: a new window begins after it."""
REACH_SECONDS = 5.0
"""How far into the margins speech is heard, to complete sentences at the borders."""
AIR_SECONDS = 0.2
"""Sound kept before and after the speech of a window."""
LANGUAGE_SECONDS_MIN = 5.0
"""Speech a window needs to tell its own language; shorter ones take that of the longest window."""
STRAY_SECONDS = 0.5
"""A word farther than this from any speech was invented."""
SENTENCE_PAUSE_SECONDS = 0.3
BREAK_SECONDS = 1.0
UTTERANCE_SECONDS_MAX = 20.0
_JOINED = "-‐’'"
"""A piece that begins so, without a space, belongs to the word before it."""
_SENTENCE_ENDS = (".", "!", "?", "…", "。", "！", "？")

Span = tuple[float, float]


def run(
    profile: str,
    source: SegmentSource,
    models: Mapping[str, Model],
    progress: Callable[[int], None],
) -> Iterator[Line]:
    """Utterances of one segment of sound in order of time, then gaps and statistics.

    Units are samples inside the segment; `detected` counts those in which somebody speaks.
    """
    start_us, samples = source.audio()
    from_s, to_s = (source.from_us - start_us) / 1e6, (source.to_us - start_us) / 1e6
    end_s = min(to_s, samples.size / RATE)
    units = max(0, round((end_s - max(0.0, from_s)) * RATE))
    (found,) = models["voice"]([samples])
    spoken = [(begin, end) for begin, end, _ in found]
    inside = sum(max(0.0, min(end, to_s) - max(begin, from_s)) for begin, end in spoken)
    heard = windows(spoken, from_s, to_s)
    progress(1)
    for window, transcript in _heard(samples, heard, models["speech"], progress):
        words = _words(transcript, window, spoken, start_us)
        kept = [w for w in words if source.from_us <= w.middle_us < source.to_us]
        for utterance in _utterances(kept):
            yield _speech(utterance, transcript)
    yield from (Gap(*gap) for gap in source.gaps())
    yield Stats("audio", units, round(inside * RATE))


def windows(spoken: Sequence[Span], from_s: float, to_s: float) -> list[list[Span]]:
    """Stretches of speech to be heard together, each at most `WINDOW_SECONDS_MAX` long unless one
    stretch alone is longer. Speech that only lies in the margins is left out."""
    near = [s for s in spoken if s[1] > from_s - REACH_SECONDS and s[0] < to_s + REACH_SECONDS]
    groups: list[list[Span]] = []
    for span in near:
        if groups and span[0] - groups[-1][-1][1] <= PAUSE_SECONDS_MAX:
            groups[-1].append(span)
        else:
            groups.append([span])
    pieces = [piece for group in groups for piece in _cut(group)]
    return [piece for piece in pieces if piece[-1][1] > from_s and piece[0][0] < to_s]


def _cut(group: Sequence[Span]) -> list[list[Span]]:
    """Cuts at the longest pause, the earliest of equals, until every piece is short enough."""
    waiting, done = [list(group)], []
    while waiting:
        piece = waiting.pop()
        if piece[-1][1] - piece[0][0] <= WINDOW_SECONDS_MAX or len(piece) == 1:
            done.append(piece)
            continue
        at = max(range(1, len(piece)), key=lambda i: (piece[i][0] - piece[i - 1][1], -i))
        waiting += [piece[at:], piece[:at]]
    return done


@dataclass(frozen=True, slots=True)
class _Heard:
    """A recognised word on the medium's clock; `raw` keeps the space before it, `ends` says that
    the recogniser ended a sentence after it."""

    raw: str
    from_us: int
    to_us: int
    score: float
    ends: bool

    @property
    def middle_us(self) -> int:
        return (self.from_us + self.to_us) // 2


def _heard(
    samples: Samples,
    heard: Sequence[list[Span]],
    speech: Model,
    progress: Callable[[int], None],
) -> Iterator[tuple[float, Transcript]]:
    """Start in seconds and transcript of every window, in order of time."""
    lengths = [sum(end - begin for begin, end in window) for window in heard]
    order = sorted(range(len(heard)), key=lambda i: (-lengths[i], i))
    results: dict[int, tuple[float, Transcript]] = {}
    language: tuple[str, float] | None = None
    for index in order:
        begin = max(0.0, heard[index][0][0] - AIR_SECONDS)
        end = heard[index][-1][1] + AIR_SECONDS
        piece = samples[round(begin * RATE) : round(end * RATE)]
        known = language if lengths[index] < LANGUAGE_SECONDS_MIN else None
        (transcript,) = speech([(piece, known[0] if known else None)])
        if language is None:
            language = (transcript.language, transcript.language_score)
        results[index] = (begin, _with_score(transcript, known))
        progress(1)
    yield from (results[index] for index in sorted(results))


def _with_score(transcript: Transcript, known: tuple[str, float] | None) -> Transcript:
    """A language that was told is only as sure as where it was heard."""
    if known is None or transcript.language != known[0]:
        return transcript
    return type(transcript)(known[0], known[1], transcript.sentences)


def _words(
    transcript: Transcript, begin_s: float, spoken: Sequence[Span], start_us: int
) -> list[_Heard]:
    """Words of a transcript near speech, in order, none before the one it follows."""
    words: list[_Heard] = []
    for sentence in transcript.sentences:
        for index, (raw, from_s, to_s, score) in enumerate(sentence.words):
            middle = begin_s + (from_s + to_s) / 2
            if not any(b - STRAY_SECONDS <= middle <= e + STRAY_SECONDS for b, e in spoken):
                continue
            from_us = start_us + round((begin_s + from_s) * 1e6)
            to_us = start_us + round((begin_s + to_s) * 1e6)
            if words:
                from_us = max(from_us, words[-1].to_us)
            ends = index == len(sentence.words) - 1
            word = _Heard(raw, from_us, max(to_us, from_us), score, ends)
            if index and words and raw[0] in _JOINED:
                last = words.pop()
                joined = min(last.score, score)
                word = _Heard(last.raw + raw, last.from_us, word.to_us, joined, ends)
            words.append(word)
    return words


def _utterances(words: Sequence[_Heard]) -> Iterator[list[_Heard]]:
    """Runs of words that belong together: a sentence, or what lies between long pauses."""
    current: list[_Heard] = []
    for word in words:
        if current and _parts(current, word):
            yield current
            current = []
        current.append(word)
    if current:
        yield current


def _parts(current: Sequence[_Heard], word: _Heard) -> bool:
    """A full stop alone is no end ("Mr."): a pause or the recogniser's own cut must go with it."""
    last = current[-1]
    pause = (word.from_us - last.to_us) / 1e6
    stop = last.raw.rstrip().endswith(_SENTENCE_ENDS)
    length = (word.to_us - current[0].from_us) / 1e6
    too_long = length > UTTERANCE_SECONDS_MAX and (last.ends or pause >= SENTENCE_PAUSE_SECONDS)
    ended = stop and (last.ends or pause >= SENTENCE_PAUSE_SECONDS)
    return pause >= BREAK_SECONDS or ended or too_long


def _speech(words: Sequence[_Heard], transcript: Transcript) -> Speech:
    return Speech(
        from_us=words[0].from_us,
        to_us=words[-1].to_us,
        text="".join(word.raw for word in words).strip(),
        language=transcript.language,
        language_score=round(transcript.language_score, 4),
        words=tuple(
            Word(word.raw.strip(), word.from_us, word.to_us, round(word.score, 4)) for word in words
        ),
    )
