"""Audio → features of chosen layers, in files for whatever comes next."""

from speechft_cli.engines.extract.engine import run

__all__ = ["run"]
