"""`speechft evaluate`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from speechft_cli.cli.conduct import conduct, read_config
from speechft_cli.cli.names import GRIDS, complete_model, one_of
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
from speechft_cli.errors import RequestError


def evaluate(
    context: typer.Context,
    config: ConfigFile = None,
    sets: Sets = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            metavar="[LABEL=]PATH",
            help="Encoder, folder of merged ones, or logmel, fbank, random:FAMILY-SIZE; repeatable.",
            autocompletion=complete_model,
        ),
    ] = None,
    base: Annotated[Path | None, encoder_path("--base", "Base of a grid that is merged in memory.")] = None,
    tuned: Annotated[list[Path] | None, encoder_path("--tuned", "Fine-tuned encoder of the grid; repeatable.")] = None,
    alphas: Annotated[
        str | None,
        typer.Option(
            "--alphas",
            metavar="START:STOP:STEP",
            help="Alphas of the grid; default 0.25.",
            autocompletion=one_of(*GRIDS),
        ),
    ] = None,
    method: Annotated[
        list[str] | None,
        named("--method", "methods", "Merge method of the grid, see `speechft list methods`; repeatable."),
    ] = None,
    task: Annotated[list[str] | None, named("--task", "tasks", "See `speechft list tasks`; repeatable.")] = None,
    label: Labels = None,
    preset: Annotated[
        str | None, named("--preset", "presets", "How probes train; see `speechft list presets`.")
    ] = None,
    language_model: Annotated[
        Path | None,
        typer.Option("--language-model", metavar="FILE", help="ARPA n-gram: asr's test is read by beam search."),
    ] = None,
    data: Data = None,
    out: Out = None,
    crop_seconds: Annotated[
        float | None,
        typer.Option("--crop-seconds", metavar="S", help="Utterance tasks hear at most the middle S seconds."),
    ] = None,
    target: Annotated[
        list[str] | None, named("--target", "tasks", "Task that is to gain; repeatable. Default: the fine-tuned one.")
    ] = None,
    drift_only: Annotated[
        bool, typer.Option("--drift-only", help="Measure only how far encoders have moved; needs no labels.")
    ] = False,
    score: Annotated[
        str | None, named("--score", "scores", "Constants of the SUPERB score; see `speechft list scores`.")
    ] = None,
    score_file: Annotated[
        Path | None, typer.Option("--score-file", metavar="FILE", help="YAML file of your own constants instead.")
    ] = None,
    seed: Seed = None,
    device: Device = None,
    as_json: AsJson = False,
) -> None:
    """Score frozen encoders on tasks and write a report."""
    is_grid = bool(base or tuned or alphas or method)
    loaded = read_config(
        config,
        sets,
        flags={
            "merge.base": base,
            "merge.tuned": tuned or None,
            "merge.alphas": alphas,
            "merge.method": method or None,
            "evaluate.interpolate": True if is_grid else None,
            "evaluate.models": label_models(model) if model else None,
            "evaluate.tasks": task or None,
            "evaluate.labels": read_labels(label or []) or None,
            "evaluate.preset": preset,
            "evaluate.language_model": language_model,
            "evaluate.data": data,
            "evaluate.out": out,
            "evaluate.crop_seconds": crop_seconds,
            "evaluate.target": target or None,
            "evaluate.drift_only": drift_only or None,
            "evaluate.score": score,
            "evaluate.score_file": score_file,
            "evaluate.device": device,
            "seed": seed,
        },
        needs={"--model PATH, or --base PATH and --tuned PATH": bool(model or is_grid), "--data DIR": data is not None},
        replaced=["merge.alpha"] if alphas is not None else [],
    )
    from speechft_cli.engines import evaluate as engine

    conduct(context, lambda report: engine.run(loaded, report), as_json=as_json, is_shared=True)


def label_models(models: Sequence[str]) -> dict[str, Path]:
    """Reads `LABEL=PATH` or `PATH`, whose label is its folder for `encoder.pt` and else its own name.

    Raises:
        RequestError: A path is empty, or two models have the same label.
    """
    labelled: dict[str, Path] = {}
    for text in models:
        label, separator, rest = text.partition("=")
        has_label = bool(separator) and "/" not in label  # a folder may be called lr=1
        path = Path(rest if has_label else text)
        if not label or (has_label and not rest):
            raise RequestError(
                f"--model: must be PATH or LABEL=PATH, got {text!r}", "for example --model base=hubert-base"
            )
        if not has_label:
            label = _label(path.resolve())
        if label in labelled:
            raise RequestError(
                f"--model: must have different labels, got {label!r} for {labelled[label]} and {path}",
                f"--model {label}-2={path}",
            )
        labelled[label] = path
    return labelled


def _label(path: Path) -> str:
    if path.name == "encoder.pt":
        return path.parent.name
    return path.name if path.is_dir() else path.stem  # the folder alpha-0.25 has no suffix
