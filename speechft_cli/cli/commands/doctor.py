"""`speechft doctor`."""

from __future__ import annotations

import dataclasses

import typer

from speechft_cli.cli.options import AsJson

_STYLES = {"ok": "green", "warning": "yellow", "problem": "bold red"}


def doctor(context: typer.Context, as_json: AsJson = False) -> None:
    """Say what works on this machine and how to mend the rest."""
    from rich.text import Text

    from speechft_cli.cli.checks import checks
    from speechft_cli.cli.display.console import talk_of

    talk = talk_of(context)
    done = []
    for check in checks():
        done.append(check)
        if as_json:
            continue
        talk.print(Text.assemble((f"{check.status:<9}", _STYLES[check.status]), f"{check.name}: {check.text}"))
        if check.cure:
            talk.print(f"{'':<9}{check.cure}")
    has_problem = any(check.status == "problem" for check in done)
    if as_json:
        talk.document({"healthy": not has_problem, "checks": [dataclasses.asdict(check) for check in done]})
    if has_problem:
        raise typer.Exit(1)
