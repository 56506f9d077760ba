"""`leitstand media`: what is held, until when; erase it, or take it away encrypted."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from leitstand.cli import reports, values
from leitstand.cli.app import group
from leitstand.cli.jobs import kind, medium_state, named, show_reasons
from leitstand.cli.options import DEFAULT, Options, session
from leitstand.cli.plans import clock
from leitstand.cli.tables import Column, table
from leitstand.core.problem import Exit, Problem
from leitstand.messages import plain
from leitstand.output import Output, full, short

app = group(
    "media", "List media; show or erase one, or take its encrypted files.", "leitstand media"
)

_HIDDEN = ("segments", "technical", "exif")


@app.default
def list_media(
    *,
    limit: Annotated[int | None, Parameter(name="--limit")] = None,
    options: Options = DEFAULT,
) -> int:
    """List media, newest first.

    Parameters
    ----------
    limit
        At most so many.
    """
    values.count("--limit", limit)
    with session(options) as here:
        items = list(here.client.pages("/media", limit))
        here.output.listing("media", items)
        _table(here.output, items)
        if here.output.terminal:
            show_reasons(here.output, items)
            if not items:
                here.output.line(here.output.say("cli-no-media"))
    return Exit.DONE


def _table(output: Output, items: list[Any]) -> None:
    ids = [item["id"] for item in items]
    table(
        output,
        [
            Column("medium", lambda m: short(m["id"], ids), lambda m: m["id"]),
            Column("name", lambda m: named(output, m), lambda m: m.get("name"), name=True),
            Column("kind", lambda m: kind(output, m), lambda m: m.get("kind")),
            Column("length", _length(output), lambda m: m.get("duration_s"), True, drop=3),
            Column("size", _size(output), lambda m: m.get("bytes"), True, drop=2),
            Column(
                "case",
                lambda m: str(m.get("case_name") or short(m.get("case"))),
                lambda m: m.get("case"),
                drop=4,
            ),
            Column(
                "held-until",
                lambda m: clock(output, m.get("held_until")),
                lambda m: m.get("held_until"),
                right=True,
                drop=1,
            ),
            Column("state", lambda m: medium_state(output, m), lambda m: m.get("state")),
        ],
        items,
    )


def _length(output: Output) -> Any:
    def shown(medium: Mapping[str, Any]) -> str:
        seconds = medium.get("duration_s")
        return "–" if seconds is None else output.texts.clock(float(seconds))

    return shown


def _size(output: Output) -> Any:
    def shown(medium: Mapping[str, Any]) -> str:
        size = medium.get("bytes")
        return "–" if size is None else output.texts.size(int(size))

    return shown


@app.command
def show(medium: str, /, *, options: Options = DEFAULT) -> int:
    """Show one medium: what it is, how it is cut, until when it is held.

    Example: leitstand media show m-4c1e
    """
    with session(options) as here:
        found = here.client.get(f"/media/{full(medium)}")
        output = here.output
        output.document("medium", found)
        if not output.json:
            for name, value in _facts(found):
                output.raw(f"{name}\t{value}\n") if not output.terminal else output.line(
                    (f"{name:<24}", "dim"), value
                )
    return Exit.DONE


def _facts(medium: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []

    def put(name: str, value: Any) -> None:
        if isinstance(value, Mapping):
            for key, inner in value.items():
                put(f"{name}.{key}" if name else str(key), inner)
        elif isinstance(value, list):
            rows.append((plain(name), str(len(value))))
        elif value is not None:
            rows.append((plain(name), plain(str(value))[:2_000]))

    put("", {key: value for key, value in medium.items() if key not in _HIDDEN})
    put("technical", medium.get("technical") or {})
    put("exif", medium.get("exif") or {})
    put("segments", medium.get("segments"))
    return rows


@app.command
def erase(medium: str, /, *, yes: bool = False, options: Options = DEFAULT) -> int:
    """Destroy the key of a medium, so that nothing here opens its files again.

    Reports about it stay for their term, and are named.

    Example: leitstand media erase m-4c1e

    Parameters
    ----------
    yes
        Do not ask.
    """
    with session(options) as here:
        output = here.output
        found = here.client.get(f"/media/{full(medium)}")
        name = short(found["id"])
        if not yes:
            from leitstand.cli.wanted import is_yes

            shown = plain(named(output, found))
            if not is_yes(output, output.ask(output.say("cli-erase-ask", medium=name, name=shown))):
                raise Problem("not-erased", Exit.USAGE, medium=name)
        done = here.client.delete(f"/media/{found['id']}")
        told = {key: done.get(key) for key in ("older_copies_open", "reports")}
        output.document("erased", {"medium": found["id"], **told})
        output.line(output.say("cli-erased", medium=name))
        for report in done.get("reports") or ():
            until = clock(output, report["until"]) if report["until"] else "held"
            output.line(output.say("cli-report-stays", job=short(report["job"]), until=until))
        output.commands((output.say("cli-next"), "leitstand audit show"))
    return Exit.DONE


@app.command
def export_identity(medium: str, /, *, options: Options = DEFAULT) -> int:
    """Print the age identity that opens the files of a medium. Whoever has it can read them.

    Example: leitstand media export-identity m-4c1e > key.txt
    """
    with session(options) as here:
        found = here.client.post(f"/media/{full(medium)}/identity")
        here.output.document("identity", found)
        if not here.output.json:
            here.output.raw(f"{found['identity']}\n")
            here.output.warn(here.output.say("cli-identity-secret"))
    return Exit.DONE


@app.command
def download(medium: str, /, *, out: str = ".", options: Options = DEFAULT) -> int:
    """Write the encrypted files of a medium into a folder. The public tool age opens them.

    Example: leitstand media download m-4c1e --out files

    Parameters
    ----------
    out
        The folder they go into.
    """
    reports.make(Path(out))
    with session(options) as here:
        output = here.output
        found = here.client.get(f"/media/{full(medium)}")
        segments = list(found.get("segments") or ())
        if not segments:
            raise Problem("nothing-stored", Exit.FAILED, medium=short(found["id"]))
        written = []
        for segment in segments:
            name = f"{segment['stream'].replace(':', '')}-{int(segment['number']):05d}"
            path = Path(out) / f"{name}.{_ending(segment)}.age"
            size = _download(here.client, segment["object_id"], path)
            written.append({"path": str(path), "bytes": size, "segment": segment["number"]})
            output.live(f"  {path.name}")
        output.document("downloaded", {"medium": found["id"], "files": written})
        if output.terminal:
            output.line(output.say("cli-downloaded", count=len(written), folder=str(Path(out))))
            output.commands(
                (
                    output.say("cli-next"),
                    f"leitstand media export-identity {short(found['id'])} > key.txt",
                )
            )
        else:
            for one in written:
                output.raw(f"{one['path']}\t{one['bytes']}\n") if not output.json else None
    return Exit.DONE


def _ending(segment: Mapping[str, Any]) -> str:
    return "mkv" if segment.get("format") == "matroska" else str(segment.get("format") or "bin")


def _download(client: Any, object_id: str, path: Path) -> int:
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as stream:
            os.fchmod(stream.fileno(), 0o600)
            size: int = client.download(f"/objects/{object_id}", stream)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
    except OSError as error:
        raise reports.unwritable(path, error) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    return size
