"""`leitstand events`: what happened, and with `-w` what happens."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

from cyclopts import Parameter

from leitstand.cli.options import DEFAULT, Options, session
from leitstand.core.problem import Exit
from leitstand.messages import plain
from leitstand.output import full, short

_OF_THE_STREAM = frozenset({"connected", "present", "ping"})
_UNSTORED = _OF_THE_STREAM | {"progress", "store"}


def events(
    *,
    watch: Annotated[bool, Parameter(name=["-w", "--watch"])] = False,
    subject: str | None = None,
    options: Options = DEFAULT,
) -> int:
    """Show what happened; -w goes on until Ctrl-C.

    Parameters
    ----------
    watch
        Go on with what happens now.
    subject
        Only of this job, medium or instance.
    """
    with session(options) as here:
        output = here.output
        about = None if subject is None else full(subject)
        if not watch:
            for item in here.client.past(about):
                output.event(item.kind, id=item.id, data=dict(item.data))
                _line(output, item.id, item.kind, item.data)
            return Exit.DONE
        try:
            for item in here.client.follow(about, after=None):
                if item.kind not in _OF_THE_STREAM:
                    output.event(item.kind, id=item.id, data=dict(item.data))
                if item.kind not in _UNSTORED:
                    _line(output, item.id, item.kind, item.data)
        except KeyboardInterrupt:
            return Exit.INTERRUPTED
    return Exit.DONE


def _line(output: Any, id: str | None, kind: str, data: Mapping[str, Any]) -> None:
    if output.terminal:
        words = ", ".join(
            f"{name} {short(value) if isinstance(value, str) else _word(value)}"
            for name, value in data.items()
            if value is not None
        )
        output.line((f"{id or '':>7}  ", "dim"), f"{kind:<9}{words}")
    elif not output.json:
        body = json.dumps(data, ensure_ascii=False, sort_keys=True)
        output.raw(f"{id or ''}\t{kind}\t{plain(body)}\n")


def _word(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
