"""Tables: for eyes on a terminal, tab-separated values in a pipe. No box lines anywhere."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len

from leitstand.messages import plain
from leitstand.output import Output, Part, cut, pad

Item = Any
GAP = "  "
NAME_CELLS_MIN = 8
_LINE_BREAKING = re.compile(r"[\t\r\n]")


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `show` is for eyes, `raw` for pipes (whole ids, RFC 3339, plain numbers).

    `drop`: in a narrow terminal the columns with the highest number fall away first; None never
    does. `name`: may be cut in the middle, which happens after that.
    """

    head: str
    show: Callable[[Item], str]
    raw: Callable[[Item], object]
    right: bool = False
    drop: int | None = None
    name: bool = False
    style: Callable[[Item], str] | None = None


def table(output: Output, columns: Sequence[Column], items: Sequence[Item]) -> None:
    """Print the items. Heads are catalogue names (`cli-head-<head>`)."""
    if output.json:
        return
    if not output.terminal:
        for item in items:
            output.raw("\t".join(_raw(column.raw(item)) for column in columns) + "\n")
        return
    heads = [output.say(f"cli-head-{column.head}") for column in columns]
    rows = [[plain(column.show(item)) for column in columns] for item in items]
    kept, widths = _fit(columns, heads, rows, output.width)
    output.line(("".join(_line(columns, kept, widths, heads)).rstrip(), "dim"))
    for item, row in zip(items, rows, strict=True):
        cells = [
            cut(cell, widths[place]) if columns[place].name else cell
            for place, cell in enumerate(row)
        ]
        parts: list[Part] = []
        for place, text in zip(kept, _line(columns, kept, widths, cells), strict=True):
            style = columns[place].style
            last = place == kept[-1]
            parts.append((text.rstrip() if last else text, style(item) if style else ""))
        output.line(*parts)


def _raw(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return _LINE_BREAKING.sub(" ", plain(str(value)))


def _line(
    columns: Sequence[Column], kept: Sequence[int], widths: Sequence[int], cells: Sequence[str]
) -> list[str]:
    return [
        (GAP if number else "") + pad(cells[place], widths[place], columns[place].right)
        for number, place in enumerate(kept)
    ]


def _fit(
    columns: Sequence[Column], heads: Sequence[str], rows: Sequence[Sequence[str]], width: int
) -> tuple[list[int], list[int]]:
    """Which columns stay, and how wide each is; numbers are never cut."""
    widths = [
        max([cell_len(heads[place]), *(cell_len(row[place]) for row in rows)])
        for place in range(len(columns))
    ]
    kept = list(range(len(columns)))

    def over() -> int:
        return sum(widths[place] for place in kept) + len(GAP) * (len(kept) - 1) - width

    names = [place for place in kept if columns[place].name]
    spare = sum(max(0, widths[place] - 2 * NAME_CELLS_MIN) for place in names)
    while over() > spare:
        droppable = [place for place in kept if columns[place].drop is not None]
        if not droppable:
            break
        kept.remove(max(droppable, key=lambda place: columns[place].drop or 0))
    for place in sorted(names, key=lambda place: -widths[place]):
        if over() > 0 and place in kept:
            widths[place] = max(NAME_CELLS_MIN, widths[place] - over())
    return kept, widths
