"""A greedy soup before a merge: which of the tuned models go into it, by what their mean scores on dev."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from speechft_cli.config.schema import Config
from speechft_cli.config.sections.evaluate import EvaluateSection
from speechft_cli.encoders.checkpoint import EncoderCheckpoint, Tensors
from speechft_cli.encoders.formats import converted
from speechft_cli.engines.merge.sources import Sources, manifest_folder
from speechft_cli.events import Report, Table
from speechft_cli.merging.linear import Linear
from speechft_cli.merging.soup import Taste, greedy
from speechft_cli.merging.weights import draw
from speechft_cli.reporting.scores import Score, read_scores

#: Folder in the output folder that the scores of models and soups lie in.
FOLDER = "soup"


@dataclass(frozen=True)
class Soup:
    """What was chosen.

    Attributes:
        sources: The models that stay, in the order in which they were given.
        kept: Their places among all that were given.
        record: What merge.json says of the choice.
    """

    sources: Sources
    kept: Sequence[int]
    record: Mapping[str, object]


def choose(config: Config, sources: Sources, task: str, report: Report) -> Soup:
    """Chooses among the tuned models.

    Each is scored by a probe on dev, as `evaluate` does it, and so is each soup that is tried: the mean of the tuned
    models, whatever is merged afterwards.

    Args:
        config: Its `evaluate` section says how probes are trained and where the manifests are.
        sources: Base and tuned models, two at least; nobody else may be writing where they are merged.
        task: What is scored.
        report: Hears what was tried.

    Raises:
        RequestError: The task or its data can't be used.
    """
    for left in config.merge_dir.glob(f".{FOLDER}-*"):  # by a kill
        shutil.rmtree(left, ignore_errors=True)
    # a folder of its own can be removed whatever happens: it holds gigabytes, and no file of the user's
    with tempfile.TemporaryDirectory(prefix=f".{FOLDER}-", dir=config.merge_dir) as scratch:
        tastes, score = _tried(config, sources, task, Path(scratch), report)
    report(_table(sources, tastes, score))
    kept = sorted(taste.number for taste in tastes if taste.is_kept)
    recipe = {"recipe": "greedy", "task": task, "metric": score.metric, "split": "dev"}
    tried = [
        {"path": str(sources.tuned[each.number].path), "alone": each.alone, "soup": each.mixed, "kept": each.is_kept}
        for each in tastes
    ]
    return Soup(replace(sources, tuned=[sources.tuned[number] for number in kept]), kept, {**recipe, "tried": tried})


def scratch_size(sources: Sources) -> int:
    """Returns how many bytes choosing needs for a while: every tuned model, and one mean of some."""
    return sources.size * (1 + len(sources.tuned))


def _tried(config: Config, sources: Sources, task: str, scratch: Path, report: Report) -> tuple[Sequence[Taste], Score]:
    """What was tried, and the score of the first tuned model, which says what is counted."""
    labels = [f"tuned-{number}" for number in range(1, 1 + len(sources.tuned))]
    files = [_write(sources, each, scratch / f"{label}.pt") for label, each in zip(labels, sources.tuned, strict=True)]
    found = _scores(config, task, dict(zip(labels, files, strict=True)), scratch, report)

    def mixed(numbers: Sequence[int]) -> float:
        label = "soup-" + "-".join(str(number + 1) for number in numbers)
        file = _write(sources, _mean(sources, numbers), scratch / f"{label}.pt")
        value = _scores(config, task, {label: file}, scratch, report)[label].value
        file.unlink()
        return value

    first = found[labels[0]]
    higher = first.better == "higher"
    return greedy([found[label].value for label in labels], mixed, is_higher_better=higher), first


def _mean(sources: Sources, numbers: Sequence[int]) -> EncoderCheckpoint:
    tuned = [sources.tuned[number].arrays for number in numbers]
    return replace(sources.tuned[0], weights=Tensors(draw(Linear(), sources.base.arrays, tuned, sources.plan)(1.0)))


def _write(sources: Sources, checkpoint: EncoderCheckpoint, file: Path) -> Path:
    converted.write(sources.alone(checkpoint), file)
    return file


def _scores(config: Config, task: str, models: Mapping[str, Path], scratch: Path, report: Report) -> dict[str, Score]:
    """Label → the task's first metric on dev."""
    from speechft_cli.engines import evaluate  # which needs torch; a merge without a soup does not

    asked = {"models": dict(models), "tasks": [task], "interpolate": False, "drift_seconds": 0.0, "drift_only": False}
    given = config.evaluate or EvaluateSection()
    places = {
        "data": manifest_folder(config),
        "out": config.merge_dir / FOLDER,
        "cache": given.cache or scratch / "cache",
    }
    section = given.model_copy(update={**asked, **places})

    def quieter(event: object) -> None:
        if not isinstance(event, Table):
            report(event)  # type: ignore[arg-type]

    evaluate.run(config.model_copy(update={"evaluate": section}), quieter)
    rows = [row for row in read_scores(config.merge_dir / FOLDER / "scores.jsonl") if row.split == "dev"]
    return {label: next(row for row in rows if row.label == label and row.task == task) for label in models}


def _table(sources: Sources, tastes: Sequence[Taste], score: Score) -> Table:
    paths = (str(sources.tuned[taste.number].path) for taste in tastes)
    rows = tuple(
        (path, f"{taste.alone:.2f}", f"{taste.mixed:.2f}", "yes" if taste.is_kept else "no")
        for path, taste in zip(paths, tastes, strict=True)
    )
    title = f"Greedy soup by {score.title} of {score.task} on dev [{score.unit}]"
    return Table(title, ("model, best first", "alone", "in the soup", "kept"), rows)
