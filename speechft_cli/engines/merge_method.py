"""The merge method that a config names, with its parameters checked."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

from speechft_cli.config.sections.merge import MergeSection
from speechft_cli.errors import ConfigError
from speechft_cli.merging import METHODS
from speechft_cli.merging.base import MergeMethod
from speechft_cli.registry import unknown_name


def configured(section: MergeSection, count: int, *, seed: int) -> MergeMethod:
    """Returns the method for `count` tuned models.

    Args:
        section: Names it and its parameters.
        count: Number of tuned models.
        seed: The experiment's, for a method that needs one and is given none.

    Raises:
        ConfigError: A parameter is unknown or wrong, or the method takes another number of models; lists all problems.
    """
    kind = METHODS.get(section.method)
    given = dict(section.parameters)
    if "seed" in kind.model_fields:
        given.setdefault("seed", seed)
    try:
        method = kind.model_validate(given)
    except ValidationError as error:
        raise ConfigError(parameter_problems("merge.parameters", kind, given, error)) from None
    problems = [
        problem if problem.startswith("method") else f"parameters.{problem}" for problem in method.problems(count)
    ]
    if problems:
        raise ConfigError([f"merge.{problem}" for problem in problems], "docs/merging.md lists what each method takes")
    return method


def parameter_problems(
    where: str, kind: type[MergeMethod], given: Mapping[str, object], error: ValidationError
) -> list[str]:
    """Says what pydantic found in the parameters of a method, each with its dotted key below `where`."""
    known = [field.alias or name for name, field in kind.model_fields.items()]
    lines = []
    for each in error.errors():
        key = str(each["loc"][0]) if each["loc"] else ""
        if each["type"] == "extra_forbidden":
            lines.append(f"{where}: {unknown_name(key, known) if known else f'must be empty, got {key!r}'}")
        else:
            message = each["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
            said = "" if ", got " in message else f", got {given.get(key)!r}"
            lines.append(f"{where}.{key}: {message[0].lower()}{message[1:]}{said}")
    return sorted(lines)
