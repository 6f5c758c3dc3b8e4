"""Where the command line speaks: results to stdout, everything else to stderr."""

from __future__ import annotations

import json
import logging
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console, RenderableType

from speechft_cli.errors import ConfigError, InterruptedRunError, SpeechftError
from speechft_cli.events import Result

if TYPE_CHECKING:
    import typer

# Libraries that log or warn about themselves while they work for us.
_LIBRARIES = ("s3prl", "torch", "torchaudio", "lhotse", "matplotlib", "fairseq", "numba", "PIL", "root")


class Talk:
    """The two consoles and how much is said on them."""

    def __init__(self, *, is_quiet: bool = False, is_verbose: bool = False, has_color: bool = True) -> None:
        self.is_quiet = is_quiet
        self.is_verbose = is_verbose
        self.results = _console(stderr=False, has_color=has_color)
        self.messages = _console(stderr=True, has_color=has_color)

    @property
    def is_live(self) -> bool:
        """Whether messages may be redrawn in place: only on a terminal somebody looks at."""
        return (
            self.messages.file.isatty()
            and not self.messages.is_dumb_terminal
            and not os.environ.get("CI")
            and not self.is_quiet
        )

    def line(self, text: str, *, style: str = "") -> None:
        """Says one line on stderr, whatever -q says."""
        self.messages.print(text, style=style)

    def say(self, text: str) -> None:
        """Says one line on stderr, unless -q."""
        if not self.is_quiet:
            self.line(text)

    def error(self, error: SpeechftError) -> None:
        """Says what is wrong or was stopped, a line per problem, and what to do."""
        label, style = ("stopped", "bold") if isinstance(error, InterruptedRunError) else ("error", "bold red")
        for problem in error.problems if isinstance(error, ConfigError) else [error.message]:
            self._labelled(label, problem, style)
        if error.hint:
            self._labelled("hint", error.hint, "bold cyan")

    def print(self, result: RenderableType) -> None:
        """Prints a result on stdout."""
        self.results.print(result)

    def document(self, value: Mapping[str, object]) -> None:
        """Prints the one JSON document of a command."""
        self.results.out(json.dumps(value, indent=2, ensure_ascii=False, default=str), highlight=False)

    def result(self, result: Result, *, as_json: bool) -> None:
        """Prints what an engine did: one line, or with `as_json` one document."""
        if as_json:
            self.document({"output": result.output, **result.data})
            return
        line = f"{result.summary} → {nearby(result.output)}"
        self.print(f"{line}; next: {result.next_command}" if result.next_command else line)

    def _labelled(self, label: str, text: str, style: str) -> None:
        self.messages.print(f"{label}: ", style=style, end="")
        self.messages.print(text)


def _console(*, stderr: bool, has_color: bool) -> Console:
    # what we print holds names and paths of others: `[x]` and `:smile:` are no markup
    return Console(
        stderr=stderr, no_color=None if has_color else True, markup=False, highlight=False, emoji=False, soft_wrap=True
    )


def talk_of(context: typer.Context) -> Talk:
    """Returns how this call of the command line was told to talk."""
    return context.obj if isinstance(context.obj, Talk) else Talk()


def nearby(path: str | Path) -> str:
    """Shortens a path below the working directory to its relative form."""
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def listen_to_libraries(is_verbose: bool) -> None:
    """Lets other libraries' logs and warnings through, or keeps them off the user's screen."""
    for name in _LIBRARIES:
        logging.getLogger(name).setLevel(logging.INFO if is_verbose else logging.CRITICAL)
    if is_verbose:
        logging.basicConfig(format="%(name)s: %(message)s")
    else:
        warnings.simplefilter("ignore")
