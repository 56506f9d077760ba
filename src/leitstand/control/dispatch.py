"""Tasks towards workers: expired leases back to the queue, and `fuse` unblocked when all else ended."""

from __future__ import annotations

import hashlib
from datetime import datetime
from functools import partial

from sqlalchemy import Connection

from leitstand.control.commands import Door
from leitstand.control.inputs import inputs_of
from leitstand.control.jobs import UnblockFuse
from leitstand.control.losses import ExpireLeases
from leitstand.control.mailbox import Mailbox
from leitstand.control.money import AccrueCosts
from leitstand.control.turns import Rounds, Turns
from leitstand.core.access import SYSTEM
from leitstand.core.job import Job
from leitstand.ports import Blobs
from leitstand.store import attempts


class Dispatcher:
    """One step; workers themselves claim, woken by commit."""

    def __init__(self, door: Door, blobs: Blobs, mailbox: Mailbox | None = None) -> None:
        self._door = door
        self._mailbox = mailbox
        self._blobs = blobs
        self._rounds = Rounds(door.database)

    def step(self, now: datetime) -> None:
        """Take what lies in the mailbox, expire leases, then write the inputs of every report that
        may be made."""
        with Turns() as turns:
            ended = bool(self._door.database.read(lambda conn: attempts.expired(conn, now, 1)))
            box = self._mailbox
            if box is not None:
                turns.take("mailbox", lambda: box.collect(now, urgent=ended))
            if ended and not (box is not None and box.waits(now)):
                turns.take("leases", lambda: self._door.run(ExpireLeases(), SYSTEM, now))
            for work in self._rounds.next():
                if work.fuse == "blocked" and not work.ordinary:
                    turns.take(work.job.id, partial(self._unblock, work.job, now))

    def _unblock(self, job: Job, now: datetime) -> None:
        """The blob is written before the row that names it: a crash between leaves ciphertext that
        nothing names, which the sweep removes. What the report says of costs is booked first."""
        door = self._door
        door.run(AccrueCosts(job.id), SYSTEM, now)

        def read(conn: Connection) -> tuple[str, bytes]:
            tx = door.look(now, conn)
            return tx.recipient(job.key_id), inputs_of(tx, job)

        recipient, document = door.database.read(read)
        body = b"".join(door.vault.encrypt(recipient, [document]))
        object_id = door.ids.new("object", now)
        self._blobs.put(object_id, [body])
        digest = hashlib.sha256(body).hexdigest()
        if not door.run(UnblockFuse(job.id, object_id, len(body), digest), SYSTEM, now):
            self._blobs.delete([object_id])
