"""`leitstand jobs`: what is done, running, waiting, and until when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from cyclopts import Parameter

from leitstand.cli import reports, values
from leitstand.cli.app import group
from leitstand.cli.options import DEFAULT, Options, Session, session
from leitstand.cli.plans import clock, euros, told
from leitstand.cli.strip import percent, strip
from leitstand.cli.tables import Column, table
from leitstand.core.problem import Exit, Problem
from leitstand.messages import plain
from leitstand.output import Output, full, short

app = group(
    "jobs",
    "List jobs; show, hold, resume, cancel one or fetch its report.",
    "leitstand jobs --all",
)

SHOWN = 20
_RANK = {"held": 0, "waiting": 1, "running": 2}
_STYLES = {"failed": "red", "held": "yellow"}


@app.default
def list_jobs(
    *,
    all_: Annotated[bool, Parameter(name="--all")] = False,
    limit: Annotated[int | None, Parameter(name="--limit")] = None,
    options: Options = DEFAULT,
) -> int:
    """List jobs: what needs a person, what waits and what runs come first.

    Parameters
    ----------
    all_
        Show all of them; a terminal shows the first 20, those that ended last.
    limit
        At most so many, newest first.
    """
    values.count("--limit", limit)
    with session(options) as here:
        items = list(here.client.pages("/jobs", limit))
        here.output.listing("jobs", items)
        shown = sorted(items, key=lambda job: _RANK.get(job["state"], 3))
        if not all_ and here.output.terminal:
            shown = shown[:SHOWN]
        _table(here.output, shown)
        if here.output.terminal:
            _after(here.output, shown, len(items))
    return Exit.DONE


def _after(output: Output, shown: list[Any], total: int) -> None:
    if not total:
        output.line(output.say("cli-no-jobs"))
        output.commands((output.say("cli-next"), "leitstand analyze clip.mp4"))
        return
    if len(shown) < total:
        output.line(output.say("cli-some-of", shown=len(shown), total=total))
    output.commands((output.say("cli-next"), f"leitstand jobs show {short(shown[0]['id'])}"))


def _table(output: Output, jobs: list[Any]) -> None:
    ids = [job["id"] for job in jobs]

    def cells(job: Mapping[str, Any]) -> str:
        counted = job.get("segments") or {}
        done, total = int(counted.get("done") or 0), int(counted.get("total") or 0)
        gap = int(counted.get("gap") or 0)
        part = percent(done, total, gap)
        return (
            f"{strip(done, total, gap, 14)}  {part} %"
            if 0 < part < 100
            else strip(done, total, gap, 14)
        )

    table(
        output,
        [
            Column("job", lambda job: short(job["id"], ids), lambda job: job["id"]),
            Column("name", lambda job: named(output, job), _field("name"), name=True),
            Column("case", _case, _case, name=True),
            Column("progress", cells, _segments, drop=4),
            Column(
                "state",
                lambda job: state(output, job),
                _field("state"),
                style=lambda job: _STYLES.get(job["state"], ""),
            ),
            Column(
                "finish",
                lambda job: clock(output, job.get("finish_at")),
                _field("finish_at"),
                right=True,
                drop=2,
            ),
            Column(
                "due",
                lambda job: clock(output, job.get("due_at")),
                _field("due_at"),
                right=True,
                drop=3,
            ),
            Column("cost", _euros(output, "cost_eur"), _field("cost_eur"), right=True),
            Column(
                "expected", _euros(output, "expected_eur"), _field("expected_eur"), True, drop=1
            ),
        ],
        jobs,
    )


def _case(job: Mapping[str, Any]) -> str:
    return str(job.get("case_name") or job.get("case") or "–")


def _field(name: str) -> Any:
    return lambda job: job.get(name)


def _euros(output: Output, name: str) -> Any:
    return lambda job: euros(output, job.get(name))


def _segments(job: Mapping[str, Any]) -> str:
    counted = job.get("segments") or {}
    return f"{counted.get('done', 0)}/{counted.get('total', 0)}"


def state(output: Output, job: Mapping[str, Any]) -> str:
    """The state in words: `waiting`, `done, 1 gap`."""
    word = output.say(f"cli-state-{job['state']}")
    gaps = int((job.get("segments") or {}).get("gap") or 0)
    return output.say("cli-state-gaps", state=word, gaps=gaps) if gaps else word


@app.command
def show(job: str, /, *, options: Options = DEFAULT) -> int:
    """Show one job: how far it is, on which instances, and what its media came to.

    Example: leitstand jobs show j-71c0
    """
    with session(options) as here:
        found = here.client.get(f"/jobs/{full(job)}")
        here.output.document("job", found)
        if not here.output.json:
            _show(here, found)
    return Exit.DONE


def _show(here: Session, job: Mapping[str, Any]) -> None:
    output = here.output
    counted = job.get("segments") or {}
    done, total = int(counted.get("done") or 0), int(counted.get("total") or 0)
    name = plain(named(output, job))
    output.line(
        output.say(
            "cli-job-is",
            name=name,
            job=short(job["id"]),
            state=state(output, job),
            done=done,
            total=total,
            finish=clock(output, job.get("ended_at") or job.get("finish_at")),
            cost=euros(output, job.get("cost_eur")),
        )
    )
    if reason := job.get("reason"):
        output.line(output.say("cli-because", why=told(output, reason)))
    media = list(job.get("media") or ())
    if media:
        table(
            output,
            [
                Column("medium", lambda m: short(m["id"]), lambda m: m["id"]),
                Column("name", lambda m: named(output, m), _field("name"), name=True),
                Column("kind", lambda m: kind(output, m), _field("kind")),
                Column("segments", _segments, _segments, right=True),
                Column("state", lambda m: medium_state(output, m), _field("state")),
            ],
            media,
        )
        show_reasons(output, media)
    instances = [one for one in job.get("instances") or () if isinstance(one, Mapping)]
    if instances:
        from leitstand.cli.instances import show_table

        show_table(output, instances)
    _hint(output, job)


def named(output: Output, item: Mapping[str, Any]) -> str:
    """The name of a medium, or of a job by its first one; a name is erased with its medium."""
    return str(item.get("name") or output.say("cli-name-erased"))


def kind(output: Output, medium: Mapping[str, Any]) -> str:
    """`video`; `–` before intake has looked."""
    found = medium.get("kind")
    return output.say(f"cli-word-{found}") if found else "–"


def medium_state(output: Output, medium: Mapping[str, Any]) -> str:
    """The state of a medium in words."""
    word = str(medium.get("state") or "unknown")
    return output.say(f"cli-medium-{word}") if output.texts.knows(f"cli-medium-{word}") else word


def show_reasons(output: Output, media: Iterable[Mapping[str, Any]]) -> None:
    """One line for each medium that failed: why."""
    for medium in media:
        reason = medium.get("reason") or {}
        if reason.get("code"):
            params = {**(reason.get("params") or {}), "name": plain(named(output, medium))}
            output.line(output.texts.problem(str(reason["code"]), params).what)


def _hint(output: Output, job: Mapping[str, Any]) -> None:
    name = short(job["id"])
    verbs = {
        "held": f"leitstand jobs resume {name}",
        "done": f"leitstand jobs report {name}",
        "running": f"leitstand jobs hold {name}",
        "waiting": f"leitstand jobs cancel {name}",
    }
    if command := verbs.get(str(job["state"])):
        output.commands((output.say("cli-next"), command))


@app.command
def hold(job: str, /, *, options: Options = DEFAULT) -> int:
    """Finish the segments under way, release the instance, keep media and results.

    Example: leitstand jobs hold j-71c0
    """
    with session(options) as here:
        held = here.client.get(f"/jobs/{full(job)}")["state"] == "held"
        found = here.client.post(f"/jobs/{full(job)}/hold")
        here.output.document("job", found)
        told = "cli-job-held-before" if held else "cli-job-held"
        here.output.line(here.output.say(told, job=short(found["id"])))
        here.output.commands(
            (here.output.say("cli-go-on"), f"leitstand jobs resume {short(found['id'])}"),
            (here.output.say("cli-drop-it"), f"leitstand jobs cancel {short(found['id'])}"),
        )
    return Exit.DONE


@app.command
def resume(job: str, /, *, out: str | None = None, options: Options = DEFAULT) -> int:
    """Go on with a held job at its first missing segment, and follow it to its report.

    Example: leitstand jobs resume j-71c0

    Parameters
    ----------
    out
        Folder of the report; else leitstand-out/<job>/.
    """
    from leitstand.cli.conclude import conclude
    from leitstand.cli.follow import Watch

    reports.check_out(out)
    with session(options) as here:
        found = here.client.post(f"/jobs/{full(job)}/resume")
        ending = Watch(here.client, here.output, found, after=None).run()
        return conclude(here, ending, out)


@app.command
def cancel(
    job: str,
    /,
    *,
    now: bool = False,
    options: Options = DEFAULT,
) -> int:
    """Stop a job for good, at once: segments under way are dropped.

    Example: leitstand jobs cancel j-71c0

    Parameters
    ----------
    now
        End its instances even where the database cannot be written.
    """
    with session(options) as here:
        found = here.client.post(f"/jobs/{full(job)}/cancel", {"now": now})
        here.output.document("job", found)
        here.output.line(here.output.say("cli-cancelled", job=short(found["id"])))
        here.output.commands((here.output.say("cli-next"), "leitstand instances"))
    return Exit.DONE


@app.command
def report(job: str, /, *, out: str | None = None, options: Options = DEFAULT) -> int:
    """Fetch the report of a job that is done.

    Example: leitstand jobs report j-71c0 --out report

    Parameters
    ----------
    out
        Folder of the report; else leitstand-out/<job>/.
    """
    reports.check_out(out)
    with session(options) as here:
        found = here.client.get(f"/jobs/{full(job)}")
        if found["state"] != "done":
            raise Problem(
                "no-report", Exit.FAILED, job=short(found["id"]), state=str(found["state"])
            )
        folder = reports.folder_of(out, found["id"])
        path = reports.keep(reports.fetch(here.client, found["id"]), folder) / "report.html"
        here.output.document("fetched", {"job": found["id"], "report": str(path)})
        here.output.commands((here.output.say("cli-report"), str(path)))
    return Exit.DONE
