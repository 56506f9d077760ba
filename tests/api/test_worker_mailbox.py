"""What a worker is told of the mailbox, and that both routes end in the same place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from leitstand.core import limits
from leitstand.store.engine import Database
from tests.api.served import digest_header, problem, workers
from tests.control.rig import Rig, serve


@pytest.mark.parametrize("mailbox", [True, False])
def test_a_lease_and_its_renewals_carry_addresses_where_there_is_a_mailbox(
    sqlite_url: str, tmp_path: Path, mailbox: bool
) -> None:
    with Database.open(sqlite_url, relaxed=True) as database:
        rig = Rig(database, tmp_path, mailbox=mailbox)
        with workers(rig, tmp_path) as plane:
            rig.job(segments=3)
            client = plane.client(serve(rig).id)
            (lease,) = client.post("/w/1/claim", json={"slots_free": 1}).json()["leases"]
            attempt = lease["attempt"]

            def address(number: int) -> str:
                return f"memory:mailbox/{attempt}/{number}?{int(limits.LEASE.total_seconds())}"

            def beat(**changes: Any) -> dict[str, Any]:
                told = {"attempt": attempt, "fence": lease["fence"], "units": 1, "segment": 1}
                body = {"attempts": [told | changes]}
                answer = client.post("/w/1/beat", json=body).json()
                found: dict[str, Any] = answer["attempts"][attempt]
                return found

            if mailbox:
                assert lease["mailbox"] == {str(n): address(n) for n in range(3)}
                assert beat()["mailbox"] == {str(n): address(n) for n in (1, 2)}
                assert beat(segment=-9)["mailbox"] == lease["mailbox"]
                assert beat(segment=10**9).get("mailbox", {}) == {}
            else:
                assert "mailbox" not in lease
                assert "mailbox" not in beat()
            assert "mailbox" not in beat(fence=9)


def test_a_result_by_either_route_is_the_same_result(sqlite_url: str, tmp_path: Path) -> None:
    with Database.open(sqlite_url, relaxed=True) as database:
        rig = Rig(database, tmp_path, mailbox=True)
        assert rig.mailbox is not None
        rig.job(segments=2)
        worker = serve(rig)
        (lease,) = worker.claim()
        worker.leave(lease, 0)
        rig.mailbox.collect(rig.time)
        path = f"/w/1/results/{lease['attempt']}"
        body = b"result 0"
        with workers(rig, tmp_path) as plane:
            client = plane.client(worker.id)
            for fence, status in ((lease["fence"], 204), (9, 409)):
                for segment in (0, 1):
                    answer = client.put(
                        f"{path}/{segment}?fence={fence}",
                        content=body,
                        headers=digest_header(body),
                    )
                    assert answer.status_code == status
            problem(answer, "fenced", 409)
        held = [name for name in rig.blobs.names() if rig.blobs.held[name] == body]
        assert len(held) == 2  # one for each segment
