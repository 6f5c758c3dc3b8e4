"""Converting: a checkpoint in one format → the same encoder in others, checked by its features."""

from speechft_cli.engines.convert.engine import run

__all__ = ["run"]
