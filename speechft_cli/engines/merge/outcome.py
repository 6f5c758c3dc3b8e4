"""What a merge has come to: its checkpoints in a table and for programs, and the command that comes next."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import cast

from speechft_cli.config.alphas import alpha_name
from speechft_cli.config.schema import Config
from speechft_cli.config.sections.merge import MergeSection
from speechft_cli.data.manifests.folder import available_splits, read_manifest
from speechft_cli.encoders.formats import encoder_in
from speechft_cli.encoders.local import name_of
from speechft_cli.engines.merge.sources import Sources
from speechft_cli.engines.merge.targets import Target
from speechft_cli.engines.merge.variants import Variant
from speechft_cli.events import Table
from speechft_cli.io.merge_folder import read_merge
from speechft_cli.io.run_folder import read_run, recorded_data
from speechft_cli.io.space import size_text
from speechft_cli.tasks import probed_tasks

#: More models than this make no command that anybody would paste.
_MODELS_SUGGESTED = 6
_LOOKED_AT = 1000  # utterances


def described(target: Target) -> dict[str, object]:
    """Returns what names a target in a machine-readable result."""
    return {"alpha": float(target.alpha), "variant": target.variant.folder.as_posix(), "folder": str(target.folder)}


def outcome(target: Target) -> dict[str, object]:
    """Returns what a target's record says of its checkpoint, too."""
    output = cast("Mapping[str, object]", read_merge(target.folder)["output"])
    return {**described(target), **output}


def outcome_table(outputs: Sequence[Mapping[str, object]]) -> Table:
    """Returns one row per merged encoder."""
    rows = []
    is_varied = len({str(each["variant"]) for each in outputs}) > 1
    for output in outputs:
        distance, tuned_distance = float(str(output["distance"])), float(str(output["tuned_distance"]))
        share = f"{distance / tuned_distance:.4f}" if tuned_distance else "-"
        path = str(Path(str(output["folder"])) / str(output["file"]))
        name = alpha_name(Decimal(str(output["alpha"])))
        first = (str(output["variant"]), name) if is_varied else (name,)
        rows.append((*first, share, size_text(int(str(output["bytes"]))), path))
    columns = (*(("merge",) if is_varied else ()), "alpha", "distance", "size", "path")
    return Table("Merged encoders; distance from the base, where the tuned model's is 1", columns, tuple(rows))


def result_data(
    section: MergeSection, sources: Sources, ways: Sequence[Variant], outputs: Sequence[Mapping[str, object]]
) -> dict[str, object]:
    """Returns the machine-readable result of a merge, or of its plan."""
    return {
        "method": section.methods,
        "parameters": [way.method.model_dump(mode="json", by_alias=True) for way in ways],
        "family": sources.base.family.name,
        "base": sources.files[0],
        "tuned": sources.files[1:],
        "merged": len(sources.plan.merged),
        "kept": dict(sources.plan.kept),
        "bytes": sources.size,
        "outputs": list(outputs),
    }


def next_command(config: Config, sources: Sources, wanted: Sequence[Target]) -> str:
    """Returns the command that evaluates base and merged encoders."""
    # a folder stands for the encoder in it, and gives the model its label
    merged = [
        target.folder if encoder_in(target.folder) else target.folder / next(iter(target.files.values()))
        for target in wanted
    ]
    is_clear = len({path.name for path in merged}) == len(merged) <= _MODELS_SUGGESTED
    if not is_clear and encoder_in(config.merge_dir) is None:
        merged = [config.merge_dir]  # `evaluate` takes all merges in it, unless a single one lies in the folder itself
    base = name_of(Path(str(sources.base.path))) or sources.base.path
    models = [part for path in (f"base={base}", *merged) for part in ("--model", str(path))]
    run = next(iter(sources.recorded_bases), None)
    trained_on = None if run is None else recorded_data(run)
    data = trained_on or (config.data_dir if config.data_dir.is_dir() else Path("MANIFESTS"))
    task = suggested_task({} if run is None else read_run(run), data)
    return shlex.join(["speechft", "evaluate", *models, "--data", str(data), *task])


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
