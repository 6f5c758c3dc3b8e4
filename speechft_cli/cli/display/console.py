"""Where the command line speaks: results to stdout, everything else to stderr."""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import re
import shutil
import sys
import textwrap
import warnings
from collections.abc import Callable, Mapping
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
_STYLES = {"bold": "1", "dim": "2", "cyan": "36", "bold red": "1;31", "bold cyan": "1;36"}


class Talk:
    """How much is said on stdout and stderr, and how it looks.

    Attributes:
        above: Says a text above the region that is on the screen; None while there is none.
        terminal: Descriptor of where messages go.
    """

    def __init__(self, *, is_quiet: bool = False, is_verbose: bool = False, has_color: bool = True) -> None:
        self.is_quiet = is_quiet
        self.is_verbose = is_verbose
        self.has_color = has_color and not os.environ.get("NO_COLOR")

        self.above: Callable[[str], None] | None = None
        self.terminal = 2

    @cached_property
    def results(self) -> Console:
        """Where tables of results are drawn."""
        from rich.console import Console

        # what we print holds names and paths of others: `[x]` and `:smile:` are no markup
        return Console(
            no_color=None if self.has_color else True, markup=False, highlight=False, emoji=False, soft_wrap=True
        )

    @cached_property
    def is_live(self) -> bool:
        """Whether messages may be redrawn in place: only on a terminal that a person looks at.

        A cell of a notebook that begins with `!` has a terminal, which knows neither up nor down.
        """
        is_other = any(os.environ.get(name) for name in ("CI", "JPY_PARENT_PID"))
        return _is_terminal(sys.stderr) and not is_other and not self.is_quiet

    def line(self, text: str, *, style: str = "") -> None:
        """Says one line on stderr, whatever -q says; on a terminal it breaks between words."""
        self._message((self._wrapped(text), style))

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
                self._message((f"{label}: ", style), (self._wrapped(line, len(label) + 2), ""))
        if error.hint:
            # not wrapped: it is there to be copied
            self._message(("hint: ", "bold cyan"), (error.hint, ""))

    def print(self, result: RenderableType, *, style: str = "") -> None:
        """Prints a result on stdout; `style` is for a line of text."""
        if isinstance(result, str):
            sys.stdout.write(f"{self.paint(result, style) if _is_terminal(sys.stdout) else result}\n")
        else:
            self.results.print(result)

    def document(self, value: Mapping[str, object]) -> None:
        """Prints the one JSON document of a command, in ASCII, which is JSON in every encoding of stdout."""
        self.print(json.dumps(_numbers(value), indent=2, allow_nan=False, default=str))

    def result(self, result: Result, *, as_json: bool) -> None:
        """Prints what an engine did: one line, or with `as_json` one document."""
        if as_json:
            self.document({"output": result.output, **result.data})
            return
        line = f"{result.summary} → {nearby(result.output)}"
        command = nearby(result.next_command)  # short enough to be typed
        if not command:
            self.print(line)
        elif _is_terminal(sys.stdout) and len(line) + len(command) > shutil.get_terminal_size().columns - 8:
            self.print(f"{line}\nnext: {command}")  # can be copied without what it would be wrapped into
        else:
            self.print(f"{line}; next: {command}")

    def _message(self, *parts: tuple[str, str]) -> None:
        if self.above is not None:
            self.above("".join(self.paint(text, style) for text, style in parts))
            return
        has_style = _is_terminal(sys.stderr)
        # a run goes on when its messages can't be written (`| head`, a terminal that was closed)
        with contextlib.suppress(OSError):
            sys.stderr.write("".join(self.paint(text, style) if has_style else text for text, style in parts) + "\n")
            sys.stderr.flush()

    def _wrapped(self, text: str, before: int = 0) -> str:
        """Breaks a line between words where a terminal would break it anywhere; `before` characters stand in front."""
        if "\n" in text or (self.above is None and not _is_terminal(sys.stderr)):
            return text
        from speechft_cli.cli.display.region import size_of

        columns = size_of(self.terminal).columns
        if len(text) + before <= columns:
            return text
        return textwrap.fill(f"{' ' * before}{text}", columns, break_long_words=False, break_on_hyphens=False)[before:]

    def paint(self, text: str, style: str) -> str:
        """Returns the text as a terminal shows it in a style; as it is where there is no colour."""
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if text and style and self.has_color else text


def _numbers(value: object) -> object:
    """Returns a value of JSON with null for NaN and Inf, for which JSON has no word."""
    if isinstance(value, Mapping):
        return {name: _numbers(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_numbers(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _is_terminal(stream: TextIO) -> bool:
    return stream.isatty() and os.environ.get("TERM", "") not in ("dumb", "unknown")


def talk_of(context: typer.Context) -> Talk:
    """Returns how this call of the command line was told to talk."""
    return context.obj if isinstance(context.obj, Talk) else Talk()


def nearby(text: str | Path) -> str:
    """Shortens the paths below the working directory that stand in a text to their relative form."""
    here, said = str(Path.cwd()), str(text)
    if said == here:
        return "."
    # the root has nothing to leave out but the slash that tells a path
    return said if here == "/" else re.sub(rf"(?<![\w.~/-]){re.escape(here)}/", "", said)


def listen_to_libraries(is_verbose: bool) -> None:
    """Lets other libraries' logs and warnings through, or keeps them off the user's screen."""
    for name in _LIBRARIES:
        logging.getLogger(name).setLevel(logging.INFO if is_verbose else logging.CRITICAL)
    if is_verbose:
        logging.basicConfig(format="%(name)s: %(message)s")
    else:
        warnings.simplefilter("ignore")
