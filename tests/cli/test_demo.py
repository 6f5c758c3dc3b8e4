"""`speechft demo`: its folder, and the whole job."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from speechft_cli.cli.commands.demo import fresh_folder, what_matters
from speechft_cli.config.source import YamlLoader
from speechft_cli.config.templates import template_path
from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.formats import save_encoder
from speechft_cli.errors import InterruptedRunError

_CONNECT = socket.socket.connect


def _names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def _write(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x", encoding="utf-8")


def test_a_second_demo_starts_afresh_and_leaves_what_others_wrote(tmp_path: Path) -> None:
    out = tmp_path / "demo"
    with fresh_folder(out):
        _write(out / "finetune" / "run.json", out / "data" / "a.wav")
    _write(out / "finetune" / "notes.txt", out / "mine.txt")
    with fresh_folder(out):
        assert _names(out) == ["demo.json", "finetune/notes.txt", "mine.txt"]
        assert not (out / "data").exists()
        _write(out / "finetune" / "run.json")
    assert json.loads((out / "demo.json").read_text(encoding="utf-8")) == {"wrote": ["finetune/run.json"]}


def test_a_demo_that_failed_is_started_afresh(tmp_path: Path) -> None:
    out = tmp_path / "demo"

    def stopped() -> None:
        with fresh_folder(out):
            _write(out / "half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    with fresh_folder(out):
        assert _names(out) == ["demo.json"]


def test_a_second_ctrl_c_leaves_a_demo_that_is_started_afresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, look = tmp_path / "demo", Path.rglob

    def interrupted(folder: Path, pattern: str) -> Iterator[Path]:
        signal.raise_signal(signal.SIGINT)
        return look(folder, pattern)

    def stopped() -> None:
        with fresh_folder(out):
            _write(out / "half")
            monkeypatch.setattr(Path, "rglob", interrupted)
            raise InterruptedRunError("by the first")

    with pytest.raises(InterruptedRunError, match="by the first"):
        stopped()
    monkeypatch.undo()
    with fresh_folder(out):
        assert _names(out) == ["demo.json"]


@pytest.mark.parametrize(
    ("number", "code", "after"), [(signal.SIGINT, 130, "generating"), (signal.SIGTERM, 143, "finetune …")]
)
def test_a_demo_that_is_interrupted_says_that_it_begins_again(
    tmp_path: Path, number: signal.Signals, code: int, after: str
) -> None:
    typed = [sys.executable, "-m", "speechft_cli", "demo", "--out", "my demo"]
    with subprocess.Popen(typed, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        assert any(after in line for line in running.stderr)
        running.send_signal(number)
        said = running.stderr.read()
    assert running.returncode == code
    assert said.endswith(
        "stopped: interrupted; a demo begins again from the start\nhint: speechft demo --out 'my demo'\n"
    )
    assert json.loads((tmp_path / "my demo" / "demo.json").read_text(encoding="utf-8"))["wrote"] is not None


def test_a_diary_reaches_no_further_than_its_folder(tmp_path: Path) -> None:
    out = tmp_path / "demo"
    _write(tmp_path / "precious")
    out.mkdir()
    (out / "demo.json").write_text(json.dumps({"wrote": ["../precious", str(tmp_path / "precious")]}), encoding="utf-8")
    with fresh_folder(out):
        pass
    assert (tmp_path / "precious").exists()


def test_a_folder_of_somebody_else_is_refused(speechft, tmp_path: Path) -> None:
    _write(tmp_path / "demo" / "thesis.tex")
    result = speechft("demo")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "error: --out: must be empty or the folder of an earlier demo, got demo\nhint: speechft demo --out ANOTHER\n"
    )
    assert _names(tmp_path) == ["demo/thesis.tex"]


def test_a_demo_that_was_killed_is_named(speechft, tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "demo.json").write_text('{"wrote": null}', encoding="utf-8")
    result = speechft("demo")
    assert result.exit_code == 2
    assert result.stderr == (
        "error: demo: holds a demo that was killed, so what belongs to it is not known\n"
        "hint: rm -r demo, or speechft demo --out ANOTHER\n"
    )


@pytest.fixture
def _small(tiny: EncoderCheckpoint, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo's own template and engines with smaller numbers, on a tiny encoder in the place of the shipped one."""
    folder = tmp_path_factory.mktemp("small")
    half = tiny.with_weights({name: each.half() for name, each in tiny.weights.items()})
    save_encoder(half, folder, ["safetensors"], stem="hubert-small")
    monkeypatch.setattr("speechft_cli.encoders.names.SHIPPED", folder)
    settings = yaml.load(template_path("demo").read_text(encoding="utf-8"), YamlLoader)
    tasks = settings["evaluate"]["tasks"]
    settings["prepare"]["hours"] = 0.01
    settings["finetune"] |= {"steps": 2, "evaluate_every": 2, "log_every": 1}
    settings["merge"]["alphas"] = [0.5]
    settings["evaluate"] |= {"steps": dict.fromkeys(tasks, 2), "seeds": 1, "drift_seconds": 2}
    (folder / "demo.yaml").write_text(yaml.safe_dump(settings, allow_unicode=True), encoding="utf-8")
    monkeypatch.setattr("speechft_cli.config.templates._folder", lambda: folder)


@pytest.mark.slow
@pytest.mark.usefixtures("_small")
def test_the_demo_ends_with_a_report_and_what_matters(
    speechft, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket.socket, "connect", _no_network)
    with fresh_folder(tmp_path / "demo"):
        _write(tmp_path / "demo" / "finetune" / "run.json")  # of an earlier demo
    result = speechft("demo", "--json")
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert {"output", "prepare", "finetune", "merge", "evaluate"} == set(document)
    assert Path(document["output"]).suffix == ".html"
    assert Path(document["output"]).exists()
    wrote = json.loads((tmp_path / "demo" / "demo.json").read_text(encoding="utf-8"))["wrote"]
    assert {"speechft.yaml", "finetune/run.json"} <= set(wrote)
    table = what_matters(document["evaluate"])
    assert table.columns == ("encoder", "PER % ↓", "SID acc % ↑", "KS acc % ↑")
    assert [row[0] for row in table.rows][:2] == ["base, as pre-trained", "tuned on asr"]


def _no_network(own: socket.socket, address: object) -> None:
    if own.family != socket.AF_UNIX:  # by which processes of one machine talk
        raise OSError("the network is cut off")
    _CONNECT(own, address)  # type: ignore[arg-type]


def test_what_matters_is_base_tuned_and_the_best_between_by_dev() -> None:
    def score(label: str, value: float, split: str = "test") -> dict[str, object]:
        facts = {"task": "sid", "metric": "acc", "title": "SID acc", "unit": "%", "better": "higher"}
        return {"label": label, "split": split, "value": value, **facts}

    scores = [score("base", 50.0), score("base", 1.0, "dev"), score("tuned", 40.0), score("alpha-0.25", 52.125)]
    table = what_matters({"scores": [*scores, score("alpha-0.5", 60.0)], "recommended": {"label": "alpha-0.25"}})
    assert table.rows == (
        ("base, as pre-trained", "50.00"),
        ("tuned on asr", "40.00"),
        ("alpha-0.25, best by dev", "52.12"),
    )
    assert table.columns == ("encoder", "SID acc % ↑")
    assert len(what_matters({"scores": scores, "recommended": {"label": None}}).rows) == 2
