"""The end of a job: its instances are seen absent, and media that are erased with it are erased."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from leitstand.cli.press import LOOK_SECONDS
from leitstand.client import Client
from leitstand.core.medium import INBOX
from leitstand.core.problem import Problem

GONE = "terminated"
RELEASE_SECONDS_MAX = 30.0
"""How long one of them is waited for after the one before."""


def released(client: Client, job: Mapping[str, Any], bound: float) -> Mapping[str, Any]:
    """The job's document when nothing of it is left, or after `bound` seconds without any less."""
    least, until = math.inf, 0.0
    while (left := _left(client, job)) > 0:
        if left < least:
            least, until = left, time.monotonic() + bound
        elif time.monotonic() >= until:
            break
        time.sleep(LOOK_SECONDS)
        job = client.get(f"/jobs/{job['id']}")
    return job


def _left(client: Client, job: Mapping[str, Any]) -> int:
    """Instances not yet seen absent, and media not yet erased that are when their job ends: with a
    receipt, so that it can be named."""
    left = sum(state != GONE for state in instances_of(client, job).values())
    if job.get("case_name") == INBOX and job.get("state") != "held":
        for medium in job.get("media") or ():
            left += medium.get("medium_state") != "erased" or medium.get("receipt") is None
    return left


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
