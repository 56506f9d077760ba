"""`leitstand offers` and `leitstand explain`: what could be taken, and why one was."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

from leitstand.cli import plans, values, verdicts
from leitstand.cli.options import DEFAULT, Options, session
from leitstand.cli.tables import Column, table
from leitstand.core.problem import Exit
from leitstand.output import Output, full


def offers(
    *,
    vram: float | None = None,
    tier: Literal["L", "A", "B", "C", "D"] | None = None,
    modality: Literal["video", "image", "audio"] | None = None,
    provider: str | None = None,
    options: Options = DEFAULT,
) -> int:
    """List what could be rented now, own machines included.

    Parameters
    ----------
    vram
        At least so many GiB of GPU memory.
    tier
        At least this trust tier: L own machine, A and B vouched for, C and D not.
    modality
        What it must be able to do.
    provider
        Only of this provider.
    """
    values.gib("--vram", vram)
    wish = {"vram_gib": vram, "tier": tier, "modality": modality, "provider": provider}
    body = {name: value for name, value in wish.items() if value is not None}
    with session(options) as here:
        output = here.output
        answer = here.client.post("/offers", body)
        items = answer["items"] if isinstance(answer, Mapping) else answer
        items = [plans.offer_of(item) for item in items]
        output.listing("offers", items)

        _table(output, items)
        if output.terminal:
            output.line(output.say("cli-offers", count=len(items)))
        if isinstance(answer, Mapping):
            verdicts.silent(output, answer)
            verdicts.aged(output, answer)
    return Exit.DONE if items else Exit.NO_CAPACITY


def _table(output: Output, items: list[Any]) -> None:
    """Offers by price, and where one falls."""

    def price(item: Mapping[str, Any]) -> str:
        return output.texts.number(Decimal(item.get("price_eur_per_hour") or 0), 2)

    table(
        output,
        [
            Column("gpu", lambda i: plans.machine(output, i), lambda i: i.get("gpu") or "cpu"),
            Column("vram", _gib(output), lambda i: i.get("vram_gib"), right=True, drop=2),
            Column("where", lambda i: plans.where(output, i), _place, name=True),
            Column("tier", lambda i: str(i.get("tier") or "–"), lambda i: i.get("tier")),
            Column("per-hour", price, lambda i: i.get("price_eur_per_hour"), right=True),
            Column(
                "video-per-hour",
                lambda i: _amount(output, i.get("video_eur_per_hour")),
                lambda i: i.get("video_eur_per_hour"),
                right=True,
                drop=3,
            ),
            Column(
                "ready",
                lambda i: _length(output, i.get("ready_seconds")),
                lambda i: i.get("ready_seconds"),
                right=True,
                drop=4,
            ),
            Column(
                "rejected",
                lambda i: _rejected(i, output) or "–",
                _rejected,
                name=True,
                drop=1,
            ),
        ],
        items,
    )


def _gib(output: Any) -> Any:
    def show(item: Mapping[str, Any]) -> str:
        size = item.get("vram_gib")
        return str(output.texts.number(round(float(size)))) if size and item.get("gpu") else "–"

    return show


def _amount(output: Output, amount: str | None) -> str:
    return "–" if amount is None else output.texts.number(Decimal(amount), 2)


def _length(output: Output, seconds: float | None) -> str:
    return "–" if seconds is None else output.texts.clock(float(seconds), 0)


def _place(item: Mapping[str, Any]) -> str:
    return "/".join(str(item[key]) for key in ("provider", "region") if item.get(key))


def _rejected(item: Mapping[str, Any], output: Output | None = None) -> str:
    found = item.get("rejected")
    if isinstance(found, Mapping):
        key = "short_by" if found.get("short_by") else "needs"
        missing = found.get(key) if output is None else plans.amount(output, found, key)
        parts = (found.get("rule"), missing)
        return ": ".join(str(part) for part in parts if part)
    return str(found or "")


def explain(decision: str, /, *, options: Options = DEFAULT) -> int:
    """Show a decision again: what was chosen, why not the rest, what would alter it, and whether
    the same facts give the same choice now."""
    with session(options) as here:
        output = here.output
        found = here.client.get(f"/decisions/{full(decision)}")
        output.document("decision", {key: found[key] for key in found if key != "schema"})
        if output.json:
            return Exit.DONE
        if found.get("chosen"):
            output.step("✓", output.say("cli-chosen-head"), plans.sentence(output, found, False))
        else:
            seen = int(found.get("offers_seen") or 0)
            output.step("×", output.say("cli-chosen-head"), output.say("cli-none", seen=seen))
        plans.ranking(output, found)
        plans.why_not(output, found)
        verdicts.launched_from(output, found)
        verdicts.in_vain(output, found)
        verdicts.behind(output, found)
        verdicts.replayed(output, found)
        verdicts.silent(output, found)
    return Exit.DONE
