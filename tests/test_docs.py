"""What the documents name exists, and what exists is documented."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import pytest
from cyclopts import App
from pydantic import BaseModel

from leitstand.cli.app import app
from leitstand.config import HostSettings, ProviderSettings, Settings

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "leitstand"
DOCS = ROOT / "docs"
NAMED = {
    "providers.<name>": ProviderSettings(),
    "providers.<name>.hosts.<name>": HostSettings(),
}
"""Sections under a key that the user chooses, as they are without a file."""


def fields(model: type[BaseModel], before: str = "") -> Iterator[str]:
    """Dotted names of all settings; `<name>` stands for a key that the user chooses."""
    for name, field in model.model_fields.items():
        dotted = f"{before}{name}"
        inner = [*get_args(field.annotation), field.annotation]
        nested = [kind for kind in inner if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if not nested:
            yield dotted
        elif nested[0] is field.annotation:
            yield from fields(nested[0], f"{dotted}.")
        else:
            yield from fields(nested[0], f"{dotted}.<name>.")


def commands(of: App, before: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], App]]:
    """Every command that can be typed, with the words that lead to it."""
    for name in of:
        if name.startswith("-"):
            continue
        inner: Any = of[name]
        words = (*before, name)
        if inner.default_command is not None:
            yield words, inner
        yield from commands(inner, words)


def text_of(name: str) -> str:
    return (DOCS / name).read_text("utf-8")


def documents() -> list[Path]:
    return [*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]


def test_every_setting_is_documented() -> None:
    named = set(re.findall(r"^\| `([\w.<>]+)`", text_of("settings.md"), re.MULTILINE))
    assert named == set(fields(Settings))


def defaults() -> Iterator[tuple[str, Any]]:
    """Dotted names of settings that are a number or a duration, and what they are without a file."""
    for name in fields(Settings):
        section, _, last = name.rpartition(".")
        held: Any = NAMED.get(section) or Settings()
        for part in section.split(".") if not section.startswith("providers") else ():
            held = getattr(held, part)
        value = getattr(held, last)
        if isinstance(value, int | float | Decimal | timedelta) and not isinstance(value, bool):
            yield name, value


def test_documented_defaults_are_the_defaults() -> None:
    said = dict(re.findall(r"^\| `([\w.<>]+)` \| ([^|]+) \|", text_of("settings.md"), re.MULTILINE))
    units = {"h": timedelta(hours=1), "d": timedelta(days=1)}
    for name, value in defaults():
        number, _, unit = said[name].partition(" ")
        found = float(number) * units[unit] if unit else float(number)
        assert found == (value if unit else float(value)), name


def setting_read(node: ast.expr, named: dict[str, str]) -> str | None:
    """The setting that an expression reads: `""` for all settings, a dotted name for a part of them.
    `named` says what the variables of its function stand for."""
    match node:
        case ast.Name(id="settings") if "settings" not in named:
            return ""
        case ast.Name(id=name):
            return named.get(name)
        case ast.Attribute(attr="settings" | "_settings"):
            return ""
        case ast.Call(func=ast.Attribute(value=ast.Name(id="Settings"), attr="load")):
            return ""
        case ast.Call(func=ast.Attribute(value=of, attr="provider")):
            return None if setting_read(of, named) is None else "providers.<name>"
        case ast.Attribute(value=of, attr=attr):
            before = setting_read(of, named)
            return None if before is None else f"{before}.{attr}".lstrip(".")
    return None


def sections(model: type[BaseModel], before: str = "") -> dict[str, str]:
    """Class names of sections, and where the settings have them."""
    found = {}
    for name, field in model.model_fields.items():
        for kind in (*get_args(field.annotation), field.annotation):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                at = f"{before}{name}" if kind is field.annotation else f"{before}{name}.<name>"
                found |= {kind.__name__: at, **sections(kind, f"{at}.")}
    return found


def settings_read_in(tree: ast.Module) -> Iterator[str]:
    """What a module reads of the settings, by attribute from where they come in."""
    known = sections(Settings)
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        named = {
            argument.arg: known[argument.annotation.id]
            for argument in [*function.args.args, *function.args.kwonlyargs]
            if isinstance(argument.annotation, ast.Name) and argument.annotation.id in known
        }
        for node in ast.walk(function):
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    found = setting_read(value, named)
                    if found:
                        named[name] = found
        for node in ast.walk(function):
            if isinstance(node, ast.Attribute):
                found = setting_read(node, named)
                if found:
                    yield found


def test_every_setting_is_read_by_something() -> None:
    read: set[str] = set()
    for path in SOURCE.rglob("*.py"):
        if path.name != "config.py":
            read |= set(settings_read_in(ast.parse(path.read_text("utf-8"))))
    unread = [name for name in fields(Settings) if name not in read]
    assert not unread, "\n" + "\n".join(unread)


def test_a_word_that_occurs_elsewhere_is_no_reader_of_a_setting() -> None:
    source = """
def one(settings, want):
    part = settings.placement
    return part.cuda_min, want.regions, settings.provider("x").end_by_hours_max
"""
    read = set(settings_read_in(ast.parse(source))) & set(fields(Settings))
    assert read == {"placement.cuda_min", "providers.<name>.end_by_hours_max"}


def test_every_command_is_documented() -> None:
    text = text_of("cli.md")
    missing = [
        " ".join(words)
        for words, _ in commands(app)
        if not re.search(rf"`leitstand {' '.join(words)}[` ]", text)
    ]
    assert not missing, "\n" + "\n".join(missing)


def test_every_documented_command_can_be_typed() -> None:
    known = {words for words, _ in commands(app)}
    nouns = {words[0] for words in known}
    violations = []
    for path in documents():
        for line in re.findall(r"(?:^|[`/ ])leitstand ([a-z][a-z -]*)", path.read_text("utf-8")):
            words = tuple(line.split())
            if words[0] in nouns and words[:2] not in known and words[:1] not in known:
                violations.append(f"{path.name}: leitstand {line}")
    assert not violations, "\n" + "\n".join(violations)


def test_every_option_is_documented() -> None:
    text = text_of("cli.md")
    missing = []
    for words, command in commands(app):
        for argument in command.assemble_argument_collection():
            names = [name for name in argument.names if name.startswith("--")]
            if names and not any(re.search(rf"`{name}[` ]", text) for name in names):
                missing.append(f"{' '.join(words)} {names[0]}")
    assert not missing, "\n" + "\n".join(missing)


def test_every_event_of_the_json_lines_is_documented_and_printed() -> None:
    page = text_of("cli.md").partition("## JSON")[2]
    named = set()
    for cell in re.findall(r"^\| (`[^|]+) \|", page, re.MULTILINE):
        named |= set(re.findall(r"`(\w+)`", cell))
    printed = {
        name
        for path in SOURCE.rglob("*.py")
        if path.parent.name == "cli" or path.name == "output.py"
        for name in re.findall(r"(?:output|self)\.event\(\s*\"(\w+)\"", path.read_text("utf-8"))
    }
    assert named - {"event"} == printed


def test_modules_that_the_architecture_names_exist() -> None:
    text = text_of("architecture.md")
    named = set(re.findall(r"`((?:\w+/)*\w+\.(?:py|toml))`", text)) - {"tests/test_tidy.py"}
    assert len(named) > 30
    assert [name for name in sorted(named) if not (SOURCE / name).is_file()] == []
    folders = set(re.findall(r"`(\w+)/(?:\w+/)?`", text)) - {"src", "tests"}
    assert [name for name in sorted(folders) if not (SOURCE / name).is_dir()] == []


def test_the_architecture_fits_on_a_page() -> None:
    assert len(text_of("architecture.md").split()) <= 1000


def test_links_lead_somewhere() -> None:
    broken = [
        f"{path.relative_to(ROOT)}: {target}"
        for path in documents()
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text("utf-8"))
        if "://" not in target and not (path.parent / target).exists()
    ]
    assert not broken, "\n" + "\n".join(broken)


def test_documents_that_the_source_names_exist() -> None:
    missing = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in [*SOURCE.rglob("*.py"), *(ROOT / "tests").rglob("*.py")]
        for name in re.findall(r"(?<![\w/:])docs/[\w/-]+\.md\b", path.read_text("utf-8"))
        if not (ROOT / name).is_file()
    }
    assert not missing, "\n" + "\n".join(sorted(missing))


@pytest.mark.parametrize("word", ["backend", "manager", "handler", "helper"])
def test_words_that_are_not_names_stand_in_the_glossary_alone(word: str) -> None:
    said = [
        path.name
        for path in documents()
        if re.search(rf"\b{word}s?\b", path.read_text("utf-8"), re.IGNORECASE)
    ]
    assert set(said) <= {"glossary.md"}
