"""What an evaluation's encoders were fine-tuned on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

from speechft_cli.config.schema import Config
from speechft_cli.io.merge_folder import RECORD, read_merge
from speechft_cli.io.records import read_json
from speechft_cli.probing.candidates import TUNED, Candidate


def target_tasks(config: Config, candidates: Sequence[Candidate]) -> tuple[tuple[str, ...], str]:
    """Returns the tasks that are to gain, and how that is known, in words.

    Asked in this order: `evaluate.target`, the run folder of the tuned encoder, the run folders that the merged
    encoders' records name, `finetune.task`. There may be none.
    """
    if config.evaluate is not None and config.evaluate.target:
        return tuple(config.evaluate.target), "evaluate.target"
    runs = [each.path for each in candidates if each.label == TUNED or each.label.startswith(f"{TUNED}-")]
    runs += [file for each in candidates for file in _merged_from(each)]
    for file in runs:
        for folder in (file, file.parent, file.parent.parent):
            tasks = _tasks(folder)
            if tasks:
                return tasks, f"what {folder} was fine-tuned on"
    # without a run folder, what the config says about its own fine-tuning
    if config.finetune is not None and config.run_dir.is_dir():
        return tuple(config.finetune.weighted_tasks), "finetune.task"
    return (), "not known: evaluate.target or --target names it"


def _merged_from(candidate: Candidate) -> Iterator[Path]:
    folder = candidate.path if candidate.path.is_dir() else candidate.path.parent
    if candidate.alpha is None or not (folder / RECORD).is_file():
        return
    for source in cast("list[dict[str, object]]", read_merge(folder)["tuned"]):
        if source.get("path"):
            yield Path(str(source["path"]))


def _tasks(folder: Path) -> tuple[str, ...]:
    task = read_json(folder / "run.json").get("task")
    return tuple(map(str, task)) if isinstance(task, list) else (str(task),) if task else ()
