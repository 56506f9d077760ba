"""Answers of providers as models: unknown fields are ignored, any other shape is an error."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from leitstand.ports import Unavailable
from leitstand.wire.money import USD_MAX

Dollars = Annotated[Decimal, Field(ge=0, le=USD_MAX)]


class Shape(BaseModel):
    """What an adapter reads of one answer."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


AnyShape = TypeVar("AnyShape", bound=Shape)


def parsed(shape: type[AnyShape], answer: Any) -> AnyShape:
    """Raises Unavailable on any other shape. It says where, and repeats no value: an answer may
    hold what a launch told its machine."""
    try:
        return shape.model_validate(answer)
    except ValidationError as error:
        found = error.errors(include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in found["loc"])[:80] or "its top"
        raise Unavailable(f"an answer of another shape at {where}: {found['type']}") from None
