"""Frozen encoders × tasks → scores, curves and a report."""

from speechft_cli.engines.evaluate.engine import run

__all__ = ["run"]
