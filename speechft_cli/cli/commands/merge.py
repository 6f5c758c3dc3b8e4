"""`speechft merge`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from speechft_cli.cli.conduct import conduct, read_config
from speechft_cli.cli.names import GRIDS, complete_filter, one_of
from speechft_cli.cli.options import AsJson, ConfigFile, Out, Sets, encoder_path, named


def merge(
    context: typer.Context,
    config: ConfigFile = None,
    sets: Sets = None,
    base: Annotated[
        Path | None, encoder_path("--base", "Pre-trained checkpoint, or a name of `speechft list checkpoints`.")
    ] = None,
    tuned: Annotated[list[Path] | None, encoder_path("--tuned", "Fine-tuned checkpoint; repeatable.")] = None,
    alpha: Annotated[
        list[str] | None,
        typer.Option(
            "--alpha",
            metavar="A",
            help="One alpha, written into the output folder itself; default 0.25. Repeated: a grid of them.",
        ),
    ] = None,
    alphas: Annotated[
        str | None,
        typer.Option(
            "--alphas",
            metavar="START:STOP:STEP",
            help="A grid, each alpha in its own folder alpha-<a>.",
            autocompletion=one_of(*GRIDS),
        ),
    ] = None,
    method: Annotated[
        list[str] | None,
        named("--method", "methods", "See `speechft list methods`; repeatable, each in its own folder."),
    ] = None,
    parameters: Annotated[
        list[str] | None,
        typer.Option("--parameter", metavar="NAME=VALUE", help="Of the method, e.g. density=0.2; repeatable."),
    ] = None,
    weights: Annotated[
        list[str] | None,
        typer.Option(
            "--weights", metavar="W1,W2", help="One weight per tuned model; repeatable, each in its own folder."
        ),
    ] = None,
    greedy: Annotated[
        str | None,
        named(
            "--greedy",
            "tasks",
            "Merge only the tuned models that make a greedy soup by this task's score on dev; needs --data.",
            metavar="TASK",
        ),
    ] = None,
    data: Annotated[
        list[Path] | None,
        typer.Option(
            "--data",
            metavar="DIR",
            help="Manifests that fisher and regmean measure on; repeatable, one per tuned model; default: those of its "
            "run. For --greedy, those to score on.",
        ),
    ] = None,
    filters: Annotated[
        list[str] | None,
        typer.Option(
            "--filter",
            metavar="MATCH=SCALE",
            help="Tensors whose alpha is the grid's times SCALE (=@A: whose alpha is A), e.g. attention=0.5, "
            "'layers 0-5=0', '*=0,1' from first to last layer; repeatable, the first that matches counts.",
            autocompletion=complete_filter,
        ),
    ] = None,
    formats: Annotated[
        list[str] | None, named("--format", "formats", "See `speechft list formats`; repeatable.")
    ] = None,
    weight_norm: Annotated[
        str | None,
        typer.Option(
            "--weight-norm",
            metavar="HOW",
            help="Weight-normed convolutions: stored or effective.",
            autocompletion=one_of("stored", "effective"),
        ),
    ] = None,
    out: Out = None,
    plan: Annotated[bool, typer.Option("--plan", help="Check headers only and say the plan; write nothing.")] = False,
    diff: Annotated[
        tuple[Path, Path] | None,
        typer.Option("--diff", metavar="A B", help="Compare two checkpoints layer by layer instead, seen from --base."),
    ] = None,
    trust: Annotated[
        bool, typer.Option("--trust", help="Let the checkpoints execute code, if they must, while they are read.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Interpolate a fine-tuned encoder back toward its base."""
    if diff is not None:
        from speechft_cli.cli.merge_flags import require_diff_alone

        require_diff_alone(context)
        from speechft_cli.encoders.names import unambiguous
        from speechft_cli.engines.merge.diff import run as compare

        one, other = map(unambiguous, diff)
        start = None if base is None else unambiguous(base)
        conduct(context, lambda report: compare(one, other, report, base=start, trust=trust), as_json=as_json)
        return
    from speechft_cli.cli.merge_flags import read_filters, read_parameters, read_weights

    given = ",".join(alpha or []) or None  # of several none is left out unsaid
    if alpha is not None and len(alpha) > 1 and alphas is None:
        given, alphas = None, given
    replaced = []
    if given is not None and alphas is None:
        replaced = ["merge.alphas"]
    elif alphas is not None and given is None:
        replaced = ["merge.alpha"]
    loaded = read_config(
        config,
        sets,
        flags={
            "merge.base": base,
            "merge.tuned": tuned or None,
            "merge.alpha": given,
            "merge.alphas": alphas,
            "merge.method": method or None,
            **read_parameters(parameters or []),
            "merge.weights": read_weights(weights or []) or None,
            "merge.greedy": greedy,
            "merge.data": data or None,
            "merge.filters": read_filters(filters or []) or None,
            "merge.formats": formats or None,
            "merge.weight_norm": weight_norm,
            "merge.out": out,
        },
        needs={"--base PATH": base is not None, "--tuned PATH": bool(tuned)},
        replaced=replaced,
    )
    from speechft_cli.engines import merge as engine

    conduct(
        context,
        lambda report: engine.run(loaded, report, plan_only=plan, trust=trust),
        as_json=as_json,
        config=config,
        then="" if plan else "evaluate",
    )
