"""`leitstand images`: what a machine needs to become a worker."""

from __future__ import annotations

import shutil
import socket
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from leitstand.cli.app import group
from leitstand.cli.options import DEFAULT, Options
from leitstand.core.problem import Exit, Problem

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


@app.command
def build(
    name: str,
    /,
    *,
    base: str,
    accelerator: Literal["cuda", "cpu"] = "cuda",
    layer: tuple[Path, ...] = (),
    push: bool = False,
    engine: Literal["buildah", "podman", "docker"] | None = None,
    options: Options = DEFAULT,
) -> int:
    """Build the worker as an image for a registry of yours, so that no machine has to fetch it from
    you at every start.

    Example: leitstand images build registry.example/worker --base ubuntu:22.04@sha256:… --push

    Parameters
    ----------
    name
        What it is called, with the registry it may be pushed to.
    base
        What it is built on: Ubuntu 22.04 or Debian 12, pinned by digest.
    accelerator
        What the worker computes on; cuda brings NVIDIA's libraries along and runs on a CPU too.
    layer
        A list of further packages, as pip takes it, each with version and digest: PyTorch or
        TensorFlow for models of your own. May stand several times.
    push
        Push it to the registry that its name begins with.
    engine
        What builds it; without it the first of buildah, podman and docker that is installed.
    """
    from leitstand.boot import bundle as bundling
    from leitstand.boot import image
    from leitstand.boot.files import BootFolder
    from leitstand.folders import Folders
    from leitstand.models.fetch import pip_command

    output, folders = options.output(), Folders.find()
    image.checked(name, base)
    builder = image.engine_here(engine)
    folders.create()
    with tempfile.TemporaryDirectory(prefix="leitstand-image-") as drafts:
        context = Path(drafts)
        layers = image.lay_out(context, layer)
        output.note(output.say("cli-bundling", python=image.PYTHON, accelerator=accelerator))
        given = BootFolder(folders.boot)  # what is given out stays what it is, where there is any
        files = given if given.manifest() is None else BootFolder(context / "kept")
        kept = bundling.build(files, pip_command(), image.PYTHON, accelerator)
        files.write_to(context / image.WHEELS, kept)
        shutil.rmtree(context / "kept", ignore_errors=True)
        output.note(output.say("cli-image-building", name=name, engine=builder))
        made = image.build(builder, context, name, base, accelerator, layers)
        if push:
            output.note(output.say("cli-image-pushing", name=name))
            made = image.push(builder, made, context)
    image.keep(folders.images, made)
    output.event("done", name=name, id=made.id, digest=made.digest, image=made.pinned)
    output.line(output.say("cli-image-built", name=name, image=made.pinned))
    output.line(output.say("cli-image-setting" if push else "cli-image-setting-here"))
    output.line(f'image = "{made.pinned}"')
    output.line(f"image_date = {datetime.now(UTC).date()}")
    return Exit.DONE


@app.command
def firewall(file: Path, /, *, admin: tuple[str, ...] = (), options: Options = DEFAULT) -> int:
    """Write nftables rules for a machine of yours: it works, and dials nothing but the control plane
    and its mailbox, where there is one.

    Example: leitstand images firewall worker.nft --admin 198.51.100.0/24

    Parameters
    ----------
    file
        What to write; there: nft -f worker.nft.
    admin
        A network that may come in by SSH; may stand several times. Without one nobody may.
    """
    from leitstand.boot import firewall as rules
    from leitstand.config import Settings

    output, settings = options.output(), Settings.load()
    url = settings.worker.advertise_url
    if url is None:
        raise Problem("no-address-to-dial", Exit.USAGE)
    mailbox = _mailbox(settings.blobs.url)
    ways = {one: _addresses(one) for one in (url, mailbox) if one is not None}
    try:
        text = rules.nftables([rules.way(one, at) for one, at in ways.items()], admin)
    except ValueError as error:
        raise Problem("not-a-network", Exit.USAGE, detail=str(error)) from error
    try:
        file.write_text(text, "utf-8")
    except OSError as error:
        detail = error.strerror or str(error)
        raise Problem("folder-unusable", folder=str(file.parent), detail=detail) from error
    found = sorted({at for addresses in ways.values() for at in addresses})
    output.event("done", file=str(file), url=url, mailbox=mailbox, addresses=found)
    said = {"url": ", ".join(ways), "addresses": ", ".join(found)}
    output.line(output.say("cli-firewall", file=str(file), **said))
    return Exit.DONE


def _addresses(url: str) -> list[str]:
    """Where an origin is now. Raises Problem `address-unknown`."""
    try:
        host = urlsplit(url).hostname
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise Problem("address-unknown", Exit.UNREACHABLE, url=url) from error
    return sorted({str(entry[4][0]) for entry in found})


def _mailbox(blobs_url: str | None) -> str | None:
    """The origin that letters are put to, or None where there is no mailbox."""
    from leitstand.core.letter import name_of
    from leitstand.core.limits import LEASE
    from leitstand.vault.blobs import open_blobs

    if blobs_url is None or "://" not in blobs_url:
        return None
    blobs = open_blobs(blobs_url)
    if not blobs.addressed:
        return None
    parts = urlsplit(blobs.put_address(name_of("attempt", 0), LEASE))
    return f"{parts.scheme}://{parts.netloc}"
