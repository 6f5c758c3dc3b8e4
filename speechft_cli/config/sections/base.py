"""What the sections of the config model share: their base class and the types of their fields."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from speechft_cli.config.alphas import parse_alphas

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
PositiveInt = Annotated[int, Field(gt=0)]
#: Marks a path that may be an encoder's name instead: a relative one, which `load_config` leaves as it is.
ENCODER_NAME = "encoder name"
EncoderPath = Annotated[Path, ENCODER_NAME]
Alphas = Annotated[
    tuple[Decimal, ...], BeforeValidator(parse_alphas, json_schema_input_type=float | str | list[float | str])
]


def plain_name(value: str) -> str:
    """Returns `value` when it can name a file or a folder.

    Raises:
        ValueError: It can't.
    """
    if not value or "/" in value or value in {".", ".."}:
        raise ValueError(f"must be usable as a folder name, got {value!r}")
    return value


class Section(BaseModel):
    """What all sections share: unknown keys are errors, values don't change, docstrings are descriptions."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)
