"""`python -m speechft_cli` and the console script `speechft`."""

from __future__ import annotations

import os

from speechft_cli.cli.app import app


def main() -> None:
    """Runs the command line; leaves with the exit code."""
    # torch's OpenMP threads wait for each other by spinning; beside another busy process that makes the many small
    # products of an LSTM up to 30 times slower. A short spin costs nothing on a quiet machine. Read when torch loads.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    app(prog_name="speechft")


if __name__ == "__main__":
    main()
