"""Fine-tuning: base + manifests → run folder."""

from speechft_cli.engines.finetune.engine import run

__all__ = ["run"]
