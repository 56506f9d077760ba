"""Files that are no good medium, each made as small as it can be."""

from __future__ import annotations

import io
import struct
import wave
import zlib
from pathlib import Path

import av
import numpy as np
from PIL import Image

RATE = 16_000
EXIF_TAG_DESCRIPTION = 0x010E


def empty(path: Path) -> Path:
    path.write_bytes(b"")
    return path


def playlist(path: Path, entries: int) -> Path:
    path.write_text("#EXTM3U\n" + "".join(f"#EXTINF:9,\nfile:///c{n}.ts\n" for n in range(entries)))
    return path


def text(path: Path) -> Path:
    path.write_text("Dear reader, this was never a picture, whatever its name says.\n" * 20)
    return path


def encrypted(path: Path) -> Path:
    """What `openssl enc` makes of any file."""
    path.write_bytes(b"Salted__" + np.random.default_rng(3).bytes(4096))
    return path


def many_pixels(path: Path, width: int = 20_000, height: int = 10_000) -> Path:
    """A black-and-white PNG of 200 megapixels in some 25 kB."""
    row = bytes(1 + (width + 7) // 8)
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", packed), (b"IEND", b"")]
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
            for name, body in chunks
        )
    )
    return path


def no_frames(path: Path) -> Path:
    """A video track that was described and never got a picture."""
    with av.open(str(path), "w") as target:
        stream = target.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        target.start_encoding()
    return path


def no_sound(path: Path) -> Path:
    """A WAV file that ends with its header."""
    return silence(path, 0)


def silence(path: Path, seconds: int) -> Path:
    """Nothing but silence; a WAV file with holes, which takes no room on most disks."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        minute = bytes(2 * RATE * 60)
        for _ in range(seconds // 60):
            file.writeframes(minute)
        file.writeframes(bytes(2 * RATE * (seconds % 60)))
    return path


def with_exif(path: Path, exif_bytes: int) -> Path:
    """A picture whose EXIF says its description in so many bytes."""
    exif = Image.Exif()
    exif[EXIF_TAG_DESCRIPTION] = "long " * (exif_bytes // 5)
    tile(7).save(path, "WEBP", exif=exif.tobytes())
    return path


def tile(seed: int, side: int = 64) -> Image.Image:
    """A small picture unlike that of any other seed."""
    pixels = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), np.uint8)
    return Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC)


def noise(path: Path, side: int) -> Path:
    """A picture that hardly any compression makes smaller: 3 bytes a pixel."""
    pixels = np.random.default_rng(side).integers(0, 255, (side, side, 3), np.uint8)
    Image.fromarray(pixels).save(path, "PNG")
    return path


def picture(path: Path, seed: int) -> Path:
    """A good picture; its format is PNG whatever its name says."""
    buffer = io.BytesIO()
    tile(seed).save(buffer, "PNG")
    path.write_bytes(buffer.getvalue())
    return path


def shortened(path: Path, whole: Path, share: float) -> Path:
    """The first `share` of a file."""
    data = whole.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path
