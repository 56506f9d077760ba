"""`leitstand volumes`: storage at providers that keeps models between instances, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from cyclopts import Parameter

from leitstand.cli import values
from leitstand.cli.app import group
from leitstand.cli.options import DEFAULT, Options, Session, session
from leitstand.cli.plans import clock, euros
from leitstand.cli.tables import Column, table
from leitstand.core.problem import Exit, Problem
from leitstand.output import Output, full, short

app = group("volumes", "List volumes that keep models; delete one.", "leitstand volumes --all")

_STYLES = {"deleting": "yellow"}


@app.default
def list_volumes(
    *,
    all_: Annotated[bool, Parameter(name="--all")] = False,
    limit: Annotated[int | None, Parameter(name="--limit")] = None,
    options: Options = DEFAULT,
) -> int:
    """List volumes with what they cost a day and when they were last used.

    Parameters
    ----------
    all_
        Those that are gone, too.
    limit
        At most so many, newest first.
    """
    values.count("--limit", limit)
    with session(options) as here:
        output = here.output
        items = list(here.client.pages("/volumes", limit, gone="true" if all_ else None))
        others = here.client.get("/volumes", limit=1).get("others") or []
        output.document("volumes", {"items": items, "next": None, "others": others})
        show_table(output, items)
        if output.terminal and not items:
            output.line(output.say("cli-no-volumes"))
        for other in others:
            output.warn(
                output.say(
                    "cli-volume-other",
                    name=str(other["name"]),
                    provider=str(other["provider"]),
                    gb=int(other["size_gb"]),
                )
            )
    return Exit.DONE


def show_table(output: Output, items: list[Any]) -> None:
    """Volumes with state, cost and last use."""
    ids = [item["id"] for item in items]
    table(
        output,
        [
            Column("volume", lambda v: short(v["id"], ids), lambda v: v["id"]),
            Column("name", lambda v: str(v["name"]), lambda v: v["name"], name=True, drop=4),
            Column("where", _where, _where, name=True, drop=2),
            Column("gb", lambda v: str(v["size_gb"]), lambda v: v["size_gb"], right=True, drop=3),
            Column("models", lambda v: str(v["models"]), lambda v: v["models"], right=True, drop=1),
            Column(
                "state",
                lambda v: why(output, v),
                lambda v: v["state"],
                style=lambda v: _STYLES.get(v["state"], ""),
            ),
            Column("last-use", lambda v: clock(output, v["used_at"]), lambda v: v["used_at"]),
            Column(
                "per-day",
                lambda v: euros(output, v["price_eur_per_day"]),
                lambda v: v["price_eur_per_day"],
                right=True,
            ),
            Column(
                "so-far",
                lambda v: euros(output, v["cost_eur"]),
                lambda v: v["cost_eur"],
                right=True,
            ),
        ],
        items,
    )


def why(output: Output, volume: Mapping[str, Any]) -> str:
    """Its state, who has it, or why it goes."""
    state = output.say(f"cli-volume-{volume['state']}")
    reason = (volume.get("reason") or {}).get("code")
    if reason and volume["state"] in ("deleting", "deleted"):
        return f"{state}: {output.texts.problem(str(reason), {}).what}"
    used_by = volume.get("used_by") or ()
    return f"{state}: {', '.join(map(short, used_by))}" if used_by else state


def _where(volume: Mapping[str, Any]) -> str:
    return "/".join(str(volume[key]) for key in ("provider", "place") if volume.get(key))


@app.command
def delete(name: str, /, *, yes: bool = False, options: Options = DEFAULT) -> int:
    """Delete a volume that no instance has; its models can be fetched again.

    Example: leitstand volumes delete v-60aa

    Parameters
    ----------
    yes
        Do not ask.
    """
    from leitstand.cli.wanted import is_yes

    with session(options) as here:
        output = here.output
        found = _named(here, name)
        asked = output.say(
            "cli-volume-ask",
            name=str(found["name"]),
            gb=int(found["size_gb"]),
            price=euros(output, found["price_eur_per_day"]),
        )
        if not yes and not is_yes(output, output.ask(asked)):
            raise Problem("volume-kept", Exit.USAGE, volume=str(found["name"]))
        gone = here.client.delete(f"/volumes/{found['id']}")
        output.document("volume", gone)
        output.line(output.say("cli-volume-deleting-now", name=str(found["name"])))
        output.commands((output.say("cli-next"), "leitstand volumes"))
    return Exit.DONE


def _named(here: Session, given: str) -> dict[str, Any]:
    """The volume of this name, or whose id ends so. Raises Problem: `unknown-volume`,
    `ambiguous-id`, `bad-id`."""
    listed = list(here.client.pages("/volumes", None))
    found = [item for item in listed if item["name"] == given]
    found = found or [item for item in listed if item["id"].endswith(full(given))]
    if len(found) > 1:
        ids = ", ".join(item["id"] for item in found)
        raise Problem("ambiguous-id", Exit.USAGE, given=given, count=len(found), candidates=ids)
    if not found:
        raise Problem("unknown-volume", Exit.USAGE, volume=given)
    return dict(found[0])
