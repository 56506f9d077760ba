"""How long media and reports are kept once nothing needs them any more (`docs/security.md` §5)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from leitstand.core import limits


@dataclass(frozen=True, slots=True)
class Retention:
    """Terms that settings carry. What is derived from media (segment results with their vectors and
    crops) has none: it ends with its job."""

    media: timedelta = limits.MEDIA_AFTER_SUCCESS
    failed_media: timedelta = limits.MEDIA_AFTER_FAILURE
    inbox: timedelta = limits.MEDIA_OF_HELD_INBOX
    reports: timedelta = limits.REPORTS_KEPT

    def of_media(self, job_state: str, *, inbox: bool) -> timedelta:
        """Term of media from the moment their job got to `job_state`: done, failed, cancelled, or
        held. A held job keeps them for whoever resumes it; in the inbox an ended one does not."""
        if inbox:
            return self.inbox if job_state == "held" else timedelta(0)
        return self.media if job_state == "done" else self.failed_media


DEFAULTS = Retention()
