"""The rules of this house: who may import whom, what a name may be, how large a thing may grow.

Each test gathers every violation before it fails, so that one run shows the whole list. Rules that
ruff or mypy can state are in `pyproject.toml` instead.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src"
PACKAGE = "leitstand"

MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
GENERATED = "store/migrations/versions/"
"""Written by Alembic from the tables: as long as the tables are many."""

ADAPTERS = {"store", "vault", "security", "host", "media", "models", "analysis", "providers"}

MAY_IMPORT = {
    "core": set(),
    "ports": {"core"},
    # leaves
    "messages": {"core"},
    "folders": {"core"},
    "private": {"core"},
    "shapes": {"core"},
    "config": {"core", "folders", "shapes"},
    "told": {"config"},
    "connect": {"core", "ports", "config", "folders", "providers", "told"},
    "launch": {"core", "ports"},
    "wire": {"core", "ports", "private"},
    "boot": {"core", "ports", "launch"},
    "clockwork": {"core", "ports"},
    "startup": {"core", "folders", "private"},
    # adapters: not one another; `host` measures the machine for whoever asks
    "store": {"core", "ports"},
    "vault": {"core", "ports", "private"},
    "security": {"core", "ports", "private"},
    "host": {"core", "ports"},
    "media": {"core", "ports"},
    "models": {"core", "ports"},
    "analysis": {"core", "ports", "messages"},
    "providers": {"core", "ports", "launch", "boot", "host", "wire"},
    # the control plane; `store` holds every query, and control runs them in its transactions
    "control": {"core", "ports", "launch", "store"},
    "api": {"core", "ports", "messages", "control", "store", "security"},
    "app": {"core", "ports", "api", "control", "store", "vault", "security", "models"}
    | {"clockwork", "startup", "config", "folders", "messages", "launch", "host"}
    | {"boot", "connect", "reaped", "rules"},
    "rules": {"core", "boot", "config", "connect", "control", "folders"},
    # an instance
    "worker": {"core", "ports", "launch", "host", "security", "vault", "media", "models"}
    | {"analysis"},
    # without control plane and database
    "reap": {"core", "ports"},
    "reaped": {"core"},
    # what people type
    "client": {"core"},
    "upload": {"core", "client", "vault"},
    "embedded": {"core", "client", "folders"},
    "output": {"core", "messages"},
    "cli": {"core", "client", "upload", "embedded", "output", "messages", "config", "folders"}
    | {"boot", "host", "models", "media", "vault", "app", "connect", "worker", "reap"}
    | {"reaped"},
    "__main__": {"cli"},
}
"""`docs/architecture.md` draws it; `docs/decisions/0001-layout.md` says why it is so."""

FOUND_BY_NAME = {"providers": "connect", "models": "load", "analysis": "run"}
"""A module of the folder that defines this function is an extension, found by its file's name."""

HEAVY = {"av", "cv2", "faster_whisper", "magika", "numpy", "onnx", "onnxruntime", "PIL"}
HEAVY |= {"supervision", "trackers"}
HEAVY_IN = {"media", "models", "analysis", "worker"}

WORDS_NOT_NAMES = {"backend", "manager", "handler", "service", "helper", "util", "common", "base"}
REGISTRY_HOSTS = {
    ("pypi", "org"),
    ("pythonhosted", "org"),
    ("npmjs", "org"),
    ("npmjs", "com"),
    ("deb", "debian", "org"),
    ("crates", "io"),
    ("proxy", "golang", "org"),
}
UNFINISHED = re.compile(r"\b(T[O]DO|F[I]XME|X[X]X|H[A]CK)\b")
PICTOGRAMS = re.compile("[\U0001f000-\U0001faff\N{VARIATION SELECTOR-16}\u2705\u274c\u2728\u26a0]")
NAMED_MODULE = re.compile(rf"^({PACKAGE}(?:\.\w+)+)(?::\w+)?$")
COMMAND_TARGET = re.compile(r"^(\w+):\w+$")


# --- the tree as it is -----------------------------------------------------------------------------


@cache
def modules() -> dict[str, Path]:
    """Module name to file."""
    found = {}
    for path in sorted((SOURCE / PACKAGE).rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), str(path))


def part(module: str) -> str:
    """The folder or file directly below the package that a module belongs to."""
    return module.split(".")[1] if "." in module else ""


def where(path: Path, node: ast.AST | int = 0) -> str:
    line = node if isinstance(node, int) else getattr(node, "lineno", 0)
    return f"{path.relative_to(ROOT)}:{line}" if line else str(path.relative_to(ROOT))


def imports(path: Path) -> Iterator[tuple[str, ast.AST]]:
    """Names of modules that a file imports, anywhere in it, or names in a string to import later."""
    known = modules()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{where(path, node)}: imports are absolute"
            assert node.module is not None
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield (inner if inner in known else node.module), node
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            named = NAMED_MODULE.match(node.value)
            if named and named[1] in known:
                yield named[1], node
            target = COMMAND_TARGET.match(node.value)
            if target and path.parent.name == "cli" and f"{PACKAGE}.cli.{target[1]}" in known:
                yield f"{PACKAGE}.cli.{target[1]}", node


def for_types_only(path: Path) -> set[ast.AST]:
    """Everything under `if TYPE_CHECKING:`, which no program runs."""
    return {
        node
        for block in ast.walk(tree(path))
        if isinstance(block, ast.If) and getattr(block.test, "id", "") == "TYPE_CHECKING"
        for node in ast.walk(block)
    }


def own_imports() -> Iterator[tuple[str, str, str]]:
    """(importer, imported, place) inside the package."""
    for module, path in modules().items():
        for name, node in imports(path):
            if name.split(".")[0] == PACKAGE:
                yield module, name, where(path, node)


def tracked() -> list[Path]:
    """Text files under version control."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [path for path in paths if path.is_file() and b"\0" not in path.read_bytes()[:8192]]


def report(violations: list[str]) -> None:
    assert not violations, "\n" + "\n".join(violations)


# --- direction -------------------------------------------------------------------------------------


def test_every_part_of_the_package_has_its_place_in_the_order() -> None:
    parts = {part(module) for module in modules()} - {""}
    assert parts == set(MAY_IMPORT)


def test_imports_go_one_way() -> None:
    report(
        [
            f"{place}: {part(importer)} must not import {imported}"
            for importer, imported, place in own_imports()
            if part(importer)
            and part(imported)
            and part(importer) != part(imported)
            and part(imported) not in MAY_IMPORT[part(importer)]
        ]
    )


def test_the_order_has_no_circle() -> None:
    left = {name: set(below) for name, below in MAY_IMPORT.items()}
    while left:
        lowest = [name for name, below in left.items() if not below & left.keys()]
        assert lowest, f"these import one another in a circle: {sorted(left)}"
        for name in lowest:
            del left[name]


def test_only_app_and_the_worker_know_more_than_one_adapter() -> None:
    allowed = {"app", "worker", "cli", "api"}
    report(
        [
            f"{name} may import {sorted(below & ADAPTERS)}"
            for name, below in MAY_IMPORT.items()
            if name not in allowed and len((below & ADAPTERS) - {"host"}) > 1
        ]
    )


def test_nothing_lies_around_that_no_module_imports() -> None:
    reached = {imported for _, imported, _ in own_imports()}
    reached |= {name.rsplit(".", 1)[0] for name in reached}
    violations = []
    for module, path in modules().items():
        if path.name in ("__init__.py", "__main__.py") or "migrations" in module:
            continue
        seam = FOUND_BY_NAME.get(part(module))
        extension = seam and any(
            isinstance(node, ast.FunctionDef) and node.name == seam for node in tree(path).body
        )
        if module not in reached and not extension:
            violations.append(f"{where(path)}: no module of {PACKAGE} imports it")
    report(violations)


# --- core ------------------------------------------------------------------------------------------


def test_core_knows_the_standard_library_alone() -> None:
    report(
        [
            f"{where(path, node)}: core must not import {name}"
            for module, path in modules().items()
            if part(module) == "core"
            for name, node in imports(path)
            if name.split(".")[0] not in {*sys.stdlib_module_names, PACKAGE}
        ]
    )


def test_core_takes_no_time_no_chance_and_no_surroundings() -> None:
    modules_not = {"random", "secrets", "time", "os", "socket", "subprocess", "pathlib", "uuid"}
    calls_not = {"now", "utcnow", "today", "open", "getenv"}
    violations = []
    for module, path in modules().items():
        if part(module) != "core":
            continue
        violations += [
            f"{where(path, node)}: core must not import {name}"
            for name, node in imports(path)
            if name.split(".")[0] in modules_not
        ]
        for node in ast.walk(tree(path)):
            if not isinstance(node, ast.Call):
                continue
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if called in calls_not:
                violations.append(f"{where(path, node)}: core must not call {called}()")
    report(violations)


# --- seams -----------------------------------------------------------------------------------------


def test_nothing_on_the_path_knows_that_a_provider_is_local() -> None:
    allowed = {"providers/local.py", "app.py", "connect.py", "config.py"}
    report(
        [
            f"{where(path, node)}: the provider's name stands here"
            for path in modules().values()
            if str(path.relative_to(SOURCE / PACKAGE)) not in allowed
            for node in ast.walk(tree(path))
            if isinstance(node, ast.Constant) and node.value == "local"
        ]
    )


def test_queries_are_written_in_the_store_alone() -> None:
    report(
        [
            f"{where(path, node)}: {alias.name} of SQLAlchemy outside store/"
            for module, path in modules().items()
            if part(module) != "store"
            for node in ast.walk(tree(path))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
            if (getattr(node, "module", None) or alias.name).split(".")[0] == "sqlalchemy"
            and alias.name != "Connection"
        ]
    )


def test_tables_are_looked_into_in_the_store_alone() -> None:
    """Elsewhere a table is named, to add rows to it, and nothing is executed."""
    violations = []
    for module, path in modules().items():
        if part(module) == "store":
            continue
        for node in ast.walk(tree(path)):
            if not isinstance(node, ast.Attribute):
                continue
            owner = getattr(node.value, "value", None)
            if getattr(owner, "id", "") == "tables":
                violations.append(f"{where(path, node)}: .{node.attr} of a table outside store/")
            elif node.attr == "execute":
                violations.append(f"{where(path, node)}: a statement is run outside store/")
    report(violations)


def test_heavy_libraries_stay_where_media_are_worked_on() -> None:
    report(
        [
            f"{where(path, node)}: {name} outside {', '.join(sorted(HEAVY_IN))}"
            for module, path in modules().items()
            if part(module) not in HEAVY_IN
            for name, node in imports(path)
            if name.split(".")[0] in HEAVY and node not in for_types_only(path)
        ]
    )


def test_what_is_imported_is_declared_and_what_is_declared_is_imported() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    lines = project["dependencies"] + project["optional-dependencies"]["media"]
    declared = {re.split(r"[\[<>=~! ]", line)[0].lower().replace(".", "-") for line in lines}
    renamed = {"fluent": "fluent-runtime", "ulid": "python-ulid", "pil": "pillow"}
    renamed |= {"pynvml": "nvidia-ml-py", "cv2": "opencv-python"}
    used = {}
    for path in modules().values():
        for name, node in imports(path):
            top = name.split(".")[0]
            if top not in {*sys.stdlib_module_names, PACKAGE}:
                used[renamed.get(top.lower(), top.lower().replace("_", "-"))] = where(path, node)
    report(
        [f"{used[name]}: {name} is not declared" for name in sorted(used.keys() - declared)]
        + [f"pyproject.toml: nothing imports {name}" for name in sorted(declared - used.keys())]
    )


# --- size and words --------------------------------------------------------------------------------


def test_modules_and_functions_are_short() -> None:
    violations = []
    for path in modules().values():
        if GENERATED in path.as_posix():
            continue
        lines = len(path.read_text("utf-8").splitlines())
        if lines >= MODULE_LINES_MAX:
            violations.append(f"{where(path)}: {lines} lines, {MODULE_LINES_MAX} are too many")
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > FUNCTION_LINES_MAX:
                    violations.append(f"{where(path, node)}: {node.name} has {length} lines")
    report(violations)


def test_names_say_what_a_thing_is() -> None:
    violations = []
    for module, path in modules().items():
        names: list[tuple[str, ast.AST | int]] = [(module.rsplit(".", 1)[-1], 0)]
        names += [(n.name, n) for n in ast.walk(tree(path)) if isinstance(n, ast.ClassDef)]
        for name, node in names:
            words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)
            if WORDS_NOT_NAMES & {word.lower().removesuffix("s") for word in words}:
                violations.append(f"{where(path, node)}: {name}")
    report(violations)


def test_answers_are_printed_in_one_place() -> None:
    report(
        [
            f"{where(path, node)}: print()"
            for module, path in modules().items()
            if part(module) not in {"output", "cli"} and not module.endswith("__main__")
            for node in ast.walk(tree(path))
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print"
        ]
    )


def test_the_tree_is_finished_and_speaks_plainly() -> None:
    violations = []
    hosts = [".".join(host) for host in REGISTRY_HOSTS]
    for path in tracked():
        for number, line in enumerate(path.read_text("utf-8", "replace").splitlines(), start=1):
            place = where(path, number)
            violations += [f"{place}: names the host of a registry" for h in hosts if h in line]
            if path.suffix == ".py" and UNFINISHED.search(line):
                violations.append(f"{place}: unfinished")
            if "tests" not in path.parts and PICTOGRAMS.search(line):
                violations.append(f"{place}: a pictogram")
            if re.search(r"#\s*type:\s*ignore(?!\[)", line) and path != Path(__file__):
                violations.append(f"{place}: an ignore without its code")
    report(violations)


def test_lock_files_carry_digests_and_no_address() -> None:
    violations = []
    for path in sorted(ROOT.glob("requirements*.lock")):
        text = path.read_text("utf-8")
        violations += [
            f"{where(path, number)}: {line}"
            for number, line in enumerate(text.splitlines(), start=1)
            if "://" in line or line.startswith("-")
        ]
        packages = re.findall(r"^[\w.-]+(?:\[[\w,-]+\])?==[^\\]+\\\n\s+--hash=", text, re.MULTILINE)
        assert len(packages) == text.count("==") - len(re.findall(r"(?<=[;( ])\w+ == ", text))
    report(violations)
