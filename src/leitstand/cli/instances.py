"""`leitstand instances`: what is rented or runs here, and why it lives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from cyclopts import Parameter

from leitstand.cli import values
from leitstand.cli.app import group
from leitstand.cli.options import DEFAULT, Options, session
from leitstand.cli.plans import clock, euros, machine, told, where
from leitstand.cli.tables import Column, table
from leitstand.core.problem import Exit, Problem
from leitstand.output import Output, full, short

app = group(
    "instances", "List instances; show, drain or pay ahead for one.", "leitstand instances --all"
)

_STYLES = {"terminating": "yellow", "paused": "yellow"}


@app.default
def list_instances(
    *,
    all_: Annotated[bool, Parameter(name="--all")] = False,
    limit: Annotated[int | None, Parameter(name="--limit")] = None,
    options: Options = DEFAULT,
) -> int:
    """List instances that live.

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
        items = list(here.client.pages("/instances", limit, gone=None if all_ else "false"))
        output.listing("instances", items)
        show_table(output, items)
        if output.terminal and not items:
            output.line(output.say("cli-no-instances"))
    return Exit.DONE


def show_table(output: Output, items: list[Any]) -> None:
    """Instances with state, reason and price."""
    ids = [item["id"] for item in items]
    table(
        output,
        [
            Column("instance", lambda i: short(i["id"], ids), lambda i: i["id"]),
            Column("gpu", lambda i: machine(output, i), lambda i: i.get("gpu") or "cpu"),
            Column("where", lambda i: where(output, i), _place, name=True, drop=3),
            Column("tier", lambda i: str(i.get("tier") or "–"), lambda i: i.get("tier"), drop=2),
            Column(
                "state",
                lambda i: output.say(f"cli-instance-{i['state']}"),
                lambda i: i["state"],
                style=lambda i: _STYLES.get(i["state"], ""),
            ),
            Column("why", lambda i: why(output, i), lambda i: why(output, i), name=True),
            Column(
                "per-hour",
                lambda i: euros(output, i.get("price_eur_per_hour")),
                lambda i: i.get("price_eur_per_hour"),
                right=True,
                drop=1,
            ),
            Column(
                "so-far",
                lambda i: euros(output, i.get("cost_eur")),
                lambda i: i.get("cost_eur"),
                right=True,
            ),
        ],
        items,
    )


def why(output: Output, instance: Mapping[str, Any]) -> str:
    """Why it lives, ends or ended."""
    reason = instance.get("reason") or {}
    if reason.get("code"):
        return told(output, reason)
    works_for = instance.get("jobs") or ()
    return output.say("cli-works-for", jobs=", ".join(map(short, works_for))) if works_for else "–"


def _place(instance: Mapping[str, Any]) -> str:
    return "/".join(str(instance[key]) for key in ("provider", "region") if instance.get(key))


@app.command
def show(instance: str, /, *, options: Options = DEFAULT) -> int:
    """Show one instance: state and how it is known, why it lives, what it cost.

    Example: leitstand instances show i-60aa
    """
    with session(options) as here:
        output = here.output
        found = here.client.get(f"/instances/{full(instance)}")
        output.document("instance", found)
        if output.json:
            return Exit.DONE
        show_table(output, [found])
        proof = found.get("state_proof") or {}
        if proof.get("kind"):
            output.line(
                output.say(
                    "cli-state-proof", kind=str(proof["kind"]), at=clock(output, proof.get("at"))
                )
            )
        if found["state"] in ("ready", "admitting"):
            command = f"leitstand instances drain {short(found['id'])}"
            output.commands((output.say("cli-next"), command))
    return Exit.DONE


@app.command
def drain(instance: str, /, *, options: Options = DEFAULT) -> int:
    """Let an instance finish what it has, give it nothing new, and end it.

    Example: leitstand instances drain i-60aa
    """
    with session(options) as here:
        output = here.output
        found = here.client.post(f"/instances/{full(instance)}/drain")
        output.document("instance", found)
        name = short(found["id"])
        output.line(output.say("cli-draining", instance=name))
        output.commands((output.say("cli-next"), f"leitstand instances show {name}"))
    return Exit.DONE


@app.command
def prepay(
    instance: str,
    /,
    *,
    amount: Annotated[str, Parameter(name="--amount")],
    yes: bool = False,
    options: Options = DEFAULT,
) -> int:
    """Pay ahead for an instance, for a discount: it says first what would be lost of it.

    Example: leitstand instances prepay i-60aa --amount 25

    Parameters
    ----------
    amount
        Euros.
    yes
        Do not ask.
    """
    from leitstand.cli.wanted import is_yes

    given = str(values.amount("--amount", amount))
    with session(options) as here:
        output = here.output
        path = f"/instances/{full(instance)}/prepay"
        quoted = here.client.get(path, amount_eur=given)
        name = short(quoted["instance"])
        output.event("question", ask="prepay", **quoted)
        _say_quote(output, quoted)
        asked = output.say("cli-prepay-ask", amount=euros(output, quoted["amount_eur"]))
        if not yes and not is_yes(output, output.ask(asked)):
            raise Problem("not-prepaid", Exit.USAGE, instance=name)
        paid = here.client.post(path, {"amount_eur": given})
        output.event("done", **paid)
        known = paid.get("discount") is not None and paid.get("months") is not None
        output.step(
            "✓",
            output.say("cli-prepaid-head"),
            output.say(
                "cli-prepaid",
                amount=euros(output, paid["amount_eur"]),
                instance=name,
                known=str(known),
                discount=output.texts.percent(float(paid.get("discount") or 0)),
                months=output.texts.number(float(paid.get("months") or 0), 1),
            ),
        )
    return Exit.DONE


def _say_quote(output: Output, quoted: Mapping[str, Any]) -> None:
    """What it covers, the discount as far as it is known, and what is lost."""
    texts = output.texts
    output.note(
        output.say(
            "cli-prepay-covers",
            amount=euros(output, quoted["amount_eur"]),
            time=texts.duration(float(quoted["covers_seconds"])),
            price=euros(output, quoted["price_eur_per_hour"]),
            term=texts.duration(float(quoted["term_seconds"])),
        )
    )
    output.note(
        output.say(
            "cli-prepay-discount",
            provider=str(quoted["provider"]),
            most=texts.percent(float(quoted["discount_max"])),
        )
    )
    output.note(
        output.say(
            "cli-prepay-loses",
            fee=texts.percent(float(quoted["fee"])),
            most=euros(output, quoted["lost_at_most_eur"]),
            unused=euros(output, quoted["unused_eur"]),
            then=euros(output, quoted["lost_then_eur"]),
        ),
        "!",
    )
