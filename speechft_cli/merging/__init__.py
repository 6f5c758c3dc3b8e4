"""Merge methods: curves through weight space. METHODS is the catalogue; a method is one file and one line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from speechft_cli.registry import Entry, Registry

if TYPE_CHECKING:
    from speechft_cli.merging.base import MergeMethod

METHODS: Registry[type[MergeMethod]] = Registry(
    "merge method",
    {
        "linear": Entry(
            "speechft_cli.merging.linear:Linear",
            "the straight line from the base to the tuned model, or to the mean of several",
            "Speech-FT, Lin et al. 2026, TASLP 34, arXiv 2502.12672, eq. 1",
        ),
        "task_arithmetic": Entry(
            "speechft_cli.merging.task_arithmetic:TaskArithmetic",
            "weighted sum of task vectors; a negative weight takes a task away",
            "Ilharco et al. 2023, arXiv 2212.04089",
        ),
        "slerp": Entry(
            "speechft_cli.merging.slerp:Slerp",
            "the arc instead of the line; exactly one tuned model",
            "Shoemake 1985, SIGGRAPH; tensor by tensor as in mergekit",
        ),
        "karcher": Entry(
            "speechft_cli.merging.karcher:Karcher",
            "mean direction on the sphere of base and tuned models",
            "Karcher 1977, CPAM 30; for merging as in mergekit",
        ),
        "ties": Entry(
            "speechft_cli.merging.ties:Ties",
            "keep the largest changes, elect a sign, merge what agrees with it",
            "Yadav et al. 2023, arXiv 2306.01708",
        ),
        "dare_linear": Entry(
            "speechft_cli.merging.dare_linear:DareLinear",
            "drop random changes, rescale the rest, add",
            "Yu et al. 2024, arXiv 2311.03099",
        ),
        "dare_ties": Entry(
            "speechft_cli.merging.dare_ties:DareTies",
            "drop random changes, rescale the rest, then elect signs as ties",
            "Yu et al. 2024, arXiv 2311.03099; Yadav et al. 2023, arXiv 2306.01708",
        ),
        "breadcrumbs": Entry(
            "speechft_cli.merging.breadcrumbs:Breadcrumbs",
            "leave out the largest changes and the smallest, add the rest",
            "Davari & Belilovsky 2024, arXiv 2312.06795",
        ),
        "model_stock": Entry(
            "speechft_cli.merging.model_stock:ModelStock",
            "as far toward the mean of two or more tuned models as their angles say",
            "Jang et al. 2024, arXiv 2403.19522, eq. 7",
        ),
        "lines": Entry(
            "speechft_cli.merging.lines:LiNeS",
            "linear, but shallow layers stay nearer to the base than deep ones",
            "Wang et al. 2025, arXiv 2410.17146",
        ),
        "fisher": Entry(
            "speechft_cli.merging.fisher:Fisher",
            "each weight listens to the models whose loss depends on it; measured on manifests",
            "Matena & Raffel 2022, arXiv 2111.09832",
        ),
        "regmean": Entry(
            "speechft_cli.merging.regmean:RegMean",
            "linear layers answer to each model's inputs as that model would; measured on manifests",
            "Jin et al. 2023, arXiv 2212.09849",
        ),
    },
)
