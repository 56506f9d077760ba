"""`leitstand images`: what a machine needs to become a worker."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from leitstand.cli.app import group
from leitstand.cli.options import DEFAULT, Options
from leitstand.core.problem import Exit

app = group("images", "Build what rented machines become workers from.", "leitstand images bundle")


@app.command
def bundle(
    *,
    python: str | None = None,
    accelerator: Literal["cuda", "cpu"] = "cuda",
    out: Path | None = None,
    options: Options = DEFAULT,
) -> int:
    """Fetch the worker's packages and build its own, for machines that start from a stock image.

    Example: leitstand images bundle

    Parameters
    ----------
    python
        The Python of that image: 3.11, 3.12 or 3.13. Without it 3.12.
    accelerator
        What the worker computes on; cuda brings NVIDIA's libraries along and runs on a CPU too.
    out
        A folder to write the same files to by name, from which deploy/Containerfile builds an image.
    """
    from leitstand.boot import bundle as bundling
    from leitstand.boot.files import BootFolder
    from leitstand.folders import Folders
    from leitstand.models.fetch import pip_command

    output, folders = options.output(), Folders.find()
    folders.create()
    wanted = python or bundling.PYTHON
    output.note(output.say("cli-bundling", python=wanted, accelerator=accelerator))
    files = BootFolder(folders.boot)
    kept = bundling.build(files, pip_command(), wanted, accelerator)
    if out is not None:
        files.write_to(out, kept)
    size = sum(wheel.bytes for wheel in kept)
    output.event("done", files=len(kept), bytes=size, python=wanted, accelerator=accelerator)
    output.line(
        output.say("cli-bundled", files=len(kept), size=output.texts.size(size), python=wanted)
    )
    return Exit.DONE
