"""The Typer app and the one place where an error becomes a message and an exit code."""

from __future__ import annotations

import errno
import importlib
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from speechft_cli import __version__
from speechft_cli.cli.commands import COMMANDS
from speechft_cli.cli.usage import UsageError, as_request_error, is_help
from speechft_cli.errors import RequestError, SpeechftError

#: Errors that come from a path that was given, not from a fault of ours.
_OF_A_PATH = (errno.EACCES, errno.EPERM, errno.ENAMETOOLONG)


class Boundary(TyperGroup):
    """The command group; here errors of commands become messages. Only our own bugs keep their traceback."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        # names and summaries, enough for help and completion; see `resolve_command`
        for name, (_, summary) in COMMANDS.items():
            self.add_command(TyperCommand(name, short_help=summary))

    def resolve_command(  # type: ignore[override]  # typer hides the class
        self, ctx: typer.Context, args: list[str]
    ) -> tuple[Any, Any, list[str]]:
        """Imports the command that was typed, and no other: imports take time."""
        for each in args:
            _require_text(each)
        name, command, rest = super().resolve_command(ctx, args)
        return name, imported_command(name) if name is not None and name in COMMANDS else command, rest

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]  # typer hides it
        """Reads the options before the command's name, whose errors read like all others."""
        try:
            return super().parse_args(ctx, args)
        except UsageError as error:
            if (message := _message(error)) is None:
                raise
            raise _told(ctx, message) from error

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]  # typer hides the class it declares
        """Runs the command and turns its errors into a message on stderr and an exit code."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            from speechft_cli.cli.display.console import talk_of

            talk_of(ctx).line("interrupted")
            raise typer.Exit(130) from error
        except (SpeechftError, UsageError, OSError, RuntimeError, ImportError) as error:
            if (message := _message(error)) is None:
                raise
            raise _told(ctx, message) from error


def _told(ctx: typer.Context, message: SpeechftError) -> typer.Exit:
    """Says a message on stderr, and returns the exit that it ends in."""
    from speechft_cli.cli.display.console import talk_of

    talk_of(ctx).error(message)
    return typer.Exit(message.exit_code)


def _message(error: Exception) -> SpeechftError | None:
    """Returns an error as a message; None for a bug of ours, and for what Typer answers itself."""
    if isinstance(error, SpeechftError):
        return error
    if isinstance(error, UsageError):
        return None if is_help(error) else as_request_error(error)
    if isinstance(error, BlockingIOError) or str(error) == "can't start new thread":
        return SpeechftError(
            f"processes and threads: no more can be started: {error}",
            "ulimit -u says how many a user may have; fewer workers need fewer",
        )
    if library := _not_imported(error):
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        return SpeechftError(
            f"{library}: can't be imported: {said}", "speechft doctor says what is wrong, and how to mend it"
        )
    if isinstance(error, OSError) and error.errno in _OF_A_PATH and error.filename is not None:
        # even asking whether a file is there can raise it, and no caller expects that
        return SpeechftError(f"{error.filename}: can't be used: {error.strerror}", "check the path and its permissions")
    return None


def _not_imported(error: Exception) -> str:
    """Returns the library whose import raised an error; "" for all other errors, and for modules of ours."""
    step = error.__traceback__
    while step is not None:
        module = str(step.tb_frame.f_globals.get("__name__"))
        if step.tb_frame.f_code.co_name == "<module>" and not module.startswith("speechft_cli"):
            return module.partition(".")[0]
        step = step.tb_next
    name = (error.name or "").partition(".")[0] if isinstance(error, ImportError) else ""
    return "" if name == "speechft_cli" else name


def _app(**settings: Any) -> typer.Typer:
    # Plain help: typer's rich help doubles the time to the first line (0.15 s against 0.07 s), fills pipes with boxes.
    return typer.Typer(
        rich_markup_mode=None,
        pretty_exceptions_show_locals=False,  # tensors would bury the error
        **{"add_completion": False, **settings},
    )


def imported_command(name: str) -> Any:
    """Returns the command called `name`, as Typer makes it."""
    module, attribute = COMMANDS[name][0].split(":")
    found = getattr(importlib.import_module(f"speechft_cli.cli.commands.{module}"), attribute)
    if not isinstance(found, typer.Typer):
        alone = _app()
        alone.command(name)(found)
        found = alone
    command = get_command(found)
    command.name = name
    return command


app = _app(cls=Boundary, add_completion=True, no_args_is_help=True)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"speechft {__version__}")
        raise typer.Exit


@app.callback()
def speechft(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="Show details, and what other libraries log and warn.")
    ] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Show results and errors only.")] = False,
    no_color: Annotated[bool, typer.Option("--no-color", help="No colours; the variable NO_COLOR does the same.")] = (
        False
    ),
) -> None:
    """Make a speech encoder better, not narrower: fine-tune stably, merge, probe."""
    from speechft_cli.cli.display.console import Talk, listen_to_libraries

    if verbose and quiet:
        raise typer.BadParameter("must be given alone, got -v and -q")
    del version
    context.obj = Talk(is_quiet=quiet, is_verbose=verbose, has_color=not no_color)
    listen_to_libraries(verbose)
    try:
        _require_text(str(Path.cwd()))
    except FileNotFoundError:
        raise RequestError("the working directory must be there, but was deleted", "cd somewhere else") from None


def _require_text(given: str) -> None:
    """Makes sure that a path can be written down: what records and manifests hold is Unicode.

    Raises:
        RequestError: It has bytes that are no text, which Python keeps as half a character.
    """
    try:
        given.encode()
    except UnicodeEncodeError:
        encoding = sys.getfilesystemencoding()
        spelt = os.fsencode(given).decode(errors="backslashreplace")
        raise RequestError(
            f"{spelt}: must be text in {encoding.upper()}, is something else",
            "rename it" if encoding == "utf-8" else "unset PYTHONUTF8, or export LC_ALL=C.UTF-8",
        ) from None
