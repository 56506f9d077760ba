"""Technical facts and EXIF of a medium, as plain JSON that holds nothing dangerous.

Everything here was written by whoever made the file. Text loses control characters and bytes that
are not UTF-8, numbers that JSON has no word for become null, binary values are named by their size
instead of copied, and the whole is cut to a limit with a note of what is missing.
"""

from __future__ import annotations

import json
import math
import re
import warnings
from collections.abc import Mapping
from typing import Any

from PIL import ExifTags, Image

TEXT_MAX = 4096
ITEMS_MAX = 256
DEPTH_MAX = 6

JSON = Any

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]")
_LAYOUT_TAGS = frozenset(
    [
        "StripOffsets",
        "StripByteCounts",
        "TileOffsets",
        "TileByteCounts",
        "JPEGTables",
        "ImageResources",
        "ExifOffset",
        "GPSInfo",
        "ExifInteroperabilityOffset",
        "SubIFDs",
        "MakerNote",
        "PrintImageMatching",
        "XMLPacket",
    ]
)
_ISO6709 = re.compile(r"^([+-]\d+(?:\.\d+)?)([+-]\d+(?:\.\d+)?)([+-]\d+(?:\.\d+)?)?")
_TURNED = (5, 6, 7, 8)


def safe(value: object, depth: int = 0) -> JSON:
    """Any value a parser hands out, as JSON."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**53 else str(value)[:TEXT_MAX]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return _bytes(bytes(value))
    if depth >= DEPTH_MAX:
        return None
    if isinstance(value, Mapping):
        items = list(value.items())[:ITEMS_MAX]
        return {_text(str(name))[:128]: safe(part, depth + 1) for name, part in items}
    if isinstance(value, list | tuple):
        return [safe(part, depth + 1) for part in value[:ITEMS_MAX]]
    try:
        return safe(float(value))  # type: ignore[arg-type]
    except (TypeError, ValueError, ArithmeticError):
        return None


def _text(value: str) -> str:
    clean = value.encode("utf-8", "replace").decode("utf-8")
    return _CONTROL.sub("", clean)[:TEXT_MAX].strip()


def _bytes(value: bytes) -> JSON:
    """Short printable bytes as text (EXIF writes versions and dates so), else their size."""
    stripped = value.rstrip(b"\0 ")
    if len(stripped) <= 64 and all(32 <= byte < 127 for byte in stripped):
        return stripped.decode("ascii")
    return {"bytes": len(value)}


def capped(document: dict[str, JSON], bytes_max: int) -> dict[str, JSON]:
    """The document within `bytes_max` of JSON; what was left out is named under `cut`."""
    sizes = {
        name: len(json.dumps(part, ensure_ascii=False).encode()) for name, part in document.items()
    }
    left_out: list[str] = []
    room = bytes_max - 1024
    while sum(sizes.values()) + sum(len(name) + 8 for name in sizes) > room and sizes:
        largest = max(sizes, key=lambda name: sizes[name])
        left_out.append(largest)
        del sizes[largest]
    kept = {name: part for name, part in document.items() if name in sizes}
    if left_out:
        kept["cut"] = {"entries": len(left_out), "names": [name[:64] for name in left_out[:8]]}
    return kept


def exif(image: Image.Image, bytes_max: int) -> dict[str, JSON]:
    """EXIF of a picture by tag name, positions under `GPS` as read and as degrees.

    Never raises: unreadable EXIF is an empty document with `unreadable`.
    """
    try:
        found = _exif(image)
        document = _named(dict(found), ExifTags.TAGS)
        document |= _named(found.get_ifd(ExifTags.IFD.Exif), ExifTags.TAGS)
        position = _named(found.get_ifd(ExifTags.IFD.GPSInfo), ExifTags.GPSTAGS)
    except Exception:
        return {"unreadable": True}
    if position:
        document["GPS"] = position | _degrees(position)
    return capped(document, bytes_max)


def _exif(image: Image.Image) -> Image.Exif:
    """Pillow warns of damaged tags and goes on; so do we."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return image.getexif()


def _named(tags: Mapping[int, object], names: Mapping[int, str]) -> dict[str, JSON]:
    out: dict[str, JSON] = {}
    for number, value in list(tags.items())[:ITEMS_MAX]:
        name = names.get(number, f"tag_{number}")
        if name not in _LAYOUT_TAGS:
            out[name] = safe(value)
    return out


def _degrees(position: Mapping[str, JSON]) -> dict[str, JSON]:
    out: dict[str, JSON] = {}
    for name, limit, negative in (("Latitude", 90, "S"), ("Longitude", 180, "W")):
        parts = position.get(f"GPS{name}")
        if not isinstance(parts, list) or len(parts) != 3:
            continue
        if not all(isinstance(part, int | float) for part in parts):
            continue
        value = parts[0] + parts[1] / 60 + parts[2] / 3600
        if position.get(f"GPS{name}Ref") == negative:
            value = -value
        if abs(value) <= limit:
            out[name.lower()] = round(value, 7)
    return out


def location(tags: Mapping[str, str]) -> dict[str, JSON]:
    """Where a video says it was taken (ISO 6709), in the form of EXIF's `GPS`."""
    for name in ("com.apple.quicktime.location.ISO6709", "location", "location-eng"):
        match = _ISO6709.match(tags.get(name, ""))
        if match and abs(float(match[1])) <= 90 and abs(float(match[2])) <= 180:
            return {"GPS": {"latitude": float(match[1]), "longitude": float(match[2])}}
    return {}


def of_image(image: Image.Image, size: int) -> dict[str, JSON]:
    """Technical facts of a picture; width and height as it is displayed."""
    width, height = displayed_size(image)
    facts: dict[str, JSON] = {
        "format": image.format,
        "width": width,
        "height": height,
        "mode": image.mode,
    }
    frames = _number(getattr(image, "n_frames", 1))
    if frames > 1:
        facts["frames"] = frames
    orientation = orientation_of(image)
    if orientation != 1:
        facts["orientation"] = orientation
    return {"container": image.format, "bytes": size, "image": facts}


def orientation_of(image: Image.Image) -> int:
    """EXIF orientation, 1 where there is none or it is not one of the eight."""
    try:
        value = _exif(image).get(ExifTags.Base.Orientation, 1)
    except Exception:
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def displayed_size(image: Image.Image) -> tuple[int, int]:
    """Width and height after EXIF orientation."""
    width, height = image.size
    return (height, width) if orientation_of(image) in _TURNED else (width, height)


def of_video(stream: Any, rotation: int, frames: int) -> dict[str, JSON]:
    """Technical facts of a video stream; `rotation` in degrees, size as it is displayed."""
    context = stream.codec_context
    width, height = _number(context.width), _number(context.height)
    if rotation % 180:
        width, height = height, width
    rate = stream.average_rate or stream.guessed_rate
    facts: dict[str, JSON] = {
        "codec": _codec(context),
        "width": width,
        "height": height,
        "frame_rate": round(float(rate), 3) if rate else None,
        "frames": frames,
        "rotation": rotation % 360,
        "pixel_format": context.pix_fmt,
    }
    aspect = context.sample_aspect_ratio
    if aspect and aspect != 1:
        facts["pixel_aspect"] = f"{aspect.numerator}:{aspect.denominator}"
    return facts


def of_audio(stream: Any) -> dict[str, JSON]:
    """Technical facts of an audio stream."""
    context = stream.codec_context
    return {
        "codec": _codec(context),
        "sample_rate": _number(context.sample_rate),
        "channels": _number(context.channels),
    }


def of_other(stream: Any) -> dict[str, JSON]:
    """A stream that is not analysed."""
    return {
        "kind": stream.type,
        "codec": None if stream.codec_context is None else _codec(stream.codec_context),
        "language": safe(stream.metadata.get("language")),
    }


def _codec(context: Any) -> str:
    """The codec's name, not that of the library which decodes it (`av1`, not `libdav1d`)."""
    return str(getattr(context.codec, "canonical_name", None) or context.name)


def _number(value: object) -> int:
    return value if isinstance(value, int) and 0 <= value < 2**53 else 0
