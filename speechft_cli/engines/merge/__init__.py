"""Merging: base + tuned → one checkpoint per alpha."""

from speechft_cli.engines.merge.engine import run

__all__ = ["run"]
