"""Where a checkpoint of ours came from: the records beside it, and those that they name."""

from __future__ import annotations

from pathlib import Path

from speechft_cli.io.records import read_json

#: Which file says what a folder's checkpoint was made of, and what that is called.
_RECORDS = {"run.json": "finetune", "merge.json": "merge"}
#: What of a record goes into a lineage.
_FACTS = ("task", "strategy", "method", "alpha", "family", "seed")


def lineage(checkpoint: Path) -> dict[str, object] | None:
    """Returns how a checkpoint was made, nested down to the first base; None when nothing of ours made it.

    Args:
        checkpoint: The file, in a run folder's `best` or `last`, or in a merged folder.
    """
    # a run's `base` is what it started from: random weights that nothing made before
    above = () if checkpoint.parent.name == "base" else (checkpoint.parent.parent,)
    for folder in (checkpoint.parent, *above):
        for name, kind in _RECORDS.items():
            if record := read_json(folder / name):
                return _told(kind, folder, record)
    return None


def _told(kind: str, folder: Path, record: dict[str, object]) -> dict[str, object]:
    told: dict[str, object] = {"made_by": kind, "folder": str(folder)}
    told |= {key: record[key] for key in _FACTS if key in record}
    for source in ("base", "tuned"):
        value = record.get(source)
        if isinstance(value, dict):
            told[source] = _source(value)
        elif isinstance(value, list):
            told[source] = [_source(each) for each in value if isinstance(each, dict)]
    return told


def _source(record: dict[str, object]) -> dict[str, object]:
    facts: dict[str, object] = {key: record[key] for key in ("path", "name", "weights_sha256") if key in record}
    if "lineage" in record:  # a run wrote down its base's when that was still there
        return {**facts, "lineage": record["lineage"]}
    path = record.get("path")
    return {**facts, "lineage": lineage(Path(path)) if isinstance(path, str) else None}
