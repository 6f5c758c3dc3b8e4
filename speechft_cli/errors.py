"""The errors a user can cause or meet, each with the exit code it ends in."""

from __future__ import annotations

from collections.abc import Sequence


class SpeechftError(Exception):
    """The run failed: exit code 1.

    Attributes:
        message: `<where>: must be <what>, got <value>`, or what happened, in one sentence.
        hint: What to do next, if possible something that can be pasted; may be empty.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if hint:
            self.add_note(f"hint: {hint}")  # below the message where Python prints a traceback, as in a notebook


class RequestError(SpeechftError):
    """The request is wrong and nothing was done: exit code 2."""

    exit_code = 2


class ConfigError(RequestError):
    """The configuration is wrong; carries every problem found, not only the first."""

    def __init__(self, problems: Sequence[str], hint: str = "") -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems), hint)


def amount(count: int, things: str) -> str:
    """Says how many things there are; `things` is a plural in -s."""
    return f"{count} {things.removesuffix('s') if count == 1 else things}"


def shortened(names: Sequence[str], *, most: int) -> str:
    """Says the first of many names in one line, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def itemised(problems: Sequence[str], *, most: int = 10) -> str:
    """Says the first of many problems, each in a line below what is said before, and how many more there are."""
    more = [f"and {len(problems) - most} more"] if len(problems) > most else []
    return "".join(f"\n  {each}" for each in (*problems[:most], *more))


class InterruptedRunError(SpeechftError):
    """The user or the scheduler stopped the run; what was done is saved.

    `exit_code` is 130 after SIGINT, 143 after SIGTERM and 129 after SIGHUP.
    """

    def __init__(self, message: str, hint: str = "", *, exit_code: int = 130) -> None:
        super().__init__(message, hint)
        self.exit_code = exit_code
