from __future__ import annotations

import sys
from pathlib import Path

import accelerate.tracking
import pytest
from accelerate.tracking import LOGGER_TYPE_TO_CLASS, GeneralTracker

from speechft_cli.config.sections.finetune import FinetuneSection
from speechft_cli.engines import finetune
from speechft_cli.errors import RequestError, SpeechftError
from speechft_cli.events import Event, Note, Report, ignore
from speechft_cli.io.run_folder import read_metrics, read_run
from speechft_cli.training.trackers import require_trackers, tracked
from tests.conftest import make_config


class Notebook(GeneralTracker):
    """A tracker as accelerate lets anybody write one; it keeps what it is told."""

    name = "wandb"
    requires_logging_directory = False
    pages: dict[str, list[object]]

    def __init__(self, project: str, **own: object) -> None:
        super().__init__()
        Notebook.pages = {"begun": [project, own], "settings": [], "log": [], "finished": []}

    @property
    def tracker(self) -> object:
        return self.pages

    def store_init_configuration(self, values: dict[str, object]) -> None:
        self.pages["settings"].append(values)

    def log(self, values: dict[str, float], step: int | None = None) -> None:
        sys.stdout.write("a line that is no result\n")
        self.pages["log"].append((step, values))

    def finish(self) -> None:
        self.pages["finished"].append(True)


class LoggedOut(Notebook):
    def start(self) -> None:
        raise RuntimeError("nobody is logged in")


class Deaf(Notebook):
    def log(self, values: dict[str, float], step: int | None = None) -> None:
        super().log(values, step)
        raise ConnectionError("the line is dead")


@pytest.fixture
def wandb(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Puts a notebook in wandb's place, installed or not."""
    monkeypatch.setattr(accelerate.tracking, "_available_trackers", ["wandb"])
    monkeypatch.setitem(LOGGER_TYPE_TO_CLASS, "wandb", Notebook)
    return monkeypatch


def tune(manifests: Path, out: Path, report: Report = ignore, *, resume: bool = False) -> None:
    settings: dict[str, object] = {
        "name": "pitches",
        "encoder__init": "random",
        "encoder__size": "tiny",
        "finetune__data": manifests,
        "finetune__out": out,
        "finetune__task": "sid",
        "finetune__steps": 4,
        "finetune__batch_seconds": 4.0,
        "finetune__evaluate_every": 2,
        "finetune__log_every": 1,
        "finetune__workers": 0,
        "finetune__device": "cpu",
        "finetune__trackers": ["wandb"],
    }
    finetune.run(make_config(**settings), report, resume=resume)


@pytest.mark.usefixtures("wandb")
def test_a_tracker_hears_what_metrics_jsonl_says(
    manifests: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    tune(manifests, out)

    pages = Notebook.pages
    assert pages["begun"] == ["pitches", {"name": "run", "dir": str(out)}]
    (settings,) = pages["settings"]
    assert settings["finetune.task"] == "sid"  # type: ignore[index]
    assert settings["finetune.steps"] == 4  # type: ignore[index]
    told: dict[int, dict[str, float]] = {}
    for step, numbers in pages["log"]:  # type: ignore[misc]
        told.setdefault(step, {}).update(numbers)
    written: dict[int, dict[str, float]] = {}
    for line in read_metrics(out / "metrics.jsonl"):
        numbers = {
            name.replace("dev_", "dev/") if name.startswith("dev_") else f"train/{name}": value
            for name, value in line.items()
            if name not in ("step", "stage")
        }
        written.setdefault(line["step"], {}).update(numbers)
    assert told == written
    assert pages["finished"] == [True]
    heard = capsys.readouterr()
    assert "no result" not in heard.out
    assert "no result" in heard.err


def test_a_tracker_that_fails_on_the_way_is_left_out_and_the_run_goes_on(
    manifests: Path, tmp_path: Path, wandb: pytest.MonkeyPatch
) -> None:
    wandb.setitem(LOGGER_TYPE_TO_CLASS, "wandb", Deaf)
    events: list[Event] = []
    tune(manifests, tmp_path / "run", events.append)

    said = [event.text for event in events if isinstance(event, Note) and event.important]
    assert said == ["wandb: the line is dead: hears no more of this run"]
    assert len(Deaf.pages["log"]) == 1
    assert read_run(tmp_path / "run")["status"] == "done"


def test_a_tracker_that_can_t_start_stops_the_run_before_its_first_update(
    manifests: Path, tmp_path: Path, wandb: pytest.MonkeyPatch
) -> None:
    wandb.setitem(LOGGER_TYPE_TO_CLASS, "wandb", LoggedOut)
    out = tmp_path / "run"
    with pytest.raises(SpeechftError, match=r"finetune\.trackers: wandb can't start: nobody is logged in") as caught:
        tune(manifests, out)
    assert caught.value.hint is not None
    assert "--resume" in caught.value.hint
    assert read_run(out)["status"] == "failed"
    assert not (out / "last").exists()

    wandb.setitem(LOGGER_TYPE_TO_CLASS, "wandb", Notebook)
    tune(manifests, out, resume=True)
    assert read_run(out)["status"] == "done"


def test_a_tracker_that_is_not_installed_is_asked_for(
    manifests: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accelerate.tracking, "_available_trackers", [])
    with pytest.raises(RequestError, match=r"finetune\.trackers: must be installed, wandb is not") as caught:
        tune(manifests, tmp_path / "run")
    assert caught.value.hint == "pip install wandb"
    assert not (tmp_path / "run").exists()


def test_the_config_knows_every_tracker_of_accelerate_but_tensorboard_which_is_always_written() -> None:
    schema = FinetuneSection.model_json_schema()["properties"]["trackers"]["items"]["enum"]
    assert set(schema) == set(LOGGER_TYPE_TO_CLASS) - {"tensorboard"}
    with pytest.raises(RequestError):
        require_trackers(["no such tracker"])


def test_trackers_finish_when_the_run_fails(tmp_path: Path, wandb: pytest.MonkeyPatch) -> None:
    del wandb
    run = tracked(["wandb"], project="p", folder=tmp_path / "run", settings={}, report=ignore)
    with pytest.raises(KeyError), run:
        raise KeyError
    assert Notebook.pages["finished"] == [True]
