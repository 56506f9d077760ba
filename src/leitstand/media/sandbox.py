"""Takes every ability from the calling process that decoding does not need."""

from __future__ import annotations

from dataclasses import dataclass

from leitstand.core.limits import DECODER_ADDRESS_BYTES


@dataclass(frozen=True, slots=True)
class Limits:
    """`address_bytes` bounds memory taken beyond what the zygote had mapped; `cpu_seconds` bounds
    processor time of all threads together."""

    address_bytes: int = DECODER_ADDRESS_BYTES
    cpu_seconds: int = 600
