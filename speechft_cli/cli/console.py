"""Where the command line speaks: results to stdout, everything else to stderr."""

from __future__ import annotations

import json
import logging
import os
import sys
import warnings
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from speechft_cli.errors import InterruptedRunError, SpeechftError

if TYPE_CHECKING:
    import typer
    from rich.console import Console, RenderableType

    from speechft_cli.events import Result

# Libraries that log or warn about themselves while they work for us.
_LIBRARIES = ("s3prl", "torch", "torchaudio", "lhotse", "matplotlib", "fairseq", "numba", "PIL", "root")
#: Style → what a terminal is told. Lines need no rich, whose import costs as much as typer's.
_STYLES = {"bold": "1", "dim": "2", "bold red": "1;31", "bold cyan": "1;36"}


class Talk:
    """The two consoles and how much is said on them."""

    def __init__(self, *, is_quiet: bool = False, is_verbose: bool = False, has_color: bool = True) -> None:
        self.is_quiet = is_quiet
        self.is_verbose = is_verbose
        self.has_color = has_color and not os.environ.get("NO_COLOR")

    @cached_property
    def results(self) -> Console:
        """Where tables of results are drawn."""
        return _console(stderr=False, has_color=self.has_color)

    @cached_property
    def messages(self) -> Console:
        """Where the live region is drawn; from then on every message goes through it."""
        return _console(stderr=True, has_color=self.has_color)

    @property
    def is_live(self) -> bool:
        """Whether messages may be redrawn in place: only on a terminal somebody looks at."""
        return _is_terminal(sys.stderr) and not os.environ.get("CI") and not self.is_quiet

    def line(self, text: str, *, style: str = "") -> None:
        """Says one line on stderr, whatever -q says."""
        self._message((text, style))

    def say(self, text: str) -> None:
        """Says one line on stderr, unless -q."""
        if not self.is_quiet:
            self.line(text)

    def error(self, error: SpeechftError) -> None:
        """Says what is wrong or was stopped, a line per problem, and what to do."""
        label, style = ("stopped", "bold") if isinstance(error, InterruptedRunError) else ("error", "bold red")
        for line in error.message.split("\n"):
            if line.startswith(" "):  # belongs to the line above
                self.line(line)
            else:
                self._labelled(label, line, style)
        if error.hint:
            self._labelled("hint", error.hint, "bold cyan")

    def print(self, result: RenderableType, *, style: str = "") -> None:
        """Prints a result on stdout; `style` is for a line of text."""
        if isinstance(result, str):
            sys.stdout.write(f"{self._styled(result, style, sys.stdout)}\n")
        else:
            self.results.print(result)

    def document(self, value: Mapping[str, object]) -> None:
        """Prints the one JSON document of a command."""
        self.print(json.dumps(value, indent=2, ensure_ascii=False, default=str))

    def result(self, result: Result, *, as_json: bool) -> None:
        """Prints what an engine did: one line, or with `as_json` one document."""
        if as_json:
            self.document({"output": result.output, **result.data})
            return
        line = f"{result.summary} → {nearby(result.output)}"
        command = result.next_command.replace(f"{Path.cwd()}/", "")  # short enough to be typed
        self.print(f"{line}; next: {command}" if command else line)

    def _labelled(self, label: str, text: str, style: str) -> None:
        self._message((f"{label}: ", style), (text, ""))

    def _message(self, *parts: tuple[str, str]) -> None:
        if "messages" in vars(self):  # a region may be on the screen, and a line belongs above it
            for number, (text, style) in enumerate(parts, start=1):
                self.messages.print(text, style=style, end="\n" if number == len(parts) else "")
            return
        text = "".join(self._styled(text, style, sys.stderr) for text, style in parts)
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()

    def _styled(self, text: str, style: str, stream: TextIO) -> str:
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if style and self.has_color and _is_terminal(stream) else text


def _is_terminal(stream: TextIO) -> bool:
    return stream.isatty() and os.environ.get("TERM", "") not in ("dumb", "unknown")


def _console(*, stderr: bool, has_color: bool) -> Console:
    from rich.console import Console

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
