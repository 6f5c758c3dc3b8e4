"""Asks the questions on a terminal. Ctrl-C raises KeyboardInterrupt; nothing is written here."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Callable, Mapping

import questionary
import yaml
from prompt_toolkit.output import ColorDepth

from speechft_cli.cli.console import Talk
from speechft_cli.cli.kinds import Kind
from speechft_cli.cli.questions import QUESTIONS, Answers, Question
from speechft_cli.config.load import load_config
from speechft_cli.errors import ConfigError, RequestError


def default_answers(kind: Kind, given: Answers) -> dict[str, object]:
    """Answers every question of a kind by its default, but for what is given."""
    return _collect(kind, given, lambda question, _: question.read(question.default))


def ask(talk: Talk, kind: Kind, given: Answers) -> dict[str, object]:
    """Asks every question of a kind, but for what is given."""
    return _collect(kind, given, lambda question, answers: _ask(talk, question, answers))


def confirm(talk: Talk, prompt: str) -> bool:
    """Asks yes or no; Enter is yes."""
    return bool(questionary.confirm(prompt, default=True, **_look(talk)).unsafe_ask())


def problems(answers: Answers) -> list[str]:
    """Returns what the validators of the file say about answers: `key: …`, without a place."""
    try:
        load_config(None, flags=answers)
    except ConfigError as error:
        return [problem.removeprefix("flag: ") for problem in error.problems]
    return []


def _collect(kind: Kind, given: Answers, answer: Callable[[Question, Answers], object]) -> dict[str, object]:
    answers: dict[str, object] = {}
    for question in QUESTIONS:
        if kind not in question.kinds:
            continue
        if question.key in given:
            answers[question.key] = given[question.key]
        elif question.when({**given, **answers}):
            answers[question.key] = answer(question, {**given, **answers})
    return {**answers, **given}


def _ask(talk: Talk, question: Question, answers: Answers) -> object:
    talk.line(question.why, style="dim")
    choices = question.choices()
    look = _look(talk)
    if not choices:

        def check(text: str) -> bool | str:
            return _complaint(question, text, answers) or True

        text = questionary.text(question.prompt, default=question.default, validate=check, **look).unsafe_ask()
        return question.read(text)
    titles = _titles(choices)
    if question.takes_several:
        chosen = question.default.split(",")
        picked = questionary.checkbox(
            question.prompt,
            choices=[questionary.Choice(titles[name], value=name, checked=name in chosen) for name in choices],
            validate=lambda names: bool(names) or "Choose at least one",
            **look,
        ).unsafe_ask()
        return question.read(",".join(picked))
    options = [questionary.Choice(titles[name], value=name) for name in choices]
    return question.read(questionary.select(question.prompt, options, default=question.default, **look).unsafe_ask())


def _complaint(question: Question, text: str, answers: Answers) -> str:
    """What is wrong with a typed answer; empty when nothing is."""
    try:
        value = question.read(text)
    except (RequestError, yaml.YAMLError) as error:
        return str(error)
    if value is None:
        return "must be given"
    found = problems({**answers, question.key: value})
    return found[0] if found else ""


def _titles(choices: Mapping[str, str]) -> dict[str, str]:
    """Names and what they are, short enough for one line each: a wrapped list can't be walked with the eye."""
    width = max(map(len, choices)) + 2
    room = max(20, shutil.get_terminal_size().columns - width - 8)
    return {name: f"{name:<{width}}{textwrap.shorten(text, room, placeholder='…')}" for name, text in choices.items()}


def _look(talk: Talk) -> dict[str, ColorDepth]:
    return {"color_depth": ColorDepth.DEPTH_1_BIT} if talk.results.no_color else {}
