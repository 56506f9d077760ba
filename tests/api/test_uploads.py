"""An upload is taken whole, part by part, or leaves nothing."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import httpx
import pytest

from leitstand.core import limits
from leitstand.store import media
from tests.api.served import digest_header, problem
from tests.control.rig import TENANT, Rig


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


class Upload:
    """An upload of random bytes in parts of 8 MiB."""

    def __init__(self, api: httpx.Client, size: int = 2 * limits.PART_BYTES + 5) -> None:
        self.api = api
        self.body = bytes(range(256)) * (size // 256) + b"\0" * (size % 256)
        step = limits.PART_BYTES
        self.parts = [self.body[at : at + step] for at in range(0, size, step)]
        case = api.post("/cases", json={"name": "inbox"}).json()["id"]
        made = api.post("/media", json={"case": case, "name": "a.mp4", "bytes": size}).json()
        self.medium = made["id"]
        assert made["recipient"].startswith("age1")

    def announce(self, **changes: Any) -> httpx.Response:
        document = {
            "medium": self.medium,
            "bytes": len(self.body),
            "sha256": sha256(self.body),
            "part_sha256": [sha256(part) for part in self.parts],
        }
        return self.api.post("/uploads", json=document | changes)

    def put(self, upload: str, number: int, body: bytes | None = None) -> httpx.Response:
        part = self.parts[number] if body is None else body
        return self.api.put(
            f"/uploads/{upload}/parts/{number}", content=part, headers=digest_header(part)
        )


def test_an_interrupted_upload_goes_on_with_the_missing_parts(api: httpx.Client, rig: Rig) -> None:
    upload = Upload(api)
    made = upload.announce().json()
    assert made["missing"] == [0, 1, 2]
    assert made["part_bytes"] == limits.PART_BYTES
    assert upload.put(made["id"], 1).status_code == 204
    again = upload.announce().json()
    assert (again["id"], again["missing"]) == (made["id"], [0, 2])
    problem(api.post(f"/uploads/{made['id']}/complete"), "upload-incomplete", 409)
    for number in (2, 0, 0):
        assert upload.put(made["id"], number).status_code == 204
    done = api.post(f"/uploads/{made['id']}/complete").json()["object_id"]
    assert api.post(f"/uploads/{made['id']}/complete").json()["object_id"] == done
    assert rig.blobs.held == {done: upload.body}
    assert api.get(f"/objects/{done}").content == upload.body
    ranged = api.get(f"/objects/{done}", headers={"Range": "bytes=5-9"})
    assert (ranged.status_code, ranged.content) == (206, upload.body[5:10])
    assert ranged.headers["content-range"] == f"bytes 5-9/{len(upload.body)}"
    assert api.get(f"/objects/{done}", headers={"Range": "bytes=99999999-"}).status_code == 416


def test_a_part_with_another_digest_is_refused_and_nothing_is_kept(
    api: httpx.Client, rig: Rig
) -> None:
    upload = Upload(api, 100)
    made = upload.announce().json()["id"]
    problem(upload.put(made, 0, b"other bytes"), "digest-differs", 400)
    lied = api.put(
        f"/uploads/{made}/parts/0", content=upload.body, headers=digest_header(b"something else")
    )
    problem(lied, "digest-differs", 400)
    problem(api.put(f"/uploads/{made}/parts/0", content=upload.body), "digest-differs", 400)
    problem(upload.put(made, 0, upload.body[:-1]), "digest-differs", 400)
    assert rig.blobs.held == {}
    assert api.get(f"/uploads/{made}").json()["missing"] == [0]


def test_a_part_that_nobody_announced_is_refused(api: httpx.Client) -> None:
    upload = Upload(api, 100)
    made = upload.announce().json()["id"]
    answer = api.put(
        f"/uploads/{made}/parts/7", content=upload.body, headers=digest_header(upload.body)
    )
    problem(answer, "digest-differs", 400)


def test_a_whole_with_another_digest_is_no_object(api: httpx.Client, rig: Rig) -> None:
    upload = Upload(api, 100)
    made = upload.announce(sha256="0" * 64).json()["id"]
    upload.put(made, 0)
    problem(api.post(f"/uploads/{made}/complete"), "digest-differs", 400)
    assert not [name for name in rig.blobs.held if name.startswith("object_")]


@pytest.mark.parametrize("call", ["part", "complete"])
@pytest.mark.parametrize("erased", [False, True])
def test_nothing_stays_of_an_upload_that_an_erasure_overtakes(
    api: httpx.Client, rig: Rig, monkeypatch: pytest.MonkeyPatch, call: str, erased: bool
) -> None:
    upload = Upload(api, 100)
    made = upload.announce().json()["id"]
    if call == "complete":
        upload.put(made, 0)
    put = rig.blobs.put

    def erase_and_put(name: str, body: Any) -> None:
        whole = b"".join(body)
        api.delete(f"/media/{upload.medium}").raise_for_status()
        if erased:
            rig.step()
        put(name, [whole])

    monkeypatch.setattr(rig.blobs, "put", erase_and_put)
    answer = upload.put(made, 0) if call == "part" else api.post(f"/uploads/{made}/complete")
    if erased:
        problem(answer, "unknown-upload", 404)
    else:
        problem(answer, "medium-not-receiving", 400)
    rig.step()
    assert api.get(f"/media/{upload.medium}").json()["state"] == "erased"
    assert rig.blobs.held == {}


def test_an_upload_whose_parts_were_erased_is_not_completed(api: httpx.Client, rig: Rig) -> None:
    upload = Upload(api, 100)
    made = upload.announce().json()["id"]
    upload.put(made, 0)
    api.delete(f"/media/{upload.medium}").raise_for_status()
    rig.blobs.delete(list(rig.blobs.held))
    problem(api.post(f"/uploads/{made}/complete"), "medium-not-receiving", 400)


def test_a_part_that_is_too_large_is_refused_before_it_is_whole(api: httpx.Client) -> None:
    upload = Upload(api, 100)
    made = upload.announce().json()["id"]
    answer = upload.put(made, 0, b"\0" * (limits.PART_BYTES + 1))
    problem(answer, "body-too-large", 400)


def test_a_document_that_is_too_large_is_refused_before_it_is_parsed(api: httpx.Client) -> None:
    body = b'{"name":"' + b"x" * limits.DOCUMENT_BYTES_MAX + b'"}'
    answer = api.post("/cases", content=body, headers={"Content-Type": "application/json"})
    problem(answer, "body-too-large", 400)


@pytest.mark.parametrize(
    "changes",
    [
        {"bytes": 0},
        {"bytes": limits.OBJECT_BYTES_MAX + 1},
        {"bytes": 3 * limits.PART_BYTES},
        {"part_sha256": []},
        {"part_sha256": ["x" * 64]},
        {"sha256": "short"},
    ],
)
def test_an_upload_that_does_not_add_up_is_refused(
    api: httpx.Client, changes: dict[str, Any]
) -> None:
    answer = Upload(api, 100).announce(**changes)
    assert answer.status_code == 400
    assert answer.json()["type"].startswith("urn:leitstand:problem:")


def test_segments_that_are_not_numbered_from_zero_are_refused(api: httpx.Client) -> None:
    upload = Upload(api, 100)
    made = upload.announce().json()["id"]
    upload.put(made, 0)
    object_id = api.post(f"/uploads/{made}/complete").json()["object_id"]
    segment = {
        "stream": "video:0",
        "number": 1,
        "from_us": 0,
        "to_us": 1,
        "format": "matroska",
        "object_id": object_id,
    }
    document = {"kind": "video", "sha256": "0" * 64, "segments": [segment]}
    ready = f"/media/{upload.medium}/ready"
    problem(api.post(ready, json=document), "upload-malformed", 400)
    segment["number"] = 0
    assert api.post(ready, json=document).json()["state"] == "ready"
    assert api.post(ready, json=document).json()["state"] == "ready"


def test_an_object_of_another_medium_is_no_segment(api: httpx.Client) -> None:
    one, two = Upload(api, 100), Upload(api, 101)
    made = one.announce().json()["id"]
    one.put(made, 0)
    object_id = api.post(f"/uploads/{made}/complete").json()["object_id"]
    segment = {
        "stream": "image:0",
        "number": 0,
        "from_us": 0,
        "to_us": 0,
        "format": "image",
        "object_id": object_id,
    }
    document = {"kind": "image", "sha256": "0" * 64, "segments": [segment]}
    problem(api.post(f"/media/{two.medium}/ready", json=document), "unknown-object", 404)


def test_what_a_refused_file_was_called_stays_out_of_the_open_columns(
    api: httpx.Client, rig: Rig
) -> None:
    upload = Upload(api, 100)
    params = {"path": "/home/anna/straße.mp4", "name": "straße.mp4", "detail": "x y", "width": 9}
    answer = api.post(
        f"/media/{upload.medium}/failed", json={"code": "not-media", "params": params}
    )
    assert answer.json()["reason"] == {"code": "not-media", "params": {"width": 9}}
    row = rig.read(lambda c: media.find(c, TENANT, [upload.medium]))[0]
    assert "stra" not in json.dumps(row.reason)
