"""Cancelling a job that the database cannot be told about.

Everywhere else a call to a provider follows the commit of its intent. Where nothing can be written
and a person wants an end now, the instances are asked to end without one: that takes away only,
does no harm twice, and the reconciler sees them absent once it can write again. The cancellation
itself is tried again until it is kept, or until this process ends.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import datetime

import structlog

from leitstand.control.commands import Door
from leitstand.control.jobs import CancelJob
from leitstand.core.access import Actor
from leitstand.core.job import Job
from leitstand.core.problem import UNWRITABLE, Exit, Problem
from leitstand.ports import Provider
from leitstand.store import instances

log = structlog.get_logger(__name__)


class Stopper:
    """Cancels jobs now. Safe to use from several threads."""

    def __init__(self, door: Door, providers: Mapping[str, Provider]) -> None:
        self._door = door
        self._providers = providers
        self._pending: dict[str, Actor] = {}
        self._mutex = threading.Lock()

    def cancel(self, job_id: str, actor: Actor, now: datetime) -> Job:
        """Cancel a job; where that cannot be written, end its instances all the same.

        Raises Problem `cancel-not-kept`, which says how many of them were still listed, and what
        `CancelJob` raises.
        """
        try:
            return self._door.run(CancelJob(job_id), actor, now)
        except Problem as problem:
            if problem.code not in UNWRITABLE:
                raise
            with self._mutex:
                self._pending[job_id] = actor
            raise Problem(
                "cancel-not-kept",
                Exit.FAILED,
                job=job_id,
                left=self._end(job_id),
                store=problem.code,
                where=problem.params["where"],
            ) from problem

    def step(self, now: datetime) -> None:
        """Try again what could not be written; a job that ended meanwhile needs no cancelling."""
        with self._mutex:
            pending = dict(self._pending)
        for job_id, actor in pending.items():
            try:
                self.cancel(job_id, actor, now)
            except Problem as problem:
                if problem.code == "cancel-not-kept" or problem.code in UNWRITABLE:
                    continue
            with self._mutex:
                self._pending.pop(job_id, None)

    def _end(self, job_id: str) -> int:
        """Ask for the end of everything listed under a label of the job; how many there were. A
        provider that does not answer counts whole."""
        tenant = self._door.tenant
        fleet = self._door.database.read(lambda conn: instances.of_job(conn, tenant, job_id))
        labels: dict[str, set[str]] = {}
        for instance in fleet:
            if instance.state != "terminated":
                labels.setdefault(instance.provider, set()).add(instance.label)
        left = 0
        for name, ours in labels.items():
            try:
                provider = self._providers[name]
                listed = [seen for seen in provider.list() if seen.label in ours]
                left += len(listed)
                for seen in listed:
                    provider.terminate(seen.provider_id)
            except Exception as error:
                log.warning("provider.silent", provider=name, error=type(error).__name__)
                left += len(ours)
        return left
