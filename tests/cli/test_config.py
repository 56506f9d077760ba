"""Settings and folders: the file, the environment, and answers that name the place."""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from leitstand.config import Folders, Settings, line_of
from leitstand.core.problem import Exit, Problem
from tests.cli.conftest import Command


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folders:
    for name in [name for name in os.environ if name.startswith("LEITSTAND_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LEITSTAND_HOME", str(tmp_path))
    found = Folders.find()
    found.create()
    return found


def _problem(folders: Folders) -> Problem:
    with pytest.raises(Problem) as caught:
        Settings.load(folders)
    assert caught.value.exit is Exit.USAGE
    return caught.value


def test_without_a_file_the_defaults_hold(folders: Folders) -> None:
    settings = Settings.load(folders)
    assert settings.server.url is None
    assert settings.placement.vram_gib.video == 24
    assert settings.provider("local").price_eur_per_hour == 0
    assert settings.retention.media == timedelta(hours=24)


def test_file_values_are_parsed_into_types_with_units(folders: Folders) -> None:
    folders.settings_file.write_text(
        '[budgets]\nmonth_eur = 300.5\n[retention]\nmedia = "7 d"\n'
        '[providers.local]\nprice_eur_per_hour = 0.10\n[placement.tiers]\n3 = "L"\n'
    )
    settings = Settings.load(folders)
    assert settings.budgets.month_eur == Decimal("300.5")
    assert settings.retention.media == timedelta(days=7)
    assert settings.provider("local").price_eur_per_hour == Decimal("0.1")
    assert settings.placement.tiers == {"0": "D", "1": "C", "2": "B", "3": "L"}


def test_environment_wins_over_the_file(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    folders.settings_file.write_text("[worker]\nslots = 2\nlisten = '127.0.0.1:0'\n")
    monkeypatch.setenv("LEITSTAND_WORKER__SLOTS", "5")
    settings = Settings.load(folders)
    assert (settings.worker.slots, settings.worker.listen) == (5, "127.0.0.1:0")


@pytest.mark.parametrize(
    ("text", "key", "line", "suggestion"),
    [
        (
            "[server]\nurl = 'https://a.example'\nulr = 'x'\n",
            "server.ulr",
            3,
            "url",
        ),
        ("# c\n\nserverr.url = 'x'\n", "serverr", 3, "server"),
        ("[providers.local]\nprice = 1\n", "providers.local.price", 2, None),
        ("[placement.vram_gib]\nvidoe = 8\n", "placement.vram_gib.vidoe", 2, "video"),
    ],
)
def test_an_unknown_key_is_an_error_that_names_its_line(
    folders: Folders, text: str, key: str, line: int, suggestion: str | None
) -> None:
    folders.settings_file.write_text(text)
    problem = _problem(folders)
    assert problem.code == "unknown-setting"
    assert problem.params["given"] == key
    assert (problem.params["file"], problem.params["line"]) == (str(folders.settings_file), line)
    assert problem.params["near"] == (suggestion or "none")


def test_an_unknown_variable_is_named(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEITSTAND_BUDGET__TOTAL_EUR", "4")
    assert _problem(folders).params["given"] == "LEITSTAND_BUDGET__TOTAL_EUR"
    monkeypatch.delenv("LEITSTAND_BUDGET__TOTAL_EUR")
    monkeypatch.setenv("LEITSTAND_BUDGETS__TOTAL", "4")
    problem = _problem(folders)
    assert problem.code == "unknown-variable"
    assert problem.params["given"] == "LEITSTAND_BUDGETS__TOTAL"
    monkeypatch.delenv("LEITSTAND_BUDGETS__TOTAL")
    monkeypatch.setenv("LEITSTAND_WORKER__SLOTS", "many")
    assert _problem(folders).params["name"] == "LEITSTAND_WORKER__SLOTS"


@pytest.mark.parametrize("name", ["LEITSTAND_BUDGETS_JOB_EUR", "leitstand_worker_slots"])
def test_a_variable_with_one_underline_after_a_section_is_not_ignored(
    folders: Folders, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "1")
    problem = _problem(folders)
    assert (problem.code, problem.params) == ("unknown-variable", {"given": name})


@pytest.mark.parametrize(
    ("name", "value"),
    [("LEITSTAND_BUDGETS", "foo"), ("LEITSTAND_PROVIDERS__LOCAL__REGIONS", "eu")],
)
def test_a_variable_that_is_no_json_where_it_must_be_is_named(
    folders: Folders, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv("LEITSTAND_BUDGETS__JOB_EUR", "1")
    monkeypatch.setenv(name, value)
    problem = _problem(folders)
    assert (problem.code, problem.params["name"]) == ("bad-variable", name)


def test_variables_of_one_section_are_taken_together(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEITSTAND_BUDGETS", '{"job_eur": 1, "total_eur": 4}')
    monkeypatch.setenv("LEITSTAND_BUDGETS__JOB_EUR", "2")
    monkeypatch.setenv("LEITSTAND_PROVIDERS__LOCAL__REGIONS", '["eu"]')
    monkeypatch.setenv("LEITSTAND_ELSEWHERE", "not ours")
    settings = Settings.load(folders)
    assert settings.budgets.model_dump() == {"total_eur": 4, "month_eur": None, "job_eur": 2}
    assert settings.provider("local").regions == ("eu",)


@pytest.mark.parametrize(
    "text",
    [
        "[budgets]\ntotal_eur = -1\n",
        "[worker]\nlisten = 'nowhere'\n",
        "[server]\nurl = 'http://leitstand.example'\n",
        "[server]\nurl = 'https://leitstand.example/v1'\n",
        "[server]\nurl = 'http://127.evil.example'\n",
        "[server]\nurl = 'https://['\n",
        "[server]\nurl = 'https://h.example:abc'\n",
        "[server]\nurl = 'https://h.example:99999'\n",
        "[store]\nurl = 'sqlite:///leitstand.db'\n",
        "[blobs]\nurl = 'blobs'\n",
        "[blobs]\nurl = '~nobody-of-this-name/blobs'\n",
        "[keys]\nroot = 'file:keys'\n",
        "[retention]\nmedia = 'soon'\n",
        "[keys]\nroot = 'memory:'\n",
        "[worker]\nslots = 0\n",
        "[worker]\nadvertise_url = 'http://127.0.0.1:7443'\n",
    ],
)
def test_a_wrong_value_names_its_line(folders: Folders, text: str) -> None:
    folders.settings_file.write_text(text)
    problem = _problem(folders)
    assert problem.code == "bad-setting"
    assert problem.params["line"] == 2


def test_a_tilde_is_the_home_folder_in_every_path(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/anna")
    monkeypatch.setenv("LEITSTAND_STORE__URL", "sqlite:///~/plane.db")
    monkeypatch.setenv("LEITSTAND_KEYS__ROOT", "file:~/keys")
    for url in ("~/our blobs", "file:~/our%20blobs", "file:///home/anna/our%20blobs"):
        monkeypatch.setenv("LEITSTAND_BLOBS__URL", url)
        settings = Settings.load(folders)
        assert settings.blobs.url == "/home/anna/our blobs"
    assert settings.store.url == "sqlite:////home/anna/plane.db"
    assert settings.keys.root == "file:/home/anna/keys"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BLOBS__URL", "s3://bucket/~prefix"),
        ("BLOBS__URL", "memory:///"),
        ("STORE__URL", "postgresql:///leitstand"),
        ("KEYS__ROOT", "file:"),
    ],
)
def test_what_is_no_path_is_left_as_written(
    folders: Folders, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"LEITSTAND_{name}", value)
    section, key = name.lower().split("__")
    assert getattr(getattr(Settings.load(folders), section), key) == value


def test_every_address_may_be_listened_on_where_workers_are_told_one(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    for listen in ("[::]:7443", "0.0.0.0:7443"):
        monkeypatch.setenv("LEITSTAND_WORKER__LISTEN", listen)
        assert "worker.advertise_url: must say what workers dial" in str(_problem(folders).params)
    monkeypatch.setenv("LEITSTAND_WORKER__ADVERTISE_URL", "https://plane.example:7443")
    assert Settings.load(folders).worker.advertise_url == "https://plane.example:7443"


@pytest.mark.parametrize(
    "url",
    [
        "https://anna:geheim@plane.example",
        "http://geheim@127.0.0.1:1",
        "geheim://anna@plane.example",
        "https://geheim@\u2100.example",
    ],
)
@pytest.mark.parametrize("command", ["jobs", "doctor"])
def test_an_address_with_a_password_is_refused_and_not_repeated(
    run: Command, folders: Folders, monkeypatch: pytest.MonkeyPatch, url: str, command: str
) -> None:
    folders.settings_file.write_text(f"[server]\nurl = '{url}'\n", "utf-8")
    assert _problem(folders).code == "bad-setting"
    done = run(command)
    assert done.exit != 0
    assert "geheim" not in done.out + done.err


def test_plain_http_is_accepted_for_loopback(folders: Folders) -> None:
    folders.settings_file.write_text("[server]\nurl = 'http://127.0.0.1:8714/'\n")
    assert Settings.load(folders).server.url == "http://127.0.0.1:8714"


def test_broken_toml_says_where(folders: Folders) -> None:
    folders.settings_file.write_text("[server\n")
    problem = _problem(folders)
    assert problem.code == "bad-setting"
    assert problem.params["line"] == 1


def test_settings_cannot_be_changed_after_loading(folders: Folders) -> None:
    settings = Settings.load(folders)
    with pytest.raises(ValueError, match="frozen"):
        settings.server.url = "https://x.example"


def test_the_nearest_named_parent_answers_for_a_key_written_inline() -> None:
    assert line_of("a = 1\nb = {c = 2}\n", ("b", "c")) == 2
    assert line_of("a = 1\n", ("b",)) is None


def test_home_holds_the_five_folders_for_this_user_alone(folders: Folders, tmp_path: Path) -> None:
    made = {path.name for path in tmp_path.iterdir()}
    assert {"config", "state", "data", "cache", "run"} <= made
    assert stat.S_IMODE(folders.run.stat().st_mode) == 0o700
    assert folders.socket == tmp_path / "run" / "api.sock"


def test_a_long_home_gets_a_short_socket_path_of_this_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long_home = tmp_path / ("x" * 120)
    folders = Folders.find({"LEITSTAND_HOME": str(long_home)})
    folders.create()
    assert len(os.fsencode(folders.socket)) <= 100
    assert stat.S_IMODE(folders.socket.parent.stat().st_mode) == 0o700
    other = Folders.find({"LEITSTAND_HOME": str(long_home / "other")})
    assert other.socket != folders.socket


def test_a_socket_folder_that_others_could_enter_is_closed_to_them(
    folders: Folders, tmp_path: Path
) -> None:
    folders.run.chmod(0o755)
    folders.create()
    assert stat.S_IMODE(folders.run.stat().st_mode) == 0o700


def test_a_socket_folder_of_somebody_else_is_refused(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    me = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: me + 1)
    with pytest.raises(Problem) as caught:
        folders.create()
    assert (caught.value.code, caught.value.params["folder"]) == (
        "folder-unusable",
        str(folders.run),
    )


def test_a_link_in_place_of_the_socket_folder_is_refused(folders: Folders, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir(mode=0o755)
    folders.run.rmdir()
    folders.run.symlink_to(tmp_path / "mine")
    with pytest.raises(Problem) as caught:
        folders.create()
    assert caught.value.code == "folder-unusable"
    assert stat.S_IMODE((tmp_path / "mine").stat().st_mode) == 0o755


def test_without_a_home_the_socket_lies_in_a_private_runtime_folder(tmp_path: Path) -> None:
    assert Folders.find({"XDG_RUNTIME_DIR": str(tmp_path)}).run == tmp_path / "leitstand"
    fallback = Folders.find({"XDG_RUNTIME_DIR": str(tmp_path / "absent")}).run
    assert fallback.name in ("leitstand", f"leitstand-{os.getuid()}")


def test_a_file_in_place_of_the_home_is_called_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    found = Folders.find({"LEITSTAND_HOME": str(tmp_path / "file")})
    for use in (found.create, lambda: Settings.load(found)):
        with pytest.raises(Problem) as caught:
            use()
        assert (caught.value.code, caught.value.exit) == ("no-folder", Exit.USAGE)
        assert caught.value.params == {"path": str(tmp_path / "file")}


def test_a_folder_in_place_of_the_settings_is_called_one(folders: Folders) -> None:
    folders.settings_file.mkdir()
    problem = _problem(folders)
    assert (problem.code, problem.exit) == ("settings-folder", Exit.USAGE)


def test_settings_in_another_encoding_name_the_line_and_the_encoding(folders: Folders) -> None:
    folders.settings_file.write_bytes("[server]\n# Häfen\n".encode("latin-1"))
    problem = _problem(folders)
    assert (problem.code, problem.exit) == ("settings-encoding", Exit.USAGE)
    assert problem.params == {"file": str(folders.settings_file), "line": 2}


@pytest.mark.parametrize("ahead", [0, 10, 3650])
def test_an_image_that_is_yet_to_be_made_is_refused(folders: Folders, ahead: int) -> None:
    day = datetime.now(UTC).date() + timedelta(days=ahead)
    folders.settings_file.write_text(f'[providers.vast]\nimage_date = "{day}"\n')
    if not ahead:
        assert Settings.load(folders).provider("vast").image_date == day
        return
    with pytest.raises(Problem) as caught:
        Settings.load(folders)
    assert caught.value.code == "bad-setting"
    assert "vast.image_date is a day to come" in caught.value.params["detail"]


def test_volumes_are_refused_where_no_machine_could_have_one(folders: Folders) -> None:
    folders.settings_file.parent.mkdir(parents=True, exist_ok=True)
    folders.settings_file.write_text("[providers.runpod.volumes]\nEU-RO-1 = 30\n")
    assert Settings.load(folders).provider("runpod").volumes == {"EU-RO-1": 30}
    for text in ("[providers.vast.volumes]\nx = 30\n", "[providers.runpod.volumes]\nx = 9\n"):
        folders.settings_file.write_text(text)
        with pytest.raises(Problem) as refused:
            Settings.load(folders)
        assert refused.value.code == "bad-setting"
