"""The options that several commands share, so that they mean and say the same everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from speechft_cli.cli.names import complete_encoder, complete_label, completer, one_of
from speechft_cli.errors import RequestError

ConfigFile = Annotated[Path | None, typer.Option("-c", "--config", metavar="FILE", help="The YAML file to read.")]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override one key of the file; repeatable."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else there.")]
OutFile = Annotated[Path, typer.Option("-o", "--out", metavar="FILE", help="File to write.")]
Overwrite = Annotated[bool, typer.Option("--force", help="Overwrite the file.")]
Out = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Folder to write into.")]
Data = Annotated[Path | None, typer.Option("--data", metavar="DIR", help="Folder of the manifests.")]
Labels = Annotated[
    list[str] | None,
    typer.Option(
        "--label",
        metavar="TASK=FIELD",
        help="Field of the manifests that holds the task's target; repeatable.",
        autocompletion=complete_label,
    ),
]
Seed = Annotated[int | None, typer.Option("--seed", metavar="N", help="Seed of everything random.")]
Device = Annotated[
    str | None,
    typer.Option(
        "--device", metavar="NAME", help="auto, cpu, cuda or cuda:N.", autocompletion=one_of("auto", "cpu", "cuda")
    ),
]


def named(flag: str, group: str, what: str, *, metavar: str = "NAME") -> Any:
    """Returns an option that takes names of a catalogue, which the shell completes; `what` is its help."""
    return typer.Option(flag, metavar=metavar, help=what, autocompletion=completer(group))


def encoder_path(flag: str, what: str, *, metavar: str = "PATH") -> Any:
    """Returns an option that takes encoders by path or name; the shell completes the names, `what` is its help."""
    return typer.Option(flag, metavar=metavar, help=what, autocompletion=complete_encoder)


def read_labels(flags: Sequence[str]) -> dict[str, str]:
    """Reads `ks=label` as task and field.

    Raises:
        RequestError: One is something else.
    """
    found = {}
    for flag in flags:
        task, _, field = flag.partition("=")
        if not task or not field:
            raise RequestError(f"--label: must be TASK=FIELD, got {flag!r}", "for example --label ks=label")
        found[task] = field
    return found
