"""Two control planes on one database."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from leitstand.control.audit import verify
from leitstand.store import attempts
from leitstand.store.engine import Database
from tests.control.rig import (
    TENANT,
    Rig,
    Verifier,
    Worker,
)


def test_f3_two_planes_of_one_database_share_the_work_and_double_none(
    postgresql_url: str, tmp_path: Path
) -> None:
    with Database.open(postgresql_url) as database:
        one = Rig(database, tmp_path, segments_per_task=1)
        two = Rig(database, tmp_path, seed=9, segments_per_task=1)
        for part in (two.effects, two.dispatcher, two.upkeep):
            part._blobs = one.blobs
        providers: Any = two.reconciler._providers
        providers["rented"] = one.rented
        two.blobs, two.rented = one.blobs, one.rented
        job = one.job(segments=4)
        for rig in (one, two, one, two):
            rig.step()
        assert one.rented.launches == 1
        worker = Worker.newest(one).ready()
        for round_ in range(12):
            worker.rig = (one, two)[round_ % 2]
            for lease in worker.claim():
                worker.work(lease)
            worker.rig.step()
        assert one.job_state(job) == "done"
        results = one.read(partial(attempts.results_of_job, tenant=TENANT, job_id=job.id))
        assert len({(r.task_id, r.segment) for r in results}) == len(results) == 5
        one.step(4)
        two.step(4)
        assert set(one.instance_states()) == {"terminated"}
        verdict = one.read(lambda c: verify(c, Verifier(one.signer.verifier_key)))
        assert verdict.faults == []
