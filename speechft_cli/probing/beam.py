"""Beam search over words with an n-gram: the other way to read characters off a probe, beside the best path."""

from __future__ import annotations

import gzip
import importlib.util
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import torch
import torch.nn.functional as F
from torch import Tensor

from speechft_cli.errors import RequestError
from speechft_cli.io.stderr import unheard
from speechft_cli.tasks.base import Vocabulary
from speechft_cli.tasks.characters import CHARACTERS, SPECIAL, WORD_BOUNDARY, normalise_text, spell_words

_ARPA = "evaluate.language_model names an n-gram such as KenLM's lmplz writes, plain or gzip"


@dataclass(frozen=True)
class BeamSettings:
    """How the search weighs things; weight, score and threshold are fairseq's usual ones.

    Attributes:
        size: Hypotheses kept at each frame.
        threshold: A hypothesis this much less likely than the best one is dropped [nats].
        language_weight: Weight of the n-gram's log10 probability, against the letters' in nats.
        word_score: Added per word [nats].
    """

    size: int = 50
    threshold: float = 25.0
    language_weight: float = 2.0
    word_score: float = -1.0

    def text(self) -> str:
        """Returns the settings in a few words."""
        return (
            f"{self.size} hypotheses, threshold {self.threshold:g}, language weight {self.language_weight:g}, "
            f"word score {self.word_score:g}"
        )


def beam_decoder(language_model: Path, settings: BeamSettings) -> Callable[[Tensor, Tensor, Vocabulary], list[str]]:
    """Returns a decoder with the interface of `Task.predict`.

    Only the words of the n-gram's unigrams can be recognised; those with letters that the characters lack are left
    out. The search is flashlight's, which SUPERB used too, with KenLM inside.

    Args:
        language_model: An ARPA file, plain or packed with gzip.
        settings: How the search weighs things.

    Raises:
        RequestError: The library is missing, or the file is no ARPA file.
    """
    if importlib.util.find_spec("flashlight") is None:
        raise RequestError(
            "beam search with an n-gram: needs the library flashlight-text, which is not installed",
            "pip install flashlight-text (Python 3.11 or 3.12), or decode without evaluate.language_model",
        )
    from torchaudio.models.decoder import ctc_decoder

    spellings = [(word, normalise_text(word)) for word in arpa_words(language_model)]
    letters = set(CHARACTERS)
    usable = [(word, text) for word, text in spellings if text and " " not in text and set(text) <= letters]
    if not usable:
        raise RequestError(f"{language_model}: must have unigrams spelt with A-Z, has none")
    with tempfile.TemporaryDirectory() as folder:
        lexicon = Path(folder) / "lexicon.txt"
        lexicon.write_text(
            "".join(f"{word}\t{' '.join([*spell_words(text), WORD_BOUNDARY])}\n" for word, text in usable),
            encoding="utf-8",
        )
        try:
            with unheard():  # KenLM draws a progress bar
                search = ctc_decoder(
                    lexicon=str(lexicon),
                    tokens=list(CHARACTERS),
                    lm=str(language_model),
                    beam_size=settings.size,
                    beam_threshold=settings.threshold,
                    lm_weight=settings.language_weight,
                    word_score=settings.word_score,
                    blank_token=SPECIAL[0],
                    sil_token=WORD_BOUNDARY,
                    unk_word=SPECIAL[3],
                )
        except RuntimeError as error:  # what KenLM says of a file that is cut short or miscounted
            reason = str(error).splitlines()[-1]
            raise RequestError(
                f"{language_model}: must be an n-gram in ARPA format, can't be read: {reason}", _ARPA
            ) from error
    texts = dict(spellings)

    def decode(logits: Tensor, frame_counts: Tensor, vocabulary: Vocabulary) -> list[str]:
        del vocabulary  # the characters, whatever the data
        probabilities = F.log_softmax(logits.detach().float(), dim=-1).cpu().contiguous()
        found = search(probabilities, frame_counts.cpu().to(torch.int32))
        return [" ".join(texts[word] for word in each[0].words) if each else "" for each in found]

    return decode


def arpa_words(path: Path) -> list[str]:
    """Returns the words of an ARPA file's unigrams, without the marks `<s>`, `</s>` and `<unk>`.

    Raises:
        RequestError: It can't be read, or has no unigrams.
    """
    words: list[str] = []
    is_unigram = False
    try:
        with _open(path) as file:
            for line in file:
                text = line.strip()
                if text.startswith("\\"):
                    if is_unigram:
                        break
                    is_unigram = text == "\\1-grams:"
                elif is_unigram and text:
                    words.append(text.split("\t")[1].strip() if "\t" in text else text.split()[1])
    except (OSError, EOFError, UnicodeDecodeError, IndexError) as error:
        reason = getattr(error, "strerror", None) or error
        raise RequestError(f"{path}: must be an n-gram in ARPA format, can't be read: {reason}", _ARPA) from error
    kept = [word for word in words if not (word.startswith("<") and word.endswith(">"))]
    if not kept:
        raise RequestError(f"{path}: must be an n-gram in ARPA format, has no unigrams", _ARPA)
    return kept


def _open(path: Path) -> IO[str]:
    return gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8")
