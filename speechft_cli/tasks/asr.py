"""Speech recognition in characters."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from speechft_cli.tasks import ctc
from speechft_cli.tasks.base import Metric, Vocabulary
from speechft_cli.tasks.heads import RecurrentHead
from speechft_cli.tasks.metrics import character_error_rate, word_error_rate

_WORD_BOUNDARY = "|"
#: The 32 symbols, in the order the published fine-tuning uses; <pad> is the blank.
_SYMBOLS = ("<pad>", "<s>", "</s>", "<unk>", _WORD_BOUNDARY, *"ETAONIHSRDLUMWCFGYPBVK'XJQZ")


@dataclass(frozen=True)
class SpeechRecognition:
    """Characters with CTC, greedy decoding. Its metrics are error rates of words and of characters."""

    name: str = "asr"
    needs: str = "text"
    metrics: tuple[Metric, ...] = (Metric("wer", "WER", "%", "lower"), Metric("cer", "CER", "%", "lower"))
    is_pooled: bool = False
    is_closed_set: bool = False
    probe_steps: int = 2_000
    probe_learning_rates: tuple[float, ...] = (1e-3,)

    def normalise(self, target: str) -> str:
        """Upper case, hyphens to blanks, an apostrophe joined to the word before, no digits or punctuation.

        Letters outside A-Z stay: they are no part of the vocabulary, so such an utterance is named instead of being
        trained on with holes in it, and what can't be recognised counts as an error.
        """
        text = target.upper().replace("’", "'").replace(" '", "'").replace("-", " ")
        return " ".join(re.sub(r"[^\w']|[\d_]", " ", text).split())

    def vocabulary(self, targets: Iterable[str]) -> Vocabulary:
        """Returns the fixed 32 symbols."""
        del targets
        return Vocabulary(_SYMBOLS)

    def encode(self, target: str, vocabulary: Vocabulary) -> list[int]:
        """Returns one index per character."""
        index = vocabulary.index()
        return [index[_WORD_BOUNDARY if character == " " else character] for character in target]

    def frames_needed(self, target: Sequence[int]) -> int:
        """Returns the frames of CTC's shortest path."""
        return ctc.frames_needed(target)

    def head(self, width: int, classes: int) -> nn.Module:
        """Returns the published head: projection 256, three BiLSTM layers of 256, SpecAugment before them."""
        return RecurrentHead(width, classes)

    def probe(self, width: int, classes: int) -> nn.Module:
        """Returns the same head."""
        return RecurrentHead(width, classes)

    def loss(self, logits: Tensor, frame_counts: Tensor, targets: Sequence[Sequence[int]]) -> Tensor:
        """Returns the CTC loss."""
        return ctc.ctc_loss(logits, frame_counts, targets)

    def predict(self, logits: Tensor, frame_counts: Tensor, vocabulary: Vocabulary) -> list[str]:
        """Returns the transcripts of the best paths."""
        special = _SYMBOLS[:4]
        return [
            " ".join(
                "".join(vocabulary.symbols[index] for index in path if vocabulary.symbols[index] not in special)
                .replace(_WORD_BOUNDARY, " ")
                .split()
            )
            for path in ctc.greedy(logits, frame_counts)
        ]

    def score(self, predictions: Sequence[str], references: Sequence[str]) -> Mapping[str, float]:
        """Returns wer and cer [%]."""
        return {
            "wer": word_error_rate(predictions, references),
            "cer": character_error_rate(predictions, references),
        }


ASR = SpeechRecognition()
