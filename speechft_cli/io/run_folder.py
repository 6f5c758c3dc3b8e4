"""A run folder: what was asked, and how it went."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path

from speechft_cli.errors import RequestError
from speechft_cli.io.atomic import write_json, write_text


class MetricsLog:
    """`metrics.jsonl`: one JSON object per line, each with its `step`."""

    def __init__(self, path: Path, *, resume_at: int) -> None:
        """Opens the log; lines of updates after `resume_at` belong to work that is about to be done again."""
        self._path = path
        kept = [line for line in read_metrics(path) if int(str(line["step"])) <= resume_at] if path.is_file() else []
        write_text(path, "".join(json.dumps(line) + "\n" for line in kept))

    def append(self, line: Mapping[str, object]) -> None:
        """Adds one line, at once on disk for whoever follows the file."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def read_metrics(path: Path) -> list[dict[str, object]]:
    """Reads a metrics log; a last line that a kill cut short is left out."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        with contextlib.suppress(json.JSONDecodeError):
            lines.append(json.loads(line))
    return lines


def read_run(folder: Path) -> dict[str, object]:
    """Reads `run.json`.

    Raises:
        RequestError: There is none, or it is broken.
    """
    path = folder / "run.json"
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(run, dict):
            raise ValueError("must be an object")
    except FileNotFoundError:
        raise RequestError(
            f"{folder}: must be a run folder with run.json, but there is none", "without --resume a run begins there"
        ) from None
    except (ValueError, OSError) as error:
        raise RequestError(f"{path}: can't be read: {error}", "start another run: --out DIR") from error
    return run


def recorded_base(folder: Path) -> Mapping[str, object] | None:
    """Returns what a run says of the encoder that it started from; None where there is no run, or it does not say.

    Raises:
        RequestError: Its record is broken.
    """
    base = read_run(folder).get("base") if (folder / "run.json").is_file() else None
    return base if isinstance(base, dict) and "path" in base else None


def recorded_data(folder: Path) -> Path | None:
    """Returns the manifests that a run was tuned on; None where they are gone.

    Raises:
        RequestError: There is no run, or its record is broken.
    """
    data = read_run(folder).get("data")
    path = Path(str(data.get("path"))) if isinstance(data, dict) else None
    return path if path is not None and path.is_dir() else None


def write_run(folder: Path, run: Mapping[str, object]) -> None:
    """Writes `run.json` whole or not at all."""
    write_json(folder / "run.json", run)
