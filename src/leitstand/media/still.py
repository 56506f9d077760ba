"""One picture file to RGB of the wanted size: every mode Pillow knows, upright, on white."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageFile, ImageOps

from leitstand.core.limits import PIXELS_MAX
from leitstand.media.channel import Refused
from leitstand.media.ring import fitted
from leitstand.media.source import Source

if TYPE_CHECKING:
    from leitstand.ports import Rgb

FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "AVIF", "BMP")
"""What intake lets through; Pillow's rarer parsers stay closed."""

_TRANSPARENT = ("RGBA", "LA", "PA", "RGBa", "La")
_BAND_ROWS = 64
_DEEP = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")


def read(source: Source, side_max: int) -> tuple[Rgb, int, bool]:
    """Pixels, the long side of the original as displayed, and whether all of it was there.

    A truncated picture comes as far as it goes. Raises `Refused`.
    """
    Image.MAX_IMAGE_PIXELS = PIXELS_MAX // 2  # Pillow refuses above twice this
    for whole in (True, False):
        ImageFile.LOAD_TRUNCATED_IMAGES = not whole
        try:
            image = Image.open(source.again().file(), formats=FORMATS)
            if image.width * image.height > PIXELS_MAX:
                raise Refused("decoder-limit", limit="pixels")
            long_side = max(image.size)
            image.draft(None, (2 * side_max, 2 * side_max))
            image.load()
            return _rgb(_upright(image), side_max), long_side, whole
        except (Refused, MemoryError):
            raise
        except Image.DecompressionBombError:
            raise Refused("decoder-limit", limit="pixels") from None
        except Exception as error:
            if not whole:
                raise Refused("unreadable") from error
    raise AssertionError


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except MemoryError:
        raise
    except Exception:
        return image  # EXIF that cannot be read says nothing about the pixels


def _rgb(image: Image.Image, side_max: int) -> Rgb:
    if image.mode in _DEEP:
        image = Image.fromarray(_eight_bits(image))
    elif "transparency" in image.info or image.mode in _TRANSPARENT:
        image = image.convert("RGBA")
    elif image.mode not in ("L", "RGB", "CMYK"):
        image = image.convert("RGB")
    size = fitted(image.width, image.height, side_max)
    if size != image.size:
        image = image.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
    if image.mode == "RGBA":
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, image)
    return np.asarray(image.convert("RGB"))


def _eight_bits(image: Image.Image) -> Rgb:
    """Deep grey values scaled to 8 bits by the range their type or their values span; a band of
    rows at a time, since the whole in floats would not fit beside the picture."""
    deep = np.asarray(image)
    if image.mode == "F":
        low, high = (float(np.fmin.reduce(deep, None)), float(np.fmax.reduce(deep, None)))
        if not low < high or (low >= 0.0 and high <= 1.0):
            low, high = 0.0, 1.0
    else:
        low, high = 0.0, 65535.0 if image.mode != "I" or deep.max() > 255 else 255.0
    grey = np.empty(deep.shape, np.uint8)
    for top in range(0, len(deep), _BAND_ROWS):
        band = deep[top : top + _BAND_ROWS].astype(np.float32)
        scaled = np.nan_to_num((band - low) * (255.0 / (high - low)))
        grey[top : top + _BAND_ROWS] = np.clip(np.rint(scaled), 0, 255)
    return grey
