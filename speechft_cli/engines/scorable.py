"""Can a split be scored? Asked before anything is trained, not at the first evaluation."""

from __future__ import annotations

from speechft_cli.data.utterances import Utterances
from speechft_cli.errors import RequestError
from speechft_cli.tasks.base import ChecksReferences, Task


def unscored(task: Task, utterances: Utterances, where: str) -> str:
    """Returns what of a split a task does not score, in words; "" when it scores all.

    Args:
        task: What scores it.
        utterances: Of the split; each has a target.
        where: What to call the split.

    Raises:
        RequestError: No score can come of the split.
    """
    if not isinstance(task, ChecksReferences):
        return ""
    references = [task.normalise(target or "") for target in utterances.targets(task.needs)]
    try:
        return task.check_references(references)
    except RequestError as error:
        raise RequestError(f"{where}: {error.message}", error.hint) from error
