"""What stands behind a choice: what would alter it, whether a bid pays, how old the answers were."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leitstand.cli.plans import clock, euros, machine, moment, offer_of, told, where
from leitstand.cli.tables import Column, table
from leitstand.core.dollars import rate_is_old
from leitstand.output import Output, short

Decision = Mapping[str, Any]
CHANGES_SHOWN = 2
DIGEST_SHOWN = 12


def behind(output: Output, decision: Decision) -> None:
    """The least changes that would alter the choice, the break-even of bids, and old answers."""
    if output.json:
        return
    for change in list(decision.get("would_change") or ())[:CHANGES_SHOWN]:
        output.line(_change(output, change))
    bids = decision.get("bids")
    if bids:
        output.line(_bids(output, bids))
    saves = decision.get("prebuilt")
    if saves:
        time = output.texts.duration(float(saves["seconds"]))
        output.line(output.say("cli-prebuilt", time=time, cost=euros(output, saves["eur"])))
    aged(output, decision)


def launched_from(output: Output, decision: Decision) -> None:
    """What a machine of the chosen offer starts from, for each modality; this computer from nothing."""
    offer = (decision.get("chosen") or {}).get("offer") or {}
    for spec in decision.get("launch_specs") or ():
        image = spec["images"].get(offer.get("provider"))
        if image is None:
            continue
        needs = spec["needs"]
        output.line(
            output.say(
                "cli-launched-from",
                modality=str(spec["modality"]),
                image=str(image),
                digest=str(spec["digest"])[:DIGEST_SHOWN],
                disk=output.texts.gib(float(needs["disk_gib"])),
                vram=output.texts.gib(float(needs["vram_gib"])),
                cuda=str(needs["cuda_min"]),
                models=len(spec["models"]),
            )
        )
        if spec.get("now", spec["digest"]) != spec["digest"]:
            now = str(spec["now"])[:DIGEST_SHOWN]
            output.warn(output.say("cli-launch-spec-changed", digest=now))


def aged(output: Output, answer: Mapping[str, Any]) -> None:
    """Whose answer was an older one, whose machines start from something old, and an old rate."""
    for name, seconds in (answer.get("aged") or {}).items():
        age = output.texts.duration(float(seconds))
        output.warn(output.say("cli-aged", provider=str(name), age=age))
    for name, days in (answer.get("old_images") or {}).items():
        known = "unknown" if days is None else int(days)
        output.warn(output.say("cli-image-old", provider=str(name), days=known))
    old_rate(output, answer)


def old_rate(output: Output, answer: Mapping[str, Any]) -> None:
    """That the rate which made euros of dollars has no day, or one that is long ago."""
    made = moment(answer.get("made_at"))
    for offer in (offer_of(row) for row in answer.get("ranked") or ()):
        day = offer.get("usd_eur_date")
        if made is not None and offer.get("usd_eur") is not None and rate_is_old(day, made):
            output.warn(output.say("cli-rate-old", day=day or "none"))
            return


def silent(output: Output, answer: Mapping[str, Any]) -> None:
    """Who did not answer."""
    for name, error in (answer.get("silent") or {}).items():
        output.warn(output.say("cli-silent", provider=str(name), error=str(error)))


def named(output: Output, offer: Mapping[str, Any]) -> str:
    """`RTX 4090, vast DE`."""
    return f"{machine(output, offer)}, {where(output, offer)}"


def _change(output: Output, change: Mapping[str, Any]) -> str:
    """One change as a sentence."""
    kind, to = str(change["kind"]), str(change["to"])
    if kind == "deadline":
        to = clock(output, to)
    elif kind in ("price", "own-price", "price-max", "budget"):
        to = euros(output, to)
    return output.say(
        f"cli-change-{kind}",
        offer=named(output, change["offer"]),
        to=to,
        cost=euros(output, change.get("expected_eur")),
    )


def _bids(output: Output, bids: Mapping[str, Any]) -> str:
    numbers = output.texts.number
    return output.say(
        "cli-bid-pays" if bids["allowed"] else "cli-bid-critical",
        offer=named(output, bids["bid"]),
        firm=named(output, bids["firm"]),
        even=numbers(float(bids["break_even_losses_per_hour"]), 2),
        known=numbers(float(bids["losses_per_hour"]), 2),
    )


def in_vain(output: Output, decision: Decision) -> None:
    """The candidates that were launched and came to nothing, in their order, each with its reason."""
    rows = list(decision.get("failed_launches") or ())
    if not rows:
        return
    output.line(output.say("cli-in-vain", count=len(rows)))
    table(
        output,
        [
            Column("instance", lambda i: short(i["id"]), lambda i: i["id"], drop=3),
            Column("gpu", lambda i: machine(output, i), lambda i: i.get("gpu") or "cpu"),
            Column("where", lambda i: where(output, i), lambda i: i.get("provider"), name=True),
            Column("machine", lambda i: str(i.get("host") or "–"), lambda i: i.get("host"), drop=2),
            Column("why", lambda i: told(output, i["reason"]), lambda i: told(output, i["reason"])),
            Column(
                "so-far",
                lambda i: euros(output, i.get("cost_eur")),
                lambda i: i.get("cost_eur"),
                right=True,
                drop=1,
            ),
        ],
        rows,
    )


def replayed(output: Output, decision: Decision) -> None:
    """Whether the facts that a decision kept give the same choice again."""
    match decision.get("replayed"):
        case True:
            output.step("✓", output.say("cli-replayed-head"), output.say("cli-replayed"))
        case False:
            output.step("×", output.say("cli-replayed-head"), output.say("cli-replayed-not"))
        case _:
            output.step("–", output.say("cli-replayed-head"), output.say("cli-replayed-never"))
