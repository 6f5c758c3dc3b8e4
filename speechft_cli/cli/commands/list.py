"""`speechft list`."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from speechft_cli.cli.options import AsJson

if TYPE_CHECKING:
    from speechft_cli.cli.display.console import Talk

_NAME_WIDTH = 14


class Group(StrEnum):
    """What there is to list."""

    encoders = "encoders"
    checkpoints = "checkpoints"
    formats = "formats"
    tasks = "tasks"
    presets = "presets"
    strategies = "strategies"
    corpora = "corpora"
    methods = "methods"
    scores = "scores"
    templates = "templates"


def complete_listed(context: typer.Context, incomplete: str) -> list[str]:
    """Returns the names of the group that is typed already."""
    from speechft_cli.cli.names import complete_encoder, complete_template, completer

    group = str(context.params.get("group") or "")
    if group == Group.templates:
        return complete_template(incomplete)
    if group == Group.checkpoints:
        return complete_encoder(incomplete)
    return completer(group)(incomplete) if group in set(Group) else []


def list_names(
    context: typer.Context,
    group: Annotated[
        Group | None,
        typer.Argument(metavar="GROUP", show_choices=False, help=f"One group only: {', '.join(Group)}."),
    ] = None,
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="All there is to say of one name.", autocompletion=complete_listed),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the names a config may use, or all there is of one.

    For example: speechft list methods linear
    """
    from speechft_cli.cli.display.console import talk_of

    talk = talk_of(context)
    if group is not None and name is not None:
        _one(talk, group, name, as_json=as_json)
        return
    catalogues = {chosen.value: _lines(chosen) for chosen in ([group] if group is not None else Group)}
    if as_json:
        talk.document(catalogues)
        return
    for title, entries in catalogues.items():
        talk.print(title, style="bold")
        width = max(_NAME_WIDTH, *(len(name) + 2 for name in entries))
        for name, entry in entries.items():
            _print(talk, entry["summary"], first=f"  {name:<{width}}", rest=" " * (width + 2))
            _print(talk, entry["source"], first=" " * (width + 2), rest=" " * (width + 2), style="dim")


def _one(talk: Talk, group: Group, name: str, *, as_json: bool) -> None:
    """Shows one name: a template as the file it is, anything else by what it says of itself."""
    import dataclasses

    from speechft_cli.cli.details import details
    from speechft_cli.cli.named_encoders import checkpoint_details
    from speechft_cli.cli.names import registry
    from speechft_cli.config.templates import template_path

    if group is Group.templates:
        text = template_path(name).read_text(encoding="utf-8")
        if as_json:
            talk.document({"name": name, "text": text})
        else:
            talk.print(text.rstrip())
        return
    if group is Group.checkpoints:
        entry, found = checkpoint_details(name)
    else:
        entry, found = registry(group.value).entry(name), details(group.value, name)
    if as_json:
        talk.document({"name": name, "summary": entry.summary, "source": entry.source, **dataclasses.asdict(found)})
        return
    _print(talk, f"{name}: {entry.summary}", style="bold")
    for paragraph in found.text:
        _print(talk, paragraph)
    for title, fact in {"source": entry.source, **found.facts}.items():
        _print(talk, fact, first=f"  {title}: ", rest="    ")
    if found.parameters:
        _print(talk, "parameters", style="bold")
    for parameter, (default, meaning) in found.parameters.items():
        _print(talk, f"{meaning} Default: {_default(default)}.", first=f"  {parameter:<{_NAME_WIDTH}}", rest=" " * 16)
    _print(talk, found.example, first="  for example: ", rest="    ")


def _default(value: object) -> str:
    return ", ".join(f"{each:g}" for each in value) if isinstance(value, tuple) else str(value).lower()


def _print(talk: Talk, text: str, *, first: str = "", rest: str = "", style: str = "") -> None:
    """Prints a paragraph at the terminal's width."""
    import shutil
    import textwrap

    wrapped = textwrap.wrap(
        text,
        shutil.get_terminal_size().columns,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,  # an address stays whole
        break_on_hyphens=False,
    )
    talk.print("\n".join(wrapped), style=style)


def _lines(group: Group) -> dict[str, dict[str, str]]:
    """Name → summary and source, read from the catalogue without importing what it names."""
    if group is Group.templates:
        from speechft_cli.config.templates import template_names, template_path, template_summary

        return {
            name: {"summary": template_summary(name), "source": str(template_path(name))} for name in template_names()
        }
    if group is Group.checkpoints:
        from speechft_cli.cli.named_encoders import checkpoint_lines

        return checkpoint_lines()
    from speechft_cli.cli.names import entries

    return {name: {"summary": entry.summary, "source": entry.source} for name, entry in entries(group.value).items()}
