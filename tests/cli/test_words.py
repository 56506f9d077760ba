"""Words, numbers and signs: both languages are complete, nothing steers a terminal."""

from __future__ import annotations

import io
import re
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from leitstand import cli
from leitstand.cli import values
from leitstand.cli.files import gather
from leitstand.cli.strip import percent, strip
from leitstand.cli.tables import Column, table
from leitstand.core.problem import Problem
from leitstand.messages import Texts
from leitstand.output import Choice, Output, cut, full, language_of, short
from leitstand.store import ledger
from tests.cli.conftest import Terminal

SOURCES = [*Path(cli.__file__).parent.glob("*.py"), Path(cli.__file__).parents[1] / "output.py"]
TEXT = "".join(path.read_text("utf-8") for path in SOURCES)
NOON = datetime(2026, 11, 24, 12, 0, tzinfo=timezone(timedelta(hours=1)))


def said(lang: str) -> dict[str, set[str]]:
    """Messages of `cli.ftl` and the variables each needs."""
    text = (resources.files("leitstand") / "texts" / lang / "cli.ftl").read_text("utf-8")
    found: dict[str, set[str]] = {}
    for block in re.split(r"^(?=[a-z][\w-]* =)", text, flags=re.MULTILINE)[1:]:
        name = block.partition(" ")[0]
        assert name not in found, name
        found[name] = set(re.findall(r"\$(\w+)", block))
    return found


def test_both_languages_say_the_same_messages_with_the_same_variables() -> None:
    assert said("en") == said("de")


def test_every_message_that_is_asked_for_exists_and_every_one_is_asked_for() -> None:
    names = {name for name in said("en") if name.startswith("cli-")}
    asked = set(re.findall(r"""["'](cli-[a-z0-9-]+)["']""", TEXT))
    asked |= {f"cli-head-{head}" for head in re.findall(r'Column\(\s*"([a-z-]+)"', TEXT)}
    made = re.findall(r"""f["'](cli-[a-z-]*)\{""", TEXT)
    assert asked <= names
    unused = {name for name in names - asked if not name.startswith(tuple(made))}
    assert unused == set()


def test_the_words_of_states_follow_the_state_machines() -> None:
    from leitstand.core.instance import INSTANCE
    from leitstand.core.job import JOB
    from leitstand.core.medium import MEDIUM

    names = said("en")
    for prefix, machine in (("state", JOB), ("instance", INSTANCE), ("medium", MEDIUM)):
        assert {f"cli-{prefix}-{state}" for state in machine.states()} <= set(names)


def test_verification_counts_every_kind_of_row_in_words() -> None:
    tables = ledger.RECORDED
    nouns = {"medium" if table == "media" else table.removesuffix("s") for table in tables}
    assert {f"cli-count-{noun}" for noun in nouns} <= set(said("en"))


@pytest.mark.parametrize(
    ("environ", "lang"),
    [
        ({}, "en"), ({"LANG": "de_AT.UTF-8"}, "de"), ({"LANG": "fr_FR"}, "en"),
        ({"LC_ALL": "C", "LANG": "de_DE"}, "en"), ({"LC_MESSAGES": "de_CH", "LANG": "en"}, "de"),
    ],
)  # fmt: skip
def test_the_locale_decides_the_language(environ: dict[str, str], lang: str) -> None:
    assert language_of(environ) == lang


@pytest.mark.parametrize(
    ("given", "amount"),
    [("4.50", "4.50"), ("4,50", "4.50"), ("4", "4"), ("4,5 €", "4.5"), ("€ 3", "3")],
)
def test_amounts(given: str, amount: str) -> None:
    assert values.amount("--max-cost", given) == Decimal(amount)


@pytest.mark.parametrize("given", ["", "4,5x", "-1", "1e9", "4.5.6", "inf", "nan", "9" * 40])
def test_what_is_no_amount(given: str) -> None:
    with pytest.raises(Problem, match="bad-amount"):
        values.amount("--max-cost", given)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("18:00", NOON.replace(hour=18)),
        ("6:00", NOON.replace(hour=6, day=25)),
        ("tomorrow 6:00", NOON.replace(hour=6, day=25)),
        ("morgen 18:00", NOON.replace(hour=18, day=25)),
        ("in 3h", NOON + timedelta(hours=3)),
        ("in 1,5 h", NOON + timedelta(minutes=90)),
        ("in 90 min", NOON + timedelta(minutes=90)),
        ("2026-11-24T14:00", NOON.replace(hour=14)),
        ("2026-11-24T14:00Z", NOON.replace(hour=15)),
    ],
)
def test_times(given: str, expected: datetime) -> None:
    assert values.instant("--by", given, NOON) == expected


@pytest.mark.parametrize("given", ["", "soon", "25:00", "12:60", "in 9999999999 d", "2026-13-01"])
def test_what_is_no_time(given: str) -> None:
    with pytest.raises(Problem, match="bad-time"):
        values.instant("--by", given, NOON)


@given(st.integers(0, 500), st.integers(0, 500), st.integers(0, 500))
def test_a_strip_has_a_cell_for_each_segment_and_is_full_only_at_the_end(
    done: int, gap: int, left: int
) -> None:
    total = done + gap + left
    cells = strip(done, total, gap)
    assert len(cells) == min(total, 24)
    if total:
        assert (set(cells) == {"▰"}) == (done == total)
        assert ("▨" in cells) == (gap > 0)
        assert (percent(done, total, gap) == 100) == (left == 0)


@given(st.text(), st.integers(4, 40))
def test_a_cut_name_fits_on_one_line(name: str, cells: int) -> None:
    shown = cut(name, cells)
    assert cell_len(shown) <= cells
    assert "\n" not in shown and "\x1b" not in shown


def test_names_are_cut_in_the_middle() -> None:
    assert cut("bahnhof_sued_kamera_0540.mp4", 16) == "bahnh…a_0540.mp4"


def test_short_ids_are_unique_among_those_shown_and_whole_ones_come_back() -> None:
    ids = ["job_01KAR3W6V9Q4T8ZC5N0EXB71C0", "job_01KAR3W6V9Q4T8ZC5N0EXA71C0"]
    assert short(ids[0]) == "j-71c0"
    assert [short(id, ids) for id in ids] == ["j-b71c0", "j-a71c0"]
    assert full("j-b71c0") == "B71C0" and full(ids[0]) == ids[0]
    assert short("K-2031") == "K-2031" and short(None) == "–"


def rows(columns: int, names: list[str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(columns))
    out = Terminal()
    output = Output(Choice("en", color="never"), out, io.StringIO())
    table(
        output,
        [
            Column("name", str, str, name=True),
            Column("size", lambda name: "1,234,567", lambda name: 1_234_567, right=True),
            Column("kind", lambda name: "video", lambda name: "video", drop=1),
            Column("state", lambda name: "running", lambda name: "running", drop=2),
        ],
        names,
    )
    return out.getvalue().splitlines()


@given(names=st.lists(st.text(max_size=60), min_size=1, max_size=5), columns=st.integers(30, 120))
def test_tables_fit_and_keep_numbers(names: list[str], columns: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        lines = rows(columns, names, patch)
    assert len(lines) == len(names) + 1
    assert all(cell_len(line) <= columns for line in lines)
    assert all("1,234,567" in line for line in lines[1:])


def test_the_last_columns_fall_away_first_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    name = ["n" * 16]
    assert rows(60, name, monkeypatch)[0].split() == ["NAME", "SIZE", "KIND", "STATE"]
    assert rows(36, name, monkeypatch)[0].split() == ["NAME", "SIZE", "KIND"]
    assert rows(30, name, monkeypatch)[0].split() == ["NAME", "SIZE"]


class Ascii(io.StringIO):
    encoding = "ascii"


def test_without_utf8_signs_have_plain_forms() -> None:
    out, err = Ascii(), Ascii()
    output = Output(Choice("en"), out, err)
    output.step("✓", "Plan", f"{strip(1, 3, 1)} – 0.04\u00a0€ …")
    assert out.getvalue() == "ok Plan        #!. - 0.04 EUR ...\n"


@pytest.mark.parametrize(
    ("color", "environ", "coloured"),
    [
        ("auto", {}, True), ("never", {}, False), ("auto", {"NO_COLOR": "1"}, False),
        ("always", {"NO_COLOR": "1"}, True), ("auto", {"TERM": "dumb"}, False),
    ],
)  # fmt: skip
def test_colour_rules(
    color: str, environ: dict[str, str], coloured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    out = Terminal()
    Output(Choice("en", color=color), out, Terminal()).step("✓", "Plan", "x")
    assert ("\x1b[" in out.getvalue()) == coloured


def test_a_pipe_is_coloured_only_where_that_was_asked_for() -> None:
    for color, coloured in (("auto", False), ("always", True)):
        out = io.StringIO()
        Output(Choice("en", color=color), out, io.StringIO()).step("✓", "Plan", "x")
        assert ("\x1b[" in out.getvalue()) == coloured


def test_a_dumb_terminal_gets_no_live_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    err = Terminal()
    output = Output(Choice("en"), Terminal(), err)
    output.live("moving")
    assert not output.bars and err.getvalue() == ""


def test_the_live_line_is_updated_at_most_eight_times_a_second() -> None:
    err = Terminal()
    output = Output(Choice("en"), Terminal(), err)
    for number in range(1000):
        output.live(str(number))
    assert err.getvalue().count("\x1b[2K") < 100


def test_gathering_stops_at_the_limit_of_files() -> None:
    for number in range(4):
        Path(f"{number}.jpg").write_bytes(b"x")
    with pytest.raises(Problem) as caught:
        gather(["."], files_max=3)
    assert caught.value.code == "too-many-files"
    assert len(gather(["."], files_max=4).files) == 4


def test_two_files_of_one_name_are_told_apart_by_their_paths() -> None:
    for folder in ("a", "b"):
        Path(folder).mkdir()
        Path(folder, "x.jpg").write_bytes(b"x")
    assert [file.name for file in gather(["a", "b"]).files] == ["a/x.jpg", "b/x.jpg"]


def test_an_empty_folder_is_a_problem_of_its_own() -> None:
    Path("empty/.git").mkdir(parents=True)
    ((name, problem),) = gather(["empty"]).problems
    assert (name, problem.code) == ("empty", "empty-folder")


def test_every_problem_of_the_command_line_has_all_its_words() -> None:
    for lang in ("en", "de"):
        for name, variables in said(lang).items():
            if name.startswith("problem-"):
                told = Texts(lang).problem(
                    name.removeprefix("problem-"), dict.fromkeys(variables, "v")
                )
                assert "{" not in "".join(part or "" for part in told), name
