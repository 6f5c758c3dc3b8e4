"""A piece of work under way: how far it is, how fast, and for how long still."""

from __future__ import annotations

import time

from speechft_cli.errors import amount

#: What is reported as done so soon after the beginning was done by an earlier run [s].
_AT_ONCE = 0.1


class Work:
    """What an engine has begun and not yet finished."""

    def __init__(self, what: str, total: int | None, unit: str) -> None:
        """
        Args:
            what: Its name.
            total: In `unit`; None when it can't be known.
            unit: What is counted.
        """
        self.what = what
        self.note = ""
        self._remaining: float | None = None
        self._total = total
        self._unit = unit
        self._done = 0
        self._said_at = time.monotonic()
        # speed and remaining time are counted from here on: a download may begin in the middle
        self._since = (self._said_at, 0)
        self._latest: tuple[float, int] | None = None

    def advance(self, done: int, note: str) -> None:
        """Takes how far it is: `done` units in all."""
        now = time.monotonic()
        if self._latest is None and now - self._since[0] < _AT_ONCE:
            self._since = (now, done)
        self._latest = (now, done)
        self._done, self.note = done, note

    def step(self, done: int, stage: str, remaining: float) -> None:
        """Takes what a training run says of itself: updates made, stage, seconds that remain."""
        self.what = f"{self.what.partition(':')[0]}: {stage}"
        self._remaining = remaining
        self.advance(done, "")

    def is_due(self, every: float) -> bool:
        """Whether nothing was said for `every` seconds; then something is said now."""
        now = time.monotonic()
        if now - self._said_at < every:
            return False
        self._said_at = now
        return True

    @property
    def share(self) -> float | None:
        """How far it is, between 0 and 1; None when that can't be known."""
        return self._done / self._total if self._total else None

    def details(self) -> tuple[str, ...]:
        """How far, for how long still and how fast; what is not known is left out."""
        if self._total is None and not self._done:
            return ()
        if self._total is None:
            count = amount(self._done, self._unit)
        else:
            count = f"{self._done:>{len(str(self._total))}}/{amount(self._total, self._unit)}"
        details = [count.rstrip()]
        if self._latest is None:
            return tuple(details)
        passed = time.monotonic() - self._latest[0]
        if self._remaining is not None:
            details.append(f"{clock(self._remaining - passed)} left")
        elif self._latest[1] > self._since[1]:
            seconds = (self._latest[0] - self._since[0]) / (self._latest[1] - self._since[1])  # per unit
            if self._total is not None and self._done < self._total:
                details.append(f"{clock((self._total - self._done) * seconds - passed)} left")
            details.append(f"{seconds:.1f} s each" if seconds > 1 else f"{1 / max(seconds, 1e-6):.0f}/s")
        return tuple(details)

    def __str__(self) -> str:
        said = ", ".join(filter(None, (*self.details(), self.note)))
        return f"{self.what}: {said}"


def clock(seconds: float) -> str:
    """Says a duration as h:mm:ss."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
