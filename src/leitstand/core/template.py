"""What an instance for one modality is launched from: a document with a version and a digest, kept
with the decision, so that it can be said later what ran where, and whether a launch now is the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

SCHEMA = "leitstand.launch-spec/1"
ENVIRONMENT = (
    "LEITSTAND_BOOT_MANIFEST",
    "LEITSTAND_END_BODY",
    "LEITSTAND_END_KEY",
    "LEITSTAND_END_URL",
    "LEITSTAND_INSTANCE_ID",
    "LEITSTAND_LABEL",
    "LEITSTAND_PROGRAM_*",
    "LEITSTAND_SPEC_*",
    "NVIDIA_DRIVER_CAPABILITIES",
)
"""Names of all that a rented machine finds in its environment from us; never a lasting secret. `*`
is a number: what is long comes in parts."""
_NEEDS = (
    *("accelerator", "vram_gib", "cuda_min", "compute_capability_min", "disk_gib", "own_disk_gib"),
    *("ram_gib", "down_mbit_per_s", "tier_min"),
)


def launch_spec(
    modality: str,
    needs: Mapping[str, Any],
    models: Sequence[str],
    images: Mapping[str, str],
    software: str | None,
) -> dict[str, Any]:
    """`needs` is a stored requirement, `models` are digests of versions, `images` pinned names by
    provider, `software` the digest of the list of what a machine installs."""
    return sealed(
        {
            "schema": SCHEMA,
            "modality": modality,
            "images": dict(sorted(images.items())),
            "software": software,
            "needs": {name: needs[name] for name in _NEEDS},
            "models": sorted(models),
            "environment": list(ENVIRONMENT),
        }
    )


def as_now(
    spec: Mapping[str, Any], images: Mapping[str, str], software: str | None
) -> dict[str, Any]:
    """The same spec, were it made by what is set now."""
    return launch_spec(spec["modality"], spec["needs"], spec["models"], images, software)


def sealed(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with the digest of the rest of it, as canonical JSON (RFC 8785 for what it
    holds)."""
    rest = {name: value for name, value in document.items() if name != "digest"}
    canonical = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return {**rest, "digest": hashlib.sha256(canonical.encode()).hexdigest()}
