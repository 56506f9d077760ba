"""Still pictures come out of the sandbox upright, in RGB and within bounds."""

from __future__ import annotations

import io
import struct
import zlib

import decode_clips as clips
import numpy as np
import pytest
from PIL import Image

from leitstand.core.limits import PIXELS_MAX
from leitstand.media import decode
from leitstand.media.decode import DecodeError


def saved(image, format="PNG", **options):
    sink = io.BytesIO()
    image.save(sink, format, **options)
    return sink.getvalue()


@pytest.fixture
def picture(pictures):
    """The one picture of an image file."""

    def take(body, **options):
        got, gaps = pictures(body, "image", to_us=1, **options)
        assert [time for time, _, _ in got] == [0]
        assert gaps == []
        return got[0][1], got[0][2]

    return take


UPRIGHT = {
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.transpose(1, 0, 2),
    6: lambda p: np.rot90(p, -1),
    7: lambda p: p.transpose(1, 0, 2)[::-1, ::-1],
    8: lambda p: np.rot90(p, 1),
}
"""EXIF 2.32, 4.6.4 A, Orientation: what is done to the stored picture to show it."""


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_exif_orientation_is_applied(picture, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    rgb, _ = picture(saved(Image.fromarray(clips.corners()), "JPEG", exif=exif, quality=95))
    assert clips.near(rgb, UPRIGHT[orientation](clips.corners()), 5.0)


def test_a_large_picture_is_scaled_and_says_by_how_much(picture):
    rgb, scale = picture(saved(Image.fromarray(clips.corners(960, 640)), "JPEG"), side_max=240)
    assert rgb.shape == (160, 240, 3)
    assert scale == 4.0
    assert clips.near(rgb, clips.corners(240, 160), 4.0)


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF"])
def test_every_picture_format_of_intake_is_read(picture, format):
    rgb, _ = picture(saved(Image.fromarray(clips.corners()), format))
    assert clips.near(rgb, clips.corners(), 6.0)


def flat(mode, colour):
    return Image.new(mode, (8, 4), colour)


def deep(values):
    return Image.fromarray(np.full((4, 8), *values))


@pytest.mark.parametrize(
    ("image", "format", "expected"),
    [
        (flat("RGB", (10, 200, 30)), "PNG", (10, 200, 30)),
        (flat("L", 90), "PNG", (90, 90, 90)),
        (flat("1", 1), "PNG", (255, 255, 255)),
        (flat("RGBA", (255, 0, 0, 0)), "PNG", (255, 255, 255)),
        (flat("RGBA", (255, 0, 0, 128)), "PNG", (255, 127, 127)),
        (flat("LA", (0, 128)), "PNG", (127, 127, 127)),
        (flat("CMYK", (255, 0, 0, 0)), "JPEG", (0, 255, 255)),
        (deep((32896, np.uint16)), "PNG", (128, 128, 128)),
        (deep((65535, np.uint16)), "TIFF", (255, 255, 255)),
        (deep((0.5, np.float32)), "TIFF", (128, 128, 128)),
        (deep((60000, np.int32)), "TIFF", (233, 233, 233)),
    ],
)
def test_every_mode_becomes_rgb_on_white(picture, image, format, expected):
    rgb, _ = picture(saved(image, format))
    assert rgb.shape == (4, 8, 3)
    assert np.abs(rgb.astype(int) - expected).max() <= 3


def test_a_palette_with_transparency_is_laid_on_white(picture):
    image = Image.new("P", (8, 4), 1)
    image.putpalette([0, 0, 0, 250, 10, 10])
    rgb, _ = picture(saved(image, transparency=1))
    assert np.array_equal(rgb, np.full((4, 8, 3), 255))


def png_header(width, height):
    """A PNG that says it is large and holds next to nothing."""

    def chunk(kind, data):
        crc = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 100))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("size", [(20_000, 10_000), (PIXELS_MAX + 1, 1), (2**31 - 1, 2**31 - 1)])
def test_a_picture_above_the_limit_is_refused_by_its_header(zygote, memory, size):
    source = decode.frames(
        zygote, memory(png_header(*size)), "image", side_max=64, from_us=0, to_us=1
    )
    with pytest.raises(DecodeError) as caught:
        next(source)
    assert caught.value.code in ("decoder-limit", "unreadable")
    if size[0] < 2**31 - 1:
        assert caught.value.code == "decoder-limit"


@pytest.mark.full
@pytest.mark.parametrize(
    ("mode", "colour", "format"),
    [
        ("RGBA", (255, 0, 0, 128), "PNG"),
        ("P", 5, "PNG"),
        ("CMYK", (9, 9, 9, 9), "TIFF"),
        ("I;16", 999, "PNG"),
    ],
)
def test_the_largest_picture_allowed_fits_into_the_sandbox(picture, mode, colour, format):
    side = int(PIXELS_MAX**0.5)
    rgb, scale = picture(saved(Image.new(mode, (side, side), colour), format), side_max=1280)
    assert rgb.shape == (1280, 1280, 3)
    assert scale == pytest.approx(side / 1280)


def test_a_truncated_picture_comes_as_far_as_it_goes_and_is_booked(pictures):
    noise = np.random.default_rng(7).integers(0, 255, (200, 200, 3), np.uint8)
    body = saved(Image.fromarray(noise), "JPEG", quality=90)
    got, gaps = pictures(body[: len(body) // 2], "image", to_us=1)
    assert got[0][1].shape == (200, 200, 3)
    assert got[0][1][:50].std() > 20
    assert gaps == [(0, 1, "truncated")]
