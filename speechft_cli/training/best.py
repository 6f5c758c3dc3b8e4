"""The best checkpoint of a run: encoder, heads with their classes, and the dev scores that made it the best."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from torch import Tensor, nn

from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.formats import converted
from speechft_cli.errors import RequestError
from speechft_cli.io.atomic import atomic_folder, write_json
from speechft_cli.io.checkpoints import read_checkpoint, save_checkpoint
from speechft_cli.tasks.base import Metric, Task, Vocabulary
from speechft_cli.training.job import Job
from speechft_cli.training.state import TrainingState


def save_best(
    state: TrainingState,
    folder: Path,
    base: EncoderCheckpoint,
    *,
    jobs: Sequence[Job],
    scores: Mapping[str, Mapping[str, float]],
) -> None:
    """Writes `folder` whole or not at all: encoder, heads, their classes, and the dev scores that made it the best."""
    with atomic_folder(folder) as unfinished:
        converted.save(base.with_weights(state.attached.weights()), unfinished / "encoder.pt")
        save_checkpoint(state.heads.state_dict(), unfinished / "heads.pt")
        write_json(
            unfinished / "heads.json",
            {
                "step": state.step,
                "tasks": {
                    job.task.name: {
                        "needs": job.task.needs,
                        "vocabulary": list(job.vocabulary.symbols),
                        "dev": dict(scores[job.task.name]),
                    }
                    for job in jobs
                },
            },
        )


@dataclass(frozen=True)
class KeptHead:
    """What `save_best` noted of a head.

    Attributes:
        needs: The field of the manifests that held its targets.
        vocabulary: Its classes.
    """

    needs: str
    vocabulary: Vocabulary


def kept_heads(folder: Path) -> dict[str, KeptHead]:
    """Returns task → head of those that `save_best` kept, by what it noted; none where it kept none.

    Args:
        folder: Where `save_best` wrote, or any other.

    Raises:
        RequestError: The note is damaged.
    """
    path = folder / "heads.json"
    if not path.is_file() or not (folder / "heads.pt").is_file():
        return {}
    try:
        tasks = json.loads(path.read_text(encoding="utf-8"))["tasks"]
        return {
            name: KeptHead(facts["needs"], Vocabulary(tuple(map(str, facts["vocabulary"]))))
            for name, facts in tasks.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RequestError(
            f"{path}: must say the classes of each head, can't be read: {error!r}",
            "fine-tune again, or take a copy of the run that is whole",
        ) from error


def read_head(folder: Path, task: Task, classes: int, *, width: int) -> nn.Module:
    """Returns a head that `save_best` kept.

    Args:
        folder: Where `save_best` wrote.
        task: Whose head.
        classes: Number of its classes.
        width: D of the encoder.

    Raises:
        RequestError: It can't be read, or is no head of that task and size.
    """
    kept = cast("dict[str, Tensor]", read_checkpoint(folder / "heads.pt"))
    head, begins = task.head(width, classes), f"{task.name}."
    own = {name.removeprefix(begins): tensor for name, tensor in kept.items() if name.startswith(begins)}
    try:
        head.load_state_dict(own)
    except RuntimeError as error:
        raise RequestError(f"{folder / 'heads.pt'}: must hold a head of {task.name}: {error}") from error
    return head


def best_scores(folder: Path, task: str, metric: Metric) -> tuple[int, dict[str, float]]:
    """Returns the step and the dev scores that `save_best` noted about the best checkpoint.

    Args:
        folder: Where `save_best` wrote.
        task: Whose scores.
        metric: One that must be among the scores.

    Raises:
        RequestError: There is no such note, or it is damaged.
    """
    path = folder / "heads.json"
    try:
        notes = json.loads(path.read_text(encoding="utf-8"))
        scores = {name: float(value) for name, value in notes["tasks"][task]["dev"].items()}
        step = int(notes["step"])
        scores[metric.name]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RequestError(
            f"{path}: must say the dev scores of the best checkpoint, can't be read: {error!r}", "start another run"
        ) from error
    return step, scores
