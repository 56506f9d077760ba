"""Intake where the plaintext is: look at a file, cut it, encrypt it, and send only ciphertext.

The look at untrusted bytes happens in a sandboxed child (`media.intake`); this module holds the
descriptor, the age recipient of the medium and the connection. A part that was received is not sent
again; the digest of every part and of the whole is checked on both sides.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import math
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ulid import ULID

from leitstand.client import Client
from leitstand.core import limits
from leitstand.core.problem import Exit, Problem
from leitstand.vault.envelope import Recipient, encrypt

_FULL = frozenset({"blobs-full", "store-full"})
ROUNDS_MAX = 5
"""How often the missing parts of one upload are asked for and sent."""


class Cut(Protocol):
    """A segment as intake hands it over; `body` is a Matroska file or an image."""

    @property
    def stream(self) -> str: ...
    @property
    def number(self) -> int: ...
    @property
    def from_us(self) -> int: ...
    @property
    def to_us(self) -> int: ...
    @property
    def format(self) -> str: ...
    @property
    def body(self) -> Any: ...


class Taken(Protocol):
    """What intake found. `gaps` is complete after the last segment."""

    @property
    def kind(self) -> str: ...
    @property
    def sha256(self) -> str: ...
    @property
    def technical(self) -> Mapping[str, Any]: ...
    @property
    def exif(self) -> Mapping[str, Any]: ...
    @property
    def gaps(self) -> Iterable[Any]: ...
    def segments(self) -> Iterator[Cut]: ...
    def close(self) -> None: ...


Take = Callable[[int, int], Taken]
"""Intake of an open file: descriptor and size. Raises Problem for what is no usable medium."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A file that lies encrypted at the control plane. `stored_bytes` is ciphertext."""

    id: str
    name: str
    kind: str
    sha256: str
    duration_s: float | None
    stored_bytes: int
    pipelines: frozenset[str]
    gaps: int


class Repeated(Exception):
    """The file is the same as one that this batch has taken, under the name `first`."""

    def __init__(self, first: str) -> None:
        super().__init__(first)
        self.first = first


class Uploads:
    """The files of one batch into one case.

    `opened` lists every medium announced to the control plane, so that a batch that is given up
    can be taken back (`erase`). `progress` is told the name and the ciphertext bytes sent.
    """

    def __init__(
        self,
        client: Client,
        case: str,
        take: Take,
        progress: Callable[[str, int], None] = lambda name, sent: None,
    ) -> None:
        self._client = client
        self._case = case
        self._take = take
        self._progress = progress
        self._files: dict[tuple[int, int], str] = {}
        self._digests: dict[str, str] = {}
        self.opened: list[str] = []

    def send(self, path: Path, name: str) -> Sent:
        """Take one file. Raises Problem (with its name) for a file that is no usable medium, which
        the control plane then knows as failed, and Repeated for one already taken."""
        descriptor = _open(path, name)
        try:
            found = os.fstat(descriptor)
            file = found.st_dev, found.st_ino
            _not_again(self._files, file)
            sent = self._send(descriptor, found.st_size, name)
            self._files[file] = name
            return sent
        finally:
            os.close(descriptor)

    def erase(self) -> Problem | None:
        """Take back everything of this batch. What could not be erased stays in `opened`; the
        answer is why, of the first. A control plane that does not answer is not asked again."""
        why: Problem | None = None
        for medium in tuple(self.opened):
            try:
                self._client.delete(f"/media/{medium}")
            except Problem as problem:
                if problem.code != "unknown-medium":  # the control plane never heard of it
                    why = why or problem
                    if problem.exit is Exit.UNREACHABLE:
                        break
                    continue
            self.opened.remove(medium)
        return why

    def _send(self, descriptor: int, size: int, name: str) -> Sent:
        medium: str | None = None
        taken: Taken | None = None
        try:
            taken = self._take(descriptor, size)
            _not_again(self._digests, taken.sha256)
            medium, recipient = self._announce(name, size)
            sent, segments = 0, []
            for cut in taken.segments():
                sealed = b"".join(encrypt([recipient], _chunks(cut.body)))
                segments.append(
                    {
                        "stream": cut.stream,
                        "number": cut.number,
                        "from_us": cut.from_us,
                        "to_us": cut.to_us,
                        "format": cut.format,
                        "object_id": self._store(medium, sealed),
                    }
                )
                sent += len(sealed)
                self._progress(name, sent)
            ready = self._ready(medium, name, taken, segments, sent)
            self._digests[taken.sha256] = name
            return ready
        except Problem as problem:
            if problem.exit is Exit.UNREACHABLE:
                raise
            code = "no-room-for-file" if problem.code in _FULL else problem.code
            named = Problem(code, problem.exit, **{**problem.params, "name": name})
            self._refuse(medium, name, size, named)
            raise named from problem
        finally:
            if taken is not None:
                taken.close()

    def _announce(self, name: str, size: int) -> tuple[str, Recipient]:
        """The id is chosen here and kept before it is sent, so that a medium whose answer is lost
        is neither opened twice nor forgotten."""
        clean = os.fsencode(name).decode("utf-8", "replace")
        medium = new_id()
        self.opened.append(medium)
        body = {"id": medium, "case": self._case, "name": clean, "bytes": size}
        made = self._client.post("/media", body)
        return medium, Recipient.parse(made["recipient"])

    def _store(self, medium: str, sealed: bytes) -> str:
        parts = [
            memoryview(sealed)[at : at + limits.PART_BYTES]
            for at in range(0, len(sealed), limits.PART_BYTES)
        ]
        upload = self._client.post(
            "/uploads",
            {
                "medium": medium,
                "bytes": len(sealed),
                "sha256": hashlib.sha256(sealed).hexdigest(),
                "part_sha256": [hashlib.sha256(part).hexdigest() for part in parts],
            },
        )
        for _ in range(ROUNDS_MAX):
            for number in upload["missing"]:
                self._client.put(f"/uploads/{upload['id']}/parts/{number}", parts[number])
            upload = {**self._client.get(f"/uploads/{upload['id']}"), "id": upload["id"]}
            if not upload["missing"]:
                done = self._client.post(f"/uploads/{upload['id']}/complete")
                return str(done["object_id"])
        raise Problem("upload-incomplete", Exit.FAILED, missing=len(upload["missing"]))

    def _ready(
        self,
        medium: str,
        name: str,
        taken: Taken,
        segments: list[dict[str, Any]],
        sent: int,
    ) -> Sent:
        gaps = [_plain(gap) for gap in taken.gaps]
        self._client.post(
            f"/media/{medium}/ready",
            {
                "kind": taken.kind,
                "sha256": taken.sha256,
                "technical": _plain(taken.technical),
                "exif": _plain(taken.exif),
                "gaps": gaps,
                "segments": segments,
            },
        )
        seconds = taken.technical.get("duration_s")
        return Sent(
            id=medium,
            name=name,
            kind=taken.kind,
            sha256=taken.sha256,
            duration_s=float(seconds) if isinstance(seconds, int | float) else None,
            stored_bytes=sent,
            pipelines=frozenset(segment["stream"].split(":", 1)[0] for segment in segments),
            gaps=len(gaps),
        )

    def _refuse(self, medium: str | None, name: str, size: int, problem: Problem) -> None:
        """A refused file is a failed medium, so that the case shows it was given; what was sent of
        it before is erased."""
        sent = medium is not None
        with suppress(Problem):
            if medium is None:
                medium, _ = self._announce(name, size)
            self._client.post(
                f"/media/{medium}/failed",
                {"code": problem.code, "params": {**problem.params, "name": None}},
            )
            if sent:
                self._client.delete(f"/media/{medium}")


def look(take: Take, path: Path, name: str) -> None:
    """Take one file as `Uploads.send` would, and send nothing. Raises Problem (with its name) for a
    file that is no usable medium."""
    descriptor = _open(path, name)
    try:
        taken = take(descriptor, os.fstat(descriptor).st_size)
        try:
            for _ in taken.segments():
                pass
        finally:
            taken.close()
    except Problem as problem:
        raise Problem(problem.code, problem.exit, **{**problem.params, "name": name}) from problem
    finally:
        os.close(descriptor)


def _not_again(taken: Mapping[Any, str], key: object) -> None:
    if key in taken:
        raise Repeated(taken[key])


def new_id() -> str:
    """A name for a medium that nobody else has."""
    return f"medium_{ULID()}"


def _open(path: Path, name: str) -> int:
    """A descriptor of a regular file. A pipe or device would wait for ever, so it is refused."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except FileNotFoundError as error:
        raise Problem("vanished", Exit.USAGE, name=name) from error
    except OSError as error:
        detail = error.strerror or str(error)
        raise Problem("unreadable-path", Exit.USAGE, path=name, detail=detail) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Problem("not-a-file", Exit.USAGE, name=name)
    return descriptor


def _chunks(body: Any) -> Iterator[bytes]:
    """A segment's bytes, wherever intake keeps them: in memory or behind a descriptor."""
    if isinstance(body, int):
        at = 0
        while chunk := os.pread(body, limits.MIB, at):
            at += len(chunk)
            yield chunk
        return
    view = memoryview(body)
    for at in range(0, len(view), limits.MIB):
        yield bytes(view[at : at + limits.MIB])


def _plain(value: Any) -> Any:
    """What metadata hold as JSON can carry it: text in valid UTF-8, bytes as base64."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _plain(dataclasses.asdict(value))
    if isinstance(value, Mapping):
        return {str(_plain(name)): _plain(item) for name, item in value.items()}
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(bytes(value)).decode()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, Iterable):
        return [_plain(item) for item in value]
    return str(value)
