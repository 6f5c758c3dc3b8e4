"""`speechft merge`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from speechft_cli.cli.conduct import conduct, read_config
from speechft_cli.cli.options import AsJson, ConfigFile, Out, Sets


def merge(
    context: typer.Context,
    config: ConfigFile = None,
    sets: Sets = None,
    base: Annotated[Path | None, typer.Option("--base", metavar="PATH", help="Pre-trained checkpoint.")] = None,
    tuned: Annotated[
        list[Path] | None, typer.Option("--tuned", metavar="PATH", help="Fine-tuned checkpoint; repeatable.")
    ] = None,
    alpha: Annotated[
        str | None,
        typer.Option("--alpha", metavar="A", help="One alpha, written into the output folder itself; default 0.25."),
    ] = None,
    alphas: Annotated[
        str | None,
        typer.Option("--alphas", metavar="START:STOP:STEP", help="A grid, each alpha in its own folder alpha-<a>."),
    ] = None,
    method: Annotated[str | None, typer.Option("--method", metavar="NAME", help="See `speechft list methods`.")] = None,
    out: Out = None,
    plan: Annotated[bool, typer.Option("--plan", help="Check everything and say the plan; write nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Interpolate a fine-tuned encoder back toward its base."""
    replaced = []
    if alpha is not None and alphas is None:
        replaced = ["merge.alphas"]
    elif alphas is not None and alpha is None:
        replaced = ["merge.alpha"]
    loaded = read_config(
        config,
        sets,
        flags={
            "merge.base": base,
            "merge.tuned": tuned or None,
            "merge.alpha": alpha,
            "merge.alphas": alphas,
            "merge.method": method,
            "merge.out": out,
        },
        needs={"--base PATH": base is not None, "--tuned PATH": bool(tuned)},
        replaced=replaced,
    )
    from speechft_cli.engines import merge as engine

    conduct(
        context,
        lambda report: engine.run(loaded, report, plan_only=plan),
        as_json=as_json,
        config=config,
        then="" if plan else "evaluate",
    )
