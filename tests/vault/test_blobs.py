"""One contract for every place where ciphertext may lie, and what only a folder promises."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.s3 import ACCESS, SECRET, served

from leitstand.core.limits import MIB, PART_BYTES
from leitstand.core.problem import Exit, Problem
from leitstand.ports import Blobs
from leitstand.vault.blobs import FolderBlobs, StoredBlobs, open_blobs

PLACES = ["folder", "memory", pytest.param("s3", marks=pytest.mark.full)]


@pytest.fixture(scope="module")
def s3_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real S3 server that checks signatures."""
    with served(tmp_path_factory.mktemp("s3")) as endpoint:
        yield endpoint


def s3(endpoint: str, prefix: str, secret: str = SECRET) -> StoredBlobs:
    return open_blobs(
        f"s3://bucket/{prefix}",
        {
            "endpoint": endpoint,
            "region": "us-east-1",
            "access_key_id": ACCESS,
            "secret_access_key": secret,
        },
    )


@pytest.fixture(params=PLACES)
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    if request.param == "folder":
        return open_blobs(str(tmp_path / "blobs"))
    if request.param == "memory":
        return open_blobs("memory:///")
    return s3(request.getfixturevalue("s3_endpoint"), tmp_path.name)


def whole(blobs: Blobs, name: str, start: int = 0, end: int | None = None) -> bytes:
    return b"".join(blobs.get(name, start, end))


def pattern(size: int) -> bytes:
    return bytes(range(251)) * (size // 251 + 1)


def content(size: int) -> bytes:
    return pattern(size)[:size]


class TestContract:
    @pytest.mark.parametrize(
        "size", [0, 1, MIB - 1, MIB, MIB + 1, PART_BYTES, PART_BYTES + 1, 2 * PART_BYTES + 5]
    )
    def test_what_was_put_comes_back(self, blobs: Blobs, size: int) -> None:
        body = content(size)
        blobs.put("object", (body[at : at + 65_536] for at in range(0, size, 65_536)))
        assert blobs.size("object") == size
        assert whole(blobs, "object") == body

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
    @given(start=st.integers(0, 3 * MIB), length=st.integers(0, 3 * MIB))
    def test_any_range_is_that_part(self, blobs: Blobs, start: int, length: int) -> None:
        body = content(2 * MIB + 100)
        if blobs.size("ranged") is None:
            blobs.put("ranged", [body])
        assert whole(blobs, "ranged", start, start + length) == body[start : start + length]
        assert whole(blobs, "ranged", start) == body[start:]

    @pytest.mark.parametrize(("start", "end"), [(-1, None), (5, 4)])
    def test_a_range_that_runs_backward_is_a_mistake(
        self, blobs: Blobs, start: int, end: int | None
    ) -> None:
        blobs.put("object", [b"abc"])
        with pytest.raises(ValueError):
            blobs.get("object", start, end)

    def test_what_is_absent_is_said_at_once(self, blobs: Blobs) -> None:
        assert blobs.size("absent") is None
        with pytest.raises(FileNotFoundError):
            blobs.get("absent")

    def test_a_second_put_replaces_the_first(self, blobs: Blobs) -> None:
        blobs.put("object", [b"first and longer"])
        blobs.put("object", [b"second"])
        assert whole(blobs, "object") == b"second"

    @pytest.mark.parametrize("before", [0, 1, PART_BYTES + 1, 3 * PART_BYTES])
    def test_a_body_that_fails_leaves_nothing(self, blobs: Blobs, before: int) -> None:
        def body() -> Iterator[bytes]:
            for at in range(0, before, MIB):
                yield content(min(MIB, before - at))
            raise LookupError("the chunk is not authentic")

        with pytest.raises(LookupError, match="not authentic"):
            blobs.put("object", body())
        assert blobs.size("object") is None
        assert list(blobs.names()) == []

    def test_a_body_that_fails_leaves_the_blob_before_it(self, blobs: Blobs) -> None:
        def body() -> Iterator[bytes]:
            yield content(PART_BYTES + 1)
            raise LookupError

        blobs.put("object", [b"kept"])
        with pytest.raises(LookupError):
            blobs.put("object", body())
        assert whole(blobs, "object") == b"kept"

    def test_deleting_twice_is_success_and_spares_the_rest(self, blobs: Blobs) -> None:
        for name in ("one", "two", "three"):
            blobs.put(name, [b"x"])
        blobs.delete(["absent", "one", "two"])
        blobs.delete(["two", "one", "absent"])
        blobs.delete([])
        assert list(blobs.names()) == ["three"]
        assert blobs.size("one") is None

    def test_names_lists_all_blobs(self, blobs: Blobs) -> None:
        names = {f"object_{number:02d}" for number in range(20)} | {"upload_1/0", "upload_1/1"}
        for name in names:
            blobs.put(name, [name.encode()])
        assert set(blobs.names()) == names
        assert whole(blobs, "upload_1/1") == b"upload_1/1"
        assert set(blobs.names("upload_1")) == {"upload_1/0", "upload_1/1"}
        assert list(blobs.names("upload")) == []

    @pytest.mark.parametrize(
        "name", ["", ".", "..", "../x", "a/../b", "/x", "x/", "a//b", "a b", "ä", "x#1", "a" * 201]
    )
    def test_a_name_that_could_lead_elsewhere_is_refused(self, blobs: Blobs, name: str) -> None:
        for call in (
            lambda: blobs.put(name, [b""]),
            lambda: blobs.get(name),
            lambda: blobs.size(name),
            lambda: blobs.delete([name]),
        ):
            with pytest.raises(ValueError):
                call()

    def test_threads_put_and_get_side_by_side(self, blobs: Blobs) -> None:
        def round_trip(number: int) -> bool:
            body = content(MIB + number)
            blobs.put(f"object_{number}", [body])
            return whole(blobs, f"object_{number}") == body

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(round_trip, range(16)))


def test_a_folder_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir(mode=0o755)
    blobs = open_blobs(f"file://{tmp_path}/blobs")
    blobs.put("object", [b"x"])
    assert (tmp_path / "blobs").stat().st_mode & 0o777 == 0o700


def test_a_folder_keeps_what_it_has_when_opened_again(tmp_path: Path) -> None:
    FolderBlobs(tmp_path / "blobs").put("object", [b"x"])
    assert whole(FolderBlobs(tmp_path / "blobs"), "object") == b"x"


@pytest.mark.parametrize("size", [1, PART_BYTES + 1], ids=["whole", "in-parts"])
def test_a_put_is_on_disk_with_every_folder_that_leads_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    folder = tmp_path / "blobs"
    blobs = FolderBlobs(folder)
    synced: list[tuple[str, int]] = []
    sync = os.fsync

    def note(descriptor: int) -> None:
        sync(descriptor)
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        synced.append((str(path), path.stat().st_size if path.is_file() else 0))

    monkeypatch.setattr(os, "fsync", note)
    blobs.put("upload/0", [content(size)])
    assert synced == [(f"{folder}/upload/0", size), (f"{folder}/upload", 0), (str(folder), 0)]


PUTS_FOREVER = """
import sys
from pathlib import Path
from leitstand.vault.blobs import FolderBlobs
def body():
    yield bytes(20_000_000)
    print("staged", flush=True)
    sys.stdin.read()
FolderBlobs(Path(sys.argv[1])).put("object", body())
"""


def test_a_kill_in_the_middle_of_a_put_leaves_nothing(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", PUTS_FOREVER, tmp_path / "blobs"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"staged\n"
    process.kill()
    process.communicate()
    assert list((tmp_path / "blobs").iterdir()), "the test should have left something to remove"
    blobs = open_blobs(str(tmp_path / "blobs"))
    assert list(blobs.names()) == []
    assert list((tmp_path / "blobs").iterdir()) == []


FILLS = """
import os, sys
from pathlib import Path
from leitstand.core.problem import Problem
from leitstand.vault.blobs import FolderBlobs
blobs = FolderBlobs(Path(sys.argv[1]))
blobs.put("before", [b"kept"])
for body in ([bytes(5_000_000)], (bytes(1_000_000) for _ in range(20))):
    try:
        blobs.put("object", body)
    except Problem as problem:
        print(problem.code, sorted(os.listdir(sys.argv[1])))
blobs.delete(["before"])
blobs.put("after", [b"fits"])
"""


def test_a_full_disk_is_a_problem_and_leaves_nothing_half(tmp_path: Path) -> None:
    mounts = 'mount -t tmpfs -o size=2m leitstand "$1" && exec "$2" -c "$3" "$1"'
    done = subprocess.run(
        ["unshare", "--mount", "--map-root-user", "sh", "-c", mounts, "sh"]
        + [str(tmp_path), sys.executable, FILLS],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["blobs-full ['before']"] * 2


def test_a_folder_that_cannot_be_made_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Problem) as raised:
        open_blobs(str(tmp_path / "file" / "blobs"))
    assert (raised.value.code, raised.value.params["reason"]) == ("blobs-unavailable", "ENOTDIR")


def test_a_blob_that_is_replaced_by_a_longer_one_while_read_is_not_read_further(
    s3_endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = s3(s3_endpoint, tmp_path.name)
    blobs.put("object_1", [pattern(3 * MIB)])
    monkeypatch.setattr(StoredBlobs, "_size", lambda self, name: 7)
    assert b"".join(blobs.get("object_1")) == pattern(3 * MIB)[:7]


def test_a_blob_that_vanishes_while_read_is_not_taken_for_short(tmp_path: Path) -> None:
    blobs = open_blobs(str(tmp_path))
    blobs.put("object", [content(3 * MIB)])
    pieces = blobs.get("object")
    next(pieces)
    (tmp_path / "object").unlink()
    with pytest.raises((FileNotFoundError, Problem)):
        list(pieces)


@pytest.mark.parametrize(
    "url",
    ["", "ftp://host/x", "s3://", "file://host/x", "s3://key:secret@bucket/x", "http://host/x"],
)
def test_an_address_of_another_kind_is_a_usage_error(url: str) -> None:
    with pytest.raises(Problem) as raised:
        open_blobs(url)
    assert (raised.value.code, raised.value.exit) == ("blobs-url", Exit.USAGE)


def test_plain_http_is_for_loopback_only() -> None:
    options = {"region": "us-east-1", "access_key_id": "a", "secret_access_key": "b"}
    for endpoint in ("http://192.0.2.1:9000", "http://example.org"):
        with pytest.raises(Problem) as raised:
            open_blobs("s3://bucket/x", {"endpoint": endpoint, **options})
        assert raised.value.code == "blobs-url"
    for endpoint in ("http://127.0.0.1:9", "http://[::1]:9", "https://example.org"):
        open_blobs("s3://bucket/x", {"endpoint": endpoint, **options})


def test_an_address_takes_one_blob_from_whoever_has_it_and_no_other(s3_endpoint: str) -> None:
    blobs = s3(s3_endpoint, "given")
    address = blobs.put_address("mailbox/a/0", timedelta(seconds=60))
    assert blobs.addressed
    assert parse_qs(urlsplit(address).query)["X-Amz-Expires"] == ["60"]
    assert SECRET not in address
    with httpx.Client(trust_env=False) as client:
        assert client.put(address, content=b"first").status_code == 200
        assert client.put(address, content=b"again").status_code == 200
        assert client.get(address).status_code == 403
        assert client.delete(address).status_code == 403
        other = address.replace("mailbox/a/0", "mailbox/a/1")
        assert client.put(other, content=b"x").status_code == 403
        longer = address.replace("X-Amz-Expires=60", "X-Amz-Expires=61")
        assert client.put(longer, content=b"x").status_code == 403
    assert {name: whole(blobs, name) for name in blobs.names()} == {"mailbox/a/0": b"again"}


def test_a_folder_and_memory_give_no_address(tmp_path: Path) -> None:
    for url in (str(tmp_path / "blobs"), "memory:///"):
        blobs = open_blobs(url)
        assert not blobs.addressed
        with pytest.raises(ValueError, match="no addresses"):
            blobs.put_address("mailbox/a/0", timedelta(seconds=60))


@pytest.mark.full
def test_a_wrong_secret_is_refused_and_not_shown(s3_endpoint: str) -> None:
    blobs = s3(s3_endpoint, "x", secret="wrong-secret")
    calls: list[Callable[[], object]] = [
        lambda: blobs.put("object", [b"x"]),
        lambda: blobs.size("object"),
        lambda: list(blobs.names()),
    ]
    for call in calls:
        with pytest.raises(Problem) as raised:
            call()
        assert raised.value.code == "blobs-refused"
        assert "wrong-secret" not in str(raised.value)


def test_nobody_at_the_endpoint_is_a_problem() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        blobs = s3(f"http://127.0.0.1:{taken.getsockname()[1]}", "x")
        with pytest.raises(Problem) as raised:
            blobs.put("object", [b"x"])
    assert (raised.value.code, raised.value.exit) == ("blobs-unavailable", Exit.UNREACHABLE)
