"""What Ctrl-C asks the control plane for: to hold a job, or to cancel it now."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from leitstand.client import Client
from leitstand.core.problem import UNWRITABLE, Exit, Problem
from leitstand.output import short

STOP_SECONDS_MAX = 5.0
"""How long after the second Ctrl-C the end of the instances is waited for."""
LOOK_SECONDS = 0.1


def hold(client: Client, job_id: str) -> Problem | None:
    """Hold a job; the reason where the control plane cannot write that down now."""
    try:
        with ended_is_fine():
            client.post(f"/jobs/{job_id}/hold")
    except Problem as problem:
        if problem.code not in UNWRITABLE:
            raise
        return problem
    return None


def cancel_now(client: Client, job_id: str) -> None:
    """Cancel a job and end its instances. Where that cannot be written down it is asked for again
    until they are gone, within bounds. Raises Problem `cancel-not-kept` then."""
    until = time.monotonic() + STOP_SECONDS_MAX
    while True:
        try:
            with ended_is_fine():
                client.post(f"/jobs/{job_id}/cancel", {"now": True})
        except Problem as problem:
            if problem.code != "cancel-not-kept":
                raise
            if not problem.params["left"] or time.monotonic() >= until:
                params = {**problem.params, "job": short(job_id)}
                raise Problem(problem.code, Exit.INTERRUPTED, **params) from problem
        else:
            return
        time.sleep(LOOK_SECONDS)


@contextmanager
def ended_is_fine() -> Iterator[None]:
    """A job that ended in the meantime cannot be held or cancelled, and need not be."""
    try:
        yield
    except Problem as problem:
        if problem.code != "job-changed":
            raise


def passes(problem: Problem) -> bool:
    """Whether a database that cannot be used may be waited for: a damaged one does not come back."""
    damaged = str(problem.params.get("reason")).startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB"))
    return problem.code in UNWRITABLE and not damaged
