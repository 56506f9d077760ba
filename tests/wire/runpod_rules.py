"""Every refusal of RunPod's API as one named rule, and the exception that carries it out.

A simulator made with `lifted={name}` goes on where the rule would have refused: a mutation run lifts
one after the other, and each time a test has to notice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.wire.runpod_bodies import BODIES, QUERIES
from tests.wire.shapes import Fault, Schema, faults, names


@dataclass(frozen=True, slots=True)
class Rule:
    """One reason to say no. `detail` is a format string; where it is known, the real text."""

    status: int
    detail: str


class Refused(Exception):
    """An answer other than success, by the name of its rule."""

    def __init__(self, name: str, errors: tuple[str, ...] = (), **facts: Any) -> None:
        super().__init__(name)
        self.name = name
        self.errors = errors
        self.detail = RULES[name].detail.format(**facts)
        self.status = RULES[name].status
        self.headers: dict[str, str] = {}


NO_INSTANCES = (
    "There are no longer any instances available with the requested specifications. "
    "Please refresh and try again."
)
CAPACITY_TEXTS = (
    NO_INSTANCES,
    "There are no instances currently available.",
    "This machine does not have the resources to deploy your pod. Please try a different machine",
    "Could not find instances for this request. Please try again later.",
)
"""What the field has seen for "no capacity"; no machine-readable difference from a bad request."""

RULES: dict[str, Rule] = {
    # before the operation
    "too-large": Rule(413, "request body exceeds 102400 bytes"),
    "retired": Rule(410, "The REST v1 API has been retired. Use https://api.runpod.io/v2"),
    "no-key": Rule(401, "missing or malformed Authorization header"),
    "unknown-key": Rule(401, "invalid API key"),
    "rate-minute": Rule(429, 'rate limit exceeded for window "minute"'),
    "rate-hour": Rule(429, 'rate limit exceeded for window "hour"'),
    "rate-day": Rule(429, 'rate limit exceeded for window "day"'),
    "read-only-key": Rule(403, "API key does not have the required permission"),
    "pod-key": Rule(403, "API key is scoped to another pod"),
    "no-route": Rule(404, "no such route"),
    "wrong-method": Rule(405, "method {method} not allowed"),
    "not-json": Rule(422, "request body is not valid JSON"),
    "repeated": Rule(
        400, "parameter '{parameter}' is not exploded, but is specified multiple times"
    ),
    "cursor": Rule(422, "cursor is malformed or belongs to another list"),
    # catalogue
    "include-without-product": Rule(400, "product is required with include=AVAILABILITY"),
    "filter-without-include": Rule(400, "{parameter} is valid only with include=AVAILABILITY"),
    "cuda-twice-in-query": Rule(400, "cudaVersions and minCudaVersion are mutually exclusive"),
    "vcpu-power-in-query": Rule(400, "vcpuCount must be a power of two"),
    "no-gpu-type": Rule(404, "gpu type not found"),
    "no-cpu-type": Rule(404, "cpu type not found"),
    "no-data-center": Rule(404, "data center not found"),
    # create
    "image-missing": Rule(422, "missing property 'image'"),
    "gpu-or-cpu": Rule(400, "exactly one of gpu or cpu must be set"),
    "cuda-twice": Rule(400, "allowedCudaVersions and minCudaVersion are mutually exclusive"),
    "mounts-both": Rule(400, "mounts.persistent and mounts.network are mutually exclusive"),
    "persistent-on-cpu": Rule(400, "mounts.persistent is not supported on CPU pods"),
    "vcpu-power": Rule(400, "cpu.vcpuCount must be a power of two"),
    "port-form": Rule(400, "invalid port {port}: expected port/tcp or port/http"),
    "http-ports": Rule(400, "at most 10 http ports may be exposed"),
    "args-disagree": Rule(400, "args does not agree with cmd and entrypoint"),
    "unknown-template": Rule(404, "template not found"),
    "unknown-volume": Rule(404, "network volume {id} not found"),
    "unknown-registry": Rule(404, "container registry auth {id} not found"),
    "unknown-gpu": Rule(400, "gpu type {id} not found"),
    "unknown-cpu": Rule(400, "cpu flavor {id} not found"),
    "volume-cloud": Rule(400, "network volumes are only available in the secure cloud"),
    "volume-place": Rule(400, NO_INSTANCES),
    "disk-missing": Rule(
        400, "Something is wrong with the template id or pod configuration parameters"
    ),
    "disk-cap": Rule(400, "Container Disk must be less than or equal to {cap} GB"),
    "global-network": Rule(
        400, "global networking requires an NVIDIA GPU in an enabled data center"
    ),
    "gpu-max": Rule(400, NO_INSTANCES),
    "count-missing": Rule(400, NO_INSTANCES),
    "capacity": Rule(400, "{text}"),
    "capacity-disk": Rule(
        400,
        "There are no longer any instances available with enough disk space. "
        "Please lower the disk or try again later.",
    ),
    "no-funds": Rule(402, "insufficient balance: at least one hour of this pod's price is needed"),
    "spend-limit": Rule(400, "this would exceed your account's spend limit of ${limit}/hr"),
    # a pod that is there, or not
    "no-pod": Rule(404, "pod not found"),
    "cluster-pod": Rule(409, "pod belongs to a cluster and is managed through /v2/clusters"),
    "action-status": Rule(409, "action {action} is not valid for a pod in status {status}"),
    "locked": Rule(409, "pod is locked"),
    "host-full": Rule(400, "There are not enough free GPUs on the host machine to start this pod."),
    "mount-clear": Rule(400, "clearing mounts is not supported"),
    "mount-kind": Rule(400, "the kind of a mount is fixed at create"),
    "mount-volume": Rule(400, "the volumeId of a network mount is immutable"),
    "mount-shrink": Rule(400, "persistent storage cannot be reduced"),
    # storage, registries
    "no-volume": Rule(404, "network volume not found"),
    "volume-data-center": Rule(400, "data center {id} does not support network volumes"),
    "volume-type": Rule(400, "data center {id} does not offer {type} network volumes"),
    "volume-shrink": Rule(400, "network volume size cannot be reduced"),
    "volume-used": Rule(400, "network volume is attached to a pod"),
    "no-registry": Rule(404, "registry not found"),
    "registry-used": Rule(400, "registry credential is in use by a pod"),
    # billing
    "billing-window": Rule(400, "lastN and startTime/endTime are mutually exclusive"),
    "billing-order": Rule(400, "endTime must be after startTime"),
}


SHAPE = Rule(422, "validation failed")
"""What a body or query of another shape is refused with."""


def parameter(schema: Schema, text: str, where: str) -> tuple[Any, list[Fault]]:
    """One query parameter read, and what it breaks."""
    kind = schema["type"]
    wrong = [(f"{where}:type", f"{where}: got {text!r}, want {kind}")]
    if kind == "integer":
        if not re.fullmatch(r"[+-]?\d+", text):
            return None, wrong
        value: Any = int(text)
    elif kind == "boolean":
        if text not in ("true", "false"):
            return None, wrong
        return text == "true", []
    elif kind == "time":
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return None, wrong
        return (moment, []) if moment.tzinfo else (None, wrong)
    elif kind == "list":
        value = text.split(",")
        found = [f for item in value for f in faults(schema["items"], item, f"{where}[]", where)]
        if "maxItems" in schema and len(value) > schema["maxItems"]:
            found.append((f"{where}:maxItems", f"{where}: too many values"))
        return value, found
    else:
        value = text
    return value, list(faults(schema, value, where, where))


def _query_rules() -> Iterator[tuple[str, Rule]]:
    for operation, parameters in QUERIES.items():
        for name, schema in parameters.items():
            for rule in names(schema, f"{operation}?{name}"):
                if not rule.endswith("[]:type") and (
                    schema["type"] in ("integer", "boolean", "time") or not rule.endswith(":type")
                ):
                    yield rule, SHAPE


for _name, _schema in BODIES.items():
    RULES.update(dict.fromkeys(names(_schema, _name), SHAPE))
RULES.update(_query_rules())


@dataclass
class Refusals:
    """Which rules hold in this simulator, and which of them spoke, in order."""

    lifted: frozenset[str] = frozenset()
    spoke: list[str] = field(default_factory=list)

    def refuse(self, name: str, errors: tuple[str, ...] = (), **facts: Any) -> None:
        """Raises, unless the rule is lifted."""
        if name not in self.lifted:
            raise Refused(name, errors, **facts)

    def check(self, found: Iterator[Fault] | list[Fault]) -> None:
        """Refuses with 422 and every message, under the name of the first rule that holds."""
        held = [fault for fault in found if fault[0] not in self.lifted]
        if held:
            raise Refused(held[0][0], tuple(message for _, message in held))
