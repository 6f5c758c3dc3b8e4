"""What became of a corpus: counts by split and by reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from speechft_cli.data.manifests.blocks import Sums
from speechft_cli.data.utterance import SPLITS, Seconds
from speechft_cli.data.verdicts import Bad


@dataclass
class SplitFacts:
    """What a split holds."""

    utterances: int = 0
    seconds: Seconds = 0.0
    speakers: set[str] = field(default_factory=set)
    sample_rates: set[int] = field(default_factory=set)
    rejected: int = 0
    beyond_hours: int = 0

    def add(self, sums: Sums) -> None:
        """Adds what was written."""
        self.utterances += sums.utterances
        self.seconds += sums.seconds
        self.speakers |= sums.speakers
        self.sample_rates |= sums.sample_rates


@dataclass
class Collation:
    """What became of a corpus.

    Attributes:
        splits: Split → what it holds.
        reasons: Why utterances were rejected → how often.
        examples: The same → the first one.
        by_rule: Why the corpus's own rule leaves utterances out → how often.
        duplicates: How many utterances have the audio of another one.
        shared_recordings: How many recordings lie in several splits, in different stretches; None when nobody knows.
    """

    splits: dict[str, SplitFacts] = field(default_factory=lambda: {split: SplitFacts() for split in SPLITS})
    reasons: Counter[str] = field(default_factory=Counter)
    examples: dict[str, Bad] = field(default_factory=dict)
    by_rule: Counter[str] = field(default_factory=Counter)
    duplicates: int = 0
    shared_recordings: int | None = 0

    @property
    def utterances(self) -> int:
        """How many can be used."""
        return sum(facts.utterances for facts in self.splits.values())

    @property
    def shared_speakers(self) -> list[str]:
        """Speakers of train that are also heard in dev or test."""
        train = self.splits["train"].speakers
        return sorted(train & (self.splits["dev"].speakers | self.splits["test"].speakers))


def facts_of(result: Collation) -> Mapping[str, object]:
    """Returns what the record of a finished preparation says."""
    return {
        "splits": {
            split: {
                "utterances": facts.utterances,
                "hours": round(facts.seconds / 3600, 6),
                "speakers": len(facts.speakers),
                "sample_rates": sorted(facts.sample_rates),
                "rejected": facts.rejected,
                "beyond_hours": facts.beyond_hours,
            }
            for split, facts in result.splits.items()
            if facts.utterances or facts.rejected
        },
        "rejected": dict(result.reasons),
        "left_out_by_rule": dict(result.by_rule),
        "shared": {"speakers": len(result.shared_speakers), "recordings": result.shared_recordings},
    }
