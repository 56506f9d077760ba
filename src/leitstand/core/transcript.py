"""What a speech recogniser heard, before the pipeline puts it on the clock of the medium."""

from __future__ import annotations

from dataclasses import dataclass

Word = tuple[str, float, float, float]
"""The word with the space that precedes it in the text (where the language has spaces), from and to
in seconds of the samples, probability."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One stretch of text as the model cut it; times are seconds of the samples."""

    from_s: float
    to_s: float
    text: str
    words: tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was said in one array of samples. `language` is an ISO 639-1 code."""

    language: str
    language_score: float
    sentences: tuple[Sentence, ...]
