"""Which models a batch wants, which of them are not here, and how to get them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from leitstand.cli.options import Session
from leitstand.core.problem import Exit, Problem
from leitstand.core.profile import uses
from leitstand.models.cache import ModelCache
from leitstand.models.catalogue import Catalogue, Entry
from leitstand.models.pull import OnStep, Step, pull
from leitstand.output import Output


@dataclass(frozen=True, slots=True)
class Lack:
    """Models to pull, their size, and whether the work can go on without them."""

    entries: tuple[Entry, ...]
    bytes: int
    required: bool


def lack(
    profile: str, pipelines: Iterable[str], cache: ModelCache, catalogue: Catalogue
) -> Lack | None:
    """What the default set would add for these pipelines; None when every family has a model."""
    wanted: dict[str, bool] = {}
    for pipeline in sorted(pipelines):
        for use in uses(profile, pipeline):
            wanted[use.family] = wanted.get(use.family, False) or use.required
    missing = {
        family: required
        for family, required in wanted.items()
        if catalogue.best(family, cache) is None
    }
    default = [catalogue.get(name) for name in catalogue.default_set()]
    entries = tuple(entry for entry in default if entry.version.family in missing)
    if not missing:
        return None
    size = sum(
        catalogue.size(archive, sources) for archive, sources in catalogue.archives(entries).items()
    )
    return Lack(entries, size, any(missing.values()))


def provide(session: Session, profile: str, pipelines: Iterable[str], yes: bool) -> None:
    """Pull what is missing after a yes, `--yes` included; sizes are said first.

    Raises Problem("models-missing") where the work cannot go on without. Models that are only
    useful are named and left.
    """
    output, cache = session.output, ModelCache(session.folders.models)
    catalogue = Catalogue.load()
    missing = lack(profile, pipelines, cache, catalogue)
    if missing is None:
        return
    names = ", ".join(entry.name for entry in missing.entries)
    size = output.texts.size(missing.bytes)
    if not missing.required:
        output.warn(output.say("cli-models-optional", names=names, size=size))
        return
    output.note(output.say("cli-models-needed", names=names, size=size))
    output.event("question", ask="models", names=names, bytes=missing.bytes)
    if not yes:
        if not output.interactive:
            families = ", ".join(sorted({entry.version.family for entry in missing.entries}))
            raise Problem("models-missing", Exit.USAGE, families=families, size=size)
        if not is_yes(output, output.ask(output.say("cli-models-ask"))):
            raise Problem("declined-models", Exit.USAGE, size=size)
    pull([entry.name for entry in missing.entries], cache, shown(output), catalogue=catalogue)
    output.done_live()


def shown(output: Output) -> OnStep:
    """Progress of a pull as a live line, and as events."""

    def told(step: Step) -> None:
        output.event(
            "pull",
            stage=step.stage,
            name=step.name,
            done_bytes=step.done_bytes,
            total_bytes=step.total_bytes,
        )
        if step.stage in ("fetch", "make"):
            output.live(
                "  "
                + output.say(
                    f"cli-pull-{step.stage}",
                    name=step.name,
                    done=output.texts.size(step.done_bytes),
                    total=output.texts.size(step.total_bytes),
                )
            )

    return told


def is_yes(output: Output, answer: str) -> bool:
    """Whether an answer says yes, in the language of the question or in English."""
    return answer in ("y", "yes", *output.say("cli-yes-words").split())
