"""`speechft finetune`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from speechft_cli.cli.conduct import conduct, read_config
from speechft_cli.cli.options import (
    AsJson,
    ConfigFile,
    Data,
    Device,
    Labels,
    Out,
    Seed,
    Sets,
    encoder_path,
    named,
    read_labels,
)


def finetune(
    context: typer.Context,
    config: ConfigFile = None,
    sets: Sets = None,
    data: Data = None,
    task: Annotated[
        list[str] | None, named("--task", "tasks", "See `speechft list tasks`; several share the updates.")
    ] = None,
    label: Labels = None,
    out: Out = None,
    strategy: Annotated[str | None, named("--strategy", "strategies", "See `speechft list strategies`.")] = None,
    steps: Annotated[int | None, typer.Option("--steps", metavar="N", help="Optimizer updates in all.")] = None,
    encoder: Annotated[
        Path | None, encoder_path("--encoder", "Checkpoint to start from, or a name of `speechft list checkpoints`.")
    ] = None,
    family: Annotated[str | None, named("--family", "encoders", "See `speechft list encoders`.")] = None,
    init: Annotated[
        Literal["random"] | None, typer.Option("--init", help="Start from random weights instead of a checkpoint.")
    ] = None,
    size: Annotated[
        Literal["tiny", "small", "base", "large"] | None,
        typer.Option("--size", help="Architecture of a random encoder."),
    ] = None,
    seed: Seed = None,
    gpus: Annotated[int | None, typer.Option("--gpus", metavar="N", help="Processes, one for each GPU.")] = None,
    device: Device = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where this run was stopped.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything and say the plan; train nothing.")] = (
        False
    ),
    as_json: AsJson = False,
) -> None:
    """Fine-tune an encoder stably on one task, or on several."""
    replaced = []
    if encoder is not None and init is None:
        replaced = ["encoder.init"]
    elif init is not None and encoder is None:
        replaced = ["encoder.checkpoint"]
    loaded = read_config(
        config,
        sets,
        flags={
            "finetune.data": data,
            **_tasks(task or []),
            "finetune.labels": read_labels(label or []) or None,
            "finetune.out": out,
            "finetune.strategy": strategy,
            "finetune.steps": steps,
            "finetune.gpus": gpus,
            "finetune.device": device,
            "encoder.checkpoint": encoder,
            "encoder.family": family,
            "encoder.init": init,
            "encoder.size": size,
            "seed": seed,
        },
        needs={"--data DIR": data is not None, "--encoder PATH (or --init random)": bool(encoder or init)},
        replaced=replaced,
    )
    from speechft_cli.engines import finetune as engine

    conduct(
        context,
        lambda report: engine.run(loaded, report, resume=resume, dry_run=dry_run),
        as_json=as_json,
        config=config,
        then="" if dry_run else "merge",
        is_shared=True,
    )


def _tasks(names: Sequence[str]) -> dict[str, object]:
    """Returns what `--task` means: one task, or several; one that is named twice has twice the share."""
    if not names:
        return {}
    if len(names) == 1:
        return {"finetune.task": names[0], "finetune.tasks": {}}  # instead of the file's
    return {"finetune.tasks": {name: float(count) for name, count in Counter(names).items()}}
