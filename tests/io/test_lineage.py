from __future__ import annotations

from pathlib import Path

from speechft_cli.io.atomic import write_json
from speechft_cli.io.lineage import lineage


def test_what_a_run_started_from_was_not_made_by_it(tmp_path: Path) -> None:
    write_json(tmp_path / "run.json", {"task": "sid", "base": {"path": str(tmp_path / "base" / "encoder.pt")}})

    assert lineage(tmp_path / "base" / "encoder.pt") is None
    assert lineage(tmp_path / "best" / "encoder.pt") == {
        "made_by": "finetune",
        "folder": str(tmp_path),
        "task": "sid",
        "base": {"path": str(tmp_path / "base" / "encoder.pt"), "lineage": None},
    }


def test_a_merge_may_lie_in_a_folder_called_base(tmp_path: Path) -> None:
    write_json(tmp_path / "base" / "merge.json", {"method": "linear", "alpha": 0.25})

    assert lineage(tmp_path / "base" / "encoder.pt") == {
        "made_by": "merge",
        "folder": str(tmp_path / "base"),
        "method": "linear",
        "alpha": 0.25,
    }
