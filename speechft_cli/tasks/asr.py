"""Speech recognition in characters."""

from __future__ import annotations

from collections.abc import Iterable

from speechft_cli.tasks.base import Metric, Vocabulary
from speechft_cli.tasks.characters import CHARACTERS, normalise_text, read_characters, spell_words
from speechft_cli.tasks.heads import RecurrentHead
from speechft_cli.tasks.metrics import character_error_rate, word_error_rate
from speechft_cli.tasks.transcription import Transcription


def _symbols(targets: Iterable[str]) -> tuple[str, ...]:
    del targets  # the published set, whatever the data
    return CHARACTERS


def _glance(text: str, vocabulary: Vocabulary) -> int | None:
    del vocabulary  # what is ASCII becomes a letter, an apostrophe or a blank
    return len(text) if text.isascii() and text.upper() != text.lower() else None


ASR = Transcription(
    name="asr",
    needs="text",
    metrics=(Metric("wer", "WER", "%", "lower"), Metric("cer", "CER", "%", "lower")),
    measures=(word_error_rate, character_error_rate),
    clean=normalise_text,
    symbols=_symbols,
    spell=spell_words,
    read=read_characters,
    make_head=RecurrentHead,
    glance=_glance,
    make_probe=RecurrentHead,
    probe_learning_rates=(1e-3,),
)
