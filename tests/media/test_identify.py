"""Files are what their content says, and what cannot be analysed is named, not guessed at."""

from __future__ import annotations

import io
import struct
import zipfile
from typing import Any

import av
import pytest
from clips import SOUNDS, VIDEOS, WHOLE, clip, picture
from PIL import Image

from leitstand.core.problem import Problem
from leitstand.media import identify
from leitstand.media.source import Source, open_container


def image(format: str, **options: Any) -> bytes:
    sink = io.BytesIO()
    Image.fromarray(picture(3)).save(sink, format, **options)
    return sink.getvalue()


def zipped(content: bytes) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr("film.mp4", content)
    return sink.getvalue()


def code(body: bytes) -> str:
    with pytest.raises(Problem) as caught:
        identify.identify(Source.of(body))
    return caught.value.code


def params(body: bytes) -> dict[str, Any]:
    with pytest.raises(Problem) as caught:
        identify.identify(Source.of(body))
    return dict(caught.value.params)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "AVIF"])
def test_images_are_known_by_content(format: str) -> None:
    found = identify.identify(Source.of(image(format)))
    assert (found.kind, found.format) == ("image", format)


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("h264-open-gop", "mp4"),
        ("vp9", "matroska"),
        ("mpeg4-avi-b-frames", "avi"),
        ("mpeg2-transport-stream", "mpegts"),
        ("mpeg2-program-stream", "mpeg"),
        ("flv", "flv"),
        ("windows-media", "asf"),
        ("pcm-wav", "wav"),
        ("flac", "flac"),
        ("mp3", "mp3"),
        ("aac-adts", "aac"),
        ("raw-ac3", "ac3"),
        ("raw-eac3", "eac3"),
        ("tta", "tta"),
        ("opus-ogg", "ogg"),
        ("mulaw-au", "au"),
    ],
)
def test_video_and_audio_are_known_by_content(name: str, format: str) -> None:
    body = clip({**VIDEOS, **SOUNDS, **WHOLE}[name])
    found = identify.identify(Source.of(body))
    assert (found.kind, found.format) == ("media", format)
    open_container(Source.of(body), found.format).close()


def test_sound_behind_a_large_tag_is_found() -> None:
    tag = b"ID3\x04\0\0" + bytes([0, 0, 0x3F, 0x7F]) + bytes(0x3F * 128 + 0x7F)
    assert identify.identify(Source.of(tag + clip(SOUNDS["mp3"]))).format == "mp3"
    assert identify.identify(Source.of(tag + clip(SOUNDS["flac"]))).format == "flac"


@pytest.mark.parametrize(
    ("body", "entries"),
    [
        (b"#EXTM3U\n#EXTINF:4,\nhttps://a.example/1.ts\n2.ts\n", 2),
        (b"[playlist]\nFile1=a.mp3\nFile2=b.mp3\nNumberOfEntries=2\n", 2),
        (b"ffconcat version 1.0\nfile '/etc/passwd'\n", 1),
        (b"file '/etc/passwd'\nfile 'b.mp4'\n", 2),
        (b'<asx version="3.0"><entry><ref href="http://a.example/1"/></entry></asx>', 1),
        (b'<?xml version="1.0"?><MPD><BaseURL>a.mp4</BaseURL></MPD>', 1),
        (b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nm=video 5004 RTP/AVP 96\n", 1),
    ],
)
def test_playlists_are_refused_with_the_number_of_files_they_name(
    body: bytes, entries: int
) -> None:
    assert code(body) == "playlist"
    assert params(body) == {"entries": entries}


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"age-encryption.org/v1\n-> X25519 x\n", "age"),
        (b"-----BEGIN AGE ENCRYPTED FILE-----\n", "age"),
        (b"-----BEGIN PGP MESSAGE-----\n\n", "pgp"),
        (b"\x85\x02\x0c\x03" + bytes(600), "pgp"),
        (b"PK\x03\x04\x14\0\x01\0\x08\0" + bytes(90), "zip"),
        (b"%PDF-1.7\ntrailer << /Encrypt 5 0 R >>\n", "pdf"),
        (b"Salted__" + bytes(64), "container"),
    ],
)
def test_encrypted_files_are_named(body: bytes, kind: str) -> None:
    assert code(body) == "encrypted-file"
    assert params(body) == {"kind": kind}


def test_a_film_that_needs_a_bought_key_is_refused() -> None:
    body = clip(VIDEOS["h264-open-gop"]).replace(b"avc1\0\0\0", b"encv\0\0\0")
    assert code(body) == "encrypted-file"
    assert params(body) == {"kind": "drm"}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", "empty-file"),
        (zipped(b"a film" * 100), "archive"),
        (b"Dear Ann,\nhere is the video I told you about.\n" * 9, "not-media"),
        (bytes(5000), "not-media"),
        (b"\x0b\x77\xff\xff\xff\xff" + bytes(range(256)) * 9, "not-media"),
        (b"\0\0\0\x18ftypheic\0\0\0\0heicmif1", "format-unsupported"),
    ],
)
def test_other_files_are_told_apart(body: bytes, expected: str) -> None:
    assert code(body) == expected


def test_no_protocol_and_no_other_file_is_open_to_a_container() -> None:
    body = b"ffconcat version 1.0\nfile 'file:/etc/hostname'\n"
    with pytest.raises((OSError, ValueError)):
        open_container(Source.of(body), "concat")
    body = b"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n/etc/hostname\n#EXT-X-ENDLIST\n"
    with pytest.raises((OSError, ValueError)):
        open_container(Source.of(body), "hls")


def test_a_container_with_very_many_streams_is_refused() -> None:
    body = clip(VIDEOS["mpeg4-avi-b-frames"])
    header = body.index(b"LIST", 12)
    size = struct.unpack_from("<I", body, header + 4)[0]
    streams = body[body.index(b"LIST", header + 8) : header + 8 + size]
    streams = streams[: 8 + struct.unpack_from("<I", streams, 4)[0]]
    many = body[:header] + b"LIST" + struct.pack("<I", size + 100 * len(streams))
    many += body[header + 8 : header + 8 + size] + streams * 100 + body[header + 8 + size :]
    with pytest.raises(av.error.FFmpegError):
        open_container(Source.of(many), "avi")


def test_the_length_a_file_declares_is_known() -> None:
    for name, format in (("h264-open-gop", "mp4"), ("av1", "matroska"), ("pcm-wav", "wav")):
        body = clip({**VIDEOS, **SOUNDS}[name])
        assert identify.declared_bytes(Source.of(body), format) == len(body)
        assert identify.declared_bytes(Source.of(body[:-500]), format) == len(body)
