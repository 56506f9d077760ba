"""Intake of an image: one picture, one segment, the bytes as they are.

The size comes from the header, before a pixel is decoded. A damaged picture is taken as far as it
decodes, with a gap that says so; whoever decodes the segment must allow truncated pictures too
(`ImageFile.LOAD_TRUNCATED_IMAGES`). Of an animation the first picture is analysed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from PIL import Image, ImageFile

from leitstand.core.problem import Exit, Problem
from leitstand.media import metadata
from leitstand.media.answer import IntakeLimits, Message, gap, segment
from leitstand.media.identify import Identified
from leitstand.media.source import Source

STREAM = "image:0"
DOWNWARDS = ("JPEG", "PNG", "TIFF")
"""Formats whose rows are read from the top, so that what is missing lies at the bottom."""
BAND = 16
"""Rows looked at together: as many as a JPEG decodes at once."""
IMAGE_US = 1
"""An image is one frame at time 0; its segment owns one microsecond."""


def examine_image(source: Source, found: Identified, limits: IntakeLimits) -> Iterator[Message]:
    """Head and one segment. Raises `Problem` before the first message."""
    Image.MAX_IMAGE_PIXELS = None
    image = _open(source, found)
    width, height = image.size
    if width * height > limits.pixels_max:
        raise Problem(
            "too-many-pixels", Exit.USAGE, width=width, height=height, pixels_max=limits.pixels_max
        )
    if source.size > limits.segment_bytes_max:
        raise Problem(
            "image-too-large", Exit.USAGE, bytes=source.size, bytes_max=limits.segment_bytes_max
        )
    technical = metadata.of_image(image, source.size)
    exif = metadata.exif(image, limits.metadata_bytes_max // 2)
    gaps: list[dict[str, Any]] = []
    if not _decodes(image):
        readable = _usable_part(source, found)
        if readable is not None:
            technical["image"]["readable"] = readable
        gaps.append(gap(STREAM, 0, IMAGE_US, "truncated"))
    yield Message(
        {
            "type": "head",
            "kind": "image",
            "mime": found.mime,
            "technical": metadata.capped(technical, limits.metadata_bytes_max // 2),
            "exif": exif,
            "gaps": gaps,
            "proof": {},
            "segments": 1,
        }
    )
    yield segment(STREAM, 0, 0, IMAGE_US, "image", source.read_at(0, source.size))


def _open(source: Source, found: Identified) -> Image.Image:
    formats = ["JPEG", "MPO"] if found.format == "JPEG" else [found.format]
    try:
        return Image.open(source.again().file(), formats=formats)
    except Exception as error:
        raise Problem("unreadable-media", Exit.USAGE, format=found.label) from error


def _decodes(image: Image.Image) -> bool:
    """Whether all of it is there; a JPEG is read whole but scaled down, which saves the memory."""
    try:
        image.draft("RGB", (max(1, image.width // 8), max(1, image.height // 8)))
        image.load()
    except Exception:
        return False
    return True


def _usable_part(source: Source, found: Identified) -> float | None:
    """Decodes a damaged picture as far as it goes; a single colour is not a picture.

    Returns what share of its rows was there at least; None where rows do not come in order.
    """
    before = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        image = _open(source, found)
        image.load()
        extrema: Any = image.convert("RGB").getextrema()
        share = None if found.format not in DOWNWARDS else _share_read(image)
    except Exception as error:
        raise Problem("truncated-file", Exit.USAGE, bytes=source.size) from error
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before
    if _flat(extrema):
        raise Problem("truncated-file", Exit.USAGE, bytes=source.size)
    return share


def _share_read(image: Image.Image) -> float | None:
    """The share of rows above the one colour that decoders put where nothing more came.

    A lower part that is really of one colour makes it smaller, never larger.
    """
    width, height = image.size
    fill = image.crop((0, height - 1, width, height)).getextrema()
    if image.info.get("progressive") or image.info.get("interlace") or not _flat(fill):
        return None
    end = height
    while end > 0 and image.crop((0, max(0, end - BAND), width, end)).getextrema() == fill:
        end -= BAND
    return round(max(0, end - BAND) / height, 3)


def _flat(extrema: Any) -> bool:
    """Whether extrema, a pair or one pair for each channel, are those of one colour."""
    pairs = extrema if isinstance(extrema[0], tuple) else (extrema,)
    return all(low == high for low, high in pairs)
