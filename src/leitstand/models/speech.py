"""Family `speech`: what is said. `(samples, language | None)` in, a `Transcript` out.

Whisper (Radford et al. 2022, arXiv:2212.04356) by CTranslate2 through faster-whisper, the one named
exception to ONNX. The model is built from verified bytes in memory; samples are mono float32 at
16 kHz. Temperature 0, no sampling, no text carried over: the same sound gives the same words.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from leitstand.core.problem import Problem
from leitstand.core.transcript import Sentence, Transcript
from leitstand.models.session import unknown_signature
from leitstand.ports import Device, Loaded

if TYPE_CHECKING:
    from leitstand.ports import Samples

BEAM = 5
TAKES_ALL_CORES = True
"""On a CPU one call spreads over all cores by itself, and one recording has but few calls to make."""
NO_SPEECH_MAX = 0.6
LOG_PROBABILITY_MIN = -1.0

_FILES = frozenset({"model.bin", "config.json", "tokenizer.json", "vocabulary.txt"})
_OPTIONAL = frozenset({"preprocessor_config.json", "vocabulary.json"})


def load(files: Mapping[str, bytes], device: Device) -> Loaded:
    """A recogniser over the files of a CTranslate2 Whisper model.

    Raises Problem("model-signature-unknown") for other files. The tokenizer must be among them:
    without it the library would ask a hub for one.
    """
    names = set(files)
    if not names >= {"model.bin", "config.json", "tokenizer.json"} or names - _FILES - _OPTIONAL:
        raise unknown_signature(sorted(files))
    return Whisper(_whisper(files, device))


class Whisper:
    """One item after another: a beam search has its own batch inside."""

    batch_max = 1

    def __init__(self, model: Any) -> None:
        self._model = model

    def __call__(self, items: Sequence[tuple[Samples, str | None]]) -> list[Transcript]:
        return [self._transcribe(samples, language) for samples, language in items]

    def _transcribe(self, samples: Samples, language: str | None) -> Transcript:
        segments, info = self._model.transcribe(
            samples,
            language=language if self._model.model.is_multilingual else None,
            task="transcribe",
            beam_size=BEAM,
            temperature=0.0,
            condition_on_previous_text=False,
            word_timestamps=True,
            vad_filter=False,
            no_speech_threshold=NO_SPEECH_MAX,
            log_prob_threshold=LOG_PROBABILITY_MIN,
        )
        sentences = tuple(_sentence(segment) for segment in segments if segment.words)
        return Transcript(info.language, float(info.language_probability), sentences)


def _sentence(segment: Any) -> Sentence:
    words = tuple(
        (word.word, float(word.start), float(word.end), float(word.probability))
        for word in segment.words
        if word.word.strip() and math.isfinite(word.probability)
    )
    return Sentence(float(segment.start), float(segment.end), segment.text.strip(), words)


def _whisper(files: Mapping[str, bytes], device: Device) -> Any:
    from faster_whisper import WhisperModel  # type: ignore[import-untyped]

    if device.kind not in {"cpu", "cuda"}:
        raise Problem("no-cuda-runtime", device=device.kind)
    try:
        return WhisperModel(
            "leitstand",
            device=device.kind,
            device_index=device.ordinal,
            compute_type="int8" if device.kind == "cpu" else "float16",
            cpu_threads=device.threads,
            files=dict(files),
        )
    except RuntimeError as error:
        if device.kind == "cuda":
            raise Problem("no-cuda-runtime", device=device.kind) from error
        raise unknown_signature([str(error)]) from error
