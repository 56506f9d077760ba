"""How a result becomes a committed one, by whichever route it came."""

from __future__ import annotations

import hashlib
from contextlib import suppress

from leitstand.control.attempts import StoreResult
from leitstand.control.commands import Door
from leitstand.core.access import Actor
from leitstand.core.problem import Problem
from leitstand.ports import Blobs, Clock


def take(
    door: Door,
    blobs: Blobs,
    clock: Clock,
    instance: str,
    attempt: str,
    fence: int,
    segment: int,
    body: bytes,
    *,
    gap: bool = False,
    left: bool = False,
) -> bool:
    """Store the bytes, then the row that names them, as what this instance says; what no row names
    in the end is deleted. `left`: it was left in the mailbox, where nothing arrives after the lease.
    True when it is the first result of its segment. Raises Fenced and Problem as `StoreResult`."""
    object_id = door.ids.new("object", clock.now())
    blobs.put(object_id, [body])
    digest = hashlib.sha256(body).hexdigest()
    command = StoreResult(
        instance, attempt, fence, segment, object_id, len(body), digest, gap=gap, left=left
    )
    kept = False
    try:
        kept = door.run(command, Actor("instance", instance), clock.now())
    finally:
        if not kept:
            with suppress(Problem):
                blobs.delete([object_id])
    return kept
