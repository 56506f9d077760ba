"""`leitstand models`: which exist, which are here, and whether they are the right bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from leitstand.cli.app import group
from leitstand.cli.options import DEFAULT, Options
from leitstand.cli.tables import Column, table
from leitstand.core.problem import Exit, Problem
from leitstand.models.cache import ModelCache
from leitstand.models.catalogue import Catalogue, Entry

app = group("models", "List models; pull or verify them.", "leitstand models list")


@app.default
def list_default(*, options: Options = DEFAULT) -> int:
    """List the models of the catalogue, and which are here."""
    return list_models(options=options)


@app.command(name="list")
def list_models(*, options: Options = DEFAULT) -> int:
    """List the models of the catalogue, and which are here.

    Example: leitstand models list
    """
    from leitstand.folders import Folders

    output = options.output()
    cache, catalogue = ModelCache(Folders.find().models), Catalogue.load()
    default = catalogue.default_set()
    items = [_item(entry, cache, entry.name in default) for entry in catalogue.entries]
    output.listing("models", items)

    def size(item: dict[str, Any]) -> str:
        return output.texts.size(item["bytes"])

    table(
        output,
        [
            Column("model", lambda m: m["name"], lambda m: m["name"], name=True),
            Column("version", lambda m: m["version"], lambda m: m["version"], name=True),
            Column("family", lambda m: m["family"], lambda m: m["family"]),
            Column("size", size, lambda m: m["bytes"], right=True),
            Column("licence", lambda m: m["licence"], lambda m: m["licence"], drop=1),
            Column(
                "here",
                lambda m: output.say("cli-here" if m["present"] else "cli-absent"),
                lambda m: m["present"],
                style=lambda m: "" if m["present"] else "dim",
            ),
        ],
        items,
    )
    if output.terminal and any(item["default"] and not item["present"] for item in items):
        output.commands((output.say("cli-next"), "leitstand models pull"))
    return Exit.DONE


def _item(entry: Entry, cache: ModelCache, default: bool) -> dict[str, Any]:
    version = entry.version
    return {
        "name": version.name,
        "version": version.version,
        "family": version.family,
        "digest": version.digest,
        "bytes": sum(file.bytes for file in version.files),
        "licence": version.licence,
        "legal": entry.legal,
        "default": default,
        "present": entry.complete(cache),
        "vram_gib": version.vram_gib,
        "ram_gib": version.ram_gib,
    }


@app.command
def pull(*names: str, demo: bool = False, options: Options = DEFAULT) -> int:
    """Fetch models, check their digests, and keep them. Without names: the default set.

    Example: leitstand models pull

    Parameters
    ----------
    names
        Models as `leitstand models list` names them.
    demo
        The smallest set that shows pictures, video and speech.
    """
    from leitstand.cli.wanted import shown
    from leitstand.folders import Folders
    from leitstand.models import pull as pulling

    output = options.output()
    cache, catalogue = ModelCache(Folders.find().models), Catalogue.load()
    wanted = names or (catalogue.demo_set() if demo else catalogue.default_set())
    entries = [catalogue.get(name) for name in wanted]
    missing = [entry for entry in entries if not entry.complete(cache)]
    archives = catalogue.archives(missing)
    size = sum(catalogue.size(archive, sources) for archive, sources in archives.items())
    if missing:
        listed = ", ".join(entry.name for entry in missing)
        output.note(output.say("cli-pulling", names=listed, size=output.texts.size(size)))
    try:
        done = pulling.pull(wanted, cache, shown(output), catalogue=catalogue)
    finally:
        output.done_live()
    output.event("done", fetched=done.fetched, present=done.present, bytes=done.bytes)
    for name in done.fetched:
        output.step("✓", name, output.say("cli-pulled"))
    output.line(output.say("cli-pull-done", fetched=len(done.fetched), present=len(done.present)))
    output.commands((output.say("cli-next"), "leitstand analyze clip.mp4"))
    return Exit.DONE


@app.command
def verify(*names: str, options: Options = DEFAULT) -> int:
    """Read every file of the models that are here and compare its digest.

    Example: leitstand models verify

    Parameters
    ----------
    names
        Models as `leitstand models list` names them; without, all that are here, and those of
        which a file was set aside.
    """
    from leitstand.folders import Folders
    from leitstand.models import pull as pulling

    output = options.output()
    cache, catalogue = ModelCache(Folders.find().models), Catalogue.load()
    wanted = names or tuple(
        entry.name for entry in catalogue.entries if entry.complete(cache) or _changed(entry, cache)
    )
    if not wanted:
        raise Problem("no-models", Exit.FAILED)
    items = []
    for verdict in pulling.verify(wanted, cache, catalogue=catalogue):
        files = ", ".join(verdict.files)
        items.append({"name": verdict.name, "state": verdict.state, "files": verdict.files})
        mark = {"ok": "✓", "missing": "–"}.get(verdict.state, "×")
        text = output.say(f"cli-verify-{verdict.state}", files=files)
        output.step(mark, verdict.name, text)
    output.listing("verified", items)
    for name in wanted:
        for file, path in _changed(catalogue.get(name), cache):
            output.warn(output.say("cli-verify-changed", file=file, model=name, path=str(path)))
    bad = [item for item in items if item["state"] != "ok"]
    output.line(output.say("cli-verified", good=len(items) - len(bad), bad=len(bad)))
    if bad:
        output.commands((output.say("cli-next"), "leitstand models pull"))
    return Exit.FAILED if bad else Exit.DONE


def _changed(entry: Entry, cache: ModelCache) -> list[tuple[str, Path]]:
    """Files of a model that were set aside: their names, and where they are."""
    return [
        (file.name, path) for file in entry.version.files for path in cache.changed(file.sha256)
    ]
