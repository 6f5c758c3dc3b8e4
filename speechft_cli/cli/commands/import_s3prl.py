"""`speechft import-s3prl`."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from speechft_cli.cli.options import AsJson, OutFile, Overwrite
from speechft_cli.errors import RequestError, amount


def import_s3prl(
    context: typer.Context,
    source: Annotated[
        Path, typer.Argument(metavar="CONFIG", help="A downstream config of s3prl, or a merge config of Speech-FT.")
    ],
    encoder: Annotated[
        Path | None,
        typer.Option("--encoder", metavar="PATH", help="The checkpoint to start from; s3prl's file names none."),
    ] = None,
    out: OutFile = Path("speechft.yaml"),
    force: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Turn a config of s3prl into a commented YAML file.

    What has no key here, or another meaning, is said and written above.

    For example: speechft import-s3prl s3prl/downstream/emotion/config.yaml
    """
    from speechft_cli.cli.display.console import talk_of
    from speechft_cli.cli.editors import require_new, write_config
    from speechft_cli.cli.yaml_text import as_tree, explained
    from speechft_cli.config.downstream import from_downstream
    from speechft_cli.config.load import load_config
    from speechft_cli.config.reference import from_reference, is_reference
    from speechft_cli.config.source import read_yaml
    from speechft_cli.events import Result

    require_new(out, force=force)
    if not source.exists():
        raise RequestError(f"{source}: must be a config of s3prl, but there is no such file", "check the path")
    tree, lines = read_yaml(source)
    left: Mapping[str, str] = {}
    if is_reference(tree):
        ours, _ = from_reference(tree, lines)
        command = "merge"
    else:
        carried = from_downstream(tree, str(source))
        start = encoder or Path("hubert-base")
        ours = as_tree({"encoder.checkpoint": str(start), **carried.answers, "merge.alpha": 0.25})
        left, command = carried.left, "prepare"
    load_config(None, flags=ours)  # a file that is refused later is none
    notes = [f"# {key}: {reason}" for key, reason in left.items()]
    heading = f"# From {source}, by `speechft import-s3prl`.\n" + "".join(f"{note}\n" for note in notes)
    write_config(out, f"{heading}\n{explained(ours)}")
    talk = talk_of(context)
    for note in notes:
        talk.say(note.removeprefix("# "))
    talk.result(
        Result(
            f"{source.name} carried over, {amount(len(left), 'things')} to know",
            str(out.absolute()),
            f"speechft {command} -c {shlex.quote(str(out))}",
            {"command": command, "notes": dict(left)},
        ),
        as_json=as_json,
    )
