"""Is what was found of a corpus enough?"""

from __future__ import annotations

from speechft_cli.config.sections.prepare import PrepareSection
from speechft_cli.data.manifests.prepared import REJECTED
from speechft_cli.data.preparing.collated import Collation
from speechft_cli.engines.prepare.report import left_out, rejections
from speechft_cli.engines.prepare.request import corpus_name
from speechft_cli.errors import SpeechftError, amount

#: Reason → what to do about it, where most are rejected for it.
_CURES = {
    "no such file": "is all of the corpus unpacked? Paths in a list are relative to the list",
    "transcript without audio": "is all of the corpus unpacked?",
    "audio without transcript": "is all of the corpus unpacked?",
    "shorter than start + duration": "start, duration and end are in seconds",
    "shorter than min_seconds": "lower prepare.min_seconds",
    "longer than max_seconds": "raise prepare.max_seconds",
}


class UnusableCorpusError(SpeechftError):
    """The corpus does not give what is wanted of it; nothing was written."""


def check_result(result: Collation, section: PrepareSection) -> None:
    """Makes sure that something can be used, and with `strict` that everything can.

    Raises:
        UnusableCorpusError: It is not so; says why.
    """
    name = corpus_name(section)
    commonest = next((reason for reason, _ in result.reasons.most_common(1)), "")
    hint = f"nothing was written; {_CURES.get(commonest, 'correct the recordings, or take them out of the corpus')}"
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
            "\n  ".join([f"{name}: not a single utterance can be used", *rejections(result), *left_out(result)]), hint
        )
    if section.strict and result.reasons:
        problem = f"{name}: {amount(result.reasons.total(), 'utterances')} can't be used (strict)"
        raise UnusableCorpusError(
            "\n  ".join([problem, *rejections(result)]),
            f"{hint}; without --strict they are listed in {REJECTED} and left out",
        )
