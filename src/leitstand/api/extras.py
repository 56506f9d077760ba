"""Operator routes on what is paid for beside running instances: volumes, and payments ahead."""

from __future__ import annotations

from dataclasses import asdict
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from leitstand.api.documents import prepay_document, volume_document
from leitstand.api.parts import OperatorParts, bounded_limit, page, parts_of
from leitstand.control.volumes import DeleteVolume
from leitstand.core import limits
from leitstand.core.cost import spelled
from leitstand.store import volumes

router = APIRouter(prefix="/api/v1")
Parts = Annotated[OperatorParts, Depends(parts_of)]
Amount = Annotated[Decimal, Field(gt=0, max_digits=15, decimal_places=6)]


class PrepayBody(BaseModel):
    amount_eur: Amount


@router.get("/instances/{instance}/prepay")
def quote_prepay(instance: str, parts: Parts, amount_eur: Amount) -> dict[str, Any]:
    """What paying ahead for an instance would cover, and what would be lost of it."""
    found, quoted = parts.prepay.quoted(parts.resolve("instances", instance), amount_eur)
    return prepay_document(found, quoted)


@router.post("/instances/{instance}/prepay")
def prepay(instance: str, body: PrepayBody, parts: Parts) -> dict[str, Any]:
    """Pay ahead for an instance, once: a second request is refused, whatever came of the first."""
    paid = parts.prepay.pay(parts.resolve("instances", instance), body.amount_eur, parts.actor)
    return {"amount_eur": spelled(body.amount_eur)} | asdict(paid)


@router.get("/volumes")
def list_volumes(
    parts: Parts, after: str | None = None, limit: int = limits.PAGE_DEFAULT, gone: bool = False
) -> dict[str, Any]:
    """Volumes that keep models, newest first; `others` are those of other installations."""
    most = bounded_limit(limit)
    found = parts.read(
        lambda tx: page(
            volumes.page(tx.conn, tx.tenant, after, most + 1, gone=gone),
            most,
            lambda shelf: volume_document(tx, shelf),
            "leitstand.volumes/1",
        )
    )
    return found | {"others": parts.volumes.strangers()}


@router.delete("/volumes/{volume}")
def delete_volume(volume: str, parts: Parts) -> dict[str, Any]:
    """Delete one that no instance has; what is on it can be fetched again."""
    shelf = parts.run(DeleteVolume(parts.resolve("volumes", volume)))
    return parts.read(lambda tx: volume_document(tx, shelf))
