from __future__ import annotations

import pytest
import torch
from torch.nn.functional import one_hot

from speechft_cli.tasks.asr import ASR


@pytest.mark.parametrize(
    ("raw", "normalised"),
    [
        ("Hello, world!", "HELLO WORLD"),
        ("he 'll come", "HE'LL COME"),
        ("twenty-one", "TWENTY ONE"),
        ("  it’s  ", "IT'S"),
        ("42", ""),
        ("Schön_hier, 3 mal", "SCHÖN HIER MAL"),
    ],
)
def test_transcripts_are_normalised(raw: str, normalised: str) -> None:
    assert ASR.normalise(raw) == normalised


def test_the_vocabulary_has_32_symbols_whatever_the_data() -> None:
    assert len(ASR.vocabulary(["A"])) == 32
    assert ASR.vocabulary(["A"]) == ASR.vocabulary(["B"])


def test_a_transcript_survives_encoding_and_decoding() -> None:
    vocabulary = ASR.vocabulary([])
    text = "HELLO ALL'S WELL"
    path = [symbol for index in ASR.encode(text, vocabulary) for symbol in (index, 0)]  # a blank after each
    logits = one_hot(torch.tensor([path]), 32).float()

    assert ASR.predict(logits, torch.tensor([len(path)]), vocabulary) == [text]
