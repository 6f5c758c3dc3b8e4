"""Python scripts in processes of their own, which end as a test wants them to."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent


def run_script(file: Path, text: str, *arguments: Path) -> subprocess.CompletedProcess[str]:
    """Writes a script and runs it; it can import this package and its tests."""
    file.write_text(text)
    command = [sys.executable, str(file), *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(_ROOT)}
    return subprocess.run(command, env=environment, check=False, capture_output=True, text=True, timeout=300)
