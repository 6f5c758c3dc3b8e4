"""`speechft extract`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

import typer

from speechft_cli.cli.conduct import conduct
from speechft_cli.cli.names import complete_model, one_of
from speechft_cli.cli.options import AsJson, Device, encoder_path, named
from speechft_cli.errors import RequestError


def extract(
    context: typer.Context,
    encoder: Annotated[
        Path,
        typer.Argument(
            metavar="ENCODER", help="Checkpoint, run folder or merged folder.", autocompletion=complete_model
        ),
    ],
    audio: Annotated[
        Path, typer.Argument(metavar="AUDIO", help="Folder of manifests, folder of recordings, or a recording.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write into.")],
    split: Annotated[
        list[str] | None,
        typer.Option(
            "--split",
            metavar="NAME",
            help="Split of the manifests; repeatable.",
            autocompletion=one_of("train", "dev", "test"),
        ),
    ] = None,
    layers: Annotated[
        str | None,
        typer.Option("--layers", metavar="LIST", help="As 0,6,-1 or 4:8; 0 is the first layer's input. Default: all."),
    ] = None,
    file_format: Annotated[
        Literal["safetensors", "npy"], typer.Option("--format", help="A file per ten minutes, or a file per utterance.")
    ] = "safetensors",
    precision: Annotated[
        Literal["fp32", "fp16", "bf16"], typer.Option("--precision", help="Of what is written.")
    ] = "fp32",
    pool: Annotated[bool, typer.Option("--pool", help="Write the mean over frames, one vector per layer.")] = False,
    batching: Annotated[
        Literal["exact", "stock"],
        typer.Option("--batching", help="Each utterance as if alone, or s3prl's own padding."),
    ] = "exact",
    family: Annotated[str | None, named("--family", "encoders", "Encoder family; default: what the file says.")] = None,
    base: Annotated[Path | None, encoder_path("--base", "Lends its configuration to a checkpoint without.")] = None,
    device: Device = None,
    as_json: AsJson = False,
) -> None:
    """Write an encoder's features of every layer."""
    numbers = parse_layers(layers) if layers is not None else ()
    if precision == "bf16" and file_format == "npy":
        raise RequestError(
            "--precision: must be fp32 or fp16 with --format npy, which has no bf16, got bf16", "--precision fp16"
        )
    from speechft_cli.encoders.names import unambiguous
    from speechft_cli.engines import extract as engine
    from speechft_cli.engines.extract.request import ExtractRequest

    request = ExtractRequest(
        encoder=unambiguous(encoder),
        audio=audio,
        out=out,
        splits=tuple(split or ()),
        layers=numbers,
        file_format=file_format,
        precision=precision,
        is_pooled=pool,
        batching=batching,
        family=family,
        base=None if base is None else unambiguous(base),
        device=device or "auto",
    )
    conduct(context, lambda report: engine.run(request, report), as_json=as_json, is_shared=True)


def parse_layers(text: str) -> tuple[int, ...]:
    """Reads `0,6,-1` or `4:8`, both ends included.

    Raises:
        RequestError: It is something else.
    """
    layers: list[int] = []
    for part in text.split(","):
        found = re.fullmatch(r"\s*(-?\d+)(?::(\d+))?\s*", part)
        if found is None or (found[2] is not None and not 0 <= int(found[1]) <= int(found[2])):
            raise RequestError(
                f"--layers: must be numbers and ranges such as 0,6,-1 or 4:8, got {text!r}", "default: all"
            )
        layers += [int(found[1])] if found[2] is None else range(int(found[1]), int(found[2]) + 1)
    return tuple(layers)
