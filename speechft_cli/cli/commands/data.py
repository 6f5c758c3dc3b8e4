"""`speechft data`: what lies in a manifest folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from speechft_cli.cli.conduct import conduct
from speechft_cli.cli.options import AsJson

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False, help="Look at manifests.")

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder that `prepare` wrote.")]


@app.command()
def stats(
    context: typer.Context,
    folder: Folder,
    png: Annotated[
        Path | None, typer.Option("--png", metavar="FILE", help="Also draw the durations into this file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show hours per split, speaker and label, and durations."""
    from speechft_cli.engines.data import stats as engine

    conduct(context, lambda report: engine.stats(folder, png=png, report=report), as_json=as_json)


@app.command()
def show(
    context: typer.Context,
    folder: Folder,
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID", help="Utterances; ten by chance if none.")] = None,
    count: Annotated[int, typer.Option("--count", metavar="N", min=1, help="How many by chance.")] = 10,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Of chance.")] = 0,
    png: Annotated[
        Path | None, typer.Option("--png", metavar="FILE", help="Draw waveforms and spectrograms into this file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show some utterances with their texts and labels."""
    from speechft_cli.engines.data import show as engine

    conduct(
        context,
        lambda report: engine.show(folder, ids=ids or (), count=count, seed=seed, png=png, report=report),
        as_json=as_json,
    )
