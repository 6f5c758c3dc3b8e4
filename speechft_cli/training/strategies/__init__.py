"""Fine-tuning strategies: which parameters train, and what holds them back. STRATEGIES is the catalogue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from speechft_cli.registry import Entry, Registry

if TYPE_CHECKING:
    from speechft_cli.training.strategies.base import Make

STRATEGIES: Registry[Make] = Registry(
    "fine-tuning strategy",
    {
        "stable": Entry(
            "speechft_cli.training.strategies.stable:make",
            "head alone for the first β of the updates, then head and encoder; CNN frozen",
            "Speech-FT, Lin et al. 2026, arXiv 2502.12672",
        ),
        "regular": Entry(
            "speechft_cli.training.strategies.regular:make",
            "head and encoder from the first update on; CNN frozen",
            "a baseline of Speech-FT, arXiv 2502.12672",
        ),
        "l2sp": Entry(
            "speechft_cli.training.strategies.l2sp:make",
            "as stable, with a pull toward the base of strength λ on every encoder weight",
            "L2-SP, Li et al. 2018, arXiv 1802.01483",
        ),
        "lora": Entry(
            "speechft_cli.training.strategies.lora:make",
            "as stable, but only low-rank updates of the attention train; saved as plain weights",
            "LoRA, Hu et al. 2022, arXiv 2106.09685",
        ),
        "dora": Entry(
            "speechft_cli.training.strategies.dora:make",
            "as lora, with the length of each row of the weights trained apart from its direction",
            "DoRA, Liu et al. 2024, arXiv 2402.09353",
        ),
        "early": Entry(
            "speechft_cli.training.strategies.early:make",
            "as stable, but the run ends at a share of its updates, and that checkpoint is kept",
            "a baseline of Speech-FT, arXiv 2502.12672 (20 %)",
        ),
    },
)
