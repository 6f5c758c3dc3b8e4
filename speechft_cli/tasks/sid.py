"""Speaker identification: which of the training speakers is it?"""

from __future__ import annotations

from speechft_cli.tasks.base import Metric
from speechft_cli.tasks.classification import Classification

SID = Classification("sid", "speaker", (Metric("acc", "SID acc", "%", "higher"),), is_closed_set=True)
