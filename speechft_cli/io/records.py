"""What the JSON records of runs, merges and fetched files have in common."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any


def now() -> str:
    """Returns the time as records have it."""
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")


def read_json(path: Path) -> dict[str, Any]:
    """Returns the object in a JSON file; empty where there is no file, or no object in it."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
