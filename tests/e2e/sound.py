"""Sound files of the tests."""

from __future__ import annotations

import wave
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

RATE = 16_000
PAUSE_SECONDS = 1.0


def write_wav(path: Path, clips: Sequence[Any]) -> Path:
    """Mono 16 kHz clips one after the other, a second of silence between them."""
    silence = np.zeros(int(RATE * PAUSE_SECONDS), np.float32)
    joined = np.concatenate([part for clip in clips for part in (clip, silence)])
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((joined * 32767).clip(-32768, 32767).astype("<i2").tobytes())
    return path
