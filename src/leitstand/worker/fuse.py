"""The last task of a job: all results in, one report out (`analysis.fuse`)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import quote

from leitstand.core import finding
from leitstand.core.inputs import Inputs
from leitstand.vault import envelope
from leitstand.worker.blame import Failure
from leitstand.worker.lease import Segment
from leitstand.worker.link import Link, Refused
from leitstand.worker.live import LiveAttempt
from leitstand.worker.source import plaintext


def fuse(live: LiveAttempt, link: Link, segment: Segment) -> bytes:
    """`{"report", "html"}` as JSON. `segment` holds the inputs document; the results it names are
    fetched one by one and forgotten as soon as they are read."""
    from leitstand.analysis import fuse as report

    document = json.loads(b"".join(plaintext(live, link, segment)))

    def results(object_id: str) -> Iterator[finding.Line]:
        path = f"/w/1/objects/{quote(object_id, safe='')}"
        try:
            sealed = link.patiently(lambda: link.whole(path), live.alive)
            lines = b"".join(envelope.decrypt(live.identity, [sealed]))
        except Refused as error:
            raise Failure("object-unavailable", "us", reason=error.code) from error
        except envelope.EnvelopeError as error:
            raise Failure("object-unreadable", "us", object=object_id) from error
        live.advance()
        return finding.decode(lines)

    fused = report.fuse(Inputs.parse(document), results, live.advance)
    return json.dumps({"report": fused.report, "html": fused.html}, ensure_ascii=False).encode()
