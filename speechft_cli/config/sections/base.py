"""What the sections of the config model share: their base class and the types of their fields."""

from __future__ import annotations

import ast
import inspect
import types
import typing
from decimal import Decimal
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticKnownError

from speechft_cli.config.alphas import parse_alphas

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic.fields import FieldInfo


def _no_text(value: object) -> object:
    if isinstance(value, str | bool):
        raise PydanticKnownError("int_type")
    return value


# Plain values are what the JSON Schema says: `1e5` is a whole number, the text "1" and `true` are none, and the text
# "yes" is not true.
#: Marks whole numbers; it stands behind their bounds, or the JSON Schema would lose those.
WHOLE = BeforeValidator(_no_text)
Number = Annotated[float, Field(strict=True)]
Flag = Annotated[bool, Field(strict=True)]
Share = Annotated[Number, Field(ge=0, le=1)]
Positive = Annotated[Number, Field(gt=0)]
PositiveInt = Annotated[int, Field(gt=0), WHOLE]
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

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Describes every key in the JSON Schema."""
        schema = handler(core_schema)
        properties = handler.resolve_ref_schema(schema)["properties"]
        for name, text in docstrings(cls).items():
            properties[name]["description"] = text
        return schema


def kinds_of(annotation: object) -> list[object]:
    """Returns the plain types inside `Path | None`, `list[Path]`, `dict[str, Path]`; of `Annotated` its marks too."""
    origin = typing.get_origin(annotation)
    if origin is Annotated:
        plain, *marks = typing.get_args(annotation)
        return [*kinds_of(plain), *marks]
    if origin in (typing.Union, types.UnionType, list, dict, tuple):
        return [kind for part in typing.get_args(annotation) for kind in kinds_of(part)]
    return [annotation]


def section_of(field: FieldInfo) -> type[BaseModel] | None:
    """Returns the section that a field holds, if it holds one."""
    kinds = kinds_of(field.annotation)
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)


@cache
def docstrings(section: type[BaseModel]) -> dict[str, str]:
    """Returns field → the docstring below it.

    Read when somebody asks; pydantic would read them whenever a section is imported, a tenth of the time that
    `speechft config validate` takes.
    """
    statements = ast.parse(inspect.getsource(section)).body[0]
    assert isinstance(statements, ast.ClassDef)
    return {
        field.target.id: inspect.cleandoc(below.value.value)
        for field, below in pairwise(statements.body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
        and isinstance(below.value.value, str)
    }
