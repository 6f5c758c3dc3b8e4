"""Corpus on disk → manifests: read, open every recording, list what is wrong, write."""

from speechft_cli.engines.prepare.engine import run

__all__ = ["run"]
