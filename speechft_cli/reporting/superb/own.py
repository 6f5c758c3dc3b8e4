"""Constants from a user's file."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import yaml

from speechft_cli.errors import ConfigError, RequestError
from speechft_cli.registry import unknown_name
from speechft_cli.reporting.superb import CONSTANTS
from speechft_cli.reporting.superb.score import Constants, Reference
from speechft_cli.tasks import TASKS

_EXAMPLE = "one line per metric, such as `pr: {per: [82.01, 3.53]}`: [what scores 0, what scores 1000]"


def read_constants(path: Path) -> Constants:
    """Reads a set of constants; its name is the file's, without suffix.

    The file is YAML: task → metric → [base, top].

    Raises:
        RequestError: The file can't be read.
        ConfigError: Something in it is wrong; lists every problem.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RequestError(f"{path}: must be a YAML file of score constants, can't be read: {error}") from error
    if not isinstance(content, dict) or not content:
        raise RequestError(f"{path}: must map tasks to metrics, got {content!r}", _EXAMPLE)
    problems = list(_problems(content))
    if path.stem in CONSTANTS:
        problems.append(f"must not be called {path.stem}: that is the name of a set speechft brings along")
    if problems:
        raise ConfigError([f"{path}: {problem}" for problem in problems], _EXAMPLE)
    return Constants(
        path.stem,
        {
            task: {metric: Reference(*map(float, ends)) for metric, ends in metrics.items()}
            for task, metrics in content.items()
        },
    )


def _problems(content: dict[object, object]) -> Iterator[str]:
    known = {*TASKS, *(task for name in CONSTANTS for task in CONSTANTS.get(name).references)}
    for task, metrics in content.items():
        if task not in known:
            yield f"{task}: {unknown_name(str(task), known)}"
        elif not isinstance(metrics, dict) or not metrics:
            yield f"{task}: must map metrics to [base, top], got {metrics!r}"
        else:
            for metric, ends in metrics.items():
                numbers = [_number(end) for end in ends] if isinstance(ends, list) else []
                if len(numbers) != 2 or not all(map(math.isfinite, numbers)) or numbers[0] == numbers[1]:
                    yield f"{task}.{metric}: must be two different numbers [base, top], got {ends!r}"


def _number(value: object) -> float:
    """The number a YAML scalar stands for (`1e-4` is text to YAML 1.1); nan for anything else."""
    try:
        return float(str(value))
    except ValueError:
        return math.nan
