"""The options that several commands share, so that they mean and say the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ConfigFile = Annotated[Path | None, typer.Option("-c", "--config", metavar="FILE", help="The YAML file to read.")]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override one key of the file; repeatable."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else there.")]
Out = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Folder to write into.")]
Data = Annotated[Path | None, typer.Option("--data", metavar="DIR", help="Folder of the manifests.")]
Seed = Annotated[int | None, typer.Option("--seed", metavar="N", help="Seed of everything random.")]
Device = Annotated[str | None, typer.Option("--device", metavar="NAME", help="auto, cpu, cuda or cuda:N.")]
