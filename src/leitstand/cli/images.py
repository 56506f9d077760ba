"""`leitstand images`: what a machine needs to become a worker."""

from __future__ import annotations

from leitstand.cli.app import group
from leitstand.cli.options import DEFAULT, Options
from leitstand.core.problem import Exit

app = group("images", "Build what rented machines become workers from.", "leitstand images bundle")


@app.command
def bundle(*, python: str | None = None, options: Options = DEFAULT) -> int:
    """Fetch the worker's packages and build its own, for machines that start from a stock image.

    Example: leitstand images bundle

    Parameters
    ----------
    python
        The Python of that image: 3.11, 3.12 or 3.13. Without it 3.12.
    """
    from leitstand.boot import bundle as bundling
    from leitstand.boot.files import BootFolder
    from leitstand.folders import Folders
    from leitstand.models.fetch import pip_command

    output, folders = options.output(), Folders.find()
    folders.create()
    wanted = python or bundling.PYTHON
    output.note(output.say("cli-bundling", python=wanted))
    kept = bundling.build(BootFolder(folders.boot), pip_command(), wanted)
    size = sum(wheel.bytes for wheel in kept)
    output.event("done", files=len(kept), bytes=size, python=wanted)
    output.line(
        output.say("cli-bundled", files=len(kept), size=output.texts.size(size), python=wanted)
    )
    return Exit.DONE
