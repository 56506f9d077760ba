"""`leitstand serve` and `leitstand worker`: the two processes that are not clients."""

from __future__ import annotations

import importlib
import os
from contextlib import suppress

from leitstand.cli.options import DEFAULT, Options
from leitstand.core.problem import Exit, Problem


def serve(*, embedded: bool = False, options: Options = DEFAULT) -> int:
    """Run the control plane: API, reconcilers and the workers' listener.

    Parameters
    ----------
    embedded
        On the Unix socket of this user alone; ends by itself when nothing is left to do.
    """
    from leitstand.config import Folders, Settings

    folders = Folders.find()
    folders.create()
    settings = Settings.load(folders)
    app = importlib.import_module("leitstand.app")
    if embedded:  # its output is a log file, which may be on a full disk
        return int(app.serve(settings, folders, embedded=True) or 0)
    output = options.output()

    def listening(operators: str, workers: str) -> None:
        with suppress(OSError):  # a reader that left ends no control plane
            output.line(output.say("cli-listening", operators=operators, workers=workers))
            output.event("listening", operators=operators, workers=workers)

    try:
        ended = int(app.serve(settings, folders, embedded=False, listening=listening) or 0)
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    with suppress(OSError):
        output.line(output.say("cli-ended"))
        output.event("ended")
    return ended


def worker(*, label: str, options: Options = DEFAULT) -> int:
    """What runs on an instance; a launch spec in the environment tells it where to dial.

    Parameters
    ----------
    label
        The provider's label of this instance; it only names the process.
    """
    try:
        module = importlib.import_module("leitstand.worker.main")
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("leitstand"):
            raise
        raise Problem(
            "missing-extra", Exit.USAGE, extra="media", missing=error.name or "a library"
        ) from error
    return int(module.run(os.environ))
