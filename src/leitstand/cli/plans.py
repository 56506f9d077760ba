"""A decision as people read it: where it would run, what else there was, and why not the rest."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from leitstand.cli.tables import Column, table
from leitstand.core.problem import Exit, Param, Problem
from leitstand.core.reach import RULES
from leitstand.output import Output, short

Decision = Mapping[str, Any]


def moment(text: str | None) -> datetime | None:
    """An instant of the API in local time."""
    return datetime.fromisoformat(text).astimezone() if text else None


def clock(output: Output, text: str | None) -> str:
    """`14:00`, with its day when that is not today; `–` where there is none."""
    at = moment(text)
    if at is None:
        return "–"
    today = datetime.now().astimezone().date()
    shown = output.texts.time(at)
    return shown if at.date() == today else f"{output.texts.day(at)} {shown}"


def euros(output: Output, amount: str | None) -> str:
    """`1.24 €`; `–` where it is not known."""
    return "–" if amount is None else output.texts.euros(amount)


def offer_of(ranked: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """The offer inside a ranked row, wherever the row keeps it."""
    if not ranked:
        return {}
    inner = ranked.get("offer")
    return {**ranked, **inner} if isinstance(inner, Mapping) else ranked


def is_here(decision: Decision) -> bool:
    """Whether the control plane's own computer was chosen: other own machines have a name."""
    offer = offer_of(decision.get("chosen"))
    return bool(offer) and offer.get("tier") == "L" and not offer.get("host")


def machine(output: Output, offer: Mapping[str, Any]) -> str:
    """`RTX 4090`, or `4 cores, no GPU`."""
    if offer.get("gpu"):
        return str(offer["gpu"])
    cores = offer.get("cores")
    return output.say("cli-cores", cores=int(cores)) if cores else output.say("cli-no-gpu")


def where(output: Output, offer: Mapping[str, Any]) -> str:
    """`Vast Frankfurt`; an own machine is called so."""
    if offer.get("tier") == "L":
        return output.say("cli-own-machine")
    return " ".join(str(offer[key]) for key in ("provider", "region") if offer.get(key))


def flows(decision: Decision) -> bool:
    """Whether money flows if this is started."""
    worst = (decision.get("chosen") or {}).get("worst_eur") or decision.get("reservation_eur")
    return Decimal(worst or 0) > 0


def stays(decision: Decision) -> bool:
    """Whether this would be done by the computer that the control plane runs on, for nothing.
    Where no offer was chosen, nobody knows who would do it."""
    return not flows(decision) and is_here(decision)


def check(decision: Decision) -> None:
    """Raises Problem `no-offer-chosen` when the decision chose none, `too-dear` where money would
    have helped, `not-reachable` where another address would."""
    if decision.get("chosen"):
        return
    rejected = list(decision.get("rejected") or ())
    for row in rejected:
        if row.get("rule") == "budget":
            needs, left = str(row["needs"]), str(row["has"])
            raise Problem("too-dear", Exit.REFUSED, needs_eur=needs, left_eur=left)
    for row in rejected:
        if row.get("rule") in RULES:
            why = str(row["rule"]).removeprefix("address-")
            raise Problem("not-reachable", Exit.REFUSED, url=str(row["has"]), why=why)
    counts = [f"{row.get('count', 1)} {row.get('rule')}" for row in rejected]
    raise Problem(
        "no-offer-chosen",
        Exit.NO_CAPACITY,
        seen=int(decision.get("offers_seen") or 0),
        why=", ".join(counts) or "none",
    )


def sentence(output: Output, decision: Decision, here: bool) -> str:
    """The chosen offer in one line, for the step `Plan`. `here`: it is this computer."""
    chosen = decision["chosen"]
    offer = offer_of(chosen)
    seconds = _seconds_left(decision, chosen)
    params: dict[str, Param] = {
        "machine": machine(output, offer),
        "where": output.say("cli-this-computer") if here else where(output, offer),
        "tier": str(offer.get("tier") or "–"),
        "expected": euros(output, chosen.get("expected_eur")),
        "worst": euros(output, decision.get("reservation_eur") or chosen.get("worst_eur")),
        "finish": clock(output, chosen.get("finish_at")),
    }
    if flows(decision):
        return output.say("cli-plan-paid", **params)
    about = "none" if seconds is None else output.texts.duration(seconds)
    return output.say("cli-plan-free", about=about, **params)


def _seconds_left(decision: Decision, chosen: Mapping[str, Any]) -> float | None:
    made, finish = moment(decision.get("made_at")), moment(chosen.get("finish_at"))
    if made is None or finish is None or finish <= made:
        return None
    seconds = (finish - made).total_seconds()
    return seconds if seconds < 60 else round(seconds / 60) * 60.0


def ranking(output: Output, decision: Decision) -> None:
    """The ranked offers as a table, the chosen one marked."""
    rows = [offer_of(row) for row in decision.get("ranked") or ()]
    chosen = offer_of(decision.get("chosen"))
    same = ("provider", "offer_id") if chosen.get("offer_id") else ("provider", "gpu", "region")
    places = {id(row): str(number) for number, row in enumerate(rows, 1)}

    def remark(row: Mapping[str, Any]) -> str:
        if all(row.get(key) == chosen.get(key) for key in same):
            return output.say("cli-chosen")
        return ""

    def money(key: str) -> Column:
        return Column(
            key.removesuffix("_eur").replace("_", "-"),
            lambda row: euros(output, row.get(key)),
            lambda row: row.get(key),
            right=True,
        )

    table(
        output,
        [
            Column("nothing", lambda row: places[id(row)], lambda row: places[id(row)], True),
            Column("gpu", lambda row: machine(output, row), lambda row: row.get("gpu") or "cpu"),
            Column("vram", _vram(output), lambda row: row.get("vram_gib"), True, drop=1),
            Column("where", lambda row: where(output, row), _place, name=True),
            Column("tier", lambda row: row.get("tier") or "–", lambda row: row.get("tier")),
            Column(
                "per-hour",
                lambda row: output.texts.number(Decimal(row.get("price_eur_per_hour") or 0), 2),
                lambda row: row.get("price_eur_per_hour"),
                right=True,
                drop=2,
            ),
            money("expected_eur"),
            money("worst_eur"),
            Column(
                "finish",
                lambda row: clock(output, row.get("finish_at")),
                lambda row: row.get("finish_at"),
                right=True,
            ),
            Column("nothing", remark, lambda row: "chosen" if remark(row) else "", drop=3),
        ],
        rows,
    )
    _traffic(output, decision)


def _traffic(output: Output, decision: Decision) -> None:
    traffic = offer_of(decision.get("chosen")).get("traffic_eur")
    if Decimal(traffic or 0):
        output.note(output.say("cli-traffic", amount=euros(output, traffic)))


def why_not(output: Output, decision: Decision) -> None:
    """Every rejected offer, counted once at the first rule it fails; what would help."""
    rejected = list(decision.get("rejected") or ())
    if rejected:

        def has(row: Mapping[str, Any]) -> str:
            return amount(output, row, "has") or "–"

        def misses(row: Mapping[str, Any]) -> str:
            return amount(output, row, _missing(row)) or "–"

        def text(key: str) -> Any:
            return lambda row: "–" if row.get(key) in (None, "") else str(row[key])

        def helps(row: Mapping[str, Any]) -> str:
            id = f"cli-helps-{row.get('rule')}"
            return output.say(id) if output.texts.knows(id) else "–"

        table(
            output,
            [
                Column("why-not", text("rule"), lambda row: row.get("rule")),
                Column("offers", text("count"), lambda row: row.get("count"), right=True),
                Column("example", _example, _example, name=True),
                Column(
                    "per-hour",
                    lambda row: output.texts.number(Decimal(row.get("price_eur_per_hour") or 0), 2),
                    lambda row: row.get("price_eur_per_hour"),
                    right=True,
                    drop=4,
                ),
                Column("has", has, lambda row: row.get("has"), drop=1),
                Column("misses", misses, lambda row: row.get(_missing(row)) or "–", drop=2),
                Column("remedy", helps, helps, drop=3),
            ],
            rejected,
        )


def reservation(output: Output, decision: Decision, case: str) -> str | None:
    """What starting it reserves, or None where no money flows."""
    if not flows(decision):
        return None
    amount = decision.get("reservation_eur") or decision["chosen"].get("worst_eur")
    left = decision.get("budget_left_eur")
    return output.say(
        "cli-reserves",
        amount=euros(output, amount),
        case=case,
        left="none" if left is None else euros(output, left),
    )


def told(output: Output, reason: Mapping[str, Any]) -> str:
    """A reason in our words, and in those of the provider where it said something."""
    params = dict(reason.get("params") or {})
    why = output.texts.problem(str(reason.get("code")), params).what
    said = params.get("said")
    return output.say("cli-why-said", why=why, said=str(said)) if said else why


def id_of(decision: Decision) -> str:
    """The decision as people type it."""
    return short(str(decision.get("id") or ""))


def _vram(output: Output) -> Any:
    def show(row: Mapping[str, Any]) -> str:
        size = row.get("vram_gib")
        return f"{output.texts.number(round(float(size)))}G" if size and row.get("gpu") else "–"

    return show


def _place(row: Mapping[str, Any]) -> str:
    return "/".join(str(row[key]) for key in ("provider", "region") if row.get(key))


def _example(row: Mapping[str, Any]) -> str:
    example = row.get("example")
    if isinstance(example, Mapping):
        known = (example.get(key) for key in ("provider", "gpu", "region"))
        return " ".join(str(value) for value in known if value)
    return str(example or "–")


def _missing(row: Mapping[str, Any]) -> str:
    return "short_by" if row.get("short_by") else "needs"


def amount(output: Output, row: Mapping[str, Any], key: str) -> str:
    """What a rejected offer has, or misses by, as people read it; empty where nothing is said."""
    text = str(row.get(key) or "")
    return euros(output, text) if text and row.get("rule") in ("price", "budget") else text
