"""The catalogue is complete, says the same in both languages, and nothing can steer it."""

from __future__ import annotations

import ast
import re
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import pytest
from fluent.syntax import FluentParser
from fluent.syntax import ast as ftl
from fluent.syntax.visitor import Visitor

from leitstand.control.reasons import NUMBERS, WORDS, open_params
from leitstand.core.problem import Problem
from leitstand.core.release import PREDICATES
from leitstand.messages import LANGUAGES, Texts, plain

SOURCE = Path(__file__).parents[1] / "src" / "leitstand"


class _Variables(Visitor):
    def __init__(self) -> None:
        self.names: set[str] = set()

    def visit_VariableReference(self, node: ftl.VariableReference) -> None:
        self.names.add(node.id.name)


@cache
def _patterns(lang: str) -> dict[str, set[str]]:
    """Every message and attribute of a language with the variables it uses."""
    found: dict[str, set[str]] = {}
    for file in sorted((resources.files("leitstand") / "texts" / lang).iterdir(), key=str):
        if not file.name.endswith(".ftl"):
            continue
        for entry in FluentParser().parse(file.read_text(encoding="utf-8")).body:
            assert not isinstance(entry, ftl.Junk), f"{lang}/{file.name}: {entry.content}"
            if not isinstance(entry, ftl.Message):
                continue
            parts = [(entry.id.name, entry.value)] if entry.value else []
            parts += [(f"{entry.id.name}.{a.id.name}", a.value) for a in entry.attributes]
            for name, pattern in parts:
                assert name not in found, f"{lang}: {name} stands twice"
                variables = _Variables()
                variables.visit(pattern)
                found[name] = variables.names
    return found


class _Raised(NamedTuple):
    """A literal `Problem("code", ...)` or `Failure("code", ...)` in the source."""

    place: str
    code: str
    given: frozenset[str | None]
    """Names of its parameters; None stands for `**more`."""


@cache
def _raised() -> list[_Raised]:
    found: list[_Raised] = []
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            name = node.func.id if isinstance(node.func, ast.Name) else name
            first = node.args[0]
            if name in ("Problem", "Failure") and isinstance(first, ast.Constant):
                place = f"{path.relative_to(SOURCE)}:{node.lineno}"
                given = frozenset(word.arg for word in node.keywords)
                found.append(_Raised(place, str(first.value), given))
    return found


def _variables_of(code: str) -> set[str]:
    """What the sentences of a problem use."""
    name = f"problem-{code}"
    used = (names for id, names in _patterns("en").items() if id.partition(".")[0] == name)
    return set().union(*used)


def _said_ids() -> dict[str, str]:
    """Every id given as a literal to .say(...) in the source, with its place."""
    ids: dict[str, str] = {}
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "say"
                and node.args
                and isinstance(node.args[0], ast.Constant)
            ):
                ids[str(node.args[0].value)] = f"{path.relative_to(SOURCE)}:{node.lineno}"
    for path in SOURCE.rglob("*.j2"):
        for id in re.findall(r"\bsay\(\s*[\"']([^\"']+)[\"']", path.read_text(encoding="utf-8")):
            ids[id] = str(path.relative_to(SOURCE))
    return ids


def test_every_message_exists_in_both_languages_with_the_same_variables() -> None:
    english, german = _patterns("en"), _patterns("de")
    assert english == german


def test_every_problem_in_the_source_has_words() -> None:
    missing = {r.place: r.code for r in _raised() if not Texts("en").knows(f"problem-{r.code}")}
    assert missing == {}


def test_every_problem_in_the_source_gives_what_its_words_use() -> None:
    """What intake or a worker says of a medium gets the medium's name where it is shown."""
    missing = {}
    for raised in _raised():
        of_medium = raised.place.startswith("media/") or raised.code == "medium-unreadable"
        by_shower = {"name"} if of_medium else set()
        if without := _variables_of(raised.code) - raised.given - by_shower:
            missing[raised.place] = (raised.code, without)
    assert missing == {}


def test_what_reasons_need_may_stand_in_an_open_column_and_nothing_else_may() -> None:
    """Reasons come from intake and from workers. Where a reason is shown, the name is known."""
    told = [raised for raised in _raised() if raised.place.startswith(("media/", "worker/"))]
    needed = set().union(*(_variables_of(raised.code) for raised in told)) - {"name"}
    assert needed <= NUMBERS | WORDS
    known = set().union(*(_variables_of(raised.code) | raised.given for raised in _raised()))
    assert known >= NUMBERS | WORDS
    said: dict[str, str | int] = dict.fromkeys(NUMBERS, 7) | dict.fromkeys(WORDS, "mp4")
    assert open_params(said) == said
    unknown = {"name": "a.mp4", "brand_new": "a.mp4", "count": 7, "bytes": "7", "format": "ß"}
    assert open_params(unknown) == {}


def test_an_attribute_whose_parameters_are_missing_is_left_away() -> None:
    assert Texts("en").problem("blobs-unavailable", {"where": "x"}).why is None


WITHOUT_REMEDY = {
    # what a person asked for, or the agreed end
    *("asked", "end-by", "held", "idle", "not-erased", "unwanted"),
    # an attempt or instance that is replaced without anybody's help
    "fenced",
    # a volume that goes, and is made again where it is needed
    *("volume-asked", "volume-double", "volume-gone", "volume-idle", "volume-unpaid"),
    "volume-unset",
    # said to programs, whose author reads the code
    *("bad-request", "body-too-large", "csr-refused", "no-certificate", "not-yet"),
    *("token-refused", "unknown-object", "unknown-path", "unknown-segment"),
    # there is nothing in it, and nothing to do about that
    "empty-file",
}


def test_every_problem_says_what_to_do_about_it() -> None:
    codes = {id.removeprefix("problem-") for id in _patterns("en") if id.startswith("problem-")}
    told = {code.partition(".")[0] for code in codes if code.endswith(".do")}
    assert {code for code in codes if "." not in code} - told == WITHOUT_REMEDY


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_refused_key_says_in_words_which_condition_does_not_hold(lang: str) -> None:
    texts = Texts(lang)
    for name, _ in PREDICATES:
        told = texts.problem("key-refused", {"predicate": name})
        assert name not in told.what
        assert told.do


def test_every_id_said_in_the_source_exists() -> None:
    known = _patterns("en")
    assert {id: at for id, at in _said_ids().items() if id not in known} == {}


def test_every_fault_of_the_ledger_has_words() -> None:
    source = (SOURCE / "control" / "audit.py").read_text("utf-8")
    codes = set(re.findall(r"""\bfault\("([a-z-]+)",""", source))
    told = {id for id in _patterns("en") if id.startswith("cli-fault-")}
    assert told == {f"cli-fault-{code}" for code in codes}


def test_an_unknown_language_is_a_problem_and_an_unknown_id_a_mistake() -> None:
    with pytest.raises(Problem) as caught:
        Texts("fr")
    assert caught.value.code == "unknown-language"
    with pytest.raises(LookupError):
        Texts("en").say("no-such-id")
    with pytest.raises(LookupError):
        Texts("en").say("problem-empty-file")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_problem_without_words_still_names_its_code(lang: str) -> None:
    told = Texts(lang).problem("brand-new", {"x": 1})
    assert "brand-new" in told.what


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_problem_whose_parameters_are_missing_is_told_nevertheless(lang: str) -> None:
    for code in (id.removeprefix("problem-") for id in _patterns(lang) if "." not in id):
        if Texts(lang).knows(f"problem-{code}"):
            assert Texts(lang).problem(code, {}).what


def test_the_words_of_a_problem() -> None:
    told = Texts("en").problem("playlist", {"name": "clip.mp4", "entries": 14})
    assert told == (
        "clip.mp4 was not taken: it is a playlist, not a video",
        "it names 14 other files; Leitstand opens only what you hand it",
        "pass those files",
    )
    told = Texts("en").problem(
        "unknown-profile", {"profile": "peple", "profiles": "people, auto", "near": "people"}
    )
    assert told == ('no profile "peple"', None, "people, auto (did you mean people?)")
    given = {"file": "leitstand.toml", "line": 3, "given": "server.ulr"}
    told = Texts("en").problem("unknown-setting", {**given, "near": "url"})
    assert told.do == "correct or remove that line (did you mean url?)"
    told = Texts("de").problem("unknown-setting", {**given, "near": "none"})
    assert told.do == "diese Zeile berichtigen oder entfernen"
    told = Texts("de").problem("empty-file", {"name": "leer.wav"})
    assert told.what == "leer.wav enthält nichts zum Auswerten: die Datei ist leer (0 Byte)"


def test_numbers_money_and_sizes_follow_the_language() -> None:
    en, de = Texts("en"), Texts("de")
    assert (en.number(6.58, 1), de.number(6.58, 1)) == ("6.6", "6,6")
    assert (en.number(48219), de.number(48219)) == ("48,219", "48\u00a0219")
    assert (en.euros("0.04"), de.euros(Decimal("1.705"))) == ("0.04\u00a0€", "1,71\u00a0€")
    assert en.euros("0") == "0.00\u00a0€"
    assert en.euros("0.0004") == "<\u00a00.01\u00a0€"
    assert (en.size(8_131_690), de.size(8_131_690)) == ("8.1\u00a0MB", "8,1\u00a0MB")
    assert (en.size(0), en.size(999_960)) == ("0\u00a0B", "1.0\u00a0MB")
    assert (en.percent(0.5), de.percent(0.825, 1)) == ("50\u00a0%", "82,5\u00a0%")
    assert de.say("problem-too-many-files", count=48219, limit=10000).startswith("48\u00a0219 D")


def test_times_follow_the_language_and_carry_over() -> None:
    en, de = Texts("en"), Texts("de")
    at = datetime(2026, 11, 23, 9, 38, 7, tzinfo=UTC)
    assert (en.date(at), de.date(at)) == ("23 November 2026", "23. November 2026")
    assert (en.time(at), en.time(at, seconds=True)) == ("09:38", "09:38:07")
    assert (en.clock(79.5), de.clock(79.5)) == ("1:19.5", "1:19,5")
    assert (en.clock(59.96), en.clock(0, 0), en.clock(3723, 0)) == ("1:00.0", "0:00", "1:02:03")
    assert (en.duration(118), de.duration(0.44)) == ("1\u00a0min 58\u00a0s", "0,4\u00a0s")
    assert (en.duration(13_200), en.duration(7_199.9)) == ("3\u00a0h\u00a040", "2\u00a0h")
    assert (en.join("abc"), de.join("abc"), en.join("a"), en.join("")) == (
        "a, b and c",
        "a, b und c",
        "a",
        "",
    )
    assert (en.language("de"), de.language("en-GB"), en.language("zz")) == (
        "German",
        "Englisch",
        "zz",
    )


def test_text_from_media_cannot_end_a_line_or_turn_the_reading_direction() -> None:
    hostile = "a\nb\x1b[31m\u202egpj.exe\x85\ud800 ü 🎬"
    assert plain(hostile) == "a␊b␛[31m\ufffdgpj.exe\ufffd\ufffd ü 🎬"
    what = Texts("en").problem("empty-file", {"name": hostile}).what
    assert what.startswith(plain(hostile)) and what.encode()


def test_a_very_long_name_is_cut_and_said_so() -> None:
    what = Texts("en").problem("empty-file", {"name": "x" * 100_000}).what
    assert len(what) < 2_200 and "…" in what
