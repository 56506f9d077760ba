"""`leitstand reap`: the net of last resort, which needs neither control plane nor database."""

from __future__ import annotations

import importlib
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from leitstand.cli.options import DEFAULT, Options
from leitstand.cli.plans import clock, euros
from leitstand.cli.tables import Column, table
from leitstand.core.problem import Exit, Problem
from leitstand.output import Output, short

if TYPE_CHECKING:
    from leitstand.config import Folders, Settings
    from leitstand.reap import Found, Kept, Look


def reap(
    *,
    all_: Annotated[bool, Parameter(name="--all")] = False,
    yes: bool = False,
    installation: str | None = None,
    options: Options = DEFAULT,
) -> int:
    """End what is ours and past its end at every provider, without the database.

    Example: leitstand reap

    Parameters
    ----------
    all_
        Everything that bears the label of this installation, overdue or not, and its volumes.
    yes
        Do not ask.
    installation
        What is ours is called ls1- and these eight characters; without it, the file says so.
    """
    from leitstand.config import Folders, Settings
    from leitstand.reap import Reaper
    from leitstand.reaped import note

    output, folders = options.output(), Folders.find()
    name, nameless = _name(installation, folders)
    settings = Settings.load(folders)
    providers, broken = _providers(settings, folders)
    reaper = Reaper(providers, name)
    look = reaper.look()
    wanted = look.ours if all_ else look.overdue(datetime.now(UTC))
    output.line(output.say("cli-reap-asked", providers=", ".join(sorted(providers))))
    if settings.money.usd_eur is None and any(one.key_file for one in settings.providers.values()):
        output.line(output.say("cli-reap-no-rate"))
    _show(output, wanted)
    unsure = _tell(output, look, broken, nameless)
    if wanted and not yes:
        from leitstand.cli.wanted import is_yes

        if not is_yes(output, output.ask(output.say("cli-reap-ask", count=len(wanted)))):
            raise Problem("not-reaped", Exit.USAGE, count=len(wanted))
    kept = _volumes(output, look.volumes, all_, yes)
    with suppress(OSError):  # a note is worth less than an end
        if _name(None, folders)[0] in ("", name):  # of what others rented nothing is booked here
            note(folders.data, [one.stray(datetime.now(UTC)) for one in wanted])
    left = reaper.end(wanted)
    bill = reaper.delete(kept) if kept else ()
    output.event(
        "done",
        ended=len(wanted) - len(left),
        left=[one.seen.label for one in left],
        volumes_deleted=len(kept) - len(bill),
        volumes_left=[one.volume.name for one in (bill if all_ else look.volumes)],
    )
    if left:
        raise Problem("reap-left", Exit.FAILED, count=len(left))
    if bill:
        raise Problem("reap-volumes-left", Exit.FAILED, count=len(bill))
    if not unsure:
        output.step("✓", output.say("cli-reap-head"), output.say("cli-reap-done", all=str(all_)))
    return Exit.FAILED if unsure else Exit.DONE


def _tell(output: Output, look: Look, broken: dict[str, str], nameless: Problem | None) -> bool:
    """What is not known and what is left alone. True where something of ours may be among it; raises
    `nameless`, where nobody knows what is ours."""
    unknown = {"unasked": broken, "silent": look.silent, "unlisted": look.unlisted}
    for why, names in unknown.items():
        for name, error in sorted(names.items()):
            output.step("×", name, output.say(f"cli-reap-{why}", error=error))
    alone = [("doubtful", one.provider, one.seen) for one in look.doubtful]
    if nameless is not None:
        alone += [("stranger", name, seen) for name, seen in look.strangers]
    elif look.strangers:
        output.line(output.say("cli-reap-others", count=len(look.strangers)))
    for what, name, seen in alone:
        told = output.say(f"cli-reap-{what}", label=seen.label, id=seen.provider_id)
        output.step("!", name, told)
    if nameless is not None:
        raise nameless
    return bool(look.doubtful or any(unknown.values()))


def _name(given: str | None, folders: Folders) -> tuple[str, Problem | None]:
    """Who we are: as given, or as the file says. Nobody, and why, where that is not known: then
    nothing is ours."""
    from leitstand.core.label import is_installation
    from leitstand.folders import read_installation

    if given is not None:
        if not is_installation(given):
            raise Problem("bad-installation", Exit.USAGE, given=given)
        return given, None
    try:
        return read_installation(folders.installation), None
    except Problem as problem:
        return "", problem


def _volumes(output: Output, found: tuple[Kept, ...], all_: bool, yes: bool) -> tuple[Kept, ...]:
    """Volumes of ours are named, because they cost until they are deleted; with `--all` those to
    delete, after a yes of their own."""
    from leitstand.cli.wanted import is_yes

    for one in found:
        price = euros(output, str(one.price_eur_per_day))
        name, size = one.volume.name, one.volume.size_gb
        told = output.say("cli-reap-volume", name=name, gb=size, price=price, all=str(all_))
        output.step("!", one.provider, told)
    if not (found and all_):
        return ()
    if not yes and not is_yes(
        output, output.ask(output.say("cli-reap-ask-volumes", count=len(found)))
    ):
        return ()
    return found


def _providers(settings: Settings, folders: Folders) -> tuple[dict[str, Any], dict[str, str]]:
    """Those that are set up, and why others could not be: one broken key leaves the rest."""
    own = importlib.import_module("leitstand.connect")
    found: dict[str, Any] = {}
    broken: dict[str, str] = {}
    for name in sorted({own.OWN, *settings.providers}):
        try:
            found[name] = own.connect(own.bare(settings), folders, name)
        except Problem as problem:
            broken[name] = problem.code
        except Exception as error:
            broken[name] = type(error).__name__
    return found, broken


def _show(output: Output, wanted: tuple[Found, ...]) -> None:
    output.listing("instances", [_document(one) for one in wanted])
    if not wanted:
        return
    ids = [one.instance_id for one in wanted]
    table(
        output,
        [
            Column("instance", lambda f: short(f.instance_id, ids), lambda f: f.instance_id),
            Column("provider", lambda f: f.provider, lambda f: f.provider),
            Column("label", lambda f: f.seen.label, lambda f: f.seen.label, name=True),
            Column("end-by", lambda f: clock(output, f.end_by.isoformat()), lambda f: f.end_by),
            Column(
                "per-hour",
                lambda f: euros(output, f.seen.price_eur_per_hour),
                lambda f: f.seen.price_eur_per_hour,
                right=True,
            ),
        ],
        wanted,
    )


def _document(one: Found) -> dict[str, Any]:
    return {
        "id": one.instance_id,
        "provider": one.provider,
        "provider_id": one.seen.provider_id,
        "label": one.seen.label,
        "end_by": one.end_by.isoformat(),
        "price_eur_per_hour": one.seen.price_eur_per_hour,
    }
