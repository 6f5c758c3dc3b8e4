"""`speechft convert`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from speechft_cli.cli.conduct import conduct
from speechft_cli.cli.names import complete_encoder
from speechft_cli.cli.options import AsJson, encoder_path, named


def convert(
    context: typer.Context,
    source: Annotated[
        Path,
        typer.Argument(
            metavar="IN", help="Checkpoint, run folder or Hugging Face folder.", autocompletion=complete_encoder
        ),
    ],
    formats: Annotated[list[str], named("--format", "formats", "See `speechft list formats`; repeatable.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write into.")],
    stem: Annotated[str, typer.Option("--stem", metavar="NAME", help="What the files are called.")] = "encoder",
    base: Annotated[
        Path | None,
        encoder_path("--base", "Brings configuration and pre-training head where IN has none.", metavar="FILE"),
    ] = None,
    family: Annotated[str | None, named("--family", "encoders", "Encoder family, where IN doesn't tell.")] = None,
    verify: Annotated[bool, typer.Option("--verify/--no-verify", help="Compare the features before and after.")] = True,
    trust: Annotated[bool, typer.Option("--trust", help="Let IN execute code, if it must, while it is read.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace what is there already.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write an encoder in other formats, its features compared."""
    from speechft_cli.encoders.names import unambiguous
    from speechft_cli.engines import convert as engine
    from speechft_cli.engines.convert.request import ConvertRequest

    request = ConvertRequest(
        source=unambiguous(source),
        formats=formats,
        out=out,
        stem=stem,
        base=None if base is None else unambiguous(base),
        family=family,
        verify=verify,
        trust=trust,
        force=force,
    )
    conduct(context, lambda report: engine.run(request, report), as_json=as_json)
