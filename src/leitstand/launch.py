"""How a launch spec reaches a worker: one environment variable, whatever the provider.

Shared by providers, which write it, and the worker, which reads and removes it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from leitstand.ports import LaunchSpec

VARIABLE = "LEITSTAND_WORKER_SPEC"
MANIFEST_VARIABLE = "LEITSTAND_BOOT_MANIFEST"
"""SHA-256 of the list of files that a fresh machine installs."""
LABEL_PREFIX = "ls1-"


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """What a worker was told. `cache_folder` holds models between instances; None: the worker's
    own choice. `token` enrols once and is worthless afterwards. `probe_seconds`: how long it measures
    its speed before it is admitted. `mbit_per_s`: what it may use of the line; None: all."""

    url: str
    ca_sha256: str
    instance_id: str
    token: str
    end_by: datetime
    slots: int
    cache_folder: str | None
    probe_seconds: float = 0.0
    mbit_per_s: float | None = None

    def __repr__(self) -> str:
        return f"WorkerSpec({self.instance_id} at {self.url})"


def encode(spec: LaunchSpec, cache_folder: str | None = None) -> str:
    """The value of `VARIABLE`: JSON, times in RFC 3339."""
    return json.dumps(
        {
            "url": spec.url,
            "ca_sha256": spec.ca_sha256,
            "instance_id": spec.instance_id,
            "token": spec.token,
            "end_by": spec.end_by.isoformat(),
            "slots": spec.slots,
            "cache_folder": cache_folder,
            "probe_seconds": spec.probe_seconds,
            "mbit_per_s": spec.mbit_per_s,
        },
        separators=(",", ":"),
    )


def decode(text: str) -> WorkerSpec:
    """Raises ValueError on anything but a complete spec with an aware `end_by`."""
    try:
        raw = json.loads(text)
        spec = WorkerSpec(
            url=str(raw["url"]),
            ca_sha256=str(raw["ca_sha256"]).lower(),
            instance_id=str(raw["instance_id"]),
            token=str(raw["token"]),
            end_by=datetime.fromisoformat(raw["end_by"]),
            slots=max(1, int(raw["slots"])),
            cache_folder=raw.get("cache_folder"),
            probe_seconds=float(raw.get("probe_seconds") or 0.0),
            mbit_per_s=float(raw["mbit_per_s"]) if raw.get("mbit_per_s") else None,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError("the launch spec is not complete") from error
    if spec.end_by.tzinfo is None:
        raise ValueError("end_by has no time zone")
    return spec
