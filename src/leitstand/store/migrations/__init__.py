"""The history of the schema, inside the package, run by the program itself.

A release only expands the schema it needs and contracts it one release later. Revisions name plain
column types, so that an old revision does not change with the code.
`python -m leitstand.store.migrations "Add x to y"` writes the next one from the metadata.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

FOLDER = Path(__file__).parent


class Newer(Exception):
    """A later version of the code has changed this database; `revision` is what it left."""

    def __init__(self, revision: str) -> None:
        super().__init__(revision)
        self.revision = revision


def upgrade(connection: Connection) -> None:
    """Run the missing revisions in the caller's transaction.

    Raises `Newer` when the database has a revision that this code lacks.
    """
    config = configuration(connection)
    script = ScriptDirectory.from_config(config)
    known = {revision.revision for revision in script.walk_revisions()}
    found = MigrationContext.configure(connection).get_current_heads()
    for revision in found:
        if revision not in known:
            raise Newer(revision)
    command.upgrade(config, "head")


def configuration(connection: Connection | None = None) -> Config:
    """Alembic's configuration, without a file, for `env.py` beside this module."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def options() -> dict[str, Any]:
    """How the schema is compared and changed, for running, writing and testing revisions alike."""
    return {
        "compare_type": True,
        "compare_server_default": True,
        "render_as_batch": True,
        "transactional_ddl": True,
    }
