"""Intent classification: an action, an object and a location, right only when all three are."""

from __future__ import annotations

from speechft_cli.tasks.base import Metric
from speechft_cli.tasks.classification import Classification

IC = Classification("ic", "action+object+location", (Metric("acc", "IC acc", "%", "higher"),))
