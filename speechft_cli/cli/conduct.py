"""What every command with an engine does: load the config, show the progress, show the result."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from speechft_cli.cli import starting
from speechft_cli.errors import InterruptedRunError, RequestError

if TYPE_CHECKING:
    from speechft_cli.config.schema import Config
    from speechft_cli.events import Report, Result


def read_config(
    path: Path | None,
    sets: Sequence[str] | None,
    *,
    flags: Mapping[str, object],
    needs: Mapping[str, bool],
    replaced: Sequence[str] = (),
) -> Config:
    """Loads the config of one command.

    Args:
        path: The file given with -c.
        sets: The values given with --set.
        flags: Dotted key → what the user typed; None for what they did not.
        needs: What must be given when there is neither a file nor a --set, as it is typed → whether it was.
        replaced: Keys that a flag takes the place of, such as `merge.alphas` of `--alpha`.

    Raises:
        RequestError: Something needed was not given.
        ConfigError: The config is wrong.
    """
    from speechft_cli.cli.names import unknown_names
    from speechft_cli.config.load import load_config

    missing = [name for name, is_given in needs.items() if not is_given]
    if path is None and not sets and missing:
        raise RequestError(
            f"must be given -c FILE, or {' and '.join(needs)}; missing: {', '.join(missing)}",
            "speechft init writes a FILE; --help shows the flags",
        )
    cleared = [f"{key}=null" for key in replaced]
    return load_config(path, sets=[*(sets or ()), *cleared], flags=flags, check=unknown_names).config


def conduct(
    context: typer.Context,
    job: Callable[[Report], Result],
    *,
    as_json: bool,
    config: Path | None = None,
    then: str = "",
    is_shared: bool = False,
) -> None:
    """Does a job with its progress on stderr and its result on stdout.

    Args:
        context: Knows how to talk.
        job: What to do.
        as_json: Whether the result is one JSON document.
        config: The file given with -c: whoever has one goes on with it.
        then: The command after this one; empty where what the engine says is better.
        is_shared: Whether the processes that torchrun or the like start share the job: the first one speaks for all,
            but each says of itself why it failed.
    """
    from speechft_cli.cli.display.console import talk_of
    from speechft_cli.cli.display.progress import Progress

    starting.end()
    talk = talk_of(context)
    is_alone = not is_shared or (os.environ.get("WORLD_SIZE") or "1") == "1"
    is_first = is_alone or os.environ.get("RANK", "0") == "0"
    with Progress(talk, as_json=as_json) as report:
        try:
            result = job(report)
        except (RequestError, InterruptedRunError) as error:
            if not is_first:
                raise typer.Exit(error.exit_code) from error
            if error.hint or isinstance(error, RequestError):
                raise
            same_command = shlex.join(["speechft", *sys.argv[1:]])
            raise InterruptedRunError(error.message, same_command, exit_code=error.exit_code) from error
    if not is_first:
        raise typer.Exit
    if config is not None and then:
        result = replace(result, next_command=shlex.join(["speechft", then, "-c", str(config)]))
    talk.result(result, as_json=as_json)
