"""`leitstand audit`: who did what, and can it be checked."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from cyclopts import Parameter

from leitstand.cli import values
from leitstand.cli.app import group
from leitstand.cli.options import DEFAULT, Options, session
from leitstand.cli.plans import clock, moment
from leitstand.cli.tables import Column, table
from leitstand.core.instant import utc
from leitstand.core.problem import Exit
from leitstand.messages import plain
from leitstand.output import Output, short

app = group("audit", "Show the ledger, or verify it.", "leitstand audit verify")

SHOWN = 50


@app.command
def show(
    *,
    before: Annotated[int | None, Parameter(name="--before")] = None,
    limit: Annotated[int, Parameter(name="--limit")] = SHOWN,
    options: Options = DEFAULT,
) -> int:
    """Show the last entries of the ledger.

    Example: leitstand audit show --limit 20

    Parameters
    ----------
    before
        Only entries with a lower number.
    limit
        At most so many.
    """
    values.count("--before", before)
    values.count("--limit", limit)
    with session(options) as here:
        output = here.output
        answer = here.client.get("/ledger/entries", after=before, limit=limit)
        items = sorted(answer["items"], key=_number)
        output.listing("entries", items, answer.get("next"))
        table(
            output,
            [
                Column("entry", lambda e: str(_number(e)), _number, right=True),
                Column("time", lambda e: clock(output, _at(e)), _at),
                Column("actor", _text("actor"), _text("actor"), name=True, drop=2),
                Column(
                    "act",
                    lambda e: str(e.get("type") or output.say("cli-entry-unreadable")),
                    _text("type"),
                    name=True,
                ),
                Column("subject", lambda e: short(e.get("subject")), _text("subject")),
                Column("change", _change, _change, name=True, drop=1),
            ],
            items,
        )
        if output.terminal:
            output.commands((output.say("cli-next"), "leitstand audit verify"))
    return Exit.DONE


def _number(entry: Mapping[str, Any]) -> int:
    found = entry.get("position", entry.get("number", -1))
    return -1 if found is None else int(found)


def _text(name: str) -> Any:
    return lambda entry: str(entry.get(name) or "–")


def _at(entry: Mapping[str, Any]) -> str | None:
    """The time of an entry as RFC 3339, whether its leaf holds text or microseconds."""
    at = entry.get("at")
    if isinstance(at, int):
        return utc(datetime.fromtimestamp(at / 1_000_000, UTC))
    found = moment(at) if isinstance(at, str) else None
    return utc(found) if found else None


def _change(entry: Mapping[str, Any]) -> str:
    return " → ".join(str(entry[name]) for name in ("before", "after") if entry.get(name)) or "–"


@app.command
def verify(*, options: Options = DEFAULT) -> int:
    """Recompute the ledger from its entries, and compare it with heads and state.

    Example: leitstand audit verify
    """
    began = time.monotonic()
    with session(options) as here:
        output = here.output
        found = here.client.get("/ledger/verify")
        output.document("verdict", {key: found[key] for key in found if key != "schema"})
        faults = list(found.get("faults") or ())
        good = bool(found.get("verified")) and not faults
        if good:
            _good(output, found, time.monotonic() - began)
        for fault in faults:
            output.line(("×", "red"), f" {_fault(output, fault)}")
        if not good:
            output.line(output.say("cli-ledger-broken"))
    return Exit.DONE if good else Exit.FAILED


def _fault(output: Output, fault: Mapping[str, Any]) -> str:
    id, place = f"cli-fault-{fault['code']}", plain(str(fault["place"]))
    return output.say(id, place=place) if output.texts.knows(id) else f"{fault['code']} {place}"


def _count(output: Output, noun: str, count: int) -> str:
    id = f"cli-count-{noun}"
    return output.say(id, count=count) if output.texts.knows(id) else f"{count} {plain(noun)}"


def _good(output: Output, found: Mapping[str, Any], seconds: float) -> None:
    root = f"{str(found.get('root') or '')[:8]}…"
    lines = [
        output.say("cli-ledger-ok", entries=int(found.get("entries") or 0), root=root),
        output.say("cli-heads-ok", heads=int(found.get("heads") or 0)),
    ]
    if subjects := found.get("subjects"):
        listed = ", ".join(_count(output, noun, n) for noun, n in sorted(subjects.items()))
        lines.append(output.say("cli-state-agrees", subjects=listed))
    for line in lines:
        output.line(("✓", "green"), f" {line}")
    output.line(output.say("cli-verified-in", time=output.texts.duration(seconds)))
