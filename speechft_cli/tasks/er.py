"""Emotion recognition."""

from __future__ import annotations

from speechft_cli.tasks.base import Metric
from speechft_cli.tasks.classification import Classification

ER = Classification("er", "emotion", (Metric("acc", "ER acc", "%", "higher"),))
