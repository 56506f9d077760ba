"""What a fresh machine installs, as far as planning has to know it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from leitstand.core import limits
from leitstand.core.bundled import bytes_of, cuda_needed
from leitstand.core.cost import spelled
from leitstand.core.images import age_days
from leitstand.core.offer import Offer, Requirements, combined
from leitstand.core.prebuilt import saving
from leitstand.ports import BootFiles


class Fresh:
    """The worker's files; without any, nothing is known of them."""

    def __init__(self, boot: BootFiles | None) -> None:
        self._boot = boot

    def _manifest(self) -> bytes | None:
        return None if self._boot is None else self._boot.manifest()

    def software(self) -> str | None:
        """The digest of their list."""
        manifest = self._manifest()
        return None if manifest is None else hashlib.sha256(manifest).hexdigest()

    def gib(self) -> float:
        """How much they are."""
        return bytes_of(self._manifest()) / limits.GIB

    def days(self, image: date | None, now: datetime) -> int | None:
        """How old a machine's software is, by its image and by them; None where nobody knows."""
        return age_days(image, None if self._boot is None else self._boot.built_at(), now)

    def runs_on(self, want: Requirements) -> Requirements:
        """A need with the CUDA that they are made for."""
        needs = cuda_needed(self._manifest())
        return want if needs is None else combined([want, replace(want, cuda_min=needs)])

    def prebuilt(self, offer: Offer) -> dict[str, Any] | None:
        """What an image that has them would save at each start on this offer."""
        size = bytes_of(self._manifest())
        saved = saving(offer, size)
        if saved is None:
            return None
        return {"seconds": saved.seconds, "eur": spelled(saved.eur), "bytes": size}
