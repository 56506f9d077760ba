"""Family `voice`: when somebody speaks. Mono float32 16 kHz in, `(from_s, to_s, score)` out.

Silero VAD 6 (snakers4/silero-vad, `sequence_vad.py` describes the signature): frames of 512
samples, each led by the last 64 samples before it, and an LSTM state carried through; many frames
are one run. Turning frame probabilities into speech uses two thresholds, as the authors advise:
speech begins at the upper and ends below the lower.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from leitstand.models.geometry import Floats
from leitstand.models.session import Session, only_file, unknown_signature
from leitstand.ports import Device, Loaded

if TYPE_CHECKING:
    from leitstand.ports import Samples

RATE = 16_000
BEGIN_AT = 0.5
END_BELOW = 0.35
SPEECH_SECONDS_MIN = 0.25
PAUSE_SECONDS_MIN = 0.1
PAD_SECONDS = 0.03
SILENCE_AMPLITUDE = 1e-4
"""Sound that never exceeds this (-80 dBFS) is digital silence and is not looked at."""

_FRAME = 512
_CONTEXT = 64
_FRAMES_MAX = 1024
_STATE = (1, 1, 128)

Spoken = tuple[float, float, float]


def load(files: Mapping[str, bytes], device: Device) -> Loaded:
    """A voice detector over one ONNX file. Raises Problem("model-signature-unknown").

    It runs on one CPU thread wherever it is: the frames depend on one another.
    """
    session = Session(only_file(files), Device(kind="cpu", threads=1))
    if set(session.inputs) != {"input", "h", "c"} or len(session.outputs) != 3:
        raise unknown_signature([*session.inputs, *session.outputs])
    return SileroVad(session)


class SileroVad:
    """Frame probabilities, then stretches of speech."""

    batch_max = 1

    def __init__(self, session: Session) -> None:
        self._session = session

    def __call__(self, items: Sequence[Samples]) -> list[list[Spoken]]:
        return [self._spoken(samples) for samples in items]

    def _spoken(self, samples: Samples) -> list[Spoken]:
        if not samples.size or float(np.abs(samples).max()) < SILENCE_AMPLITUDE:
            return []
        return regions(self._probabilities(samples), samples.size / RATE)

    def _probabilities(self, samples: Samples) -> Floats:
        hidden, cell = np.zeros(_STATE, np.float32), np.zeros(_STATE, np.float32)
        frames = -(-samples.size // _FRAME)
        padded = np.zeros(_CONTEXT + frames * _FRAME, np.float32)
        padded[_CONTEXT : _CONTEXT + samples.size] = samples
        windows = np.lib.stride_tricks.sliding_window_view(padded, _CONTEXT + _FRAME)[::_FRAME]
        found = []
        for start in range(0, frames, _FRAMES_MAX):
            block = np.ascontiguousarray(windows[start : start + _FRAMES_MAX])
            output = self._session.run({"input": block, "h": hidden, "c": cell})
            probabilities, hidden, cell = output.values()
            found.append(probabilities.reshape(-1))
        return np.concatenate(found)


def regions(probabilities: Floats, seconds: float) -> list[Spoken]:
    """Stretches of speech from one probability per frame; the score is their mean."""
    step = _FRAME / RATE
    spoken: list[Spoken] = []
    begin: int | None = None
    pause: int | None = None
    for index, value in enumerate([*probabilities.tolist(), 0.0]):
        last = index == len(probabilities)
        if value >= BEGIN_AT:
            begin, pause = (index if begin is None else begin), None
            continue
        if begin is None or (value >= END_BELOW and not last):
            continue
        pause = index if pause is None else pause
        if last or (index - pause) * step >= PAUSE_SECONDS_MIN:
            if (pause - begin) * step >= SPEECH_SECONDS_MIN:
                score = float(probabilities[begin:pause].mean())
                spoken.append((begin * step, pause * step, score))
            begin = pause = None
    return _padded(spoken, seconds)


def _padded(spoken: list[Spoken], seconds: float) -> list[Spoken]:
    """Some air around each stretch, never over its neighbour or the end."""
    result: list[Spoken] = []
    for index, (begin, end, score) in enumerate(spoken):
        before = spoken[index - 1][1] if index else 0.0
        after = spoken[index + 1][0] if index + 1 < len(spoken) else seconds
        start = max(begin - PAD_SECONDS, (before + begin) / 2 if index else 0.0)
        stop = min(end + PAD_SECONDS, (end + after) / 2 if index + 1 < len(spoken) else seconds)
        result.append((start, stop, score))
    return result
