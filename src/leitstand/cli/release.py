"""The end of a job: its instances are seen absent, and media that are erased with it are erased."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from leitstand.cli.press import LOOK_SECONDS
from leitstand.client import Client
from leitstand.core.medium import INBOX
from leitstand.core.problem import Problem

GONE = "terminated"
RELEASE_SECONDS_MAX = 120.0
"""How long one of them is waited for after the one before: longer than the proof takes that a rented
instance is gone, two listings a lag of 30 s apart."""


def released(
    client: Client,
    job: Mapping[str, Any],
    bound: float,
    waiting: Callable[[Sequence[str]], None],
) -> Mapping[str, Any]:
    """The job's document when nothing of it is left, or after `bound` seconds without any less.
    `waiting` is told of the instances that are left, if any are."""
    least, until = math.inf, 0.0
    while True:
        instances = [id for id, state in instances_of(client, job).items() if state != GONE]
        left = len(instances) + _unerased(job)
        if left < least:
            least, until = left, time.monotonic() + bound
        if left == 0 or time.monotonic() >= until:
            return job
        if instances:
            waiting(instances)
        time.sleep(LOOK_SECONDS)
        job = client.get(f"/jobs/{job['id']}")


def _unerased(job: Mapping[str, Any]) -> int:
    """Media not yet erased that are when their job ends: with a receipt, so that it can be named."""
    if job.get("case_name") != INBOX or job.get("state") == "held":
        return 0
    return sum(
        bool(medium.get("medium_state") != "erased" or medium.get("receipt") is None)
        for medium in job.get("media") or ()
    )


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
