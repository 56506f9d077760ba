"""Fresh machines that will never start, known by what their hosts say.

Until a machine dials in it only costs money. Its provider has its log; a line of which there is no
way back ends it at once instead of at its deadline.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import partial

import structlog

from leitstand.control.commands import Door
from leitstand.control.instances import Observe
from leitstand.control.turns import Turns
from leitstand.core import limits
from leitstand.core.access import SYSTEM
from leitstand.core.boot import fatal
from leitstand.core.instance import Instance, Move
from leitstand.core.machine import NotAllowed
from leitstand.core.rented import LogLine
from leitstand.ports import Provider, ProviderError
from leitstand.store import instances
from leitstand.store.rows import Stale

log = structlog.get_logger(__name__)


class Boots:
    """One step: read the log of each machine that should have dialled in by now."""

    def __init__(self, door: Door, providers: Mapping[str, Provider]) -> None:
        self._door = door
        self._logs: dict[str, Callable[[str], Iterable[LogLine]]] = {}
        for name, provider in providers.items():
            logs = getattr(provider, "logs", None)
            if logs is not None:
                self._logs[name] = logs
        self._read_at: dict[str, datetime] = {}

    def step(self, now: datetime) -> None:
        """Longest unread first; a log that is not there yet is read again."""
        booting = [
            instance
            for instance in self._door.database.read(instances.alive)
            if instance.state == "booting"
            and instance.provider in self._logs
            and now - instance.updated_at >= limits.BOOT_LOG_EVERY
        ]
        self._read_at = {i.id: self._read_at[i.id] for i in booting if i.id in self._read_at}
        due = [i for i in booting if now - self._read(i) >= limits.BOOT_LOG_EVERY]
        with Turns() as turns:
            for instance in sorted(due, key=self._read)[: limits.BOOT_LOGS_PER_STEP]:
                self._read_at[instance.id] = now
                turns.take(instance.id, partial(self._look, instance, now))

    def _read(self, instance: Instance) -> datetime:
        return self._read_at.get(instance.id, instance.created_at)

    def _look(self, instance: Instance, now: datetime) -> None:
        try:
            said = fatal(self._logs[instance.provider](instance.provider_id or ""))
        except ProviderError as error:
            log.info("boot.unread", instance=instance.id, error=type(error).__name__)
            return
        if said is None:
            return
        log.warning("boot.failed", instance=instance.id, said=said)
        end = Move("end", "boot-failed", said)
        try:
            self._door.run(Observe(((instance, (end,)),)), SYSTEM, now)
        except (Stale, NotAllowed):
            log.info("instance.stale", instance=instance.id)
