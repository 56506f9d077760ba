"""Facts about media are plain JSON, whatever the file says."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
from clips import picture
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from leitstand.media import metadata


def with_exif(fill: Any, size: tuple[int, int] = (40, 30)) -> Image.Image:
    exif = Image.Exif()
    fill(exif)
    sink = io.BytesIO()
    Image.fromarray(picture(1)).resize(size).save(sink, "PNG", exif=exif)
    return Image.open(io.BytesIO(sink.getvalue()))


def test_exif_is_named_and_positions_are_degrees() -> None:
    def fill(exif: Image.Exif) -> None:
        exif[0x010F] = "Leica"
        exif[0x8825] = {
            1: "S",
            2: (IFDRational(33), IFDRational(51), IFDRational(3534, 100)),
            3: "E",
            4: (IFDRational(151), IFDRational(12), IFDRational(4068, 100)),
        }

    found = metadata.exif(with_exif(fill), 100_000)
    assert found["Make"] == "Leica"
    assert found["GPS"]["latitude"] == -33.8598167
    assert found["GPS"]["longitude"] == 151.2113
    assert found["GPS"]["GPSLatitudeRef"] == "S"


def test_width_and_height_are_those_of_the_picture_as_displayed() -> None:
    for orientation, expected in ((1, (40, 30)), (3, (40, 30)), (6, (30, 40)), (8, (30, 40))):
        image = with_exif(lambda exif, value=orientation: exif.__setitem__(0x0112, value))
        facts = metadata.of_image(image, 1)["image"]
        assert (facts["width"], facts["height"]) == expected


def test_an_orientation_that_does_not_exist_is_upright() -> None:
    image = with_exif(lambda exif: exif.__setitem__(0x0112, 77))
    assert metadata.orientation_of(image) == 1


def test_a_megabyte_of_exif_is_cut_and_the_cut_is_named() -> None:
    image = with_exif(lambda exif: exif.__setitem__(0x9286, b"A" * 1_000_000))
    found = metadata.exif(image, 10_000)
    assert len(json.dumps(found)) <= 10_000
    many = metadata.capped({f"tag_{n}": "x" * 4000 for n in range(250)}, 50_000)
    assert len(json.dumps(many)) <= 50_000
    assert many["cut"]["entries"] > 200


def test_unreadable_exif_is_no_reason_to_fail() -> None:
    image = Image.fromarray(picture(1))
    image.info["exif"] = b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\xff" * 50
    assert isinstance(metadata.exif(image, 1000), dict)


def test_values_json_has_no_word_for_become_null_or_sizes() -> None:
    assert metadata.safe(float("nan")) is None
    assert metadata.safe(float("inf")) is None
    assert metadata.safe(IFDRational(1, 0)) is None
    assert metadata.safe(b"\x00\xff" * 100) == {"bytes": 200}
    assert metadata.safe(b"0232\0") == "0232"
    assert metadata.safe(2**80) == str(2**80)


def test_text_loses_what_steers_terminals_and_pages() -> None:
    assert metadata.safe("a\x1b[31mb\x00\u202ec\ud800d\nä😀") == "a[31mbc?d\nä😀"


@given(
    st.recursive(
        st.none()
        | st.floats()
        | st.integers()
        | st.binary()
        | st.text(st.characters(exclude_categories=())),
        lambda inner: st.lists(inner) | st.dictionaries(st.integers() | st.text(), inner),
    )
)
def test_whatever_a_parser_hands_out_becomes_json(value: Any) -> None:
    encoded = json.dumps(metadata.safe(value), ensure_ascii=False, allow_nan=False)
    encoded.encode("utf-8")


@given(st.binary(max_size=300))
def test_no_bytes_in_the_place_of_exif_make_it_raise(raw: bytes) -> None:
    image = Image.fromarray(np.zeros((2, 2, 3), np.uint8))
    image.info["exif"] = b"Exif\0\0" + raw
    json.dumps(metadata.exif(image, 10_000))
    assert 1 <= metadata.orientation_of(image) <= 8


def test_the_place_in_a_videos_tags_is_a_position() -> None:
    tags = {"com.apple.quicktime.location.ISO6709": "+52.5163+013.3777+034.0/"}
    assert metadata.location(tags) == {"GPS": {"latitude": 52.5163, "longitude": 13.3777}}
    assert metadata.location({"location": "+952.5+013.3/"}) == {}
    assert metadata.location({"location": "nowhere"}) == {}


def test_layout_tags_of_a_tiff_are_not_facts_about_the_picture() -> None:
    sink = io.BytesIO()
    Image.fromarray(picture(1)).save(sink, "TIFF")
    found = metadata.exif(Image.open(io.BytesIO(sink.getvalue())), 100_000)
    assert "StripOffsets" not in found
