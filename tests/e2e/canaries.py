"""Media full of canaries: patterns that must be found nowhere but in memory and in the report.

Sixty-four a batch: sixteen of pixels and picture files, sixteen of speech, sixteen of EXIF, sixteen
file names. All but the spoken words are drawn anew for every batch, so that one found in a folder
which others use too comes from this batch.
"""

from __future__ import annotations

import base64
import json
import random
import secrets
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from urllib.parse import quote

import numpy as np
from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo
from PIL.TiffImagePlugin import IFDRational

from tests import weights
from tests.e2e.sound import write_wav

BLOCK = 48
"""Bytes of a block: sixteen pixels of RGB, 24 samples of 16-bit sound."""
WORDS = (
    "Dashwood",
    "leisure",
    "prudently",
    "respectable",
    "amiable woman",
    "how much there might be",
    "power to do for them",
    "still more respectable",
)
"""What is said in the sentences `SPOKEN`, as speech recognition writes it."""
SPOKEN = (0, 3)
_TAGS: tuple[tuple[str, int], ...] = (
    ("Make", ExifTags.Base.Make),
    ("Model", ExifTags.Base.Model),
    ("Artist", ExifTags.Base.Artist),
    ("Copyright", ExifTags.Base.Copyright),
    ("Software", ExifTags.Base.Software),
    ("HostComputer", ExifTags.Base.HostComputer),
    ("DocumentName", ExifTags.Base.DocumentName),
    ("ImageDescription", ExifTags.Base.ImageDescription),
    ("UserComment", ExifTags.Base.UserComment),
    ("CameraOwnerName", ExifTags.Base.CameraOwnerName),
    ("BodySerialNumber", ExifTags.Base.BodySerialNumber),
    ("LensModel", ExifTags.Base.LensModel),
    ("LensSerialNumber", ExifTags.Base.LensSerialNumber),
    ("ImageUniqueID", ExifTags.Base.ImageUniqueID),
)


@dataclass(frozen=True, slots=True)
class Canary:
    """One pattern in all forms it may be found in. `own`: of this batch alone; spoken words are
    those of every batch."""

    kind: str
    name: str
    forms: tuple[bytes, ...]
    own: bool = True


@dataclass(frozen=True, slots=True)
class Batch:
    """Files to analyse, and what of them is looked for afterwards. `shown` is what the report has
    to show, which proves that it went all the way."""

    folder: Path
    files: tuple[Path, ...]
    canaries: tuple[Canary, ...]
    shown: tuple[str, ...]


def of_text(kind: str, name: str, text: str, *, own: bool = True) -> Canary:
    """A text in every spelling that logs, databases and protocols give it."""
    plain = text.encode()
    spelled = [plain, text.encode("utf-16-le"), text.encode("utf-16-be")]
    spelled += [json.dumps(text)[1:-1].encode(), quote(text).encode()]
    if not own:
        spelled += [text.lower().encode(), text.upper().encode()]
    return Canary(kind, name, _unique((*spelled, *_encoded(plain))), own)


def of_bytes(kind: str, name: str, *blocks: bytes) -> Canary:
    """A block of media in the layouts given, as it is and encoded as text."""
    return Canary(kind, name, _unique((*blocks, *(e for b in blocks for e in _encoded(b)))))


def _encoded(plain: bytes) -> Iterator[bytes]:
    yield plain.hex().encode()
    yield plain.hex().upper().encode()
    for before in range(3):  # wherever it begins in a group of three, and whatever stands around
        whole = base64.b64encode(b"\0" * before + plain)
        inner = whole[4 if before else 0 : (before + len(plain)) // 3 * 4]
        yield inner
        yield inner.translate(bytes.maketrans(b"+/", b"-_"))


def _unique(forms: tuple[bytes, ...]) -> tuple[bytes, ...]:
    return tuple(dict.fromkeys(forms))


def _mark(what: str) -> str:
    return f"kanari-{what}-{secrets.token_hex(6)}"


def make(folder: Path, *, pictures: int = 15) -> Batch:
    """A photograph, a sound and small pictures, `pictures + 1` files in all.

    With fewer than 15 pictures there are fewer than sixteen file names, the rest is complete.
    """
    folder.mkdir(parents=True)
    chance = random.Random(secrets.randbits(64))
    names = [f"{_mark('näme')}-{number:02}" for number in range(pictures + 1)]
    found = [of_text("name", name, name) for name in names]
    files = [folder / f"{name}.png" for name in names[1:]]
    exif, of_exif, shown = _exif(chance)
    found += of_exif
    found += _photograph(files[0], chance, exif)
    found += _jpeg(files[-1].with_suffix(".jpg"), chance)
    files[-1] = files[-1].with_suffix(".jpg")
    for path in files[1:-1]:
        noise = chance.randbytes(96 * 64 * 3)
        Image.frombytes("RGB", (96, 64), noise).save(path)
    sound = folder / f"{names[0]}.wav"
    found += _sound(sound, chance)
    return Batch(folder, (*files, sound), tuple(found), (*names, *shown))


# --- pixels ----------------------------------------------------------------------------------------


def _photograph(path: Path, chance: random.Random, exif: Image.Exif) -> Iterator[Canary]:
    """A face, eight lines of noise in it, four texts of the file format around it."""
    pixels = weights.picture("astronaut.png").copy()
    info = PngInfo()
    for number in range(8):
        block = np.frombuffer(chance.randbytes(BLOCK), np.uint8).reshape(-1, 3)
        pixels[8 + 60 * number, 100 : 100 + len(block)] = block
        yield of_bytes("pixel", f"rgb-{number}", block.tobytes(), block[:, ::-1].tobytes())
    for number, key in enumerate(("Comment", "Author", "Title", "Description")):
        text = _mark(f"png{number}")
        info.add_itxt(key, text) if number % 2 else info.add_text(key, text)
        yield of_text("pixel", f"png-text-{number}", text)
    Image.fromarray(pixels).save(path, exif=exif, pnginfo=info)


def _jpeg(path: Path, chance: random.Random) -> Iterator[Canary]:
    """Four blocks of the coded picture, as a copy of the file would hold them."""
    Image.frombytes("RGB", (160, 120), chance.randbytes(160 * 120 * 3)).save(path, quality=90)
    stored = path.read_bytes()
    for number in range(4):
        at = len(stored) * (number + 3) // 8
        yield of_bytes("pixel", f"jpeg-{number}", stored[at : at + BLOCK])


# --- EXIF ------------------------------------------------------------------------------------------


def _exif(chance: random.Random) -> tuple[Image.Exif, list[Canary], list[str]]:
    exif = Image.Exif()
    found, shown = [], []
    inner = exif.get_ifd(ExifTags.IFD.Exif)
    for name, tag in _TAGS:
        text = _mark(name.lower())
        (inner if tag >= 0x9000 else exif)[tag] = text
        found.append(of_text("exif", name, text))
        shown.append(text)
    position = exif.get_ifd(ExifTags.IFD.GPSInfo)
    for name, angle, mark in (
        ("latitude", ExifTags.GPS.GPSLatitude, "N"),
        ("longitude", ExifTags.GPS.GPSLongitude, "E"),
    ):
        parts, canary = _angle(name, chance)
        position[angle - 1], position[angle] = mark, parts
        found.append(canary)
    return exif, found, shown


def _angle(name: str, chance: random.Random) -> tuple[tuple[IFDRational, ...], Canary]:
    """Degrees, minutes, seconds; looked for as EXIF stores the seconds and as texts have them."""
    while True:
        seconds = Fraction(chance.randrange(10_000_001, 599_999_999), 10_000_000)
        if seconds.denominator == 10_000_000:
            break
    degrees = round(52 + 31 / 60 + float(seconds) / 3600, 7)
    stored = (seconds.numerator, seconds.denominator)
    texts = (repr(float(seconds)), f"{degrees:.7f}".rstrip("0"))
    packed = (struct.pack(">II", *stored), struct.pack("<II", *stored))
    forms = [form for text in texts for form in of_text("exif", name, text).forms]
    parts = (IFDRational(52), IFDRational(31), IFDRational(*stored))
    return parts, Canary("exif", name, _unique((*packed, *forms)))


# --- speech ----------------------------------------------------------------------------------------


def _sound(path: Path, chance: random.Random) -> Iterator[Canary]:
    """Two sentences with a trace of noise that is this batch's own."""
    spoken = [samples for samples, _ in weights.librivox()]
    noise = np.random.default_rng(chance.getrandbits(64))
    clips = [
        clip + noise.uniform(-1, 1, len(clip)).astype(np.float32) / 2048
        for clip in (spoken[number] for number in SPOKEN)
    ]
    write_wav(path, clips)
    for word in WORDS:
        yield of_text("speech", word, word, own=False)
    stored = np.frombuffer(path.read_bytes()[44:], "<i2")
    loud = np.flatnonzero(np.abs(stored.astype(np.int32)) > 4_000)
    for number in range(8):
        at = int(loud[len(loud) * (number + 1) // 10])
        block = stored[at : at + BLOCK // 2]
        decoded = (block / 32768).astype("<f4")
        yield of_bytes("speech", f"pcm-{number}", block.tobytes(), decoded.tobytes())
