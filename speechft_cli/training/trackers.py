"""Experiment trackers that accelerate knows, such as wandb and mlflow: they get the numbers that TensorBoard gets."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from accelerate.state import PartialState
from accelerate.tracking import LOGGER_TYPE_TO_CLASS, GeneralTracker, get_available_trackers

from speechft_cli.errors import RequestError, SpeechftError
from speechft_cli.events import Note, Report


def require_trackers(names: Sequence[str]) -> None:
    """Makes sure that the trackers' libraries are here.

    Raises:
        RequestError: Some are not; names all of them.
    """
    here = {str(each) for each in get_available_trackers()}
    missing = [name for name in dict.fromkeys(names) if name not in here]
    if missing:
        raise RequestError(
            "\n".join(f"finetune.trackers: must be installed, {name} is not" for name in missing),
            f"pip install {' '.join(missing)}",
        )


class Trackers:
    """Some trackers of one run. One that fails while the run goes on is left out from then on, and that is said."""

    def __init__(self, started: Mapping[str, GeneralTracker], report: Report) -> None:
        self._started = dict(started)
        self._report = report

    def log(self, numbers: Mapping[str, float], step: int) -> None:
        """Tells each of them the numbers of an update."""
        self._each(lambda tracker: tracker.log(dict(numbers), step=step))

    def finish(self) -> None:
        """Lets each of them send what it has."""
        self._each(lambda tracker: tracker.finish())

    def _each(self, act: Callable[[GeneralTracker], object]) -> None:
        for name, tracker in list(self._started.items()):
            try:
                with contextlib.redirect_stdout(sys.stderr):  # stdout is for results
                    act(tracker)
            except Exception as error:  # whatever a library of another house raises must not end a run
                del self._started[name]
                self._report(
                    Note(f"{name}: {str(error) or type(error).__name__}: hears no more of this run", important=True)
                )


@contextlib.contextmanager
def tracked(
    names: Sequence[str], *, project: str, folder: Path, settings: Mapping[str, object], report: Report
) -> Iterator[Trackers]:
    """Starts trackers, and lets them finish whatever happens.

    Args:
        names: As accelerate calls them.
        project: What runs are kept under.
        folder: Run folder: its name is the run's, and trackers that write files write there.
        settings: What the run was asked to do, by dotted key.
        report: Hears of those that fail later.

    Raises:
        SpeechftError: One can't start.
    """
    PartialState()  # accelerate's own log asks it; what is joined already is left as it is
    trackers = Trackers(_start(names, project, folder, settings), report)
    try:
        yield trackers
    finally:
        trackers.finish()


def _start(
    names: Sequence[str], project: str, folder: Path, settings: Mapping[str, object]
) -> dict[str, GeneralTracker]:
    own: Mapping[str, Mapping[str, object]] = {
        "aim": {"logging_dir": str(folder)},
        "clearml": {"task_name": folder.name},
        "dvclive": {"dir": str(folder / "dvclive")},
        "mlflow": {"run_name": folder.name},
        "swanlab": {"experiment_name": folder.name},
        "trackio": {"name": folder.name},
        "wandb": {"name": folder.name, "dir": str(folder)},
    }
    started = {}
    for name in dict.fromkeys(names):
        try:
            with contextlib.redirect_stdout(sys.stderr):
                tracker = LOGGER_TYPE_TO_CLASS[name](project, **own.get(name, {}))
                tracker.main_process_only = False  # only one process has any
                tracker.start()
                tracker.store_init_configuration(dict(settings))
        except Exception as error:
            raise SpeechftError(
                f"finetune.trackers: {name} can't start: {str(error) or type(error).__name__}",
                f"set {name} up as its own documentation says, or leave it out; the same command with --resume begins",
            ) from error
        started[name] = tracker
    return started
