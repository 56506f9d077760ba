"""The main path on PostgreSQL: the same report, everything given back, the ledger verifies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa

from tests.e2e import canaries, scan
from tests.e2e.conftest import Install


def stored(url: str) -> Iterator[bytes]:
    """Every value of every table."""
    engine = sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg"))
    tables = sa.MetaData()
    with engine.connect() as connection:
        tables.reflect(connection)
        for table in tables.sorted_tables:
            for row in connection.execute(sa.select(table)):
                yield from scan.values(row)
    engine.dispose()


def test_the_main_path_on_postgresql(install: Install, postgresql_url: str, tmp_path: Path) -> None:
    here = install({"LEITSTAND_STORE__URL": postgresql_url})
    batch = canaries.make(tmp_path / "media", pictures=2)
    ran = here.run("analyze", batch.files[0])
    assert ran.code == 0, ran.err
    report = ran.report()
    assert [f["label"] for f in report["findings"] if f["kind"] == "face"] == ["face"]
    with here.client() as client:
        job = client.get(f"/jobs/{client.get('/jobs')['items'][0]['id']}")
        assert job["state"] == "done"
        assert [i["state"] for i in job["instances"]] == ["terminated"]
        assert [m["medium_state"] for m in job["media"]] == ["erased"]
        assert job["reserved_eur"] == "0.000000"
        assert client.get("/ledger/verify")["verified"] is True
    assert here.worker() is None
    audit = here.run("audit", "verify")
    assert audit.code == 0, audit.err
    assert not here.folders.database.exists()
    here.close()
    values = list(stored(postgresql_url))
    assert len(values) > 100
    assert scan.Needles(batch.canaries).hits(b"\n".join(values)) == set()
