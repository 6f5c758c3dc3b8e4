"""What merged encoders may be scored on."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from pathlib import Path

from speechft_cli.data.manifests.folder import available_splits, read_manifest
from speechft_cli.tasks import probed_tasks

_LOOKED_AT = 1000  # utterances


def suggested_task(record: Mapping[str, object], data: Path) -> list[str]:
    """Returns flags of a task that encoders can be scored on: speakers, whom few are tuned on, where the data has some.

    Args:
        record: Of the fine-tuning run; empty when it is not known.
        data: The manifests.
    """
    task, labels = record.get("task"), record.get("labels")
    if isinstance(task, str) and task in probed_tasks() and "train" in available_splits(data):
        speakers = read_manifest(data, "train").targets("speaker")
        if not any(each is not None for each in islice(speakers, _LOOKED_AT)):
            field = labels.get(task) if isinstance(labels, dict) else None
            return ["--task", task, *(["--label", f"{task}={field}"] if field else [])]
    return ["--task", "sid"]
