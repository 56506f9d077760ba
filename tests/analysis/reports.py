"""Reports made of results that a test wrote, and how they are read."""

from __future__ import annotations

from typing import Any

from leitstand.analysis.fuse import Fused, Inputs, fuse
from tests.analysis.documents import Job


def made(job: Job) -> Fused:
    return fuse(Inputs.parse(job.document), job.results, lambda: None)


def sentences(report: dict[str, Any]) -> list[str]:
    return [entry["sentence"].replace("\u00a0", " ") for entry in report["summary"]]


def of_kind(report: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [finding for finding in report["findings"] if finding["kind"] == kind]
