"""`speechft list`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from speechft_cli.cli.options import AsJson

_INDENT = " " * 16


class Group(StrEnum):
    """What there is to list."""

    encoders = "encoders"
    tasks = "tasks"
    corpora = "corpora"
    methods = "methods"
    scores = "scores"
    templates = "templates"


def list_names(
    context: typer.Context,
    group: Annotated[Group | None, typer.Argument(metavar="GROUP", help="One group only.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the names a config may use, each with its source."""
    import textwrap

    from rich.text import Text

    from speechft_cli.cli.console import talk_of

    talk = talk_of(context)
    catalogues = {chosen.value: _lines(chosen) for chosen in ([group] if group is not None else Group)}
    if as_json:
        talk.document(catalogues)
        return
    for title, entries in catalogues.items():
        talk.print(Text(title, style="bold"))
        for name, entry in entries.items():
            for first, text, style in ((f"  {name:<14}", entry["summary"], ""), (_INDENT, entry["source"], "dim")):
                wrapped = textwrap.wrap(
                    text,
                    talk.results.width,
                    initial_indent=first,
                    subsequent_indent=_INDENT,
                    break_long_words=False,  # an address stays whole
                    break_on_hyphens=False,
                )
                talk.print(Text("\n".join(wrapped), style=style))


def _lines(group: Group) -> dict[str, dict[str, str]]:
    """Name → summary and source, read from the catalogue without importing what it names."""
    if group is Group.templates:
        from speechft_cli.config.templates import template_names, template_path, template_summary

        return {
            name: {"summary": template_summary(name), "source": str(template_path(name))} for name in template_names()
        }
    from speechft_cli.cli.names import entries

    return {name: {"summary": entry.summary, "source": entry.source} for name, entry in entries(group.value).items()}
