"""Asks the questions on a terminal. Ctrl-C and Ctrl-D raise KeyboardInterrupt; nothing is written here."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Mapping
from pathlib import Path

import questionary
from prompt_toolkit import print_formatted_text
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent, merge_key_bindings
from prompt_toolkit.output import ColorDepth
from questionary.constants import DEFAULT_STYLE

from speechft_cli.cli.display.console import Talk
from speechft_cli.cli.names import unknown_names
from speechft_cli.cli.wizard.findings import Proposal
from speechft_cli.cli.wizard.kinds import PURPOSES, Kind
from speechft_cli.cli.wizard.question import Answers, Question
from speechft_cli.cli.wizard.questions import QUESTIONS
from speechft_cli.config.load import load_config
from speechft_cli.errors import ConfigError, RequestError

#: What Esc answers.
_BACK = object()


def default_answers(kind: Kind, given: Answers, folder: Path, old: Answers) -> dict[str, object]:
    """Answers every question of a kind by its default, but for what is given.

    Args:
        kind: Of file.
        given: Dotted key → value.
        folder: What relative paths start from.
        old: Dotted key → value of an older file, which come before the defaults.
    """
    answers: dict[str, object] = {}
    for question in _questions(kind, given):
        known = {**given, **answers}
        if question.when(known):
            choices = list(question.choices(known))
            answer = choices[0] if len(choices) == 1 else _proposal(question, known, folder, old).answer
            answers[question.key] = question.read(answer)
    return {**answers, **given}


def ask_kind(talk: Talk) -> Kind:
    """Asks what the file is for."""
    titles = _titles({kind.value: purpose for kind, purpose in PURPOSES.items()})
    options = [questionary.Choice(titles[kind.value], value=kind) for kind in PURPOSES]
    prompt = "What do you want to do?"
    chosen = _answered(questionary.select(prompt, options, erase_when_done=True, color_depth=_depth(talk)))
    assert isinstance(chosen, Kind)
    _keep(talk, prompt, chosen.value)
    return chosen


class Dialogue:
    """Every question of a kind, but for what is given; Esc goes back to the question before."""

    def __init__(self, talk: Talk, kind: Kind, given: Answers, folder: Path, old: Answers) -> None:
        """
        Args:
            talk: Where to say why a question is asked.
            kind: Of file.
            given: Dotted key → value.
            folder: What relative paths start from.
            old: Dotted key → value of an older file, which Enter takes again.
        """
        self._talk = talk
        self._given = given
        self._folder = folder
        self._old = old
        self._questions = _questions(kind, given)
        self._answers: dict[str, object] = {}
        self._asked: list[int] = []
        self._place = 0
        talk.line("Enter takes the answer shown, Esc goes back, Ctrl-C ends without a file.", style="dim")

    def ask(self) -> dict[str, object]:
        """Asks from where it stands to the last question; returns all answers, with what is given."""
        while self._place < len(self._questions):
            question = self._questions[self._place]
            known = {**self._given, **self._answers}
            choices = question.choices(known)
            if not question.when(known) or len(choices) == 1:
                if question.when(known):
                    self._answers[question.key] = question.read(next(iter(choices)))
                self._place += 1
                continue
            value = _ask(self._talk, question, known, _proposal(question, known, self._folder, self._old))
            if value is _BACK:
                self.back()
            else:
                self._answers[question.key] = value
                self._asked.append(self._place)
                self._place += 1
        return {**self._answers, **self._given}

    def back(self) -> None:
        """Goes back to the question that was answered last, if one was."""
        if self._asked:
            self._place = self._asked.pop()
            del self._answers[self._questions[self._place].key]


def confirm(talk: Talk, prompt: str) -> bool | None:
    """Asks yes or no; Enter is yes, Esc neither."""
    answer = _answered(_with_back(questionary.confirm(prompt, default=True, color_depth=_depth(talk))))
    return None if answer is _BACK else bool(answer)


def problems(answers: Answers) -> list[str]:
    """Returns what the validators of the file say about answers: `key: …`, without a place."""
    try:
        load_config(None, flags=answers, check=unknown_names)
    except ConfigError as error:
        return [problem.removeprefix("flag: ") for problem in error.problems]
    return []


def _questions(kind: Kind, given: Answers) -> list[Question]:
    return [question for question in QUESTIONS if kind in question.kinds and question.key not in given]


def _proposal(question: Question, answers: Answers, folder: Path, old: Answers) -> Proposal:
    if question.key in old:
        return Proposal(question.old(old[question.key]), question.why)
    return question.propose(answers, folder) or Proposal(question.default, question.why)


def _ask(talk: Talk, question: Question, answers: Answers, proposal: Proposal) -> object:
    talk.line(proposal.why, style="dim")
    choices = question.choices(answers)
    depth = _depth(talk)
    if not choices:

        def check(text: str) -> bool | str:
            return _complaint(question, text, answers) or True

        line = questionary.text(question.prompt, default=proposal.answer, validate=check, color_depth=depth)
        return _answer(talk, question, answers, line)
    titles = _titles(choices)
    if question.takes_several:
        chosen = proposal.answer.split(",")
        boxes = questionary.checkbox(
            question.prompt,
            choices=[questionary.Choice(titles[name], value=name, checked=name in chosen) for name in choices],
            validate=lambda names: bool(names) or "Choose at least one",
            erase_when_done=True,
            color_depth=depth,
        )
        return _answer(talk, question, answers, boxes)
    options = [questionary.Choice(titles[name], value=name) for name in choices]
    select = questionary.select(
        question.prompt, options, default=proposal.answer, erase_when_done=True, color_depth=depth
    )
    return _answer(talk, question, answers, select)


def _answer(talk: Talk, question: Question, answers: Answers, prompt: questionary.Question) -> object:
    """Waits for the answer to a prompt; Esc answers `_BACK`."""
    answer = _answered(_with_back(prompt))
    if answer is _BACK:
        return _BACK
    text = ",".join(answer) if isinstance(answer, list) else str(answer)
    if question.choices(answers):
        _keep(talk, question.prompt, text)
    return question.read(text)


def _with_back(prompt: questionary.Question) -> questionary.Question:
    """Makes Esc answer a prompt with `_BACK`."""
    back = KeyBindings()

    @back.add("escape", eager=True)
    def _(event: KeyPressEvent) -> None:
        event.app.exit(result=_BACK)

    own = prompt.application.key_bindings
    prompt.application.key_bindings = merge_key_bindings([back] if own is None else [own, back])
    return prompt


def _answered(prompt: questionary.Question) -> object:
    """Waits for the answer to a prompt; Ctrl-D ends the questions as Ctrl-C does."""
    try:
        return prompt.unsafe_ask()
    except EOFError:
        raise KeyboardInterrupt from None


def _keep(talk: Talk, prompt: str, names: str) -> None:
    """Leaves a question on the screen with the names that were chosen, for which what they are would be too long."""
    line = [("class:qmark", "?"), ("class:question", f" {prompt} "), ("class:answer", names)]
    print_formatted_text(FormattedText(line), style=DEFAULT_STYLE, color_depth=_depth(talk))


def _complaint(question: Question, text: str, answers: Answers) -> str:
    """What is wrong with a typed answer; empty when nothing is."""
    try:
        value = question.read(text)
    except RequestError as error:
        return str(error)
    is_empty = value in ("", [], {}) or (value is None and not text.strip())
    if is_empty and question.read(question.default) is not None:
        return "must be given"
    found = problems({**answers, question.key: value})
    return found[0] if found else ""


def _titles(choices: Mapping[str, str]) -> dict[str, str]:
    """Names and what they are, short enough for one line each: a wrapped list can't be walked with the eye."""
    width = max(map(len, choices)) + 2
    room = max(20, shutil.get_terminal_size().columns - width - 8)
    return {name: f"{name:<{width}}{textwrap.shorten(text, room, placeholder='…')}" for name, text in choices.items()}


def _depth(talk: Talk) -> ColorDepth | None:
    return None if talk.has_color else ColorDepth.DEPTH_1_BIT
