import json
from dataclasses import asdict, replace
from decimal import Decimal
from pathlib import Path

from speechft_cli.reporting.json_lines import write_lines
from speechft_cli.reporting.scores import Fold, Score, read_scores


def score(**changed: object) -> Score:
    """A figure of the base on sid, with something else about it."""
    one = Score(
        label="base",
        weights_hash="w",
        configuration="c",
        alpha=None,
        method=None,
        task="sid",
        preset="quick",
        split="test",
        metric="acc",
        title="SID acc",
        value=81.25,
        interval=None,
        values=(81.25,),
        seeds=(7,),
        folds=(),
        unit="%",
        better="higher",
        learning_rate=0.1,
        layer=None,
        tried=((0.01, 75.0), (0.1, 80.0)),
        is_edge=True,
        steps=(50,),
        seed=1,
        utterances=16,
        manifest_hash="m",
        settings={"steps": 100, "learning_rates": [0.1, 0.01], "crop_seconds": None},
    )
    return replace(one, **changed)  # type: ignore[arg-type]


def test_scores_are_read_as_they_were_written(tmp_path: Path) -> None:
    fold = Fold("01", (50.0,), 0.1, ((0.01, 40.0), (0.1, 45.0)), True, (30,), 8)
    scores = [
        score(),
        score(label="α\u2028β", alpha=0.25, value=100 / 3),
        score(folds=(fold, replace(fold, name="02"))),
    ]
    write_lines(tmp_path / "scores.jsonl", scores)
    assert read_scores(tmp_path / "scores.jsonl") == scores
    assert scores[1].exact_alpha() == Decimal("0.25")


def test_lines_that_are_no_scores_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "scores.jsonl"
    write_lines(path, [score()])
    of_others = [{"of": "another version"}, [], {**asdict(score()), "folds": ["01"]}]
    path.write_text("\n".join(map(json.dumps, of_others)) + "\n" + path.read_text() + '{"label": "cut sho')
    assert read_scores(path) == [score()]


def test_no_file_is_no_scores(tmp_path: Path) -> None:
    assert read_scores(tmp_path / "scores.jsonl") == []
