"""Models that a batch wants: sizes first, then a question, and never a pull nobody agreed to."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from leitstand.boot.files import BootFolder
from leitstand.cli import batch, wanted
from leitstand.config import Folders
from leitstand.core.problem import Problem
from leitstand.models import pull as pulling
from leitstand.models.cache import ModelCache
from leitstand.models.catalogue import Catalogue
from tests.cli import conftest
from tests.cli.conftest import Command
from tests.cli.plane import Plane
from tests.cli.stories import good_story


@pytest.fixture
def pulled(monkeypatch: pytest.MonkeyPatch, home: Folders) -> list[str]:
    """Names that were pulled; pulling makes them present without any network."""
    names: list[str] = []

    def pull(wanted_names: Any, cache: ModelCache, progress: Any, **_: Any) -> pulling.Pulled:
        progress(pulling.Step("fetch", wanted_names[0], 1, 2))
        names.extend(wanted_names)
        for name in wanted_names:
            present(home, name)
        return pulling.Pulled(tuple(wanted_names), (), 2)

    monkeypatch.setattr(wanted, "pull", pull)
    monkeypatch.setattr(pulling, "pull", pull)
    return names


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("a.jpg").write_bytes(b"IMG")

    @contextlib.contextmanager
    def intake(settings: object) -> Any:
        yield conftest.Pretended

    monkeypatch.setattr(batch, "intake", intake)


def present(home: Folders, name: str) -> None:
    """Put files of the right name into the cache; their content does not matter here."""
    cache = ModelCache(home.models)
    for file in Catalogue.load().get(name).version.files:
        cache.path(file.sha256).parent.mkdir(parents=True, exist_ok=True)
        cache.path(file.sha256).write_bytes(b"")


@pytest.mark.usefixtures("files")
def test_without_an_answer_it_ends_with_what_to_type_and_takes_everything_back(
    run: Command, plane: Plane, pulled: list[str]
) -> None:
    done = run("analyze", "a.jpg")
    assert done.exit == 2
    assert "Models are missing: " in done.err and "MB to fetch." in done.err
    assert "  do   leitstand models pull, or add --yes" in done.err
    assert pulled == []
    assert [medium["state"] for medium in plane.media.values()] == ["erased"]


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(("typed", "code"), [("y\n", 0), ("n\n", 2), ("\n", 2)])
def test_a_person_is_asked_after_the_sizes(
    run: Command, plane: Plane, pulled: list[str], typed: str, code: int
) -> None:
    plane.story = good_story()
    done = run("analyze", "a.jpg", terminal=True, typed=typed)
    assert done.exit == code
    assert done.err.index("to fetch.") < done.err.index("Fetch them now? [y/N]")
    assert bool(pulled) == (code == 0)


@pytest.mark.usefixtures("files")
def test_yes_pulls_only_what_the_batch_uses(run: Command, plane: Plane, pulled: list[str]) -> None:
    plane.story = good_story()
    assert run("analyze", "a.jpg", "--yes").exit == 0
    families = {Catalogue.load().get(name).version.family for name in pulled}
    assert "detector" in families
    assert families.isdisjoint({"speech", "voice"})


@pytest.mark.usefixtures("files")
def test_models_that_are_only_useful_are_named_and_left(
    run: Command, plane: Plane, pulled: list[str], home: Folders
) -> None:
    catalogue = Catalogue.load()
    for name in catalogue.default_set():
        if catalogue.get(name).version.family == "detector":
            present(home, name)
    plane.story = good_story()
    done = run("analyze", "a.jpg", "--yes")
    assert done.exit == 0
    assert "! Not here, so not looked for: " in done.err
    assert pulled == []


def test_pull_list_and_verify(run: Command, pulled: list[str], home: Folders) -> None:
    done = run("models", "pull", "--demo")
    assert done.exit == 0
    assert pulled == list(Catalogue.load().demo_set())
    listed = json.loads(run("models", "list", "--json").out)["items"]
    assert {item["name"] for item in listed if item["present"]} == set(pulled)
    verified = run("models", "verify")
    assert verified.exit == 1
    assert verified.out.count("× ") == len(pulled)


def test_verify_names_what_was_set_aside_and_where_it_is(
    run: Command, pulled: list[str], home: Folders
) -> None:
    name = Catalogue.load().demo_set()[0]
    present(home, name)
    (file, *_) = Catalogue.load().get(name).version.files
    for _ in range(2):
        done = run("models", "verify")
        assert done.exit == 1
        (kept,) = (home.models / "changed").glob(f"{file.sha256[:12]}.changed-*")
        assert kept.read_bytes() == b""
        assert (
            f"! {file.name} of {name} was changed; the changed file is kept as {kept}" in done.err
        )


def test_verify_without_models_and_unknown_names_say_so(run: Command) -> None:
    assert "error: no model is here that could be verified" in run("models", "verify").err
    done = run("models", "pull", "nanodet-x")
    assert done.exit == 2
    assert 'error: no model "nanodet-x"' in done.err


def test_without_the_extra_analyze_says_which_one_is_missing(
    run: Command, plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = importlib.util.find_spec

    def without(name: str, package: str | None = None) -> Any:
        return None if name == "av" else real(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    Path("a.jpg").write_bytes(b"IMG")
    done = run("analyze", "a.jpg")
    assert done.exit == 2
    assert 'pip install "leitstand[media]"' in done.err
    assert plane.asked == []


@pytest.fixture
def no_libgl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenCV as pip installs it, on a machine without a desktop."""
    said = "libGL.so.1: cannot open shared object file: No such file or directory"
    (tmp_path / "cv2.py").write_text(f"raise ImportError({said!r})")
    monkeypatch.delitem(sys.modules, "cv2", raising=False)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("no_libgl")
def test_a_missing_library_of_the_system_is_named_before_any_file_is_read(
    run: Command, plane: Plane
) -> None:
    Path("a.jpg").write_bytes(b"IMG")
    done = run("analyze", "a.jpg")
    assert done.exit == 2
    assert "libGL.so.1" in done.err and "apt-get install libgl1 libglib2.0-0" in done.err
    assert plane.asked == []
    assert "apt-get install libgl1 libglib2.0-0" in run("doctor").out


def test_where_a_decoder_cannot_be_shut_in_that_is_said_once_and_nothing_is_sent(
    run: Command, plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextlib.contextmanager
    def intake(settings: object) -> Any:
        def take(descriptor: int, size: int) -> Any:
            raise Problem("sandbox-lacks", missing="landlock")

        yield take

    monkeypatch.setattr(batch, "intake", intake)
    for name in ("a.jpg", "b.jpg"):
        Path(name).write_bytes(b"IMG")
    done = run("analyze", "a.jpg", "b.jpg")
    assert done.exit == 1
    assert done.err.count("a decoder cannot be shut in") == 1
    assert "landlock is missing" in done.err
    assert {medium["state"] for medium in plane.media.values()} <= {"erased"}


def test_doctor_names_what_is_well_and_the_remedy(run: Command, plane: Plane) -> None:
    done = run("doctor")
    assert said_at(done.out, "✓ Control") and "version 0.1.0 answers" in done.out
    assert said_at(done.out, "! Models") and "leitstand models pull" in done.out
    assert done.lines()[-1].endswith(" broken.")


def test_doctor_finds_a_broken_setting_and_goes_on(run: Command, home: Folders) -> None:
    home.settings_file.write_text("[server]\nlistn = 'x:1'\n")
    done = run("doctor")
    assert done.exit == 1
    assert 'no setting "server.listn"' in done.out
    assert "✓ Python" in done.out and "Models" in done.out


@pytest.mark.parametrize(
    ("image", "bundle", "mark"),
    [(1, 1, "✓"), (61, 1, "!"), (1, 61, "!"), (181, 1, "×"), (None, 0, "×"), (None, None, "×")],
)
def test_doctor_knows_how_old_is_what_rented_machines_start_from(
    run: Command, home: Folders, image: int | None, bundle: int | None, mark: str
) -> None:
    now = datetime.now(UTC)
    lines = ["[providers.vast]", f'image = "an/image@sha256:{"0" * 64}"']
    if image is not None:
        lines.append(f'image_date = "{(now - timedelta(days=image)).date()}"')
    home.settings_file.parent.mkdir(parents=True, exist_ok=True)
    home.settings_file.write_text("\n".join(lines))
    if bundle is not None:
        BootFolder(home.boot).keep("3.12", [], now - timedelta(days=bundle))
    found = json.loads(run("doctor", "--json").out)["items"]
    (row,) = [one for one in found if one["name"] == "image"]
    assert row["state"] == {"✓": "well", "!": "improve", "×": "broken"}[mark]
    assert ("180" in row["text"]) is (mark != "✓")


def test_doctor_names_a_database_that_does_not_answer_behind_a_control_plane_that_does(
    run: Command, plane: Plane
) -> None:
    where = "postgresql://leitstand@db.example/leitstand"
    plane.problems["GET /cases"] = {
        "type": "urn:leitstand:problem:store-unavailable", "status": 503, "exit": 5,
        "params": {"where": where, "reason": "connection"},
    }  # fmt: skip
    done = run("doctor")
    assert done.exit == 1
    assert said_at(done.out, f"× Control     the database at {where} cannot be used")
    assert not said_at(done.out, "✓ Control")


def said_at(text: str, head: str) -> bool:
    return any(line.startswith(head) for line in text.splitlines())


def test_doctor_names_what_keeps_a_provider_from_being_used(run: Command, home: Folders) -> None:
    assert said_at(run("doctor").out, "– Providers")
    key = home.config / "key"
    key.write_text("0123456789abcdef")
    key.chmod(0o600)
    lines = ['money.usd_eur = "0.92"', "[providers.runpod]", f'key_file = "{key}"']
    home.settings_file.write_text("\n".join(lines))
    assert said_at(run("doctor").out, "✓ Providers")
    home.settings_file.write_text("\n".join([*lines, 'agreement_file = "/moved.pdf"']))
    done = run("doctor")
    assert done.exit == 1
    (row,) = [line for line in done.out.splitlines() if line.startswith("× Providers")]
    assert "runpod: /moved.pdf cannot be read" in row


@pytest.mark.parametrize(
    ("age", "mark"), [("unset", "absent"), (31, "well"), (32, "improve"), (None, "improve")]
)
def test_doctor_says_how_old_the_rate_for_dollars_is(
    run: Command, home: Folders, age: int | str | None, mark: str
) -> None:
    lines = [] if age == "unset" else ["[money]", 'usd_eur = "0.92"']
    if isinstance(age, int):
        lines.append(f"usd_eur_date = {(datetime.now(UTC) - timedelta(days=age)).date()}")
    home.settings_file.parent.mkdir(parents=True, exist_ok=True)
    home.settings_file.write_text("\n".join(lines), "utf-8")
    found = json.loads(run("doctor", "--json").out)["items"]
    (row,) = [one for one in found if one["name"] == "rate"]
    assert row["state"] == mark
