"""Write the next revision from the metadata, or (before the first release) the first one anew.

python -m leitstand.store.migrations "Add the reason of a hold"
python -m leitstand.store.migrations --first
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.script import Script, ScriptDirectory

from leitstand.store import migrations

VERSIONS = migrations.FOLDER / "versions"


def write(message: str, *, first: bool) -> Path:
    """The path of the new revision: what a database at the newest revision still lacks.

    With `first` all revisions are replaced by one. Needs ruff. Raises ValueError when nothing has
    changed.
    """
    if first:
        for old in VERSIONS.glob("*.py"):
            old.unlink()
    with tempfile.TemporaryDirectory() as folder:
        engine = sa.create_engine(f"sqlite:///{folder}/empty.db")
        with engine.begin() as connection:
            config = migrations.configuration(connection)
            command.upgrade(config, "head")
            known = len(list(ScriptDirectory.from_config(config).walk_revisions()))
            number = f"{known + 1:04d}"
            made = command.revision(
                config, message, autogenerate=True, rev_id=number, process_revision_directives=_drop
            )
        engine.dispose()
    if not isinstance(made, Script):
        raise ValueError("nothing has changed")
    path = Path(made.path)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if "# ###" not in line))
    subprocess.run([sys.executable, "-m", "ruff", "format", "--line-length=100", path], check=True)
    return path


def _drop(_context: object, _revision: object, directives: list[Any]) -> None:
    """No file for an empty change."""
    if directives[0].upgrade_ops.is_empty():
        directives.clear()


def main() -> None:
    """The command line of this module."""
    parser = argparse.ArgumentParser(prog="python -m leitstand.store.migrations")
    parser.add_argument("message", nargs="?", default="")
    parser.add_argument("--first", action="store_true", help="replace all revisions by one")
    given = parser.parse_args()
    if not given.first and not given.message:
        parser.error("a message is needed")
    try:
        print(write("Create the tables" if given.first else given.message, first=given.first))
    except ValueError as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
