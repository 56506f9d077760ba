"""A letter: a result that a worker leaves in the mailbox, because the control plane does not answer.

One line of JSON says which result it is and proves who wrote it, then come the very bytes that the
route takes. A presigned address says nothing of who uses it, and the store is believed in nothing:
so the line carries the worker's certificate and a signature by its key, which is what mutual TLS
proves on the route. The bytes are sealed for the control plane before they come here.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

MAILBOX = "mailbox"
"""Where letters lie in the blob store."""
HEADER_BYTES_MAX = 16_384
_PURPOSE = b"leitstand mailbox/1\n"
_NAME = re.compile(rf"{MAILBOX}/(attempt_[0-9A-Z]{{26}})/\d{{1,10}}")
_NUMBER_MAX = 2**31 - 1
_FIELDS = {"v", "attempt", "fence", "segment", "gap", "sha256", "certificate", "signature"}


@dataclass(frozen=True, slots=True)
class Letter:
    """What a letter says. Nothing of it is proved before its signature is."""

    attempt: str
    fence: int
    segment: int
    gap: bool
    certificate_pem: bytes
    signature: bytes
    body: bytes

    def signed(self) -> bytes:
        """What the signature must be over."""
        return to_sign(self.attempt, self.fence, self.segment, self.gap, self.body)


def name_of(attempt: str, segment: int) -> str:
    """The name of a letter in the blob store; one that is left again replaces itself."""
    return f"{MAILBOX}/{attempt}/{segment}"


def attempt_of(name: str) -> str | None:
    """Whose letter lies under this name; None where it is no name of a letter."""
    found = _NAME.fullmatch(name)
    return None if found is None else found[1]


def to_sign(attempt: str, fence: int, segment: int, gap: bool, body: bytes) -> bytes:
    """Which result of which attempt, bound to its bytes; of use for nothing else."""
    return _PURPOSE + _canonical(_said(attempt, fence, segment, gap, body))


def pack(letter: Letter) -> bytes:
    """The letter as it is put."""
    said = _said(letter.attempt, letter.fence, letter.segment, letter.gap, letter.body)
    proof: dict[str, str | int] = {
        "v": 1,
        "certificate": letter.certificate_pem.decode("ascii"),
        "signature": base64.b64encode(letter.signature).decode("ascii"),
    }
    return _canonical({**said, **proof}) + b"\n" + letter.body


def unpack(packed: bytes) -> Letter:
    """Raises ValueError on anything that is no letter, or whose bytes are not those it names."""
    line, found, body = packed.partition(b"\n")
    if not found or len(line) > HEADER_BYTES_MAX:
        raise ValueError("no letter")
    try:
        said = json.loads(line)
    except RecursionError as error:
        raise ValueError("no letter") from error
    if not isinstance(said, dict) or said.keys() != _FIELDS or said["v"] != 1:
        raise ValueError("no letter of this version")
    if said["sha256"] != hashlib.sha256(body).hexdigest():
        raise ValueError("not the bytes that it names")
    if not isinstance(said["gap"], bool):
        raise ValueError("no letter")
    texts = [said[name] for name in ("attempt", "certificate", "signature")]
    if not all(isinstance(text, str) and text.isascii() for text in texts):
        raise ValueError("no letter")
    return Letter(
        attempt=texts[0],
        fence=_number(said["fence"]),
        segment=_number(said["segment"]),
        gap=said["gap"],
        certificate_pem=texts[1].encode("ascii"),
        signature=base64.b64decode(texts[2], validate=True),
        body=body,
    )


def _said(attempt: str, fence: int, segment: int, gap: bool, body: bytes) -> dict[str, str | int]:
    digest = hashlib.sha256(body).hexdigest()
    return {"attempt": attempt, "fence": fence, "segment": segment, "gap": gap, "sha256": digest}


def _canonical(document: Mapping[str, str | int]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode("ascii")


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _NUMBER_MAX:
        raise ValueError("no number of a fence or a segment")
    return value
