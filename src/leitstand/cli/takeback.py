"""Before there is a job to follow, every way out takes back what was sent."""

from __future__ import annotations

from leitstand.cli.options import Session
from leitstand.cli.press import cancel_now
from leitstand.client import Client
from leitstand.core.problem import Problem
from leitstand.output import short
from leitstand.upload import Uploads

STARTED_MAX = 50
"""Among how many of the newest jobs the one is looked for whose start nobody saw."""


def take_back(
    session: Session, uploads: Uploads, decision: str | None, *, interrupted: bool
) -> None:
    """Erase what was sent, and name what could not be erased.

    Where the answer to the start of a job was lost or not waited for, the job may run: then its
    media are in use, and it is cancelled as a second Ctrl-C would. A start that comes even later
    finds no media and starts nothing.
    """
    output = session.output
    output.done_live()
    job: str | None = None
    try:
        left = uploads.erase()
        if left is not None and left.code == "medium-in-use" and decision is not None:
            job = _cancel(session.client, decision)
            left = uploads.erase()
        why = "none" if left is None else output.texts.problem(left.code, left.params).what
    except Problem as problem:
        why = output.texts.problem(problem.code, problem.params).what
    except KeyboardInterrupt:
        why = output.say("cli-taking-back-stopped")
    if job is not None:
        output.note(output.say("cli-cancelled", job=short(job)))
    if uploads.opened:
        first, count = short(uploads.opened[0]), len(uploads.opened)
        output.problem(Problem("not-taken-back", count=count, medium=first, detail=why))
    elif interrupted:
        output.note(output.say("cli-given-up" if job is None else "cli-taken-back"))


def _cancel(client: Client, decision: str) -> str | None:
    """Cancel the job that a decision started, if it did; the id."""
    for job in client.pages("/jobs", STARTED_MAX):
        if job["decision"] == decision:
            cancel_now(client, str(job["id"]))
            return str(job["id"])
    return None
