"""`leitstand hosts`: machines by our own record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leitstand.cli.options import DEFAULT, Options, session
from leitstand.cli.plans import clock, where
from leitstand.cli.tables import Column, table
from leitstand.core.problem import Exit
from leitstand.output import Output, short

_STYLES = {"quarantine": "red", "watched": "yellow", "parole": "yellow"}


def hosts(
    *, provider: str | None = None, limit: int | None = None, options: Options = DEFAULT
) -> int:
    """List machines by our own record: how often they hold, how soon they are ready, how fast.

    Parameters
    ----------
    provider
        Only of this provider.
    limit
        At most so many, newest first.
    """
    with session(options) as here:
        output = here.output
        items = list(here.client.pages("/hosts", limit, provider=provider))
        output.listing("hosts", items)
        _show(output, items)
        if output.terminal and not items:
            output.line(output.say("cli-no-hosts"))
    return Exit.DONE


def _show(output: Output, items: list[Any]) -> None:
    ids = [item["id"] for item in items]

    def speed(item: Mapping[str, Any]) -> str:
        share = item.get("speed")
        return "–" if share is None else output.texts.percent(float(share))

    def probe(item: Mapping[str, Any]) -> str:
        share = item.get("probe")
        return "–" if share is None else output.texts.percent(float(share))

    def ready(item: Mapping[str, Any]) -> str:
        seconds = item.get("ready_seconds")
        return "–" if seconds is None else output.texts.clock(float(seconds), 0)

    table(
        output,
        [
            Column("host", lambda h: short(h["id"], ids), lambda h: h["id"]),
            Column("gpu", lambda h: str(h.get("gpu") or "–"), lambda h: h.get("gpu"), name=True),
            Column("where", lambda h: where(output, h), _place, name=True, drop=3),
            Column(
                "machine",
                lambda h: str(h.get("host")),
                lambda h: h.get("host"),
                name=True,
                drop=4,
            ),
            Column("attempts", lambda h: str(h["attempts"]), lambda h: h["attempts"], right=True),
            Column("holds", lambda h: _holds(output, h), _ends),
            Column("ready", ready, lambda h: h.get("ready_seconds"), right=True, drop=1),
            Column("speed", speed, lambda h: h.get("speed"), right=True, drop=2),
            Column("probe", probe, lambda h: h.get("probe"), right=True, drop=5),
            Column(
                "state",
                lambda h: _state(output, h),
                lambda h: " ".join(str(h[key]) for key in ("state", "until") if h.get(key)),
                style=lambda h: _STYLES.get(h["state"], ""),
            ),
        ],
        items,
    )


def _holds(output: Output, item: Mapping[str, Any]) -> str:
    low, high = (output.texts.number(float(item[f"holds_{end}"]), 2) for end in ("low", "high"))
    return output.say("cli-from-to", low=low, high=high)


def _ends(item: Mapping[str, Any]) -> str:
    return f"{item['holds_low']}/{item['holds_high']}"


def _state(output: Output, item: Mapping[str, Any]) -> str:
    until = clock(output, item["until"]) if item.get("until") else ""
    text = output.say(f"cli-host-{item['state']}", until=until)
    return f"{text} ({output.say('cli-host-bid')})" if item.get("bid") else text


def _place(item: Mapping[str, Any]) -> str:
    return "/".join(str(item[key]) for key in ("provider", "region") if item.get(key))
