"""Help is fast, complete and true; what was typed wrong is answered in one voice."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from leitstand.cli.app import app
from tests.cli.conftest import Command

HEAVY = (
    "av", "alembic", "cryptography", "cv2", "fastapi", "fluent", "httpx", "magika", "numpy",
    "onnxruntime", "PIL", "pydantic", "sqlalchemy", "uvicorn",
)  # fmt: skip
NAMES = (
    "analyze", "plan", "offers", "explain", "jobs", "media", "cases", "instances", "reap",
    "hosts", "volumes", "models",
    "images", "audit", "events", "serve", "worker", "doctor",
)  # fmt: skip
VERBS = (
    "jobs show", "jobs hold", "jobs resume", "jobs cancel", "jobs report", "media show",
    "media erase", "media export-identity", "media download", "instances show",
    "instances drain", "instances prepay",
    "volumes delete", "models list", "images bundle", "images build", "images firewall",
    "models pull", "models verify",
    "audit show", "audit verify",
)  # fmt: skip


def test_help_lists_the_real_commands_with_one_line_each(run: Command) -> None:
    done = run("--help")
    listed = re.findall(r"^  ([a-z]+): (.+)$", done.out, re.MULTILINE)
    assert [name for name, _ in listed] == list(NAMES)
    assert all(len(f"  {name}: {line}") < 80 for name, line in listed)
    assert run().out == done.out


@pytest.mark.parametrize("command", [*NAMES, *VERBS])
def test_every_command_shows_an_example(run: Command, command: str) -> None:
    done = run(*command.split(), "--help")
    assert done.exit == 0
    assert f"Example: leitstand {command.split(maxsplit=1)[0]}" in done.out


@pytest.mark.parametrize("command", VERBS)
def test_every_example_of_a_verb_is_its_own(run: Command, command: str) -> None:
    assert f"Example: leitstand {command}" in run(*command.split(), "--help").out


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from leitstand import cli; cli.run(['--help']); "
        "print(','.join(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stderr.strip().split(",")}
    assert loaded.isdisjoint(HEAVY), loaded & set(HEAVY)


def test_the_module_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "leitstand", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "0.1.0\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["jobz"], ['error: no command "jobz"', "  do   leitstand jobs, or leitstand --help"]),
        (["qqqq"], ['error: no command "qqqq"', "  do   leitstand --help"]),
        (
            ["jobs", "shoe"],
            ['error: no command "shoe"', "  do   leitstand jobs show, or leitstand jobs --help"],
        ),
        (["cases", "x"], ['error: "x" is one too many']),
        (["jobs", "show"], ["error: JOB is missing", "  do   leitstand jobs show --help"]),
        (["offers", "--vram"], ["error: --vram is missing"]),
        (
            ["offers", "--tier", "Q"],
            ['error: --tier "Q" is not one of its values', "  do   --tier L, A, B, C, D"],
        ),
        (["jobs", "--limit", "1e9"], ['error: --limit "1e9" is no whole number']),
        (["offers", "--vram", "much"], ['error: --vram "much" is no number']),
        (["offers", "--vram", "nan"], ['error: --vram "nan" is no size of memory']),
        (["offers", "--vram", "-1"], ['error: --vram "-1" is no size of memory']),
        (["audit", "show", "--before", "-5"], ['error: --before "-5" is too few']),
    ],
)
def test_usage_errors(run: Command, arguments: list[str], told: list[str]) -> None:
    done = run(*arguments)
    assert done.exit == 2
    assert done.err.splitlines()[: len(told)] == told


def test_usage_errors_in_german_and_as_an_object(run: Command) -> None:
    assert run("--lang", "de", "jobz").err.startswith("Fehler: kein Befehl „jobz“")
    error = json.loads(run("jobz", "--json").err)["error"]
    assert (error["code"], error["exit"]) == ("unknown-command", 2)


def test_common_options_may_stand_before_the_command(run: Command) -> None:
    assert json.loads(run("--json", "models", "list").out)["schema"] == "leitstand.models/1"


def test_a_traceback_only_on_request(
    run: Command, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from leitstand.models import catalogue

    def broken(*_: object) -> None:
        raise RuntimeError("inner")

    monkeypatch.setattr(catalogue, "_parse", broken)
    done = run("models", "list")
    assert done.exit == 1
    assert "Leitstand failed where it should not (RuntimeError)" in done.err
    assert "inner" not in done.err
    monkeypatch.setenv("LEITSTAND_DEBUG", "1")
    with pytest.raises(RuntimeError, match="inner"):
        run("models", "list")


def test_a_reader_that_leaves_is_no_traceback() -> None:
    done = subprocess.run(
        f"{sys.executable} -m leitstand models list | head -c 1", shell=True, capture_output=True
    )
    assert done.stderr == b""


@pytest.mark.parametrize(
    ("rest", "exit"),
    [
        ("models list >&-", 0),
        ("--help >&-", 0),
        ("models list --json <&- >&- 2>&-", 0),
        ("jobs --limit 0 2>&-", 2),
    ],
)
def test_a_stream_that_was_closed_leads_nowhere(rest: str, exit: int) -> None:
    done = subprocess.run(
        f"{sys.executable} -m leitstand {rest}", shell=True, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (exit, "", "")


def test_every_command_is_registered_once() -> None:
    names = [name for name in app if not name.startswith("-")]
    assert sorted(names) == sorted(NAMES)
