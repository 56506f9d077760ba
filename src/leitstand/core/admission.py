"""Whether an instance may work: what it measured against what was offered and what the work needs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Any

from leitstand.core import limits
from leitstand.core.accelerator import EXECUTION, NVIDIA, named

SANDBOX = ("no_new_privs", "rlimits", "landlock", "seccomp")
"""Abilities without any of which no media are decoded; what `media.sandbox.confine` reports."""
_MAKERS = {"", "nvidia", "geforce", "tesla", "quadro", "q"}
_FORMS = ("sxm", "pcie", "nvl")


@dataclass(frozen=True, slots=True)
class Fault:
    """One check that failed, with what was measured and what was needed."""

    check: str
    has: str
    needs: str


def faults(
    offer: Mapping[str, Any],
    measured: Mapping[str, Any],
    *,
    data_class: int,
    own: bool,
    clock_skew_seconds: float,
) -> tuple[Fault, ...]:
    """Every check that fails; an empty tuple admits.

    `measured` is the body of the admission call: facts, sandbox, self_test.
    """
    found: list[Fault] = []
    facts = measured.get("facts", {})
    sandbox = measured.get("sandbox", {})
    test = measured.get("self_test", {})
    found += [
        Fault(f"self-test-{name}", "failed", "passed")
        for name in ("inference", "decode")
        if test.get(name) is not True
    ]
    found += [
        Fault(f"sandbox-{ability}", "absent", "present")
        for ability in SANDBOX
        if sandbox.get(ability) is not True
    ]
    if data_class >= 2 and not own and float(facts.get("swap_gib", 0.0)) > 0:
        found.append(Fault("swap", f"{facts['swap_gib']} GiB", "none"))
    skew_max = limits.CLOCK_SKEW_MAX.total_seconds()
    if abs(clock_skew_seconds) > skew_max:
        found.append(Fault("clock", f"{clock_skew_seconds:.0f} s off", f"within {skew_max:.0f} s"))
    accelerator = named(str(offer.get("accelerator")))
    runs_by, needed = test.get("execution_provider"), EXECUTION.get(accelerator)
    if not own and runs_by is not None and runs_by != needed:
        found.append(Fault("execution-provider", str(runs_by), str(needed)))
    if accelerator == NVIDIA:
        found += _gpu(offer, facts)
    return tuple(found)


def unguarded(measured: Mapping[str, Any], term: timedelta) -> Fault | None:
    """A rented machine that would not end itself, and would live longer than one may without."""
    armed = measured.get("facts", {}).get("dead_man_switch") is True
    most = timedelta(hours=limits.UNGUARDED_HOURS_MAX)
    if armed or term <= most:
        return None
    has, needs = (f"{one / timedelta(hours=1):.3g} h" for one in (term, most))
    return Fault("dead-man-switch", has, needs)


def same_model(offered: str, seen: str) -> bool:
    """Whether a provider's name of a GPU (`A100 SXM4`, `RTX 6000Ada`) is what the driver calls it
    (`NVIDIA A100-SXM4-80GB`, `NVIDIA RTX 6000 Ada Generation`). A form is compared where the driver
    names one: to it, an H100 SXM is an `NVIDIA H100 80GB HBM3`."""
    words, has = _words(offered), _words(seen)
    model = {word for word in words if not word.startswith(_FORMS)}
    forms, named = (
        {form for form in _FORMS for word in side if word.startswith(form)} for side in (words, has)
    )
    pairs = {first + second for first, second in pairwise(has)}
    return model <= {*has, *pairs} and (not forms or not named or forms == named)


def _words(name: str) -> list[str]:
    return [word for word in re.split(r"[^a-z0-9]+", name.lower()) if word not in _MAKERS]


def _gpu(offer: Mapping[str, Any], facts: Mapping[str, Any]) -> list[Fault]:
    gpus = facts.get("gpus") or []
    if not gpus:
        return [Fault("gpu", "none seen", str(offer.get("gpu")))]
    found = []
    first = gpus[0]
    if offer.get("gpu") and not same_model(str(offer["gpu"]), str(first.get("name", ""))):
        found.append(Fault("gpu-model", str(first.get("name")), str(offer["gpu"])))
    promised = float(offer.get("vram_gib") or 0.0)
    total = float(first.get("vram_gib") or 0.0)
    if total < promised * 0.9:
        found.append(Fault("vram", f"{total:.1f} GiB", f"{promised:.1f} GiB"))
    return found
