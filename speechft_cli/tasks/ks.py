"""Keyword spotting: one of a few words; "silence" and "unknown" are classes like any other, made by the corpus."""

from __future__ import annotations

from speechft_cli.tasks.base import Metric
from speechft_cli.tasks.classification import Classification

KS = Classification("ks", "keyword", (Metric("acc", "KS acc", "%", "higher"),))
