"""`speechft init`."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from speechft_cli.cli.names import complete_template
from speechft_cli.cli.options import AsJson, OutFile, Overwrite
from speechft_cli.cli.wizard.kinds import FIXED, Kind
from speechft_cli.errors import ConfigError, RequestError, SpeechftError

if TYPE_CHECKING:
    from speechft_cli.cli.display.console import Talk
    from speechft_cli.cli.wizard.given import Given
    from speechft_cli.cli.wizard.question import Answers
    from speechft_cli.config.schema import Config


#: Kind → the command that reads such a file first.
_NEXT = {
    **dict.fromkeys(Kind, "finetune"),
    Kind.experiment: "prepare",
    Kind.merge: "merge",
    Kind.evaluate: "evaluate",
}


def init(
    context: typer.Context,
    kind: Annotated[
        Kind | None,
        typer.Option("--kind", metavar="KIND", help="experiment (the default), finetune, pretrain, merge or evaluate."),
    ] = None,
    template: Annotated[
        str | None,
        typer.Option(
            "--template",
            metavar="NAME",
            help="Write a template; `speechft list templates`.",
            autocompletion=complete_template,
        ),
    ] = None,
    defaults: Annotated[bool, typer.Option("--defaults", help="Ask nothing; take every default.")] = False,
    answers: Annotated[
        Path | None,
        typer.Option("--answers", metavar="FILE", help="Ask nothing; take dotted keys and values from a YAML file."),
    ] = None,
    sets: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Answer one question; repeatable.")
    ] = None,
    older: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="Start from an older config file: Enter takes what it says."),
    ] = None,
    out: OutFile = Path("speechft.yaml"),
    force: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Ask a few questions and write a commented YAML file.

    For example: speechft init --template asr -o experiment.yaml
    """
    from speechft_cli.cli.display.console import talk_of
    from speechft_cli.cli.editors import require_new, write_config
    from speechft_cli.config.templates import template_path
    from speechft_cli.events import Result

    require_new(out, force=force)
    talk = talk_of(context)
    if template is not None:
        if defaults or answers is not None or sets or kind is not None or older is not None:
            raise RequestError(
                "--template: must be given without --kind, --defaults, --answers, --from and --set",
                "edit the written file, or pass --set to the commands that read it",
            )
        write_config(out, template_path(template).read_text(encoding="utf-8"))
        talk.result(
            Result(
                f"template {template} written", str(out.absolute()), f"speechft config show -c {shlex.quote(str(out))}"
            ),
            as_json=as_json,
        )
        return
    is_asked = not defaults and answers is None
    if is_asked and (as_json or not (sys.stdin.isatty() and sys.stdout.isatty())):
        raise RequestError(
            "init: must have a terminal to ask its questions on, got none",
            "speechft init --defaults, --answers FILE, or --template NAME",
        )
    from speechft_cli.cli.wizard.dialogue import ask_kind, default_answers, problems
    from speechft_cli.cli.wizard.given import kind_of, read_given, read_older, with_older

    given = read_given(answers, sets or ())
    tree = None if older is None else read_older(older, out.parent)
    if kind is None:
        kind = Kind.experiment if tree is None else kind_of(tree)
        if is_asked and tree is None:
            kind = ask_kind(talk)
    if tree is not None:
        given = with_older(given, tree, kind)
    _refuse(problems(given.answers), given.places)  # before the questions, not after them
    if is_asked:
        text = _asked(talk, kind, given, out)
    else:
        answered = default_answers(kind, _known(kind, given), out.parent, given.old)
        _, text = _config_and_text(kind, answered, given, out.parent)
    write_config(out, text)
    result = Result(
        summary=f"{kind.value} config written",
        output=str(out.absolute()),
        next_command=f"speechft {_NEXT[kind]} -c {shlex.quote(str(out))}",
        data={"kind": kind.value},
    )
    talk.result(result, as_json=as_json)


def _known(kind: Kind, given: Given) -> Answers:
    """Returns what needs no question."""
    return {**FIXED.get(kind, {}), **given.answers}


def _asked(talk: Talk, kind: Kind, given: Given, out: Path) -> str:
    """Asks what is not known, and whether to write the file that comes of it; returns its text. Esc goes back."""
    from speechft_cli.cli.display.console import nearby
    from speechft_cli.cli.wizard.dialogue import Dialogue, confirm
    from speechft_cli.cli.wizard.preview import preview

    dialogue = Dialogue(talk, kind, _known(kind, given), out.parent, given.old)
    while True:
        config, text = _config_and_text(kind, dialogue.ask(), given, out.parent)
        talk.line(f"\n{text}")
        for line in preview(config):
            talk.line(nearby(line))
        is_wanted = confirm(talk, f"Write {nearby(out)}?")
        if is_wanted:
            return text
        if is_wanted is not None:
            raise SpeechftError(f"{out}: not written, as you wished")
        dialogue.back()


def _config_and_text(kind: Kind, answers: Answers, given: Given, folder: Path) -> tuple[Config, str]:
    """Checks the answers like a file, and writes them as YAML."""
    from speechft_cli.cli.wizard.dialogue import problems
    from speechft_cli.cli.yaml_text import as_tree, explained
    from speechft_cli.config.load import load_config

    _refuse(problems(answers), given.places)
    config = load_config(None, flags=answers, here=folder).config
    heading = f"# Written by `speechft init --kind {kind.value}`. All keys: `speechft config schema`.\n\n"
    return config, heading + explained(as_tree(answers))


def _refuse(found: Sequence[str], places: Mapping[str, str]) -> None:
    if found:
        keys = [problem.partition(": ")[0] for problem in found]
        raise ConfigError(
            [
                f"{places[key]}: {problem}" if key in places else problem
                for key, problem in zip(keys, found, strict=True)
            ],
            "speechft config schema shows every key",
        )
