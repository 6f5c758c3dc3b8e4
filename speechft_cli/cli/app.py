"""The Typer app and the one place where an error becomes a message and an exit code."""

from __future__ import annotations

from typing import Annotated

import typer
from typer.core import TyperGroup

from speechft_cli import __version__
from speechft_cli.cli.commands import (
    config,
    convert,
    data,
    demo,
    doctor,
    evaluate,
    extract,
    finetune,
    init,
    merge,
    prepare,
)
from speechft_cli.cli.commands import list as list_command
from speechft_cli.errors import SpeechftError


class Boundary(TyperGroup):
    """The command group; what a command raises ends here, but for our own bugs, which keep their traceback."""

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]  # typer hides the class it declares
        """Runs the command and turns its errors into a message on stderr and an exit code."""
        try:
            return super().invoke(ctx)
        except (SpeechftError, KeyboardInterrupt) as error:
            from speechft_cli.cli.console import talk_of

            talk = talk_of(ctx)
            if isinstance(error, SpeechftError):
                talk.error(error)
                raise typer.Exit(error.exit_code) from error
            talk.line("interrupted")
            raise typer.Exit(130) from error


# Plain help: typer's rich help doubles the time to the first line (0.15 s against 0.07 s) and fills pipes with boxes.
app = typer.Typer(
    cls=Boundary,
    add_completion=True,
    rich_markup_mode=None,
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,  # tensors would bury the error
)


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
    from speechft_cli.cli.console import Talk, listen_to_libraries

    if verbose and quiet:
        raise typer.BadParameter("must be given alone, got -v and -q")
    del version
    context.obj = Talk(is_quiet=quiet, is_verbose=verbose, has_color=not no_color)
    listen_to_libraries(verbose)


app.command()(init.init)
app.command()(prepare.prepare)
app.command()(finetune.finetune)
app.command()(merge.merge)
app.command()(evaluate.evaluate)
app.command()(convert.convert)
app.command()(extract.extract)
app.command()(demo.demo)
app.command()(doctor.doctor)
app.command("list")(list_command.list_names)
app.add_typer(data.app, name="data")
app.add_typer(config.app, name="config")
