"""Utterances of single segments joined into what was said, across the borders of segments.

A recogniser hears 15 s beyond its segment but keeps only words whose middle lies inside, so a
sentence that runs over a border arrives in two pieces, one from each side.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from leitstand.core.finding import Speech, Word

PAUSE_US_MAX = 1_000_000
"""A longer silence at a border is the end of an utterance, not a cut through one."""
_SENTENCE_ENDS = (".", "!", "?", "…", "。", "！", "？")


def join(pieces: Iterable[tuple[int, Speech]]) -> list[Speech]:
    """Utterances in order of time from (segment number, utterance) of one stream."""
    out: list[tuple[int, Speech]] = []
    for number, piece in sorted(pieces, key=lambda item: (item[1].from_us, item[0])):
        if not piece.text.strip():
            continue
        if out and _goes_on(out[-1], (number, piece)):
            out[-1] = (number, _glue(out[-1][1], piece))
        else:
            out.append((number, piece))
    return [speech for _, speech in out]


def _goes_on(before: tuple[int, Speech], after: tuple[int, Speech]) -> bool:
    (number, first), (next_number, second) = before, after
    return (
        next_number == number + 1
        and first.language == second.language
        and second.from_us - first.to_us <= PAUSE_US_MAX
        and not first.text.rstrip().endswith(_SENTENCE_ENDS)
    )


def _glue(first: Speech, second: Speech) -> Speech:
    """One utterance of two; a word both sides claim is kept once."""
    words = list(second.words)
    text = second.text.strip()
    if first.words and words and _same(first.words[-1], words[0]):
        doubled = words.pop(0).word.strip()
        if text.casefold().startswith(doubled.casefold()):
            text = text[len(doubled) :].lstrip()
    length = max(first.to_us - first.from_us, 1), max(second.to_us - second.from_us, 1)
    score = (first.language_score * length[0] + second.language_score * length[1]) / sum(length)
    return replace(
        first,
        to_us=max(first.to_us, second.to_us),
        text=f"{first.text.strip()} {text}".strip(),
        language_score=score,
        words=(*first.words, *words),
    )


def _same(a: Word, b: Word) -> bool:
    return a.word.strip().casefold() == b.word.strip().casefold() and b.from_us < a.to_us
