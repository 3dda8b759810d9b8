"""What every section of a site file is, and the values that several sections share."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
NAME = r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$"


def _day(value: object) -> date:
    """A day as it is written -> the day. YAML 1.2 knows no dates: they arrive as text."""
    if isinstance(value, date):
        return value
    if not isinstance(value, str) or not DAY.fullmatch(value):
        raise PydanticCustomError("day", "expected a day")
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise PydanticCustomError("no_such_day", "there is no such day") from None


Name = Annotated[str, Field(pattern=NAME, max_length=24)]
ProductName = Annotated[str, Field(min_length=1, max_length=60)]
Volts = Annotated[int, Field(ge=100, le=1_000, description="Volts, line to line.")]
Day = Annotated[date, BeforeValidator(_day)]


class Section(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        defer_build=True,
        validate_by_alias=True,
    )
