"""A task whose target goes by another name in the manifests."""

from __future__ import annotations

from dataclasses import is_dataclass, replace
from typing import TYPE_CHECKING

from speechft_cli.errors import RequestError
from speechft_cli.tasks.classification import Classification

if TYPE_CHECKING:
    from speechft_cli.tasks import AnyTask


def with_label(task: AnyTask, field: str | None, *, key: str) -> AnyTask:
    """Returns the task with its target in another field of the manifests; the task itself where none is given.

    Args:
        task: One whose target is a single field, or a classification, whose slots may be any fields joined by `+`.
        field: Where its target is.
        key: What to call the setting in a message.

    Raises:
        RequestError: The task's target is made of fields that can't be exchanged for one.
    """
    if field is None:
        return task
    if not isinstance(task, Classification) and ("+" in field or "+" in task.needs):
        raise RequestError(
            f"{key}: must be of a task with one field, {task.name} needs {task.needs}, got {field!r}",
            "name the fields so when you prepare the manifests",
        )
    assert is_dataclass(task)
    assert not isinstance(task, type)
    return replace(task, needs=field)
