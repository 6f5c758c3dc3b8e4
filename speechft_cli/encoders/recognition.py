"""Telling the family of an encoder from its configuration and the names of its weights."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from speechft_cli.encoders import ENCODERS
from speechft_cli.encoders.base import EncoderFamily
from speechft_cli.errors import RequestError


class UnknownFamilyError(RequestError):
    """A checkpoint does not say of which family its encoder is."""


def all_families() -> list[EncoderFamily]:
    """Returns the facts of every family in the catalogue."""
    return [ENCODERS.get(name) for name in ENCODERS]


def recognise(
    names: Iterable[str], where: str, *, candidates: Sequence[EncoderFamily] = (), config_name: object = None
) -> EncoderFamily:
    """Returns the one family that weights with these names can belong to.

    Args:
        names: Of the weights, as s3prl has them.
        where: The file, for the message.
        candidates: The families that come into question; all when not said.
        config_name: What fairseq's configuration, or s3prl's command line, calls the family, if there is one.

    Raises:
        UnknownFamilyError: No family fits, or several do.
    """
    known = list(names)
    families = list(candidates) or all_families()
    for family in sorted(families, key=lambda each: -len(each.name)):
        # s3prl says wavlm_base_plus, hubert_local and the like
        if config_name and (config_name == family.config_name or str(config_name).startswith(family.name)):
            return family
    # a bare CNN and Transformer may be UniSpeech-SAT's, or HuBERT's without its head: only a configuration tells
    told = [family for family in families if candidates or family.marks or not family.cnn_prefixes]
    fitting = [family for family in told if _fits(known, family)]
    most = max((len(family.marks) for family in fitting), default=0)
    best = [family for family in fitting if len(family.marks) == most] or _plausible(known, families)
    if len(best) == 1:
        return best[0]
    shown = ", ".join(family.name for family in best)
    raise UnknownFamilyError(
        f"{where}: must say what family its encoder is of, could be any of {shown}",
        "set encoder.family in the config; speechft convert takes --family",
    )


def _plausible(names: Sequence[str], families: Sequence[EncoderFamily]) -> Sequence[EncoderFamily]:
    return [family for family in families if _has_cnn(names) == bool(family.cnn_prefixes)] or families


def _has_cnn(names: Sequence[str]) -> bool:
    return any(name.startswith("feature_extractor.") for name in names)


def _fits(names: Sequence[str], family: EncoderFamily) -> bool:
    is_plausible = _has_cnn(names) == bool(family.cnn_prefixes) and any(name.startswith("encoder.") for name in names)
    return is_plausible and all(any(mark in name for name in names) for mark in family.marks)
