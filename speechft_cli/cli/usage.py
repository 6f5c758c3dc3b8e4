"""What Typer says of a wrong command line, in the words of our other messages."""

from __future__ import annotations

import re
from typing import cast

import typer

from speechft_cli.errors import RequestError
from speechft_cli.registry import unknown_name

#: Every complaint about a command line; Typer gives only some of its kinds a public name.
UsageError = cast("type[Exception]", typer.BadParameter.__mro__[1])
_KINDS = {
    "valid integer": "a whole number",
    "valid number": "a number",
    "valid boolean": "true or false",
}


def as_request_error(error: Exception) -> RequestError:
    """Returns a usage error as one of ours: the option, what it must be, and where help is."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "speechft"
    hint = f"{command} --help shows what it takes"
    file = re.search(r"^Got unexpected extra argument.* \((\S+\.ya?ml)\)$", str(getattr(error, "message", "")))
    if file and context is not None and any("-c" in each.opts for each in context.command.params):
        hint = f"{command} -c {file[1]}"
    if context is not None and context.parent is not None:
        option = getattr(error, "option_name", None)
        general = {name for each in context.find_root().command.params for name in each.opts}
        if option in general:  # -v, -q, --no-color and --version belong to all commands
            program, _, rest = command.partition(" ")
            hint = f"it goes before the command: {program} {option} {rest}"
    return RequestError(_message(error), hint)


def is_help(error: Exception) -> bool:
    """Whether nothing is wrong but that nothing was asked for, which help answers."""
    return type(error).__name__ == "NoArgsIsHelpError"


def _message(error: Exception) -> str:
    text = str(getattr(error, "message", None) or error)
    kind = type(error).__name__
    if kind == "NoSuchOption":
        near = sorted(getattr(error, "possibilities", None) or [])
        suggestion = f"; did you mean {' or '.join(near)}?" if near else ""
        return f"{getattr(error, 'option_name', '')}: there is no such option{suggestion}"
    extra = re.fullmatch(r"Got unexpected extra argument(?:s|\(s\))? \((.*)\)", text)
    if extra:
        return f"{extra[1]}: must be absent, there is no argument for it"
    where = _parameter(error)
    if kind == "MissingParameter":
        return f"{where}: must be given"
    return f"{where}: {_sentence(text, error)}" if where else text


def _parameter(error: Exception) -> str:
    """The option or argument that is meant, as it is typed; empty where none is."""
    parameter = getattr(error, "param", None)
    if parameter is None:
        return ""
    if parameter.param_type_name == "argument":
        return str(parameter.metavar or parameter.name).upper()
    return str(parameter.opts[-1])


def _sentence(text: str, error: Exception) -> str:
    text = text.removeprefix("Value error, ").rstrip(".")
    choice = re.fullmatch(r"'(.*)' is not one of (.+)", text)
    if choice:
        return unknown_name(choice[1], re.findall(r"'([^']*)'", choice[2]))
    found = re.match(r"Input should be (?:a )?(.+?)(?:, unable to .*)?$", text)
    return f"must be {_KINDS.get(found[1], found[1])}{_got(error)}" if found else text


def _got(error: Exception) -> str:
    """What was typed, as pydantic knows it."""
    found: list[dict[str, object]] = getattr(error.__cause__, "errors", list)()
    return f", got {found[0]['input']!r}" if found else ""
