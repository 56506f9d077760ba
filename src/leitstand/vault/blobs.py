"""Where ciphertext lies: a folder by default, an object store (S3, GCS, Azure) by URL.

A put is whole or absent, whoever dies in between. A folder is readable by its owner only, and a put
into it is on disk when it returns. Credentials of object stores come from the environment, as the
tools of their makers read them (`AWS_ACCESS_KEY_ID` and so on), never from the URL.

An interrupted upload may leave parts in an object store that no listing shows; a lifecycle rule of
the bucket that aborts incomplete multipart uploads removes them.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import itertools
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import LocalStore, MemoryStore, ObjectStore, S3Store, from_url

from leitstand.core.limits import MIB, PART_BYTES
from leitstand.core.problem import Exit, Problem

if TYPE_CHECKING:
    from obstore import GetOptions
    from obstore.store import ClientConfig, RetryConfig

READ_BYTES = MIB
"""Size of the pieces that `get` yields."""
PARTS_AT_ONCE = 4
"""Parts of one put in memory and on the way."""
NAME_LENGTH_MAX = 200
CLIENT: ClientConfig = {"connect_timeout": timedelta(seconds=10), "timeout": timedelta(minutes=10)}
"""The longer one is for a whole request, body included: a part on a slow line."""
RETRIES: RetryConfig = {"max_retries": 3, "retry_timeout": timedelta(minutes=1)}
"""Of single requests inside the client; who calls sees only the last failure."""

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
_STAGED = re.compile(r".*#[0-9]+")
_ERROR_NUMBER = re.compile(r"\(os error ([0-9]+)\)")
_REFUSED = re.compile(r"status code: 40[13]\b")
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_REMOTE = frozenset({"s3", "s3a", "gs", "az", "adl", "azure", "abfs", "abfss", "https"})


class StoredBlobs:
    """Blobs in an object store, or in memory for tests. Use `open_blobs`.

    Methods raise `Problem`: `blobs-full` (no space left), `blobs-refused` (credentials),
    `blobs-unavailable` (no answer, or an error we do not know). What the body of a `put` raises
    passes unchanged, and nothing is stored. Thread safe.
    """

    def __init__(self, store: ObjectStore, where: str) -> None:
        self._store = store
        self._where = where
        self.addressed = isinstance(store, S3Store)
        """Whether it gives addresses. Those of other stores could not be tried."""

    def put(self, name: str, body: Iterable[bytes]) -> None:
        """Store `body` under `name`, replacing what was there, in parts of 8 MiB as it comes."""
        _check(name)
        pieces = _Pieces(body)
        first = pieces.gather(PART_BYTES)
        with self._errors(pieces):
            if pieces.ended:
                obstore.put(self._store, name, first, use_multipart=False)
            else:
                obstore.put(
                    self._store,
                    name,
                    itertools.chain((first,), pieces),
                    chunk_size=PART_BYTES,
                    max_concurrency=PARTS_AT_ONCE,
                )

    def get(self, name: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The bytes `[start, end)`, or what of them there is, in pieces.

        Raises FileNotFoundError at the call, not at the first piece.
        """
        _check(name)
        if start < 0 or (end is not None and end < start):
            raise ValueError("a range runs forward from 0")
        size = self._size(name)
        end = size if end is None else min(end, size)
        return iter(()) if start >= end else self._pieces(name, start, end, size)

    def _pieces(self, name: str, start: int, end: int, size: int) -> Iterator[bytes]:
        # servers may answer a range of everything as if none had been asked for
        part: GetOptions = {} if end - start == size else {"range": (start, end)}
        with self._errors():
            found = obstore.get(self._store, name, options=part)
            left = end - start  # another object may stand there by now
            for piece in found.stream(min_chunk_size=READ_BYTES):
                yield bytes(piece)[:left]
                left -= len(piece)
                if left <= 0:
                    return

    def size(self, name: str) -> int | None:
        """Bytes stored under `name`; None when there is nothing."""
        _check(name)
        try:
            return self._size(name)
        except FileNotFoundError:
            return None

    def _size(self, name: str) -> int:
        with self._errors():
            return obstore.head(self._store, name)["size"]

    def delete(self, names: Sequence[str]) -> None:
        """Remove all of `names`; what is absent already is success."""
        for name in names:
            _check(name)
        with self._errors():
            try:
                obstore.delete(self._store, list(names))
            except FileNotFoundError:
                for name in names:
                    with contextlib.suppress(FileNotFoundError):
                        obstore.delete(self._store, name)

    def names(self, under: str | None = None) -> Iterator[str]:
        """The names of all whole blobs, or of those in the folder `under`, in no order."""
        with self._errors():
            for batch in obstore.list(self._store, prefix=under):
                for found in batch:
                    yield found["path"]

    def put_address(self, name: str, term: timedelta) -> str:
        """An address that takes a PUT of `name` until the term ends, from whoever has it. Signed
        here: nothing is asked of the store. Raises ValueError where the store is not `addressed`."""
        _check(name)
        if not isinstance(self._store, S3Store):
            raise ValueError("this store gives no addresses")
        with self._errors():
            return obstore.sign(self._store, "PUT", name, term)

    @contextlib.contextmanager
    def _errors(self, pieces: _Pieces | None = None) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except (BaseError, OSError) as error:
            if pieces is not None and pieces.failure is not None:
                raise pieces.failure from None
            raise self._problem(error) from error

    def _problem(self, error: Exception) -> Problem:
        number = getattr(error, "errno", None)
        found = _ERROR_NUMBER.search(str(error))
        if number is None and found is not None:
            number = int(found[1])
        if number in _FULL:
            return Problem("blobs-full", where=self._where)
        refused = isinstance(error, PermissionDeniedError | UnauthenticatedError)
        if refused or _REFUSED.search(str(error)):
            return Problem("blobs-refused", Exit.UNREACHABLE, where=self._where)
        reason = errno.errorcode.get(number or 0, type(error).__name__)
        return Problem("blobs-unavailable", Exit.UNREACHABLE, where=self._where, reason=reason)


class FolderBlobs(StoredBlobs):
    """Blobs as files of one folder with mode 0700, each put on disk before it returns.

    One process has the folder open: opening removes what an earlier one staged and did not finish.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._folder.chmod(0o700)
            super().__init__(LocalStore(self._folder, automatic_cleanup=True), str(self._folder))
            for path in self._folder.rglob("*"):
                if _STAGED.fullmatch(path.name):
                    path.unlink(missing_ok=True)
        except OSError as error:
            self._where = str(self._folder)
            raise self._problem(error) from error

    def put(self, name: str, body: Iterable[bytes]) -> None:
        """Store `body` under `name`, replacing what was there; on disk before this returns."""
        super().put(name, body)
        path = self._folder / name
        with self._errors():
            _sync(path, os.O_RDONLY)
            for folder in path.parents:
                _sync(folder, os.O_RDONLY | os.O_DIRECTORY)
                if folder == self._folder:
                    break

    def _pieces(self, name: str, start: int, end: int, size: int) -> Iterator[bytes]:
        # many times faster here than a stream, which reads in pieces of 8 KiB
        with self._errors():
            for at in range(start, end, READ_BYTES):
                until = min(at + READ_BYTES, end)
                yield bytes(obstore.get_range(self._store, name, start=at, end=until))


class _Pieces:
    """A body taken once, which remembers its own failure: the store may wrap it in another."""

    def __init__(self, body: Iterable[bytes]) -> None:
        self._body = iter(body)
        self.failure: BaseException | None = None
        self.ended = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            return next(self._body)
        except StopIteration:
            self.ended = True
            raise
        except BaseException as error:
            self.failure = error
            raise

    def gather(self, size: int) -> bytes:
        """The first pieces together, more than `size` bytes unless the body ends before."""
        gathered = bytearray()
        for piece in self:
            gathered += piece
            if len(gathered) > size:
                break
        return bytes(gathered)


def open_blobs(url: str, options: Mapping[str, Any] | None = None) -> StoredBlobs:
    """Blobs at a path, `file:///path`, `s3://bucket/prefix`, `gs://…`, `az://…`, or `memory:///`.

    `options` are settings of the object store by obstore's names (`endpoint`, `region`); plain
    `http` is taken for a loopback endpoint only. Raises `Problem("blobs-url")` for another address
    and `Problem("blobs-unavailable")` for a folder that cannot be made.
    """
    parts = urlsplit(url)
    if not parts.scheme and url:
        return FolderBlobs(Path(url))
    if parts.scheme == "file" and not parts.netloc and parts.path:
        return FolderBlobs(Path(unquote(parts.path)))
    if parts.scheme == "memory":
        return StoredBlobs(MemoryStore(), "memory")
    if parts.scheme not in _REMOTE or not parts.hostname or parts.username or parts.password:
        raise Problem("blobs-url", Exit.USAGE)
    given = dict(options or {})
    endpoint = given.get("endpoint") or os.environ.get("AWS_ENDPOINT_URL_S3")
    endpoint = endpoint or os.environ.get("AWS_ENDPOINT_URL") or os.environ.get("AWS_ENDPOINT")
    plain = bool(endpoint) and urlsplit(str(endpoint)).scheme == "http"
    if plain and not _is_loopback(urlsplit(str(endpoint)).hostname):
        raise Problem("blobs-url", Exit.USAGE)
    try:
        store = from_url(
            url, client_options={**CLIENT, "allow_http": plain}, retry_config=RETRIES, **given
        )
    except (BaseError, ValueError, TypeError) as error:
        raise Problem("blobs-url", Exit.USAGE) from error
    return StoredBlobs(store, f"{parts.scheme}://{parts.netloc}{parts.path}")


def _check(name: str) -> None:
    if len(name) > NAME_LENGTH_MAX or not _NAME.fullmatch(name):
        raise ValueError("a blob's name is letters, digits, '.', '_' and '-', in parts by '/'")


def _is_loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
