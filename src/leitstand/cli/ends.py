"""What is there of a job at its end: its instances, and its media."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from leitstand.cli.plans import clock
from leitstand.client import Client
from leitstand.core.problem import Exit, Problem
from leitstand.output import Output

GONE = "terminated"


def instances_of(client: Client, job: Mapping[str, Any]) -> dict[str, str]:
    """Id and state of a job's instances, whether its document holds ids or whole instances."""
    found: dict[str, str] = {}
    for instance in job.get("instances") or ():
        if isinstance(instance, Mapping):
            found[str(instance["id"])] = str(instance.get("state"))
        else:
            with suppress(Problem):
                found[str(instance)] = str(client.get(f"/instances/{instance}").get("state"))
    return found


def problem_of_medium(medium: Mapping[str, Any]) -> Problem:
    """Why a medium failed, as the error its file would have given."""
    reason = medium.get("reason") or {}
    params = {**(reason.get("params") or {}), "name": str(medium["name"])}
    exit = Exit.USAGE if reason.get("exit") == Exit.USAGE else Exit.FAILED
    return Problem(str(reason.get("code") or "medium-failed"), exit, **params)


def kept_until(output: Output, client: Client, job: Mapping[str, Any]) -> str:
    """When the media of a job are erased; `none` where that is not known."""
    for medium in job.get("media") or ():
        with suppress(Problem):
            found = client.get(f"/media/{medium['id']}")
            if at := found.get("held_until"):
                return clock(output, str(at))
    return "none"
