"""Makes the pictures of terminals that the pages show, from real runs: `python docs/pictures/make.py [NAME …]`.

Each is what a pseudo-terminal shows of a command that really runs, on a few minutes of synthetic speech.
"""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from html import escape
from itertools import groupby
from pathlib import Path

from pyte.screens import Char

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.cli.screen import Screen  # noqa: E402

HERE = Path(__file__).parent
COLUMNS = 92
_CELL, _LINE, _EDGE = 7.8, 17, 12  # of 13 px type [px]
_COLOURS = {"cyan": "#56b6c2", "red": "#e06c75", "green": "#98c379", "brown": "#e5c07b", "blue": "#61afef"}
_TEXT, _GROUND, _DIM = "#d7dae0", "#21252b", "#8b93a3"
_PATIENCE = 900.0
"""For one picture [s]."""
#: What lies in the folder before the pictures are taken.
BEFORE = (
    "prepare synthetic --out data --hours 0.1",
    "finetune --encoder hubert-small --data data --task sid --steps 20 --out run",
)
EVALUATE = (
    "-q evaluate --base hubert-small --tuned run --alphas 0.25:0.75:0.25 --data data --task sid --task pr --out report "
    "--set evaluate.seeds=1 --set 'evaluate.steps={sid: 300, pr: 30}'"
)


def finetune(screen: Screen) -> None:
    """In the middle of training, with a best score."""
    screen.wait_for(
        lambda text: "best" in text and "lr" in text and "dev at" not in text.split("\n")[-2], seconds=_PATIENCE
    )


def at_the_end(screen: Screen) -> None:
    """When the command is done."""
    screen.read_all()


def wizard(screen: Screen) -> None:
    """After two answers, at a question with a choice."""
    for _ in range(2):
        before = screen.text
        screen.child.send("\r")
        screen.wait_for(lambda text, before=before: text.count("?") > before.count("?"))
    screen.settle()


PICTURES: dict[str, tuple[str, Callable[[Screen], None]]] = {
    "finetune": (
        "finetune --encoder hubert-small --data data --task sid --steps 30 --out picture "
        "--set finetune.evaluate_every=6 --set finetune.log_every=2",
        finetune,
    ),
    "plan": ("merge --base hubert-small --tuned run --alphas 0:1:0.25 --out merged --plan", at_the_end),
    "evaluate": (EVALUATE, at_the_end),
    "wizard": ("init", wizard),
}


def draw(command: str, lines: list[list[Char]]) -> str:
    """Returns the picture of a terminal: the command, then its lines."""
    typed = textwrap.wrap(f"$ speechft {command}", COLUMNS - 2, subsequent_indent="    ", break_on_hyphens=False)
    typed = [f"{line} \\" for line in typed[:-1]] + typed[-1:]
    width, height = COLUMNS * _CELL + 2 * _EDGE, (len(lines) + len(typed)) * _LINE + 2 * _EDGE
    rows = [
        f'<text x="{_EDGE}" y="{_EDGE + 13 + number * _LINE}" fill="{_DIM}" xml:space="preserve">{escape(line)}</text>'
        for number, line in enumerate(typed)
    ]
    for number, line in enumerate(lines, start=len(typed)):
        y = _EDGE + 13 + number * _LINE
        rows += [_run(x, y, text, char) for x, text, char in _runs(line)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        'font-family="ui-monospace,Menlo,Consolas,DejaVu Sans Mono,monospace" font-size="13">\n'
        f'<rect width="100%" height="100%" rx="6" fill="{_GROUND}"/>\n' + "\n".join(rows) + "\n</svg>\n"
    )


def _runs(line: list[Char]) -> Iterator[tuple[int, str, Char]]:
    x = 0
    for _, group in groupby(line, key=lambda char: (char.fg, char.bold, char.reverse)):
        chars = list(group)
        text = "".join(char.data for char in chars)
        if text.strip():
            yield x, text, chars[0]
        x += len(chars)


def _run(x: int, y: int, text: str, char: Char) -> str:
    before = len(text) - len(text.lstrip())
    text, x = text.strip(), x + before
    fill = _COLOURS.get(
        char.fg, f"#{char.fg}" if len(char.fg) == 6 and char.fg.isalnum() and char.fg != "yellow" else _TEXT
    )
    bold = ' font-weight="bold"' if char.bold else ""
    length = f' textLength="{len(text) * _CELL:.1f}" lengthAdjust="spacingAndGlyphs"'
    return (
        f'<text x="{_EDGE + x * _CELL:.1f}" y="{y}" fill="{fill}"{bold}{length} xml:space="preserve">'
        f"{escape(text)}</text>"
    )


def main(names: list[str]) -> None:
    """Takes the pictures that are named, or all."""
    for name in ("CI", "NO_COLOR", "COLUMNS", "JPY_PARENT_PID"):
        os.environ.pop(name, None)
    os.environ |= {"PYTHONPATH": str(ROOT), "TERM": "xterm-256color"}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for command in BEFORE:
            with _run_command(command) as screen:
                at_the_end(screen)
        for name in names or PICTURES:
            command, until = PICTURES[name]
            with _run_command(command) as screen:
                until(screen)
                path = HERE / f"{name}.svg"
                path.write_text(draw(command, screen.cells), encoding="utf-8")
                sys.stdout.write(f"{path.relative_to(ROOT)}: {path.stat().st_size} bytes\n")


def _run_command(command: str) -> Screen:
    return Screen(sys.executable, ["-m", "speechft_cli", *shlex.split(command)], columns=COLUMNS, lines=50)


if __name__ == "__main__":
    main(sys.argv[1:])
