"""`python -m speechft_cli` and the console script `speechft`."""

from __future__ import annotations

from speechft_cli.cli.app import app


def main() -> None:
    """Runs the command line; leaves with the exit code."""
    app(prog_name="speechft")


if __name__ == "__main__":
    main()
