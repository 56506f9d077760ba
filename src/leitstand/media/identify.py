"""What a file is, by its content alone: names and endings never reach this layer.

Signatures decide where a format has one, the magika model (Apache-2.0) names the rest, and the
format found is *forced* when the file is opened. A file that is media in no format we open gets a
problem that says what it is instead: a playlist, an encrypted file, an archive, text.
"""

from __future__ import annotations

import functools
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from leitstand.core.limits import MIB
from leitstand.core.problem import Exit, Problem
from leitstand.media.source import Source

HEAD_BYTES = 4096
SAMPLE_BYTES = 64 * 1024
"""What the model and searches for a mark see of either end."""
TEXT_BYTES_MAX = MIB
BOXES_MAX = 4096
"""Top-level boxes of an MP4 that are looked at."""
RIFF_BYTES_MAX = 0x7FFF_0000
"""What writers of streams put for "unknown" lies above."""
TRANSPORT_PACKETS = 5
"""Sync bytes in a row that make a transport stream."""


@dataclass(frozen=True, slots=True)
class Identified:
    """`format` is what opening is forced to: a Pillow format for images, else a demuxer."""

    kind: str
    """image or media; whether media is video or audio shows when its streams are read."""
    mime: str
    format: str
    label: str
    """The content type in magika's words, or the signature's."""


_QUICKTIME = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
_ASF = bytes.fromhex("3026b2758e66cf11")


def _bitmap(head: bytes) -> bool:
    return len(head) > 26 and struct.unpack_from("<I", head, 14)[0] in (
        12,
        40,
        52,
        56,
        64,
        108,
        124,
    )


def _transport(head: bytes) -> bool:
    """188-byte packets, or the 192-byte ones of cameras and discs."""
    return any(
        len(head) > start + step * (TRANSPORT_PACKETS - 1)
        and all(head[start + step * n] == 0x47 for n in range(TRANSPORT_PACKETS))
        for start, step in ((0, 188), (4, 192))
    )


def _adts(head: bytes) -> bool:
    return len(head) > 3 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0 and head[2] >> 2 & 15 < 13


def _mpeg_audio(head: bytes) -> bool:
    return (
        len(head) > 3
        and head[0] == 0xFF
        and head[1] & 0xE0 == 0xE0
        and head[1] >> 3 & 3 != 1
        and head[1] >> 1 & 3 != 0
        and head[2] >> 4 not in (0, 15)
        and head[2] >> 2 & 3 != 3
    )


def _dolby(head: bytes, versions: range) -> bool:
    """A frame of AC-3 or E-AC-3 (ETSI TS 102 366, 4.4.2 and E.1.3.1), told apart by `bsid`."""
    return len(head) > 5 and head[:2] == b"\x0b\x77" and head[5] >> 3 in versions


_IMAGES: tuple[tuple[str, str, str, Callable[[bytes], bool]], ...] = (
    ("jpeg", "image/jpeg", "JPEG", lambda h: h.startswith(b"\xff\xd8\xff")),
    ("png", "image/png", "PNG", lambda h: h.startswith(b"\x89PNG\r\n\x1a\n")),
    ("gif", "image/gif", "GIF", lambda h: h[:6] in (b"GIF87a", b"GIF89a")),
    ("webp", "image/webp", "WEBP", lambda h: h[:4] == b"RIFF" and h[8:12] == b"WEBP"),
    ("tiff", "image/tiff", "TIFF", lambda h: h[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
    ("avif", "image/avif", "AVIF", lambda h: h[4:8] == b"ftyp" and h[8:12] in (b"avif", b"avis")),
    ("bmp", "image/bmp", "BMP", lambda h: h[:2] == b"BM" and _bitmap(h)),
)

_MEDIA: tuple[tuple[str, str, str, Callable[[bytes], bool]], ...] = (
    ("mp4", "video/mp4", "mp4", lambda h: h[4:8] == b"ftyp" and h[8:12] != b"qt  "),
    ("qt", "video/quicktime", "mov", lambda h: h[4:8] in _QUICKTIME),
    ("webm", "video/webm", "matroska", lambda h: h[:4] == b"\x1aE\xdf\xa3" and b"webm" in h[:64]),
    ("mkv", "video/x-matroska", "matroska", lambda h: h[:4] == b"\x1aE\xdf\xa3"),
    ("avi", "video/x-msvideo", "avi", lambda h: h[:4] == b"RIFF" and h[8:11] == b"AVI"),
    ("wav", "audio/x-wav", "wav", lambda h: h[:4] in (b"RIFF", b"RF64") and h[8:12] == b"WAVE"),
    ("w64", "audio/x-w64", "w64", lambda h: h[:4] == b"riff" and h[24:28] == b"wave"),
    ("aiff", "audio/aiff", "aiff", lambda h: h[:4] == b"FORM" and h[8:12] in (b"AIFF", b"AIFC")),
    ("caf", "audio/x-caf", "caf", lambda h: h[:4] == b"caff"),
    ("au", "audio/basic", "au", lambda h: h[:4] == b".snd"),
    ("ogg", "application/ogg", "ogg", lambda h: h[:4] == b"OggS"),
    ("flac", "audio/flac", "flac", lambda h: h[:4] == b"fLaC"),
    ("amr", "audio/amr", "amr", lambda h: h[:5] == b"#!AMR"),
    ("ac3", "audio/ac3", "ac3", lambda h: _dolby(h, range(11)) and h[4] >> 6 < 3),
    ("eac3", "audio/eac3", "eac3", lambda h: _dolby(h, range(11, 17))),
    ("tta", "audio/x-tta", "tta", lambda h: h[:4] == b"TTA1"),
    ("wavpack", "audio/x-wavpack", "wv", lambda h: h[:4] == b"wvpk"),
    ("flv", "video/x-flv", "flv", lambda h: h[:3] == b"FLV"),
    ("asf", "video/x-ms-asf", "asf", lambda h: h.startswith(_ASF)),
    ("mpegps", "video/mpeg", "mpeg", lambda h: h[:4] == b"\0\0\x01\xba"),
    ("mpegvideo", "video/mpeg", "mpegvideo", lambda h: h[:4] == b"\0\0\x01\xb3"),
    ("mxf", "application/mxf", "mxf", lambda h: h[:4] == b"\x06\x0e\x2b\x34"),
    ("ivf", "video/x-ivf", "ivf", lambda h: h[:4] == b"DKIF"),
    ("mpegts", "video/mp2t", "mpegts", _transport),
    ("aac", "audio/aac", "aac", _adts),
    ("mp3", "audio/mpeg", "mp3", _mpeg_audio),
)

_HEIF = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
_BY_LABEL = {
    **dict.fromkeys(("mp4", "3gp"), ("mp4", "video/mp4")),
    "qt": ("mov", "video/quicktime"),
    "mkv": ("matroska", "video/x-matroska"),
    "webm": ("matroska", "video/webm"),
    "mp3": ("mp3", "audio/mpeg"),
    "flac": ("flac", "audio/flac"),
    "ogg": ("ogg", "application/ogg"),
    "wav": ("wav", "audio/x-wav"),
}
_PLAIN = frozenset(("text", "code", "document", "archive", "application", "executable"))
"""Groups of the model that a person is told; anything else is just not media."""


def preload() -> None:
    """Loads the model and Pillow's formats; for the zygote, before it forks and confines."""
    from PIL import Image

    Image.init()
    _model().identify_bytes(b"\0" * HEAD_BYTES)


@functools.cache
def _model() -> Any:
    """The model, in a session with one thread, its caller's: a pool would not survive a fork."""
    import magika
    import onnxruntime  # type: ignore[import-untyped, unused-ignore]

    class OneThread(magika.Magika):  # type: ignore[misc, unused-ignore]
        def _init_onnx_session(self) -> Any:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = options.inter_op_num_threads = 1
            return onnxruntime.InferenceSession(
                self._model_path, options, providers=["CPUExecutionProvider"]
            )

    return OneThread()


def identify(source: Source) -> Identified:
    """What the bytes are. Raises `Problem` for everything that cannot be analysed."""
    if source.size == 0:
        raise Problem("empty-file", Exit.USAGE)
    head = source.read_at(0, HEAD_BYTES)
    _refuse_encrypted(source, head)
    for label, mime, format, fits in _IMAGES:
        if fits(head):
            return Identified("image", mime, format, label)
    if head[4:8] == b"ftyp" and head[8:12] in _HEIF:
        raise Problem("format-unsupported", Exit.USAGE, format="HEIC")
    tagged = _after_tag(source, head)
    for label, mime, format, fits in _MEDIA:
        if fits(tagged):
            if format in ("mp4", "mov"):
                _refuse_protected(source)
            return Identified("media", mime, format, label)
    return _by_model(source, head)


def _by_model(source: Source, head: bytes) -> Identified:
    sample = source.read_at(0, source.size) if source.size <= 2 * SAMPLE_BYTES else _ends(source)
    output = _model().identify_bytes(sample).output
    label, group = str(output.label), str(output.group)
    entries = _playlist_entries(source, head, label)
    if entries is not None:
        raise Problem("playlist", Exit.USAGE, entries=entries)
    if label in _BY_LABEL:
        format, mime = _BY_LABEL[label]
        return Identified("media", mime, format, label)
    if group == "archive" and head.strip(b"\0"):
        raise Problem("archive", Exit.USAGE, format=label)
    raise Problem("not-media", Exit.USAGE, kind=group if group in _PLAIN else "unknown")


def declared_bytes(source: Source, format: str) -> int | None:
    """How long the file says it is; None where the format does not say."""
    head = source.read_at(0, 64)
    if format in ("mp4", "mov"):
        return _boxes_end(source)
    if format in ("avi", "wav") and head[:4] == b"RIFF":
        size = int.from_bytes(head[4:8], "little")
        return 8 + size if 0 < size < RIFF_BYTES_MAX else None
    if format == "matroska":
        return _segment_end(source)
    if format == "aiff":
        return 8 + int.from_bytes(head[4:8])
    return None


def declared_seconds(source: Source, format: str, stream: int) -> Fraction | None:
    """How long a stream of a RIFF file says it is; libavformat shortens it to what is there."""
    head = source.read_at(0, SAMPLE_BYTES)
    if format == "avi":
        headers = [match.end() for match in re.finditer(rb"strh.{4}", head, re.DOTALL)]
        if stream >= len(headers) or headers[stream] + 36 > len(head):
            return None
        scale, rate, _, length = struct.unpack_from("<IIII", head, headers[stream] + 20)
        return Fraction(length * scale, rate) if rate and scale else None
    layout = re.search(rb"fmt .{12}(.{4})", head, re.DOTALL)
    sound = re.search(rb"data(.{4})", head, re.DOTALL)
    if format != "wav" or not layout or not sound:
        return None
    per_second, size = (int.from_bytes(found[1], "little") for found in (layout, sound))
    return Fraction(size, per_second) if per_second and size < RIFF_BYTES_MAX else None


def _boxes_end(source: Source) -> int | None:
    offset = 0
    for _ in range(BOXES_MAX):
        head = source.read_at(offset, 16)
        if len(head) < 8:
            break
        size = int.from_bytes(head[:4])
        if size == 1:
            size = int.from_bytes(head[8:16])
        if size < 8:
            return None
        offset += size
    return offset


def _segment_end(source: Source) -> int | None:
    head = source.read_at(0, HEAD_BYTES)
    at = head.find(b"\x18\x53\x80\x67")
    if at < 0 or at + 12 > len(head):
        return None
    length = 9 - head[at + 4].bit_length()
    mask = (1 << (7 * length)) - 1
    size = int.from_bytes(head[at + 4 : at + 4 + length]) & mask
    return None if size == mask else at + 4 + length + size


def _refuse_encrypted(source: Source, head: bytes) -> None:
    kind = None
    if head.startswith((b"age-encryption.org/", b"-----BEGIN AGE ENCRYPTED FILE-----")):
        kind = "age"
    elif head.startswith(b"-----BEGIN PGP MESSAGE-----") or _pgp(head):
        kind = "pgp"
    elif head.startswith(b"PK\x03\x04") and head[6] & 1:
        kind = "zip"
    elif head.startswith((b"LUKS\xba\xbe", b"encrcdsa", b"Salted__")):
        kind = "container"
    elif head.startswith(b"%PDF-") and b"/Encrypt" in _ends(source):
        kind = "pdf"
    elif head.startswith(b"\xd0\xcf\x11\xe0") and "EncryptedPackage".encode("utf-16-le") in _ends(
        source
    ):
        kind = "document"
    if kind is not None:
        raise Problem("encrypted-file", Exit.USAGE, kind=kind)


def _refuse_protected(source: Source) -> None:
    """MP4 sample entries `encv` and `enca` (ISO/IEC 14496-12, 8.12): sold with a key we lack."""
    offset = 0
    for _ in range(BOXES_MAX):
        head = source.read_at(offset, 16)
        if len(head) < 8:
            return
        size = int.from_bytes(head[:4])
        if size == 1:
            size = int.from_bytes(head[8:16])
        if head[4:8] == b"moov":
            moov = source.read_at(offset, min(size or source.size, 16 * MIB))
            if re.search(rb"stsd.{12}enc[va]", moov, re.DOTALL):
                raise Problem("encrypted-file", Exit.USAGE, kind="drm")
            return
        if size < 8:
            return
        offset += size


def _pgp(head: bytes) -> bool:
    """A binary OpenPGP message (RFC 9580): a session key packet comes first."""
    if len(head) < 8:
        return False
    if head[0] in (0x84, 0x85):
        return head[2 if head[0] == 0x84 else 3] in (3, 6)
    if head[0] == 0x8C:
        return head[1] < 64 and head[2] in (4, 5, 6)
    return head[0] in (0xC1, 0xC3) and head[1] != 0 and head[2] in (3, 4, 5, 6)


def _ends(source: Source) -> bytes:
    tail = max(0, source.size - SAMPLE_BYTES)
    return source.read_at(0, SAMPLE_BYTES) + source.read_at(tail, SAMPLE_BYTES)


_ENTRY_PATTERNS = (
    (re.compile(rb"\A\s*#EXTM3U", re.IGNORECASE), re.compile(rb"^(?!\s*#)\s*\S", re.MULTILINE)),
    (
        re.compile(rb"\A\s*\[playlist\]", re.IGNORECASE),
        re.compile(rb"^\s*File\d+\s*=", re.IGNORECASE | re.MULTILINE),
    ),
    (re.compile(rb"\A\s*ffconcat version"), re.compile(rb"^\s*file\s", re.MULTILINE)),
    (
        re.compile(rb"\A\s*(?:#[^\n]*\n\s*)*file\s+['\"]?\S"),
        re.compile(rb"^\s*file\s", re.MULTILINE),
    ),
    (
        re.compile(rb"<(?:asx|smil)\b", re.IGNORECASE),
        re.compile(rb"<(?:ref|video|audio)\b", re.IGNORECASE),
    ),
    (
        re.compile(rb"<playlist\b[^>]*xspf", re.IGNORECASE),
        re.compile(rb"<location>", re.IGNORECASE),
    ),
    (re.compile(rb"<MPD\b"), re.compile(rb"<(?:BaseURL|SegmentURL|SegmentTemplate)\b")),
    (re.compile(rb"\Av=0\r?\no="), re.compile(rb"^m=", re.MULTILINE)),
    (
        re.compile(rb"\A\s*\[Reference\]", re.IGNORECASE),
        re.compile(rb"^\s*Ref\d+\s*=", re.IGNORECASE | re.MULTILINE),
    ),
)


def _playlist_entries(source: Source, head: bytes, label: str) -> int | None:
    """How many other files a playlist names; None if it is none."""
    text = source.read_at(0, TEXT_BYTES_MAX).removeprefix(b"\xef\xbb\xbf")
    for mark, entry in _ENTRY_PATTERNS:
        if mark.search(text[:HEAD_BYTES]):
            return len(entry.findall(text))
    if label == "m3u":
        return len(_ENTRY_PATTERNS[0][1].findall(text))
    return None


def _after_tag(source: Source, head: bytes) -> bytes:
    """The beginning behind an ID3v2 tag, whose length is four times seven bits."""
    if head[:3] != b"ID3" or len(head) < 10:
        return head
    size = 0
    for byte in head[6:10]:
        size = size << 7 | byte & 0x7F
    return source.read_at(10 + size, HEAD_BYTES).lstrip(b"\0")
