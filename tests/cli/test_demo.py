"""`speechft demo`: its folder, and the whole job."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from speechft_cli.cli.commands.demo import fresh_folder


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


@pytest.mark.slow
def test_the_demo_ends_with_a_report(speechft, tmp_path: Path) -> None:
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
