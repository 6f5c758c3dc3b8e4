"""Is what was found of a corpus enough?"""

from __future__ import annotations

from speechft_cli.config.sections.prepare import PrepareSection
from speechft_cli.data.manifests.prepared import REJECTED
from speechft_cli.data.preparing.collated import Collation
from speechft_cli.engines.prepare.report import rejections
from speechft_cli.engines.prepare.request import corpus_name
from speechft_cli.errors import SpeechftError


class UnusableCorpusError(SpeechftError):
    """The corpus does not give what is wanted of it; nothing was written."""


def check_result(result: Collation, section: PrepareSection) -> None:
    """Makes sure that something can be used, and with `strict` that everything can.

    Raises:
        UnusableCorpusError: It is not so; says why.
    """
    name = corpus_name(section)
    hint = "nothing was written; correct the recordings or prepare.min_seconds and max_seconds"
    if (
        not result.utterances
        and section.hours is not None
        and any(each.beyond_hours for each in result.splits.values())
    ):
        raise UnusableCorpusError(
            "\n  ".join([f"{name}: not a single utterance fits into {section.hours:g} hours", *rejections(result)]),
            "nothing was written; raise prepare.hours",
        )
    if not result.utterances:
        raise UnusableCorpusError(
            "\n  ".join([f"{name}: not a single utterance can be used", *rejections(result)]), hint
        )
    if section.strict and result.reasons:
        problem = f"{name}: {result.reasons.total()} utterances can't be used (strict)"
        raise UnusableCorpusError(
            "\n  ".join([problem, *rejections(result)]),
            f"{hint}; without --strict they are listed in {REJECTED} and left out",
        )
