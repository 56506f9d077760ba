"""The options that every command has, and what a command begins with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Group, Parameter

if TYPE_CHECKING:
    from leitstand.client import Client
    from leitstand.config import Folders, Settings
    from leitstand.output import Choice, Output

_EVERYWHERE = Group("Everywhere", sort_key=9)


@Parameter(name="*", group=_EVERYWHERE)
@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What every command takes."""

    json: bool = False
    """Objects on stdout, errors as objects on stderr."""
    lang: Literal["en", "de"] | None = None
    """Language of messages; else that of the locale."""
    color: Literal["auto", "always", "never"] = "auto"
    """Colour only repeats what words say."""
    verbose: Annotated[int, Parameter(name=["-v", "--verbose"], count=True)] = 0
    """More reasons; twice: the log."""

    def choice(self) -> Choice:
        from leitstand.output import Choice

        return Choice(self.lang, self.json, self.color, self.verbose)

    def output(self) -> Output:
        from leitstand.output import Output

        return Output(self.choice())


DEFAULT = Options()


@dataclass(frozen=True, slots=True)
class Session:
    """What a command works with: its streams, settings and folders, and the control plane."""

    output: Output
    settings: Settings
    folders: Folders
    client: Client


@contextmanager
def session(options: Options) -> Iterator[Session]:
    """Read the settings and reach the control plane, starting the embedded one if none is set."""
    from leitstand.config import Folders, Settings
    from leitstand.embedded import connect

    output = options.output()
    folders = Folders.find()
    settings = Settings.load(folders)
    with connect(settings.server.url, folders) as client:
        try:
            yield Session(output, settings, folders, client)
        finally:
            output.done_live()
