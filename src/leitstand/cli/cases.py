"""`leitstand cases`: for what, until when, how much."""

from __future__ import annotations

from leitstand.cli.options import DEFAULT, Options, session
from leitstand.cli.plans import clock
from leitstand.cli.tables import Column, table
from leitstand.core.problem import Exit
from leitstand.output import short


def cases(*, options: Options = DEFAULT) -> int:
    """List cases. `leitstand analyze --case NAME` opens one."""
    with session(options) as here:
        output = here.output
        items = list(here.client.pages("/cases"))
        output.listing("cases", items)
        ids = [item["id"] for item in items]
        table(
            output,
            [
                Column("case", lambda c: short(c["id"], ids), lambda c: c["id"]),
                Column("name", lambda c: str(c.get("name")), lambda c: c.get("name"), name=True),
                Column("class", lambda c: str(c.get("data_class")), lambda c: c.get("data_class")),
                Column("media", lambda c: str(c.get("media", "–")), lambda c: c.get("media"), True),
                Column(
                    "opened",
                    lambda c: clock(output, c.get("created_at")),
                    lambda c: c.get("created_at"),
                    right=True,
                    drop=1,
                ),
            ],
            items,
        )
        if not items and output.terminal:
            output.line(output.say("cli-no-cases"))
    return Exit.DONE
